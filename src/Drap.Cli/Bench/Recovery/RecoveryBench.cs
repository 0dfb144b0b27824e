using System.Diagnostics;
using System.Globalization;
using Drap.Client;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Core.Jobs;

namespace Drap.Cli.Bench.Recovery;

/// <summary>
/// What a dead worker costs: tasks that leave a megabyte each on two workers of two places, of which one dies when half have finished. Executions are
/// counted by marks outside drap.
/// </summary>
internal static class RecoveryBench
{
    private const int Tasks = 200, Places = 2, OutputBytes = 1_000_000, WarmUp = 40;

    private static readonly TimeSpan TaskTime = TimeSpan.FromMilliseconds(50);

    /// <summary>Two workers of two places each.</summary>
    public const string Workers = """
        workers:
          - {name: w1, cpu: 1, memory: 1GiB, disk: 2GiB}
          - {name: w2, cpu: 1, memory: 1GiB, disk: 2GiB}
        """;

    /// <summary>One worker dies, and its sockets close with it or, silent, nobody hears of it.</summary>
    public static async Task<RecoveryRow> KillAsync(Screen screen, bool isSilent, CancellationToken cancel)
    {
        string folder = Directory.CreateTempSubdirectory("drap-bench-").FullName;
        using WorkerPlace place = WorkerPlace.Make(folder, ownNetwork: isSilent);
        try
        {
            await using BenchNode node = await BenchNode.StartAsync(Workers, place.Overlays, place.Program(BackgroundNode.Program()), cancel).ConfigureAwait(false);
            string marks = Directory.CreateDirectory(Path.Combine(node.Folder, "marks")).FullName;
            SegmentSpec segment = Segment(marks);
            await node.RunAsync(segment with { Count = WarmUp }, cancel).ConfigureAwait(false);
            foreach (string mark in Directory.EnumerateFiles(marks))
                File.Delete(mark);
            screen.Say($"recovery: {Tasks} tasks on two workers, one of which dies when half have finished{(isSilent ? ", and nobody hears of it" : "")}");
            JobId job = DrapClient.NewJobId();
            await node.Client.SubmitAsync(new SubmitRequest { Id = job, Job = new JobSpec { Name = "recovery", Segments = [segment] } }, cancel).ConfigureAwait(false);
            HashSet<int> finished;
            while ((finished = await ExecutionMarks.FinishedAsync(node.Direct, job, Tasks, cancel).ConfigureAwait(false)).Count < Tasks / 2)
                await Task.Delay(TimeSpan.FromMilliseconds(5), cancel).ConfigureAwait(false);
            ILookup<int, string> before = ExecutionMarks.Of(marks);
            string how = place.Kill(isSilent);
            long killed = Stopwatch.GetTimestamp();
            JobSummary end = await node.Client.WaitAsync(job, cancel).ConfigureAwait(false);
            TimeSpan time = Stopwatch.GetElapsedTime(killed);
            ILookup<int, string> after = ExecutionMarks.Of(marks);
            int safe = await SafeAsync(node, job, cancel).ConfigureAwait(false);
            if (end.State != JobState.Finished)
                screen.Say($"the job ended as {end.State}: {end.Reason?.Message}");
            return new RecoveryRow
            {
                Mode = isSilent ? "silent" : "closed",
                How = how,
                Tasks = Tasks,
                FinishedBefore = finished.Count,
                Lost = Tasks - safe,
                FinishedRerun = finished.Count(n => after[n].Count() > before[n].Count()),
                Executions = after.Sum(g => g.Count()),
                KillToDoneS = Math.Round(time.TotalSeconds, 3),
                IdealRemainingS = Math.Round(Math.Ceiling((Tasks - finished.Count) / (double)Places) * TaskTime.TotalSeconds, 3),
            };
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static SegmentSpec Segment(string marks) => new()
    {
        Name = "make",
        Count = Tasks,
        Command = CommandSpec.Program("/bin/sh", "-c", string.Create(CultureInfo.InvariantCulture,
            $"sleep {TaskTime.TotalSeconds} & {ExecutionMarks.Leave}; head -c {OutputBytes} /dev/urandom > \"$DRAP_OUT/made\"; wait"), marks),
        Resources = new ResourcesSpec { Cpu = new Cores(500), Memory = new ByteSize(32 << 20) },
        Outputs = JobJson.EmptyMap<OutputSpec>().Add("made", new OutputSpec { Path = "made", Result = true }),
    };

    /// <summary>How many of the results are there, and whole.</summary>
    private static async Task<int> SafeAsync(BenchNode node, JobId job, CancellationToken cancel)
    {
        ResultsDocument results = await node.Direct.ResultsAsync(job, cancel).ConfigureAwait(false);
        var whole = new HashSet<int>();
        string to = Path.Combine(node.Folder, "result");
        foreach (ResultItem item in results.Items)
        {
            await node.Direct.ExportBlobAsync(item.Cid, new PathRequest { Path = to }, cancel).ConfigureAwait(false);
            if (new FileInfo(to).Length == OutputBytes)
                whole.Add(item.Task);
            File.Delete(to);
        }
        return whole.Count;
    }
}
