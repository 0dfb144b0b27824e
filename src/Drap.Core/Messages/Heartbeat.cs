using System.Collections.Immutable;
using Drap.Core.Health;

namespace Drap.Core.Messages;

/// <summary>
/// From the scheduler to each worker that holds a lease of its, once a second: renews all of them and carries the hash of the set
/// of leases that the scheduler believes in. The scheduler renews; a worker never asks.
/// </summary>
/// <param name="Scheduler">The scheduler as a role.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="Number">Counts the heartbeats to this worker in this epoch: each renewal is applied once, in order.</param>
/// <param name="Lease">How much longer the leases last, from receipt; see <paramref name="Heard"/>.</param>
/// <param name="LeaseSet">See <see cref="LeaseSetHash"/>.</param>
/// <param name="Heard">
/// One more than the number of the last heartbeat whose answer had come when this one was sent; 0 from schedulers that do not say. What must not outlive its
/// lease is renewed from that answer: however long this was on its way, it was sent after it.
/// </param>
public sealed record Heartbeat(PeerId Scheduler, Epoch Epoch, long Number, TimeSpan Lease, ulong LeaseSet, long Heard = 0) : Message
{
    /// <summary>The scheduler's signature under confirmations that it sent before; see <see cref="Evidence"/>. Mostly empty.</summary>
    public ImmutableArray<byte> Seal { get; init; } = [];
}

/// <summary>The worker's answer to a heartbeat.</summary>
/// <param name="Number">The heartbeat's number.</param>
/// <param name="LeaseSet">The hash of the set of leases that the worker holds of this scheduler; if they differ, the scheduler reconciles.</param>
/// <param name="Started">Attempts that began to run since the last reply that was answered.</param>
public sealed record HeartbeatReply(long Number, ulong LeaseSet, ImmutableArray<AttemptId> Started) : Message;

/// <summary>The scheduler's whole list of the leases that it believes a worker to hold; asks for the worker's.</summary>
/// <param name="Scheduler">The scheduler as a role.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="Lease">Leases named here are renewed, or adopted if they were orphaned, for this long.</param>
/// <param name="Attempts">What the scheduler believes in; at most <see cref="AttemptsMax"/>, the rest follow in further messages.</param>
/// <param name="Complete">The last message of the list: what the worker holds beside all of it is a phantom.</param>
/// <param name="Round">Names the question: the answer repeats it.</param>
public sealed record Reconcile(PeerId Scheduler, Epoch Epoch, TimeSpan Lease, ImmutableArray<AttemptId> Attempts, bool Complete, long Round = 0) : Message
{
    /// <summary>Attempts in one message: 40 B each, so 40 KiB.</summary>
    public const int AttemptsMax = 1024;
}

/// <summary>The worker's whole list.</summary>
/// <param name="Epoch">The epoch that asked.</param>
/// <param name="Held">Attempts under lease or orphaned.</param>
/// <param name="Finished">Attempts whose result waits in the outbox; the results follow.</param>
/// <param name="Complete">The last message of the list: what the scheduler believes in beside all of it is lost.</param>
/// <param name="Round">The question's.</param>
/// <param name="Total">Attempts in all messages of the list: with fewer, one is missing.</param>
public sealed record ReconcileReply(
    Epoch Epoch, ImmutableArray<AttemptId> Held, ImmutableArray<AttemptId> Finished, bool Complete, long Round = 0, int Total = 0) : Message;

/// <summary>Are you there, and how are you?</summary>
/// <param name="Nonce">Repeated by the reply.</param>
/// <param name="Market">Asks for the node's resources, traits and prices too.</param>
public sealed record Probe(ulong Nonce, bool Market) : Message;

/// <summary>The answer to a probe.</summary>
/// <param name="Nonce">The probe's.</param>
/// <param name="State">The node's market side, if asked for.</param>
public sealed record ProbeReply(ulong Nonce, NodeState? State) : Message;

/// <summary>What a worker shows of itself on the market.</summary>
public sealed record NodeState
{
    /// <summary>The name that its owner gave it, or a made-up one.</summary>
    public required string Name { get; init; }

    /// <summary>What it owns.</summary>
    public required NodeResources Total { get; init; }

    /// <summary>What is free of it now: the same shape, with what is taken taken off.</summary>
    public required NodeResources Free { get; init; }

    /// <summary>Where and what it is.</summary>
    public required NodeTraits Traits { get; init; }

    /// <summary>Attempts that run.</summary>
    public int Running { get; init; }

    /// <summary>Attempts that stand in line.</summary>
    public int Waiting { get; init; }

    /// <summary>Offers that hold resources.</summary>
    public int Holds { get; init; }

    /// <summary>Whether it takes no new work.</summary>
    public bool Draining { get; init; }

    /// <summary>In how long the node itself ends, as a batch system's job does; null if it is to stay.</summary>
    public TimeSpan? EndsIn { get; init; }

    /// <summary>The factors of its price for one core with 1 GiB for an hour, in order, last the price itself.</summary>
    public ImmutableArray<PriceFactor> Prices { get; init; } = [];

    /// <summary>What its sandbox enforces, one line a resource; empty if all is.</summary>
    public ImmutableArray<string> Enforcement { get; init; } = [];

    /// <summary>Peers of which it refused something, those with most first, at most <see cref="ComplaintBook.ShownMax"/>.</summary>
    public ImmutableArray<Complaint> Complaints { get; init; } = [];
}

/// <summary>One factor of a price, for <c>drap market --explain</c>.</summary>
/// <param name="Name">What it is: <c>base</c>, <c>utilisation</c>, <c>time-of-day</c>, <c>market</c>, <c>owner</c>, <c>ask</c>.</param>
/// <param name="Permille">The factor in permille; for amounts 0.</param>
/// <param name="Amount">The price after it.</param>
public sealed record PriceFactor(string Name, long Permille, Price Amount);

/// <summary>What a worker tells of its own accord.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Attempts">To which attempts, where it is about some.</param>
/// <param name="Within">For an end that is to come: in how much time.</param>
public sealed record Notice(NoticeKind Kind, ImmutableArray<AttemptId> Attempts, TimeSpan Within) : Message;

/// <summary>What a notice says.</summary>
public enum NoticeKind
{
    /// <summary>These attempts began to run (long ones are told at once; short ones by their result).</summary>
    Started = 1,

    /// <summary>These stood in line and are given back, unstarted.</summary>
    Returned = 2,

    /// <summary>The node takes no new work and will end within the time said.</summary>
    Draining = 3,

    /// <summary>The node goes now; its attempts are ended.</summary>
    Leaving = 4,
}
