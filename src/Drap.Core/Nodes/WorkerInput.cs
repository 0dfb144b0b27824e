using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// What happens to a worker. One loop owns the machine: <c>new WorkerNode(PeerId self, WorkerOptions options, Prng random)</c>, then for
/// each batch of inputs that wait, <c>Step(input, now, effects)</c> for each in the order of arrival, then <c>Flush(now, effects)</c> once,
/// then the effects are performed in order, then the loop waits for an input or for <c>NextDeadline</c>. A batch of one is as right as a
/// batch of a thousand; what came in one batch goes out in as few messages.
/// </summary>
public abstract record WorkerInput
{
    private WorkerInput()
    {
    }

    /// <summary>
    /// A message came. The shell has checked that <paramref name="From"/> is who sent it (for an ad: who published it, not who passed it
    /// on) and that it may speak for the scheduler that the message names, if it names one.
    /// </summary>
    public sealed record Received(PeerId From, Message Message) : WorkerInput;

    /// <summary>A peer said what the shell did not let through: no message, or what it may not say. It is counted.</summary>
    public sealed record Refused(PeerId From, string What) : WorkerInput;

    /// <summary>The connection to a peer is closed: a hint, nothing more. Nothing is ended by it.</summary>
    public sealed record PeerGone(PeerId Peer) : WorkerInput;

    /// <summary>A round trip to a peer, measured below the market (a ping).</summary>
    public sealed record RoundTrip(PeerId Peer, TimeSpan Time) : WorkerInput;

    /// <summary>The program of an attempt was loaded, or its handler called, at <paramref name="At"/>. May be left out for those that end at once.</summary>
    public sealed record AttemptStarted(AttemptId Attempt, Instant At) : WorkerInput;

    /// <summary>An attempt ended, its whole family with it. Comes exactly once for each <see cref="WorkerEffect.Launch"/>, whatever happened to it.</summary>
    /// <param name="Attempt">The attempt.</param>
    /// <param name="End">How it ended.</param>
    /// <param name="Outputs">The outputs that are stored, ordered by name.</param>
    /// <param name="Usage">What it used.</param>
    public sealed record AttemptEnded(AttemptId Attempt, AttemptEnd End, ImmutableArray<TaskOutput> Outputs, AttemptUsage Usage) : WorkerInput
    {
        /// <summary>With <see cref="EndKind.InputMissing"/>, which; at most <see cref="AttemptResult.MissingMax"/>.</summary>
        public ImmutableArray<Cid> Missing { get; init; } = [];
    }

    /// <summary>The wall clock, at the start and after each jump; prices by the time of day and the age of results are counted by it.</summary>
    public sealed record Utc(UtcTime Time) : WorkerInput;

    /// <summary>New options, also while attempts run: what shrinks is given up as they end.</summary>
    public sealed record Configure(WorkerOptions Options) : WorkerInput;

    /// <summary>How many workers the swarm is thought to have; sets the topics to hear. One until said.</summary>
    public sealed record SwarmSize(int Workers) : WorkerInput;

    /// <summary>
    /// Take no new work, let what runs end within the time, then end it; <see cref="WorkerEffect.Left"/> says that nothing is left. Zero
    /// ends everything now. A second one may shorten the time.
    /// </summary>
    public sealed record Drain(TimeSpan Within) : WorkerInput;

    /// <summary>
    /// The node itself ends in so long, as a batch system's job does: the worker offers for nothing that is thought to run longer, takes nothing new shortly before, and
    /// ends what runs then. A second one may shorten the time.
    /// </summary>
    public sealed record Ends(TimeSpan Within) : WorkerInput;

    /// <summary>The node cannot do something any more (start processes, keep outputs); until <see cref="Recovered"/> it offers nothing. What runs goes on.</summary>
    public sealed record Degraded(string What) : WorkerInput;

    /// <summary>It can again.</summary>
    public sealed record Recovered : WorkerInput;

    /// <summary>Once, as the first input: what an earlier run of this node left on disk.</summary>
    /// <param name="Epochs">The highest epoch of each scheduler.</param>
    /// <param name="Outbox">Results that were not acknowledged.</param>
    /// <param name="Leftovers">Attempts that the earlier run had started and that are ended by now, by the shell.</param>
    public sealed record Restored(
        ImmutableArray<SchedulerEpoch> Epochs, ImmutableArray<StoredResult> Outbox, ImmutableArray<Leftover> Leftovers) : WorkerInput
    {
        /// <summary>What receipts that are kept have charged, in their order: credit lines go on where they were.</summary>
        public ImmutableArray<PastCharge> Charges { get; init; } = [];
    }

    /// <summary>The deadline has come; also harmless at any other time.</summary>
    public sealed record Tick : WorkerInput
    {
        /// <summary>The only one that is needed.</summary>
        public static readonly Tick Instance = new();
    }
}

/// <summary>The highest epoch seen of a scheduler.</summary>
/// <param name="Scheduler">The scheduler as a role.</param>
/// <param name="Epoch">Its epoch.</param>
public readonly record struct SchedulerEpoch(PeerId Scheduler, Epoch Epoch);

/// <summary>A result in the outbox, with what is needed to deliver and bill it.</summary>
/// <param name="Scheduler">To which scheduler it goes.</param>
/// <param name="Principal">Who owes for it.</param>
/// <param name="Price">The price agreed.</param>
/// <param name="Ended">When it was stored, for the limit on its age.</param>
/// <param name="Result">The result.</param>
public sealed record StoredResult(PeerId Scheduler, Principal Principal, Price Price, UtcTime Ended, AttemptResult Result);

/// <summary>An attempt of an earlier run of this node.</summary>
/// <param name="Scheduler">Whose lease it was.</param>
/// <param name="Attempt">The attempt.</param>
public readonly record struct Leftover(PeerId Scheduler, AttemptId Attempt);

/// <summary>What a receipt charged.</summary>
/// <param name="Principal">To whom.</param>
/// <param name="Attempt">For which attempt.</param>
/// <param name="Amount">How much.</param>
/// <param name="At">When.</param>
public readonly record struct PastCharge(Principal Principal, AttemptId Attempt, Credits Amount, UtcTime At);
