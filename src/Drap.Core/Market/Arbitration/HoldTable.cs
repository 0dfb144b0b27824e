using System.Diagnostics.CodeAnalysis;
using Drap.Core.Execution;

namespace Drap.Core.Market.Arbitration;

/// <summary>The offers that are out. What a firm one holds is out of the capacity. Not thread-safe.</summary>
internal sealed class HoldTable(Capacity capacity, PrincipalBook principals)
{
    /// <summary>Offers out at once: one each standing group. At the limit nothing is offered until one is answered or lapses, within two seconds.</summary>
    public const int HoldsMax = 1024;

    /// <summary>The longest hold; the one extension that a gang may ask for lasts at most as long again.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private readonly Dictionary<OfferId, Hold> byId = [];
    private readonly List<Hold> holds = [];

    /// <summary>Offers out.</summary>
    public int Count => holds.Count;

    /// <summary>The offers, oldest first.</summary>
    public IReadOnlyList<Hold> All => holds;

    /// <summary>Places that are offered but not held.</summary>
    public int SoftPlaces { get; private set; }

    /// <summary>No hold lapses before this.</summary>
    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>What is held, in the order of the offers.</summary>
    public IEnumerable<Grant> Grants => holds.SelectMany(hold => hold.Parts).SelectMany(part => part.Grants);

    /// <summary>Whether anything is held.</summary>
    public bool HoldsAny
    {
        get
        {
            foreach (Hold hold in holds)
                foreach (HoldPart part in hold.Parts)
                    if (part.Grants.Count > 0)
                        return true;
            return false;
        }
    }

    public bool TryGet(OfferId id, [NotNullWhen(true)] out Hold? hold) => byId.TryGetValue(id, out hold);

    public void Add(Hold hold)
    {
        byId.Add(hold.Id, hold);
        holds.Add(hold);
        Invariant.Check(ReferenceEquals(hold.Use, principals.Of(hold.Principal)));
        hold.Use.Offers++;
        foreach (HoldPart part in hold.Parts)
        {
            hold.Use.Offered += part.Tasks;
            part.Group.Hold = hold;
            SoftPlaces += part.SoftCount;
        }
        NextDeadline = Instant.Min(NextDeadline, hold.Expires);
    }

    /// <summary>Takes an offer out and gives back what it still holds.</summary>
    public void Remove(Hold hold)
    {
        byId.Remove(hold.Id);
        holds.Remove(hold);
        hold.Use.Offers--;
        foreach (HoldPart part in hold.Parts)
            Release(hold, part);
    }

    /// <summary>Takes one group out of an offer; the offer goes with its last.</summary>
    public void Remove(Hold hold, HoldPart part)
    {
        hold.Parts.Remove(part);
        Release(hold, part);
        if (hold.Parts.Count == 0)
            Remove(hold);
    }

    /// <summary>Collects the offers that are due and sets <see cref="NextDeadline"/> anew.</summary>
    public void CollectDue(Instant now, List<Hold> due)
    {
        if (now < NextDeadline)
            return;
        NextDeadline = Instant.Never;
        foreach (Hold hold in holds)
        {
            if (hold.Expires <= now)
                due.Add(hold);
            else
                NextDeadline = Instant.Min(NextDeadline, hold.Expires);
        }
    }

    /// <summary>What a principal holds; with what is offered softly, too, if <paramref name="withSoft"/>.</summary>
    public ResourceSum HeldBy(Principal principal, bool withSoft = false)
    {
        var sum = new ResourceSum();
        foreach (Hold hold in holds)
            if (hold.Principal == principal)
                foreach (HoldPart part in hold.Parts)
                    sum.Add(part.Task.Resources, part.Grants.Count + (withSoft ? part.SoftCount : 0));
        return sum;
    }

    /// <summary>The index, the counts and the groups agree.</summary>
    public void CheckInvariants()
    {
        Invariant.Check(byId.Count == holds.Count && holds.Count <= HoldsMax);
        int soft = 0;
        foreach (IGrouping<PrincipalUse, Hold> its in holds.GroupBy(hold => hold.Use))
            Invariant.Check(its.Key.Offers == its.Count() && its.Key.Offered == its.Sum(hold => hold.Parts.Sum(part => part.Tasks)));
        foreach (Hold hold in holds)
        {
            Invariant.Check(hold.Parts.Count > 0 && hold.Expires >= NextDeadline);
            foreach (HoldPart part in hold.Parts)
            {
                soft += part.SoftCount;
                Invariant.Check(part.Grants.Count == (part.Entry.Firm ? part.Entry.Count : 0));
                Invariant.Check(ReferenceEquals(part.Group.Hold, hold));
            }
        }
        Invariant.Check(soft == SoftPlaces);
    }

    private void Release(Hold hold, HoldPart part)
    {
        hold.Use.Offered -= part.Tasks;
        SoftPlaces -= part.SoftCount;
        part.Group.Hold = null;
        foreach (Grant grant in part.Grants)
            capacity.Give(grant);
        part.Grants.Clear();
    }
}
