using Drap.Core.Nodes;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>Lines of the hosts; ids 1000 to 1099.</summary>
internal static partial class HostLog
{
    [LoggerMessage(1000, LogLevel.Debug, "a frame from {Peer} cannot be read: {Error}")]
    public static partial void BadFrame(ILogger logger, string peer, string error);

    [LoggerMessage(1001, LogLevel.Debug, "scheduler: {What}")]
    public static partial void Scheduler(ILogger logger, SchedulerObservation what);

    [LoggerMessage(1002, LogLevel.Debug, "worker {Name}: {What}")]
    public static partial void Worker(ILogger logger, string name, WorkerObservation what);

    [LoggerMessage(1003, LogLevel.Debug, "snapshot of the journal up to {Sequence}")]
    public static partial void SnapshotInstalled(ILogger logger, long sequence);

    [LoggerMessage(1004, LogLevel.Warning, "the snapshot of the journal up to {Sequence} failed: {Error}; the journal grows until one succeeds")]
    public static partial void SnapshotFailed(ILogger logger, long sequence, string error);

    [LoggerMessage(1010, LogLevel.Warning, "the disk of {Folder} is full ({Free} bytes left): what runs goes on and nothing is lost, but no job is taken and no task placed; free some space on it, and all goes on by itself")]
    public static partial void DiskFull(ILogger logger, string folder, long free);

    [LoggerMessage(1011, LogLevel.Warning, "the disk of {Folder} has room again: jobs are taken and tasks placed")]
    public static partial void RoomAgain(ILogger logger, string folder);

    [LoggerMessage(1013, LogLevel.Warning, "the journal waits: {Why}; what runs goes on and nothing is lost, but no job is taken and no task placed")]
    public static partial void JournalWaits(ILogger logger, string why);

    [LoggerMessage(1014, LogLevel.Warning, "the journal {Place} goes on: jobs are taken and tasks placed")]
    public static partial void JournalGoesOn(ILogger logger, string place);

    [LoggerMessage(1015, LogLevel.Warning, "another may lead the journal by now: {Count} messages are not sent")]
    public static partial void NotSaid(ILogger logger, int count);

    [LoggerMessage(1005, LogLevel.Warning, "worker {Name} ended {Count} processes that an earlier run had left")]
    public static partial void Leftovers(ILogger logger, string name, int count);

    [LoggerMessage(1007, LogLevel.Warning, "the log of job {Job} cannot be written, and has gaps: {Error}")]
    public static partial void LogFailed(ILogger logger, JobId job, string error);

    [LoggerMessage(1008, LogLevel.Debug, "collected {Count} blobs, {Bytes} bytes")]
    public static partial void Collected(ILogger logger, int count, long bytes);

    [LoggerMessage(1009, LogLevel.Warning, "unused blobs cannot be collected: {Error}")]
    public static partial void CollectFailed(ILogger logger, string error);

    [LoggerMessage(1012, LogLevel.Warning, "worker {Name} can write its state again, and offers")]
    public static partial void Recovered(ILogger logger, string name);

    [LoggerMessage(1016, LogLevel.Warning, "worker {Name}: {What}")]
    public static partial void Guard(ILogger logger, string name, string what);

    [LoggerMessage(1006, LogLevel.Warning, "worker {Name} cannot keep its outbox: {Error}")]
    public static partial void OutboxFailed(ILogger logger, string name, string error);
}
