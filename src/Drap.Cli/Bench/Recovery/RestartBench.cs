using System.Diagnostics;
using Drap.Client;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Core.Jobs;
using Drap.Node.Home;
using Drap.Node.Overlay;

namespace Drap.Cli.Bench.Recovery;

/// <summary>
/// How soon a scheduler with much in its journal places again when it has died in the middle of a job: in a process whose code is compiled, which shows
/// what the scheduler needs, and as <c>drap dev</c>, whose processes are killed and started again, which shows what its user waits for.
/// </summary>
internal static class RestartBench
{
    private const int Kept = 100_000, Tasks = 200;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2), Patience = TimeSpan.FromSeconds(60);

    /// <summary>Both, over one journal.</summary>
    public static async Task<RecoveryRow[]> RunAsync(Screen screen, CancellationToken cancel)
    {
        string? folder = null;
        try
        {
            screen.Say($"recovery: {Kept} tasks for a journal");
            await using (BenchNode node = await WarmAsync(null, cancel).ConfigureAwait(false))
            {
                (folder, node.LeavesFolder) = (node.Folder, true);
                var segment = new SegmentSpec { Name = "t", Count = Kept, Driver = Driver.Dotnet, Handler = "noop", Resources = new ResourcesSpec { Cpu = new Cores(1000), Memory = new ByteSize(16 << 20) } };
                await node.RunAsync(segment, cancel).ConfigureAwait(false);
            }
            screen.Say($"recovery: a scheduler with {Kept} tasks in its journal dies");
            RecoveryRow warm = await RunAsync("restart", "ended and started again, in a process whose code is compiled", folder, async () =>
            {
                BenchNode node = await WarmAsync(folder, cancel).ConfigureAwait(false);
                node.LeavesFolder = true;
                return new Node(node.Client, () =>
                {
                    node.Abort();
                    return node.DisposeAsync().AsTask();
                });
            }, cancel).ConfigureAwait(false);
            RecoveryRow cold = await RunAsync("restart_process", "drap dev, killed, and started again", folder, async () =>
            {
                var home = HomeFolder.At(Path.Combine(folder, "home"));
                Process process = Start(folder, home);
                return new Node(await ReachAsync(home, cancel).ConfigureAwait(false), async () =>
                {
                    process.Kill();
                    await process.WaitForExitAsync(cancel).ConfigureAwait(false);
                    process.Dispose();
                });
            }, cancel).ConfigureAwait(false);
            return [warm, cold];
        }
        finally
        {
            if (folder is not null)
                await RemoveAsync(folder, cancel).ConfigureAwait(false);
        }
    }

    private static async Task<RecoveryRow> RunAsync(string mode, string how, string folder, Func<Task<Node>> start, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        string marks = Directory.CreateDirectory(Path.Combine(folder, mode)).FullName;
        var segment = new SegmentSpec
        {
            Name = "wait",
            Count = Tasks,
            Command = CommandSpec.Program("/bin/sh", "-c", $"{ExecutionMarks.Leave}; sleep 0.05", marks),
            Resources = new ResourcesSpec { Cpu = new Cores(500), Memory = new ByteSize(32 << 20) },
        };
        JobId job = DrapClient.NewJobId();
        HashSet<int> finished;
        Node first = await start().ConfigureAwait(false);
        await first.Client.SubmitAsync(new SubmitRequest { Id = job, Job = new JobSpec { Name = mode, Segments = [segment] } }, patience.Token).ConfigureAwait(false);
        while ((finished = await ExecutionMarks.FinishedAsync(first.Client, job, Tasks, patience.Token).ConfigureAwait(false)).Count < Tasks / 4)
            await Task.Delay(Look, patience.Token).ConfigureAwait(false);
        await first.Kill().ConfigureAwait(false);
        // What the killed one had placed may begin still; what the new one places bears its epoch.
        HashSet<string> before = [.. Directory.EnumerateFiles(marks)];
        Epoch old = before.Max(ExecutionMarks.EpochOf);
        long began = Stopwatch.GetTimestamp();
        Task<Node> starting = start();
        while (!Directory.EnumerateFiles(marks).Any(m => ExecutionMarks.EpochOf(m).CompareTo(old) > 0))
            await Task.Delay(Look, patience.Token).ConfigureAwait(false);
        TimeSpan placed = Stopwatch.GetElapsedTime(began);
        Node second = await starting.ConfigureAwait(false);
        JobSummary end = await second.Client.WaitAsync(job, patience.Token).ConfigureAwait(false);
        await second.Kill().ConfigureAwait(false);
        ILookup<int, string> all = ExecutionMarks.Of(marks);
        return new RecoveryRow
        {
            Mode = mode,
            How = how,
            Tasks = Kept,
            FinishedBefore = finished.Count,
            Lost = Tasks - end.Tasks.Finished,
            FinishedRerun = finished.Count(n => all[n].Any(m => !before.Contains(m))),
            Executions = all.Sum(g => g.Count()),
            StartToPlacedS = Math.Round(placed.TotalSeconds, 3),
        };
    }

    private static Task<BenchNode> WarmAsync(string? folder, CancellationToken cancel) =>
        BenchNode.StartAsync(workers: null, new OverlayOptions { Kind = OverlayKind.Memory }, cancel, folder);

    private static Process Start(string folder, HomeFolder home)
    {
        string workers = Path.Combine(folder, "workers.yaml"), log = Path.Combine(folder, "log");
        File.WriteAllText(workers, RecoveryBench.Workers);
        var start = new ProcessStartInfo("/bin/sh", ["-c", $"exec \"$@\" >> '{log}' 2>&1", "sh", .. BackgroundNode.Program(), "dev", "--workers", workers]);
        start.Environment["DRAP_HOME"] = home.Path;
        return Process.Start(start)!;
    }

    /// <summary>A client of the node of a home, once it answers.</summary>
    public static async Task<DrapClient> ReachAsync(HomeFolder home, CancellationToken cancel)
    {
        while (true)
        {
            if (HomeSocket.Find(home) is { } path && await HomeSocket.AnswersAsync(path, cancel).ConfigureAwait(false))
                return new DrapClient(path);
            await Task.Delay(Look, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Workers whose scheduler was killed end in order, and write in their folders until then.</summary>
    public static async Task RemoveAsync(string folder, CancellationToken cancel)
    {
        for (int tried = 1; ; tried++)
        {
            try
            {
                Directory.Delete(folder, recursive: true);
                return;
            }
            catch (IOException) when (tried < 10)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), cancel).ConfigureAwait(false);
            }
        }
    }

    private sealed record Node(DrapClient Client, Func<Task> Kill);
}
