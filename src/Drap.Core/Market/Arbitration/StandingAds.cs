using Drap.Core.Messages;
using Drap.Core.Execution;
using Drap.Core.Leases;

namespace Drap.Core.Market.Arbitration;

/// <summary>The ads that stand with a worker, oldest first. A group stands once: a newer ad that names it takes its place. Not thread-safe.</summary>
internal sealed class StandingAds
{
    /// <summary>
    /// Task groups that stand: what the busiest swarm of thirty schedulers has open. At the limit the oldest ad of the principal with the most groups is dropped: who floods loses his own.
    /// </summary>
    public const int GroupsMax = 1024;

    /// <summary>How long an ad stands that does not say.</summary>
    public static readonly TimeSpan StandsDefault = TimeSpan.FromSeconds(30);

    /// <summary>How long an ad stands at most, whatever it says.</summary>
    public static readonly TimeSpan StandsMax = TimeSpan.FromMinutes(5);

    private readonly List<StandingAd> ads = [];
    private readonly Dictionary<AdId, StandingAd> byId = [];
    private readonly Dictionary<GroupKey, StandingGroup> open = [];
    private readonly Dictionary<Principal, int> openOf = [];
    private bool hasEmpty;

    /// <summary>Open groups.</summary>
    public int Count => open.Count;

    /// <summary>The ads, oldest first.</summary>
    public IReadOnlyList<StandingAd> Ads => ads;

    /// <summary>Ads that call a group patient.</summary>
    public int Patient { get; private set; }

    /// <summary>No ad is old before this.</summary>
    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>
    /// When the end of an ad is to be noticed though nothing else happens: who was called with few others may then get more. What a crowd was told
    /// ends unnoticed, with the next step.
    /// </summary>
    public Instant NextWake { get; private set; } = Instant.Never;

    public StandingAd? Find(AdId id) => byId.GetValueOrDefault(id);

    /// <summary>The group as it stands now; null if it does not.</summary>
    public StandingGroup? Find(GroupKey key) => open.GetValueOrDefault(key);

    /// <summary>Whether an open group of someone other than <paramref name="principal"/> stands.</summary>
    public bool HasOther(Principal principal) => openOf.Count > (openOf.ContainsKey(principal) ? 1 : 0);

    /// <summary>Keeps an ad with all its groups open.</summary>
    public void Add(StandingAd ad)
    {
        foreach (StandingGroup group in ad.Groups)
        {
            // An offer on the older ad may still be confirmed; the newer one gets an answer of its own.
            if (open.TryGetValue(group.Key, out StandingGroup? older))
                Close(older);
            open.Add(group.Key, group);
            openOf[ad.Ad.Principal] = openOf.GetValueOrDefault(ad.Ad.Principal) + 1;
            group.IsOpen = true;
            ad.Open++;
        }
        ads.Add(ad);
        Patient += ad.HasPatient ? 1 : 0;
        hasEmpty |= ad.Open == 0;
        byId.Add(ad.Ad.Id, ad);
        NextDeadline = Instant.Min(NextDeadline, ad.Expires);
        NextWake = Instant.Min(NextWake, WakesAt(ad));
        while (open.Count > GroupsMax)
            DropOldestOfMost();
        RemoveEmpty();
    }

    /// <summary>A newer ad, which the worker does not keep, names these groups: what older ones said of them is over.</summary>
    public void CloseOlder(Ad newer)
    {
        if (open.Count == 0)
            return;
        foreach (TaskGroup group in newer.Groups)
            if (open.TryGetValue(StandingGroup.KeyOf(newer, group), out StandingGroup? older))
                Close(older);
        RemoveEmpty();
    }

    private void DropOldestOfMost()
    {
        Principal most = openOf.MaxBy(o => (o.Value, o.Key)).Key;
        Drop(ads.First(ad => ad.Open > 0 && ad.Ad.Principal == most));
    }

    private static Instant WakesAt(StandingAd ad) => ad.Ad.Audience > Arbiter.ExplicitAudienceMax ? Instant.Never : ad.Expires;

    /// <summary>Closes one group: nothing is offered on it any more.</summary>
    public void Close(StandingGroup group)
    {
        if (!group.IsOpen)
            return;
        group.IsOpen = false;
        hasEmpty |= --group.Ad.Open == 0;
        open.Remove(group.Key);
        Principal principal = group.Ad.Ad.Principal;
        if (--openOf[principal] == 0)
            openOf.Remove(principal);
    }

    /// <summary>Closes all groups of an ad.</summary>
    public void Drop(StandingAd ad)
    {
        foreach (StandingGroup group in ad.Groups)
            Close(group);
        RemoveEmpty();
    }

    /// <summary>Drops what is old.</summary>
    public void RunDue(Instant now)
    {
        if (now < NextDeadline)
            return;
        NextDeadline = Instant.Never;
        NextWake = Instant.Never;
        foreach (StandingAd ad in ads)
        {
            if (ad.Expires > now)
            {
                NextDeadline = Instant.Min(NextDeadline, ad.Expires);
                NextWake = Instant.Min(NextWake, WakesAt(ad));
            }
            else
                foreach (StandingGroup group in ad.Groups)
                    Close(group);
        }
        RemoveEmpty();
    }

    /// <summary>A scheduler begins a new epoch: what it advertised in older ones is over.</summary>
    public void DropOlder(KnownScheduler scheduler)
    {
        foreach (StandingAd ad in ads)
            if (ReferenceEquals(ad.Scheduler, scheduler) && ad.Ad.Epoch.CompareTo(scheduler.Epoch) < 0)
                foreach (StandingGroup group in ad.Groups)
                    Close(group);
        RemoveEmpty();
    }

    /// <summary>Takes ads without open groups out.</summary>
    public void RemoveEmpty()
    {
        if (!hasEmpty)
            return;
        hasEmpty = false;
        for (int i = ads.Count - 1; i >= 0; i--)
        {
            if (ads[i].Open > 0)
                continue;
            byId.Remove(ads[i].Ad.Id);
            Patient -= ads[i].HasPatient ? 1 : 0;
            ads.RemoveAt(i);
        }
    }

    /// <summary>The index and the ads agree.</summary>
    public void CheckInvariants()
    {
        int count = 0;
        foreach (StandingAd ad in ads)
        {
            Invariant.Check(ad.Open == ad.Groups.Count(group => group.IsOpen) && ad.Expires >= NextDeadline);
            foreach (StandingGroup group in ad.Groups)
                Invariant.Check(!group.IsOpen || ReferenceEquals(open[group.Key], group));
            count += ad.Open;
        }
        Invariant.Check(openOf.Values.Sum() == count && openOf.Values.All(n => n > 0));
        Invariant.Check(count == open.Count && count <= GroupsMax && byId.Count == ads.Count && Patient == ads.Count(ad => ad.HasPatient));
    }
}
