using System.Collections.Immutable;
using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>What the allocator wants done.</summary>
public abstract record AllocatorEffect
{
    private AllocatorEffect()
    {
    }

    /// <summary>Publish an ad.</summary>
    /// <param name="Topic">The topic.</param>
    /// <param name="Ad">The ad.</param>
    public sealed record Publish(string Topic, Ad Ad) : AllocatorEffect;

    /// <summary>Send an ad to a worker by itself: it serves the job already, and the ad's turn with all others has not come.</summary>
    /// <param name="Worker">The worker.</param>
    /// <param name="Ad">The ad.</param>
    public sealed record Tell(PeerId Worker, Ad Ad) : AllocatorEffect;

    /// <summary>Tell a worker that its offer came to a closed ad or group.</summary>
    /// <param name="Worker">The worker.</param>
    /// <param name="Closed">The message.</param>
    public sealed record Close(PeerId Worker, Closed Closed) : AllocatorEffect;

    /// <summary>An offer won: confirm it with tasks.</summary>
    /// <param name="Worker">The worker.</param>
    /// <param name="Offer">Its offer; confirmed once, with all entries.</param>
    /// <param name="Entries">What it won.</param>
    /// <param name="Discount">Taken off the asks if enough is confirmed.</param>
    public sealed record Award(PeerId Worker, OfferId Offer, ImmutableArray<AwardEntry> Entries, BundleDiscount Discount) : AllocatorEffect;

    /// <summary>All members of a gang have offered: confirm them together.</summary>
    /// <param name="Group">The gang's group.</param>
    /// <param name="Members">The offers that make it up; the counts add up to the gang's size.</param>
    public sealed record AwardGang(int Group, ImmutableArray<Award> Members) : AllocatorEffect;

    /// <summary>A worker has room for tasks of a group that has none left to give: some may be stolen from others' lines.</summary>
    /// <param name="Worker">The worker.</param>
    /// <param name="Group">The group.</param>
    /// <param name="Count">How many it would take.</param>
    public sealed record Spare(PeerId Worker, int Group, int Count) : AllocatorEffect;

    /// <summary>Nobody knows what a worker owns, or its offer was for more: ask it.</summary>
    /// <param name="Worker">The worker.</param>
    public sealed record Ask(PeerId Worker) : AllocatorEffect;

    /// <summary>A gang lacks members still: ask a worker to hold its offer for longer.</summary>
    /// <param name="Worker">The worker.</param>
    /// <param name="Extend">The message.</param>
    public sealed record KeepHold(PeerId Worker, Extend Extend) : AllocatorEffect;
}

/// <summary>What an offer won of one group.</summary>
/// <param name="Group">The group.</param>
/// <param name="Count">How many tasks.</param>
/// <param name="Ask">The price asked for each.</param>
public readonly record struct AwardEntry(int Group, int Count, Price Ask);

/// <summary>
/// What an offer takes off for many. Whether it holds is known only when the tasks are: fewer than were won may be left when they are chosen,
/// and a worker refuses a discount that it did not grant.
/// </summary>
/// <param name="From">Tasks in one confirmation from which on; 0 for none.</param>
/// <param name="Permille">How much.</param>
public readonly record struct BundleDiscount(int From, int Permille)
{
    /// <summary>The price of each of <paramref name="count"/> tasks.</summary>
    public Price Of(Price ask, int count) => From > 0 && count >= From ? ask.Times(1000 - Permille, 1000) : ask;
}

/// <summary>What a worker answered last about a group, for <c>explain</c>.</summary>
/// <param name="Worker">The worker.</param>
/// <param name="At">When.</param>
/// <param name="Offer">Its offer's entry; null if it refused.</param>
/// <param name="Refusal">Its refusal; null if it offered.</param>
/// <param name="Verdict">What the scheduler made of the offer; empty if it was taken.</param>
public sealed record GroupAnswer(PeerId Worker, Instant At, OfferEntry? Offer, RefusalEntry? Refusal, string Verdict);

/// <summary>How many places a group wants; asked by the allocator, answered by who knows the tasks.</summary>
public interface IDemand
{
    /// <summary>Tasks of the group that want a place now.</summary>
    int Pending(int group);

    /// <summary>Of those, how many this worker may take: not one that it failed a moment ago, nor a second copy of one that it runs.</summary>
    int PendingFor(int group, PeerId worker);
}
