using System.Diagnostics;
using Drap.Client;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Core.Jobs;
using Drap.Node.Home;

namespace Drap.Cli.Bench.Recovery;

/// <summary>
/// How soon a standby places in a scheduler's place: two nodes of a swarm, one with the scheduler, one that stands by for it and has the worker; the first is killed in the
/// middle of a job. As etcd comes, three members on loopback.
/// </summary>
internal static class TakeoverBench
{
    private const int Tasks = 200;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2), Patience = TimeSpan.FromSeconds(120);

    /// <summary>One take-over; none where there is no etcd.</summary>
    public static async Task<RecoveryRow[]> RunAsync(Screen screen, CancellationToken cancel)
    {
        string folder = Directory.CreateTempSubdirectory("drap-bench-").FullName;
        using EtcdMembers? etcd = EtcdMembers.Start(folder);
        if (etcd is null)
        {
            Directory.Delete(folder);
            screen.Say("recovery: a standby was not measured: there is no etcd (package etcd-server)");
            return [];
        }
        screen.Say("recovery: a scheduler dies, and a standby takes its place");
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        HomeFolder first = HomeFolder.At(Path.Combine(folder, "first")), second = HomeFolder.At(Path.Combine(folder, "second"));
        string[] both = ["--no-ticket", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0", "--journal", etcd.Journal];
        using Process leader = Start(first, null, ["up", "--name", "first", "--role", "scheduler,inviter", .. both]);
        Process? standby = null;
        try
        {
            DrapClient client = await RestartBench.ReachAsync(first, patience.Token).ConfigureAwait(false);
            TicketDocument ticket = await client.InviteAsync(new InviteRequest(), patience.Token).ConfigureAwait(false);
            standby = Start(second, ticket.Ticket, ["join", "--name", "second", "--cpu", "1", "--memory", "1GiB", "--standby", .. both]);
            DrapClient next = await RestartBench.ReachAsync(second, patience.Token).ConfigureAwait(false);
            while ((await next.NodeAsync(patience.Token).ConfigureAwait(false)).StandsByFor is null)
                await Task.Delay(Look, patience.Token).ConfigureAwait(false);
            return [await RunAsync(folder, client, leader, next, patience.Token).ConfigureAwait(false)];
        }
        finally
        {
            foreach (Process? process in (Process?[])[leader, standby])
                if (process is { HasExited: false })
                    process.Kill(entireProcessTree: true);
            standby?.Dispose();
            await RestartBench.RemoveAsync(folder, cancel).ConfigureAwait(false);
        }
    }

    private static async Task<RecoveryRow> RunAsync(string folder, DrapClient client, Process leader, DrapClient next, CancellationToken cancel)
    {
        string marks = Directory.CreateDirectory(Path.Combine(folder, "marks")).FullName;
        var segment = new SegmentSpec
        {
            Name = "wait",
            Count = Tasks,
            Command = CommandSpec.Program("/bin/sh", "-c", $"{ExecutionMarks.Leave}; sleep 0.05", marks),
            Resources = new ResourcesSpec { Cpu = new Cores(500), Memory = new ByteSize(32 << 20) },
        };
        JobId job = DrapClient.NewJobId();
        await client.SubmitAsync(new SubmitRequest { Id = job, Job = new JobSpec { Name = "takeover", Segments = [segment] } }, cancel).ConfigureAwait(false);
        HashSet<int> finished;
        while ((finished = await ExecutionMarks.FinishedAsync(client, job, Tasks, cancel).ConfigureAwait(false)).Count < Tasks / 4)
            await Task.Delay(Look, cancel).ConfigureAwait(false);
        leader.Kill();
        long killed = Stopwatch.GetTimestamp();
        HashSet<string> before = [.. Directory.EnumerateFiles(marks)];
        Epoch old = before.Max(ExecutionMarks.EpochOf);
        while (!Directory.EnumerateFiles(marks).Any(m => ExecutionMarks.EpochOf(m).CompareTo(old) > 0))
            await Task.Delay(Look, cancel).ConfigureAwait(false);
        TimeSpan placed = Stopwatch.GetElapsedTime(killed);
        JobSummary end = await next.WaitAsync(job, cancel).ConfigureAwait(false);
        ILookup<int, string> all = ExecutionMarks.Of(marks);
        return new RecoveryRow
        {
            Mode = "takeover",
            How = "drap up, killed; drap up --standby goes on",
            Tasks = Tasks,
            FinishedBefore = finished.Count,
            Lost = Tasks - end.Tasks.Finished,
            FinishedRerun = finished.Count(n => all[n].Any(m => !before.Contains(m))),
            Executions = all.Sum(g => g.Count()),
            KillToPlacedS = Math.Round(placed.TotalSeconds, 3),
        };
    }

    private static Process Start(HomeFolder home, string? ticket, string[] arguments)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", $"exec \"$@\" > '{home.Path}.log' 2>&1", "sh", .. BackgroundNode.Program(), .. arguments]);
        start.Environment["DRAP_HOME"] = home.Path;
        if (ticket is not null)
            start.Environment["DRAP_TICKET"] = ticket;
        return Process.Start(start)!;
    }
}
