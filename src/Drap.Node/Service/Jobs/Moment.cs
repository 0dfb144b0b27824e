using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Nodes;

namespace Drap.Node.Service;

/// <summary>The scheduler between two of its steps, on the loop's own thread: what the views read from.</summary>
/// <param name="Node">The machine.</param>
/// <param name="Now">Its clock.</param>
/// <param name="Utc">The wall clock.</param>
internal readonly record struct Moment(SchedulerNode Node, Instant Now, UtcTime Utc)
{
    public SchedulerState State => Node.State;

    public JobRun Job(JobId id) => State.TryGet(id, out JobRun? job) ? job : throw Refuse.NoJob(id);

    public string? NameOf(int node)
    {
        if (node < 0)
            return null;
        (PeerId peer, string name) = State.Node(node);
        return name.Length > 0 ? name : peer.Short;
    }

    public IReadOnlyList<LeasedAttempt> Attempts(JobRun job, int number) => Node.AttemptsOf(new TaskId(job.Id, number));

    public UtcTime PlacedAt(LeasedAttempt attempt) => Utc + (attempt.PlacedAt - Now);
}
