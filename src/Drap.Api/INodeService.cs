namespace Drap.Api;

/// <summary>
/// What a node does for its user. The engine implements it; the server offers it on a Unix socket; the client, over that socket, implements it
/// again: a program does not see whether the node is in its own process. Expected refusals are <see cref="ApiException"/>; anything else is a fault
/// of ours and becomes <see cref="ErrorCodes.Internal"/>. A cancelled call may have taken effect; that is why a submit carries its id.
/// All members may be called from any thread.
/// </summary>
public interface INodeService
{
    /// <summary>Who answers.</summary>
    Task<NodeDocument> NodeAsync(CancellationToken cancel);

    /// <summary>Takes a job; returns when it is durable. The same id again returns the first answer with <c>created: false</c>.</summary>
    Task<SubmitReply> SubmitAsync(SubmitRequest request, CancellationToken cancel);

    /// <summary>Validates a job and asks the market for a non-binding quote; nothing is kept.</summary>
    Task<PlanDocument> PlanAsync(SubmitRequest request, CancellationToken cancel);

    /// <summary>Jobs, the youngest first.</summary>
    /// <param name="openOnly">Only those that have not ended.</param>
    /// <param name="limit">At most this many, 1 to 10 000.</param>
    Task<JobListDocument> JobsAsync(bool openOnly, int limit, CancellationToken cancel);

    /// <summary>
    /// The one job meant by <paramref name="text"/>: <c>last</c>, its number in this home, its id, or a prefix of its id (a text of digits
    /// only is a number where there is such a job). <see cref="ErrorCodes.NotFound"/> or <see cref="ErrorCodes.Ambiguous"/> else.
    /// </summary>
    Task<JobId> ResolveAsync(string text, CancellationToken cancel);

    /// <summary>One job with its segments, and without its tasks.</summary>
    Task<JobDocument> JobAsync(JobId job, CancellationToken cancel);

    /// <summary>A job's tasks from number <paramref name="from"/> on, at most <paramref name="limit"/> (1 to 10 000) of them.</summary>
    /// <param name="history">With each task's attempts.</param>
    Task<TaskListDocument> TasksAsync(JobId job, int from, int limit, bool history, CancellationToken cancel);

    /// <summary>Cancels, holds, releases, requeues or reruns; returns when that is durable.</summary>
    Task<ActionReply> ActAsync(JobId job, ActionRequest request, CancellationToken cancel);

    /// <summary>Gives a job new values; returns when that is durable.</summary>
    Task<ActionReply> ChangeAsync(JobId job, ChangeRequest request, CancellationToken cancel);

    /// <summary>Says why; of all tasks when <paramref name="task"/> is null.</summary>
    Task<ExplainDocument> ExplainAsync(JobId job, int? task, CancellationToken cancel);

    /// <summary>
    /// A job's events: first a <see cref="EventKind.Snapshot"/>, then what changes, until the event in which the job has ended.
    /// At most <see cref="JobEvent.BacklogMax"/> wait for a slow reader; past that they are dropped, and a <see cref="EventKind.Gap"/> and
    /// a new snapshot say so.
    /// </summary>
    /// <param name="tasks">With an event for each task's change.</param>
    IAsyncEnumerable<JobEvent> EventsAsync(JobId job, bool tasks, CancellationToken cancel);

    /// <summary>What tasks wrote; with <see cref="LogQuery.Follow"/> until they have ended. The reader's pace holds the sender back, never the task.</summary>
    IAsyncEnumerable<LogChunk> LogsAsync(JobId job, LogQuery query, CancellationToken cancel);

    /// <summary>
    /// Feeds the standard input of a job whose only task has its <c>stdin</c> set, until <paramref name="input"/> ends or the task no longer
    /// reads. The task begins with this call at the earliest, and its pace holds the reading back.
    /// </summary>
    Task FeedAsync(JobId job, Stream input, CancellationToken cancel);

    /// <summary>What a job has to give so far.</summary>
    Task<ResultsDocument> ResultsAsync(JobId job, CancellationToken cancel);

    /// <summary>The machines, what they have free and what they ask.</summary>
    /// <param name="explain">With the factors of each price.</param>
    Task<MarketDocument> MarketAsync(bool explain, CancellationToken cancel);

    /// <summary>Accounts, and the last <paramref name="limit"/> (0 to 10 000) receipts, of one job or of all.</summary>
    Task<LedgerDocument> LedgerAsync(JobId? job, int limit, CancellationToken cancel);

    /// <summary>Asked against used, of one job or of all that are kept.</summary>
    Task<UsageDocument> UsageAsync(JobId? job, CancellationToken cancel);

    /// <summary>Takes bytes into the store as one file; pinned until a job uses them or an hour has passed.</summary>
    Task<BlobDocument> AddBlobAsync(Stream content, CancellationToken cancel);

    /// <summary>Takes a file or folder of this machine into the store, pinned likewise.</summary>
    Task<BlobDocument> AddPathAsync(PathRequest request, CancellationToken cancel);

    /// <summary>What is known of a blob that is here.</summary>
    Task<BlobDocument> BlobAsync(Cid cid, CancellationToken cancel);

    /// <summary>A file's bytes, verified as they are read.</summary>
    Task<Stream> OpenBlobAsync(Cid cid, CancellationToken cancel);

    /// <summary>
    /// Writes a file or folder to a path of this machine, which must not exist or be a file that is replaced whole; a folder is filled up.
    /// </summary>
    Task ExportBlobAsync(Cid cid, PathRequest request, CancellationToken cancel);

    /// <summary>What is kept here by its user; with <paramref name="all"/> also what jobs keep.</summary>
    Task<BlobListDocument> BlobsAsync(bool all, CancellationToken cancel) => throw NotRunning();

    /// <summary>
    /// Brings a blob, and for a folder all below it, from whoever in the swarm has it and lets this node read it; at once where it is here.
    /// <see cref="ErrorCodes.NotFound"/> says who was asked.
    /// </summary>
    Task<BlobDocument> FetchBlobAsync(Cid cid, CancellationToken cancel) => throw NotRunning();

    /// <summary>Keeps a blob that is here until its user says otherwise, or keeps it no more; and says who may read it.</summary>
    Task<BlobDocument> PinBlobAsync(Cid cid, PinRequest request, CancellationToken cancel) => throw NotRunning();

    /// <summary>Deletes what nothing keeps.</summary>
    Task<CollectReply> CollectBlobsAsync(CollectRequest request, CancellationToken cancel) => throw NotRunning();

    /// <summary>The swarm that the node belongs to. <see cref="ErrorCodes.Conflict"/>, as for all that concerns one, where it belongs to none.</summary>
    Task<MembershipDocument> SwarmAsync(CancellationToken cancel) => throw NoSwarm();

    /// <summary>Hands out a ticket; it is durable when this returns.</summary>
    Task<TicketDocument> InviteAsync(InviteRequest request, CancellationToken cancel) => throw NoSwarm();

    /// <summary>Removes a node from the swarm, and all that it let in; returns who that was, as the connections of this node to it close.</summary>
    Task<RemovalReply> RemoveAsync(RemovalRequest request, CancellationToken cancel) => throw NoSwarm();

    /// <summary>Says to the swarm that this node and its workers leave it, for good; nothing of the home is changed.</summary>
    Task LeaveAsync(CancellationToken cancel) => throw NoSwarm();

    /// <summary>The workers of a node, this one or another that heeds it, take nothing new; what runs ends by itself. Until its next start.</summary>
    Task<DrainedDocument> DrainAsync(DrainRequest request, CancellationToken cancel) => throw NoSwarm();

    /// <summary>Ends the node: what runs is left to its leases or ended, the journal is closed; the jobs are resumed by the next start.</summary>
    Task ShutdownAsync(CancellationToken cancel);

    private static ApiException NotRunning() => new(ErrorCodes.Conflict, "no node is running in this home", null, "drap up, drap dev, or any command that starts one");

    private static ApiException NoSwarm() => new(ErrorCodes.Conflict, "no node of a swarm is up in this home", null, "drap up, or drap join TICKET");
}
