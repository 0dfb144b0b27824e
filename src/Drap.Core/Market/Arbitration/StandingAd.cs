using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Market.Arbitration;

/// <summary>An ad that a worker keeps, to offer on it when something is free.</summary>
internal sealed class StandingAd
{
    public StandingAd(Ad ad, KnownScheduler scheduler, PeerId from, ulong draw, Instant now)
    {
        Ad = ad;
        Scheduler = scheduler;
        From = from;
        Draw = draw;
        ReceivedAt = now;
        Groups = new StandingGroup[ad.Groups.Length];
        for (int i = 0; i < Groups.Length; i++)
        {
            Groups[i] = new StandingGroup(this, ad.Groups[i]);
            HasPatient |= ad.Groups[i].Patient;
        }
    }

    public Ad Ad { get; }

    public KnownScheduler Scheduler { get; }

    /// <summary>Who published it, and gets the answers.</summary>
    public PeerId From { get; }

    public ulong Draw { get; }

    public Instant ReceivedAt { get; }

    public Instant Expires { get; init; }

    /// <summary>Its groups; those that are not open any more stay, so that an index is an index.</summary>
    public StandingGroup[] Groups { get; }

    public int Open { get; set; }

    /// <summary>No open group of it is to be looked at before; may be early. In a crowd most ads wait here for their end.</summary>
    public Instant NextLook { get; set; } = Instant.Zero;

    /// <summary>Whether it calls any group patient.</summary>
    public bool HasPatient { get; }

    /// <summary>Whether it got its first answer: an offer, a refusal, or the decision to be silent.</summary>
    public bool IsAnswered { get; set; }

    /// <summary>Whether its refusals were told: they are told once.</summary>
    public bool IsRefused { get; set; }
}

/// <summary>One group of a standing ad.</summary>
internal sealed class StandingGroup(StandingAd ad, TaskGroup group)
{
    public StandingAd Ad { get; } = ad;

    public TaskGroup Group { get; } = group;

    public GroupKey Key { get; } = KeyOf(ad.Ad, group);

    public static GroupKey KeyOf(Ad ad, TaskGroup group) => new(ad.Scheduler, ad.Epoch, group.Id);

    /// <summary>Whether it may still be offered on.</summary>
    public bool IsOpen { get; set; }

    /// <summary>Places that it named and that were not confirmed to this worker.</summary>
    public int Remaining { get; set; } = group.Count;

    /// <summary>The offer that is out for it; none is made meanwhile.</summary>
    public Hold? Hold { get; set; }

    /// <summary>No offer before this: one lapsed, or the answer's turn has not come.</summary>
    public Instant NotBefore
    {
        get;
        set
        {
            field = value;
            Ad.NextLook = Instant.Min(Ad.NextLook, value);
        }
    } = Instant.Zero;

    /// <summary>How long it was waited after the last lapse; zero before the first.</summary>
    public TimeSpan Backoff { get; set; }

    /// <summary>
    /// Tasks of it that stood in line here after its last confirmation, until when the next are asked for at half of that: a scheduler that has
    /// less to give than a line takes would be asked at each end. A newer ad has it to learn anew.
    /// </summary>
    public int Filled { get; set; } = int.MaxValue;

    /// <summary>Whether the worker may be kept for it: the scheduler calls it patient, and it was not offered a place yet.</summary>
    public bool IsPatient { get; set; } = group.Patient;

    /// <summary>When the gang was submitted, on this machine's clock: the older has the earlier.</summary>
    public Instant SubmittedAt => Ad.ReceivedAt - Group.GangAge;

    /// <summary>When its tasks must have ended.</summary>
    public Instant Deadline => Group.Deadline is { } deadline ? Ad.ReceivedAt + deadline : Instant.Never;

    public bool IsGang => Group.GangSize > 0;
}
