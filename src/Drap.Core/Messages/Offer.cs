using System.Collections.Immutable;

namespace Drap.Core.Messages;

/// <summary>A worker's answer to an ad: what it would run, at which price.</summary>
public sealed record Offer : Message
{
    /// <summary>The offer's name.</summary>
    public required OfferId Id { get; init; }

    /// <summary>The ad that it answers.</summary>
    public required AdId Ad { get; init; }

    /// <summary>One entry a group, at most <see cref="Ad.GroupsMax"/>; all of them fit the worker together.</summary>
    public required ImmutableArray<OfferEntry> Entries { get; init; }

    /// <summary>How long the offer stands after its receipt; the worker itself holds a round trip longer.</summary>
    public required TimeSpan Valid { get; init; }

    /// <summary>From how many confirmed tasks on the discount holds; 0 without one.</summary>
    public int DiscountFrom { get; init; }

    /// <summary>The discount, in permille of the price.</summary>
    public int DiscountPermille { get; init; }
}

/// <summary>The part of an offer that concerns one group.</summary>
public sealed record OfferEntry
{
    /// <summary>The group.</summary>
    public required int Group { get; init; }

    /// <summary>How many tasks it would run at once.</summary>
    public required int Count { get; init; }

    /// <summary>How many more it would keep in line behind those, for tasks that are shorter than a round trip; they may be stolen back until started.</summary>
    public int Backlog { get; init; }

    /// <summary>The price of each task's bundle.</summary>
    public required Price Ask { get; init; }

    /// <summary>The resources are held; if not, they were free a moment ago.</summary>
    public bool Firm { get; init; }

    /// <summary>How long until a task could start.</summary>
    public TimeSpan Start { get; init; }

    /// <summary>How long the worker will surely let it run; zero for no promise.</summary>
    public TimeSpan Guaranteed { get; init; }

    /// <summary>How long the group's tasks took here so far (median); zero if none ran yet.</summary>
    public TimeSpan Measured { get; init; }
}

/// <summary>A worker's no, with reasons; in small audiences always sent, in large ones a sample.</summary>
/// <param name="Ad">The ad.</param>
/// <param name="Entries">One entry a group.</param>
public sealed record Refusal(AdId Ad, ImmutableArray<RefusalEntry> Entries) : Message;

/// <summary>Why a worker does not offer on a group.</summary>
/// <param name="Group">The group.</param>
/// <param name="Reason">The kind of reason.</param>
/// <param name="Shortages">For resource reasons each short dimension; at most 24.</param>
/// <param name="Ask">For <see cref="RefusalReason.Price"/> the price at which it would; else zero.</param>
/// <param name="Detail">For constraints what is not so: <c>label ssd</c>, <c>no label old</c>, <c>region eu</c>; for drivers the name that is not there; for quotas which: <c>tasks</c>, <c>share</c>, <c>bytes</c>, <c>offers</c>, <c>credit</c>; else empty.</param>
public sealed record RefusalEntry(int Group, RefusalReason Reason, ImmutableArray<Shortage> Shortages, Price Ask, string Detail);

/// <summary>Why a worker said no.</summary>
public enum RefusalReason
{
    /// <summary>The node is smaller than the bundle: it will never fit.</summary>
    TooSmall = 1,

    /// <summary>It would fit, but not now.</summary>
    Busy = 2,

    /// <summary>The bid is too low.</summary>
    Price = 3,

    /// <summary>A label, the architecture, region or zone differs.</summary>
    Constraint = 4,

    /// <summary>The driver or handler is not here.</summary>
    Driver = 5,

    /// <summary>It could not end before the deadline.</summary>
    Deadline = 6,

    /// <summary>The principal may not run here.</summary>
    Principal = 7,

    /// <summary>The node is draining, or ends too soon.</summary>
    Draining = 8,

    /// <summary>Kept back for a patient task or by the reserve.</summary>
    Reserved = 9,

    /// <summary>The node lacks something local: disk, descriptors; its detail says what.</summary>
    Degraded = 10,

    /// <summary>The principal has as much here as the owner lets it have at one time, or is at the end of its credit line; the detail says of what.</summary>
    Quota = 11,
}

/// <summary>A worker's non-binding answer to an ad that asked for quotes.</summary>
/// <param name="Ad">The ad.</param>
/// <param name="Entries">What it would offer now.</param>
/// <param name="Refusals">What it would not, and why.</param>
public sealed record Quote(AdId Ad, ImmutableArray<OfferEntry> Entries, ImmutableArray<RefusalEntry> Refusals) : Message;

/// <summary>A scheduler asks to keep a gang's hold for longer, once.</summary>
/// <param name="Offer">The offer.</param>
/// <param name="For">How much longer; the worker grants at most its hold limit.</param>
public sealed record Extend(OfferId Offer, TimeSpan For) : Message;
