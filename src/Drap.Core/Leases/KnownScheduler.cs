using Drap.Core.Health;
using Drap.Core.Market.Arbitration;

namespace Drap.Core.Leases;

/// <summary>What a worker knows of one scheduler as a role.</summary>
public sealed class KnownScheduler
{
    internal KnownScheduler(PeerId id)
    {
        Id = id;
        Speaker = id;
    }

    /// <summary>The scheduler.</summary>
    public PeerId Id { get; }

    /// <summary>The peer that spoke for it last, in its highest epoch: where results go. Until one spoke, the scheduler's own key as a peer.</summary>
    public PeerId Speaker { get; internal set; }

    /// <summary>The highest epoch that was seen; lower ones are refused.</summary>
    public Epoch Epoch { get; internal set; }

    /// <summary>Whether <see cref="Epoch"/> is on disk. It must be before anything that binds is sent.</summary>
    public bool IsEpochStored { get; internal set; }

    /// <summary>Which of the epoch's ads were heard.</summary>
    public AdWindow Ads { get; internal set; } = new();

    /// <summary>Round trips to the speaker.</summary>
    public SmoothedRtt Rtt { get; } = new();

    /// <summary>Whether they were measured by pings, so that the market's own messages need not tell.</summary>
    public bool IsRttMeasured { get; internal set; }

    /// <summary>When it was heard last.</summary>
    public Instant HeardAt { get; internal set; }

    /// <summary>The number of the last heartbeat of this epoch that was applied; 0 before the first.</summary>
    public long Heartbeat { get; internal set; }

    /// <summary>Counts the renewals of all leases at once, over all epochs.</summary>
    public long Renewals { get; internal set; }

    /// <summary>Until when the last such renewal lasts.</summary>
    public Instant RenewedUntil { get; internal set; }

    /// <summary>The same for attempts that stop at their lease's end: counted from a moment that surely was before the renewal was sent.</summary>
    public Instant StoppingRenewedUntil { get; internal set; }

    /// <summary>When the heartbeats came; what the scheduler has heard of an answer is proof of when it still spoke.</summary>
    internal HeartbeatTimes Beats { get; } = new();

    /// <summary>Hash of the live leases; see <see cref="Messages.LeaseSetHash"/>.</summary>
    public ulong LeaseSet { get; internal set; }

    /// <summary>Live leases.</summary>
    public int Live { get; internal set; }

    /// <summary>Live leases whose attempt stops at the lease's end.</summary>
    public int LiveStopping { get; internal set; }

    /// <summary>Leases of any state.</summary>
    public int Leases { get; internal set; }
}
