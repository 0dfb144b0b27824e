using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>Names a request of the node's own user, so that its answer finds it.</summary>
/// <param name="Value">Counted by the shell.</param>
public readonly record struct Ticket(long Value);

/// <summary>
/// What happens to a scheduler. One loop owns the machine: for each batch of inputs that wait <c>Step(input, now, effects)</c> in the
/// order of arrival, then <c>Flush(now, effects)</c> once; then the effects are performed in order and the journal's batch is handed to
/// its writer; then the loop waits for an input or for <c>NextDeadline</c>.
/// </summary>
public abstract record SchedulerInput
{
    private SchedulerInput()
    {
    }

    /// <summary>A message came from a peer whose identity the shell has checked.</summary>
    public sealed record Received(PeerId From, Message Message) : SchedulerInput;

    /// <summary>A peer said what the shell did not let through, or does not stand by; it is counted.</summary>
    public sealed record Refused(PeerId From, string What) : SchedulerInput;

    /// <summary>The connection to a peer is closed: a hint, which is followed by a probe.</summary>
    public sealed record PeerGone(PeerId Peer) : SchedulerInput;

    /// <summary>Who hears a topic now.</summary>
    public sealed record Audience(string Topic, ImmutableArray<PeerId> Members) : SchedulerInput;

    /// <summary>
    /// How many workers a region is thought to have, or under <see cref="Market.Audience.GlobalRegion"/> the whole swarm. Where nothing is said, who
    /// hears an ad is what <see cref="Audience"/> says; in a region that has shards, so many are expected.
    /// </summary>
    public sealed record SwarmSize(string Region, int Workers) : SchedulerInput;

    /// <summary>A worker is there: what it is called, and the address at which a gang's members reach it.</summary>
    /// <param name="Worker">The worker.</param>
    /// <param name="Name">Its name.</param>
    /// <param name="Host">Its machine's address; <see cref="OwnHost"/> on this node's own.</param>
    /// <param name="MayKeep">Whether it may keep copies of outputs: it is of this node's own principal, so that it may read them.</param>
    public sealed record Named(PeerId Worker, string Name, string Host, bool MayKeep = false) : SchedulerInput
    {
        /// <summary>This machine.</summary>
        public const string OwnHost = "127.0.0.1";
    }

    /// <summary>The wall clock, at the start and after each jump.</summary>
    public sealed record Utc(UtcTime Time) : SchedulerInput;

    /// <summary>All records up to this sequence are on disk.</summary>
    public sealed record Persisted(long Sequence) : SchedulerInput;

    /// <summary>A person submits a job, read and checked; the same id again is answered as the first time.</summary>
    public sealed record Submit(
        Ticket Ticket, JobId Job, Principal Principal, JobSpec Spec, ImmutableArray<byte> Json, string OutFolder, JobSecrets Secrets) : SchedulerInput;

    /// <summary>A person does something to a job, or to the tasks named.</summary>
    public sealed record Act(Ticket Ticket, JobId Job, JobDeed Deed, ImmutableArray<TaskSpan> Tasks, bool FailedOnly) : SchedulerInput;

    /// <summary>A person gives a job new values.</summary>
    public sealed record Change(Ticket Ticket, JobId Job, JobChange Values) : SchedulerInput;

    /// <summary>What would the market say to this job?</summary>
    public sealed record Plan(Ticket Ticket, JobSpec Spec) : SchedulerInput;

    /// <summary>How are the workers?</summary>
    public sealed record Survey(Ticket Ticket) : SchedulerInput;

    /// <summary>A piece of standard input for a running attempt.</summary>
    public sealed record Stdin(StdinChunk Chunk) : SchedulerInput;

    /// <summary>How <see cref="SchedulerEffect.Fetch"/> ended.</summary>
    /// <param name="Attempt">Whose outputs they are.</param>
    /// <param name="End">Whether all of them are here now.</param>
    /// <param name="Why">For a person, where they are not.</param>
    public sealed record Fetched(AttemptId Attempt, FetchEnd End, string Why) : SchedulerInput;

    /// <summary>How <see cref="SchedulerEffect.Copy"/> ended.</summary>
    /// <param name="Attempt">Whose outputs they are.</param>
    /// <param name="Keeper">Who was to keep them.</param>
    /// <param name="IsKept">Whether all of them lie there now.</param>
    public sealed record Copied(AttemptId Attempt, PeerId Keeper, bool IsKept) : SchedulerInput;

    /// <summary>The journal cannot take much more, or can again.</summary>
    /// <param name="ShortOf">Why nothing new is to be taken, as "the disk of this node's home is full"; null when all is well.</param>
    public sealed record Room(string? ShortOf) : SchedulerInput;

    /// <summary>The deadline has come; also harmless at any other time.</summary>
    public sealed record Tick : SchedulerInput
    {
        /// <summary>The only one that is needed.</summary>
        public static readonly Tick Instance = new();
    }
}

/// <summary>What became of blobs that were wanted.</summary>
public enum FetchEnd
{
    /// <summary>All of them are here, as durable as was asked.</summary>
    Safe = 1,

    /// <summary>Their holder could not be reached, or broke off, or this node could not keep them: the same may succeed later.</summary>
    Unreachable = 2,

    /// <summary>Their holder does not have them, or has something else.</summary>
    Gone = 3,
}

/// <summary>Task numbers, both ends included.</summary>
/// <param name="First">The first, from 1.</param>
/// <param name="Last">The last.</param>
public readonly record struct TaskSpan(int First, int Last);
