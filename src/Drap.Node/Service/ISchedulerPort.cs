using System.Collections.Immutable;
using Drap.Core.Nodes;

namespace Drap.Node.Service;

/// <summary>
/// The way to a running scheduler for everything that is not its loop. Any thread may call it; a full inbox makes callers wait, and a
/// loop that has ended fails them with an <see cref="Drap.Api.ApiException"/> that says why.
/// </summary>
public interface ISchedulerPort
{
    /// <summary>
    /// Posts the input that <paramref name="request"/> makes of a fresh ticket, and completes with the <see cref="SchedulerEffect.Done"/> of
    /// that ticket. A cancelled call may have taken effect.
    /// </summary>
    Task<SchedulerReply> AskAsync(Func<Ticket, SchedulerInput> request, CancellationToken cancel);

    /// <summary>
    /// Runs <paramref name="read"/> on the loop's thread between two steps. It must be short, and what it gives back an immutable copy.
    /// </summary>
    Task<T> ReadAsync<T>(Func<SchedulerNode, Instant, T> read, CancellationToken cancel);

    /// <summary>Posts an input that nobody waits for.</summary>
    void Post(SchedulerInput input);

    /// <summary>Tells of changes until what it returns is disposed.</summary>
    IDisposable Watch(ISchedulerWatcher watcher);
}

/// <summary>Hears of a scheduler's changes, on the loop's own thread: it must not block, and only passes the news on.</summary>
public interface ISchedulerWatcher
{
    /// <summary>The job changed, and these tasks of it; what is told is durable. And whether the job has ended.</summary>
    void Changed(JobId job, ImmutableArray<int> tasks, bool hasEnded);

    /// <summary>The worker of an attempt has room for its standard input up to this byte.</summary>
    void StdinRoom(AttemptId attempt, long until);

    /// <summary>The job's history was dropped; its logs and its hold on blobs may go.</summary>
    void Forget(JobId job);

    /// <summary>The loop has ended, or its journal takes nothing any more: nothing will change, and every question now says why. On any thread.</summary>
    void Stopped();
}
