using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using System.Text;
using Drap.Cli.Bench.Packing;
using Drap.Cli.Bench.Recovery;
using Drap.Cli.Commands;
using Drap.Cli.Output;
using Drap.Core.Jobs;
using Drap.Node.Bench;
using Drap.Node.Overlay;

namespace Drap.Cli.Bench;

/// <summary>The benchmarks, over a node that they start for themselves, beside floors of the same run.</summary>
internal sealed class EngineBench : IBench
{
    /// <summary>Tasks of one round before anything is measured.</summary>
    private const int WarmUp = 100;

    /// <summary>Rounds at most, until one of them brings the compiler next to nothing to do.</summary>
    private const int WarmUpRoundsMax = 10;

    /// <summary>Two workers that can, and one that must refuse, so that a decision is made.</summary>
    private const string PlacementWorkers = """
        workers:
          - {name: large, cpu: 1, memory: 1GiB}
          - {name: small, cpu: 1, memory: 1GiB, factor: 1.1}
          - {name: tiny, cpu: 0.1, memory: 16MiB}
        """;

    public async Task<int> PlacementAsync(Screen screen, OverlayOptions overlay, int tasks, CancellationToken cancel)
    {
        screen.Say($"placement: {tasks} tasks, one at a time, on an idle swarm of three workers of which one must refuse");
        await using BenchNode node = await BenchNode.StartAsync(PlacementWorkers, overlay, cancel).ConfigureAwait(false);
        var segment = new SegmentSpec
        {
            Name = "stamp", Command = CommandSpec.Program("date", "+%s%N"), Resources = new ResourcesSpec { Cpu = new Cores(500), Memory = new ByteSize(32 << 20) },
        };
        List<double> starts = [], results = [], calls = [], floors = [], syncs = [];
        using var disk = new DiskFloor(node.Folder);
        await WarmUpAsync(
            async () =>
            {
                for (int i = 0; i < WarmUp; i++)
                    await node.RunAsync(segment, cancel).ConfigureAwait(false);
            }, cancel).ConfigureAwait(false);
        for (int i = 0; i < tasks; i++)
        {
            long utc = DateTimeOffset.UtcNow.UtcTicks;
            (TimeSpan time, JobId job) = await node.RunAsync(segment, cancel).ConfigureAwait(false);
            results.Add(time.TotalMilliseconds);
            starts.Add(await StampAsync(node, job, cancel).ConfigureAwait(false) - Milliseconds(utc));
            long called = Stopwatch.GetTimestamp();
            await node.Client.NodeAsync(cancel).ConfigureAwait(false);
            calls.Add(Stopwatch.GetElapsedTime(called).TotalMilliseconds);
            // The floors in turn with the tasks: a spawn and a sync now and then, as a task needs them, find colder caches than a thousand in a row,
            // and what else happens on the machine weighs on both alike.
            floors.Add(SpawnFloor.MeasureStart().TotalMilliseconds);
            syncs.Add(disk.Sync().TotalMilliseconds);
        }
        Percentiles floorStart = Percentiles.Of(floors);
        Percentiles sync = Percentiles.Of(syncs);
        Percentiles start = Percentiles.Of(starts), call = Percentiles.Of(calls);
        var figures = new PlacementFigures
        {
            Tasks = tasks,
            FloorStartMs = floorStart,
            StartMs = start,
            ResultMs = Percentiles.Of(results),
            FdatasyncMs = sync,
            CallMs = call,
            StartBreakdownMs = new Breakdown(sync.P50, call.P50, floorStart.P50, Math.Round(start.P50 - sync.P50 - call.P50 - floorStart.P50, 3)),
            StartOverFloor = Math.Round((start.P50 - sync.P50) / floorStart.P50, 2),
        };
        screen.Write(figures, FiguresJson.Default.PlacementFigures, output => Print(output, figures), () => []);
        return ExitCode.Ok;
    }

    public async Task<int> ThroughputAsync(Screen screen, OverlayOptions overlay, CancellationToken cancel)
    {
        await using BenchNode node = await BenchNode.StartAsync(workers: null, overlay, cancel).ConfigureAwait(false);
        var process = new SegmentSpec { Name = "t", Command = CommandSpec.Program("/bin/true"), Resources = new ResourcesSpec { Cpu = new Cores(1000), Memory = new ByteSize(16 << 20) } };
        SegmentSpec inProcess = process with { Command = null, Driver = Driver.Dotnet, Handler = "noop" };
        await node.Client.NodeAsync(cancel).ConfigureAwait(false);
        long idle = Process.GetCurrentProcess().WorkingSet64;
        await WarmUpAsync(
            async () =>
            {
                await node.RunAsync(process with { Count = WarmUp }, cancel).ConfigureAwait(false);
                await node.RunAsync(inProcess with { Count = 100 * WarmUp }, cancel).ConfigureAwait(false);
            }, cancel).ConfigureAwait(false);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        long finished = 0;
        List<ThroughputRow> rows = [];
        foreach ((string kind, SegmentSpec segment, ImmutableArray<int> sizes) in new[]
        {
            ("process", process, ImmutableArray.Create(100, 1_000, 10_000)), ("inprocess", inProcess, [1_000, 10_000, 100_000]),
        })
        {
            double floorBefore = Floor(kind);
            foreach (int size in sizes)
            {
                screen.Say($"throughput: {size} {kind} tasks");
                (TimeSpan time, _) = await node.RunAsync(segment with { Count = size }, cancel).ConfigureAwait(false);
                finished += size;
                // The mean of the floors before and after: other work on the machine comes and goes, and should weigh on both alike.
                double floorAfter = Floor(kind), floor = (floorBefore + floorAfter) / 2;
                floorBefore = floorAfter;
                rows.Add(new ThroughputRow(kind, size, Math.Round(size / time.TotalSeconds), Math.Round(floor)));
            }
        }
        long after = GC.GetTotalMemory(forceFullCollection: true);
        var figures = new ThroughputFigures { Rows = rows, IdleBytes = idle, BytesPerFinishedTask = (after - before) / finished };
        screen.Write(figures, FiguresJson.Default.ThroughputFigures, output => Print(output, figures), () => []);
        return ExitCode.Ok;
    }

    /// <summary>
    /// Runs what will be measured until its code is compiled as a node that has run for a while has it: the runtime optimises code in the
    /// background, some time after it was met, and takes a core for that.
    /// </summary>
    private static async Task WarmUpAsync(Func<Task> round, CancellationToken cancel)
    {
        for (int i = 0; i < WarmUpRoundsMax; i++)
        {
            long before = JitInfo.GetCompiledMethodCount();
            await round().ConfigureAwait(false);
            long seen;
            do
            {
                seen = JitInfo.GetCompiledMethodCount();
                await Task.Delay(TimeSpan.FromMilliseconds(250), cancel).ConfigureAwait(false);
            }
            while (JitInfo.GetCompiledMethodCount() != seen);
            if (seen - before < 10)
                return;
        }
    }

    public async Task<int> SandboxAsync(Screen screen, int tasks, CancellationToken cancel)
    {
        List<ThroughputRow> rows = [];
        foreach ((string kind, string use) in new[] { ("process", "never"), ("sandbox", "always") })
        {
            string workers = $"workers: [{{name: w1, cpu: 2, memory: 2GiB, sandbox: {{tasks: {use}}}}}]";
            await using BenchNode node = await BenchNode.StartAsync(workers, new OverlayOptions { Kind = OverlayKind.Memory }, cancel).ConfigureAwait(false);
            var segment = new SegmentSpec { Name = "t", Command = CommandSpec.Program("/bin/true"), Resources = new ResourcesSpec { Cpu = new Cores(1000), Memory = new ByteSize(64 << 20) } };
            await WarmUpAsync(() => node.RunAsync(segment with { Count = WarmUp }, cancel), cancel).ConfigureAwait(false);
            screen.Say($"sandbox: {tasks} tasks as {kind}");
            // In turn, so that what else happens on the machine weighs on both alike.
            const int Rounds = 5;
            double time = 0, floors = 0;
            int round = Math.Max(tasks / Rounds, 1);
            for (int i = 0; i < Rounds; i++)
            {
                floors += 1 / (kind == "process" ? SpawnFloor.MeasureRate(round) : SpawnFloor.MeasureSandboxRate(node.Folder, round));
                time += (await node.RunAsync(segment with { Count = round }, cancel).ConfigureAwait(false)).Time.TotalSeconds;
            }
            rows.Add(new ThroughputRow(kind, round * Rounds, Math.Round(round * Rounds / time, 1), Math.Round(Rounds / floors, 1)));
        }
        var figures = new SandboxFigures { Rows = rows, SandboxOverFloor = Math.Round(rows[1].TasksPerS / rows[1].FloorPerS, 2) };
        screen.Write(figures, FiguresJson.Default.SandboxFigures, output => Print(output, rows), () => []);
        return ExitCode.Ok;
    }

    public async Task<int> RecoveryAsync(Screen screen, CancellationToken cancel)
    {
        var figures = new RecoveryFigures
        {
            Rows =
            [
                await RecoveryBench.KillAsync(screen, isSilent: false, cancel).ConfigureAwait(false),
                await RecoveryBench.KillAsync(screen, isSilent: true, cancel).ConfigureAwait(false),
                .. await RestartBench.RunAsync(screen, cancel).ConfigureAwait(false),
                .. await TakeoverBench.RunAsync(screen, cancel).ConfigureAwait(false),
            ],
        };
        screen.Write(figures, FiguresJson.Default.RecoveryFigures, output => Print(output, figures), () => []);
        return ExitCode.Ok;
    }

    public Task<int> PackingAsync(Screen screen, int instances, CancellationToken cancel) => Task.FromResult(PackingBench.Run(screen, instances, cancel));

    private static double Floor(string kind) => kind == "process" ? SpawnFloor.MeasureRate(spawns: 2_000) : 0;

    private static double Milliseconds(long utcTicks) => (utcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / (double)TimeSpan.TicksPerMillisecond;

    private static async Task<double> StampAsync(BenchNode node, JobId job, CancellationToken cancel)
    {
        var text = new StringBuilder();
        await foreach (LogChunk chunk in node.Client.LogsAsync(job, new LogQuery { Stream = LogStream.Stdout }, cancel).ConfigureAwait(false))
            text.Append(Encoding.ASCII.GetString(chunk.Data.Span));
        return long.Parse(text.ToString().Trim(), CultureInfo.InvariantCulture) / 1e6;
    }

    private static void Print(TextWriter output, RecoveryFigures f)
    {
        output.WriteLine("mode              lost   finished run again   kill to done s   ideal s   start to placed s   kill to placed s");
        foreach (RecoveryRow r in f.Rows)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{r.Mode,-15} {r.Lost,6}   {r.FinishedRerun,18}   {r.KillToDoneS,14:0.00}   {r.IdealRemainingS,7:0.00}   {r.StartToPlacedS,17:0.00}   {r.KillToPlacedS,16:0.00}"));
    }

    private static void Print(TextWriter output, PlacementFigures f)
    {
        output.WriteLine("             p50      p95      p99  ms");
        foreach ((string name, Percentiles p) in new[] { ("floor start", f.FloorStartMs), ("start", f.StartMs), ("result", f.ResultMs), ("fdatasync", f.FdatasyncMs), ("call", f.CallMs) })
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-11} {p.P50,6:0.000}   {p.P95,6:0.000}   {p.P99,6:0.000}"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"of the median start: journal {f.StartBreakdownMs.Journal:0.000}, call {f.StartBreakdownMs.Call:0.000}, spawn {f.StartBreakdownMs.Spawn:0.000}, messages and decisions {f.StartBreakdownMs.MessagesAndDecisions:0.000}"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"start less one fdatasync is {f.StartOverFloor:0.00} times the floor"));
    }

    private static void Print(TextWriter output, ThroughputFigures f)
    {
        Print(output, f.Rows);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"idle {f.IdleBytes >> 20} MiB resident, {f.BytesPerFinishedTask} bytes kept a finished task"));
    }

    private static void Print(TextWriter output, IReadOnlyList<ThroughputRow> rows)
    {
        output.WriteLine("kind         tasks   tasks/s   floor/s");
        foreach (ThroughputRow row in rows)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Kind,-10} {row.Tasks,7}  {row.TasksPerS,8:0}  {(row.FloorPerS > 0 ? row.FloorPerS.ToString("0", CultureInfo.InvariantCulture) : "-"),8}"));
    }
}
