using System.Globalization;
using TaskState = Drap.Api.TaskState;

namespace Drap.Cli.Bench.Recovery;

/// <summary>Files by which each execution of a task says, outside drap, that it has begun: <c>TASK.FENCE</c>.</summary>
internal static class ExecutionMarks
{
    /// <summary>The words by which a task's shell leaves one in the folder <c>$0</c>.</summary>
    public const string Leave = ": > \"$0/$DRAP_TASK.$DRAP_FENCE\"";

    /// <summary>The files of a folder, by the number of their task.</summary>
    public static ILookup<int, string> Of(string folder) => Directory.EnumerateFiles(folder).ToLookup(TaskOf);

    /// <summary>The epoch of the scheduler that had it executed.</summary>
    public static Epoch EpochOf(string mark) => new Fence(long.Parse(Parts(mark)[1], CultureInfo.InvariantCulture)).Epoch;

    /// <summary>Which of the first tasks of a job its scheduler says have finished.</summary>
    public static async Task<HashSet<int>> FinishedAsync(INodeService client, JobId job, int tasks, CancellationToken cancel) =>
        [.. (await client.TasksAsync(job, 1, tasks, history: false, cancel).ConfigureAwait(false)).Tasks.Where(t => t.State == TaskState.Finished).Select(t => t.Number)];

    private static int TaskOf(string mark) => int.Parse(Parts(mark)[0], CultureInfo.InvariantCulture);

    private static string[] Parts(string mark) => Path.GetFileName(mark).Split('.');
}
