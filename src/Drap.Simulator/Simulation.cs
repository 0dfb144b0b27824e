using System.Buffers.Binary;

namespace Drap.Simulator;

/// <summary>
/// Virtual time: a clock that jumps from one event to the next, and nothing else that moves. Events at one instant happen in the order in
/// which they were scheduled, so a run follows from its seed alone; <see cref="Trace"/> proves it.
/// </summary>
public sealed class Simulation
{
    /// <summary>Most events that may wait: more than a hundred thousand nodes need. Above it the scenario multiplies events, which is a bug.</summary>
    public const int EventsMax = 4_000_000;

    private readonly EventHeap queue = new();
    private readonly Prng seeds;

    public Simulation(ulong seed)
    {
        Seed = seed;
        seeds = new Prng(seed);
    }

    /// <summary>What the whole run follows from; a failing test prints it.</summary>
    public ulong Seed { get; }

    /// <summary>The virtual boot time. It begins at one second, so that a subtraction in a machine does not leave the clock's range.</summary>
    public Instant Now { get; private set; } = Instant.Zero + TimeSpan.FromSeconds(1);

    /// <summary>Events that have happened.</summary>
    public long Happened { get; private set; }

    public TraceHash Trace { get; } = new();

    /// <summary>A generator for one part of the scenario, so that a draw in one part does not move the others.</summary>
    public Prng NewPrng() => new(seeds.NextUInt64());

    /// <summary>An identity that nobody has the key of.</summary>
    public static PeerId NewPeer(Prng prng)
    {
        Span<byte> key = stackalloc byte[32];
        for (int i = 0; i < key.Length; i += 8)
            BinaryPrimitives.WriteUInt64LittleEndian(key[i..], prng.NextUInt64());
        return PeerId.FromEd25519(key);
    }

    /// <summary>Schedules <paramref name="action"/>; a time that is past means now, after what is due already.</summary>
    public SimulatedEvent At(Instant at, Action action)
    {
        Invariant.Check(queue.Count < EventsMax);
        var scheduledEvent = new SimulatedEvent(Instant.Max(at, Now), action);
        queue.Add(scheduledEvent.At, new EventHeap.Event(scheduledEvent, 0, null, 0));
        return scheduledEvent;
    }

    /// <summary>
    /// Lets <paramref name="target"/> know at that time; it cannot be cancelled. For what happens by the million: nothing is allocated for it.
    /// </summary>
    /// <param name="at">When; a time that is past means now, after what is due already.</param>
    /// <param name="target">Whom it happens to.</param>
    /// <param name="kind">What it is, in the target's own numbers.</param>
    /// <param name="what">What belongs to it.</param>
    /// <param name="from">Whom it comes from, in the target's own numbers.</param>
    public void At(Instant at, ISimulated target, int kind, object? what = null, int from = 0)
    {
        Invariant.Check(queue.Count < EventsMax);
        queue.Add(Instant.Max(at, Now), new EventHeap.Event(target, kind, what, from));
    }

    /// <summary>Schedules <paramref name="action"/> for a while from now.</summary>
    public SimulatedEvent After(TimeSpan delay, Action action) => At(Now + delay, action);

    /// <summary>Lets the next event happen; false when none waits.</summary>
    public bool Step() => Step(Instant.Never);

    private bool Step(Instant until)
    {
        while (queue.TryPeek(out Instant at, out _) && at <= until)
        {
            queue.TryTake(out _, out EventHeap.Event next);
            if (next.Target is SimulatedEvent { IsCancelled: true })
                continue;
            Now = at;
            Happened++;
            Trace.Add(Now.Nanoseconds);
            if (next.Target is SimulatedEvent single)
                single.Happen();
            else
                ((ISimulated)next.Target).Happen(next.Kind, next.What, next.From);
            return true;
        }
        return false;
    }

    /// <summary>Lets all happen that is due up to <paramref name="until"/>, and moves the clock there.</summary>
    public void RunUntil(Instant until)
    {
        while (queue.TryPeek(out Instant at, out _) && at <= until)
            Step(until);
        Now = Instant.Max(Now, until);
    }

    /// <summary>Lets all happen that is due up to <paramref name="until"/>, or up to an event; false if that came first.</summary>
    public bool RunUntil(Instant until, long lastEvent)
    {
        while (Happened < lastEvent)
        {
            if (!queue.TryPeek(out Instant at, out _) || at > until)
            {
                Now = Instant.Max(Now, until);
                return true;
            }
            Step(until);
        }
        return false;
    }

    /// <summary>Runs for a while.</summary>
    public void RunFor(TimeSpan time) => RunUntil(Now + time);

    /// <summary>Runs until <paramref name="done"/>; false when that did not come before <paramref name="limit"/> or nothing was left to happen.</summary>
    public bool RunUntil(Func<bool> done, Instant limit)
    {
        while (!done())
        {
            if (NextAt() is not { } at || at > limit)
                return false;
            Step();
        }
        return true;
    }

    /// <summary>When the next event happens; null when none waits.</summary>
    public Instant? NextAt()
    {
        while (queue.TryPeek(out Instant at, out object? target))
        {
            if (target is not SimulatedEvent { IsCancelled: true })
                return at;
            queue.TryTake(out _, out _);
        }
        return null;
    }
}

/// <summary>Something to which events happen by the million.</summary>
public interface ISimulated
{
    /// <summary>It happens.</summary>
    /// <param name="kind">What it is, in the target's own numbers.</param>
    /// <param name="what">What belongs to it.</param>
    /// <param name="from">Whom it comes from, in the target's own numbers.</param>
    void Happen(int kind, object? what, int from);
}

/// <summary>Something that will happen unless it is cancelled.</summary>
public sealed class SimulatedEvent
{
    private Action? action;

    internal SimulatedEvent(Instant at, Action action)
    {
        At = at;
        this.action = action;
    }

    public Instant At { get; }

    /// <summary>Whether it has been cancelled or has happened.</summary>
    public bool IsCancelled => action is null;

    /// <summary>It does not happen. Harmless when it has.</summary>
    public void Cancel() => action = null;

    internal void Happen()
    {
        Action now = action!;
        action = null;
        now();
    }
}
