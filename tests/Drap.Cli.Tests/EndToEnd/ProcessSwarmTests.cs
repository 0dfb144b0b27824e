using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Drap.Api;
using Drap.Client;
using Drap.Node.Home;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary><c>drap dev</c> with a process for each node: what goes between them, and what becomes of jobs when any of them is killed.</summary>
public sealed class ProcessSwarmTests
{
    private const int Tasks = 60;

    /// <summary>Each task says where it ran, and leaves a megabyte; one reads them all.</summary>
    private const string Job = """
        name: marks
        params: {marks: {type: path}}
        defaults: {resources: {cpu: 0.2, memory: 32MiB}}
        segments:
          - name: make
            count: 60
            command: 'echo $DRAP_FENCE >> ${{ quote(params.marks) }}/$DRAP_INDEX; sleep 0.2; yes $DRAP_INDEX | head -c 1000000 > ${{ outputs.o }}'
            outputs: {o: o}
          - name: all
            inputs: {o: {from: make.o}}
            command: 'cd ${{ inputs.o }}; for f in *; do head -n 1 $f; wc -c < $f; done | sort -n | uniq -c > ${{ outputs.all }}'
            outputs: {all: all}
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Words_are_counted_alike_over_libp2p_and_in_one_process()
    {
        await using var drap = new DrapProgram();
        var prng = new Prng(42);
        for (int file = 0; file < 3; file++)
            drap.File($"text/{file}.txt", string.Join(' ', Enumerable.Range(0, 40_000).Select(_ => $"{(char)('a' + prng.Below(26))}{(char)('a' + prng.Below(26))}")));
        string example = Repository.Path("examples", "wordcount", "job.yaml");
        string[] arguments = [example, "--param", "input=" + Path.Combine(drap.Folder, "text"), "--param", "chunk=64KiB"];
        DrapProgram.Ended embedded = await drap.RunAsync(["run", .. arguments, "--out", "alone"]);
        Assert.True(embedded.Code == 0, embedded.Err);
        await drap.StopAsync();

        await using (Dev dev = await Dev.StartAsync(drap, "--workers", "3"))
        {
            Assert.Equal(["scheduler", "w1", "w2", "w3"], dev.Nodes.Select(n => n.Name));
            DrapProgram.Ended run = await drap.RunAsync(["run", .. arguments, "--out", "together"]);
            Assert.True(run.Code == 0, run.Err);
        }
        string counts = await File.ReadAllTextAsync(Path.Combine(drap.Folder, "alone", "counts.tsv"), Cancel);
        Assert.Equal(120_000, counts.Split('\n', StringSplitOptions.RemoveEmptyEntries).Sum(l => int.Parse(l.Split('\t')[1], CultureInfo.InvariantCulture)));
        Assert.Equal(counts, await File.ReadAllTextAsync(Path.Combine(drap.Folder, "together", "counts.tsv"), Cancel));
    }

    [Fact]
    public async Task A_worker_that_is_killed_comes_back_and_nothing_that_had_finished_runs_again()
    {
        await using var drap = new DrapProgram();
        await using Dev dev = await Dev.StartAsync(drap, "--workers", "3");
        string marks = Directory.CreateDirectory(Path.Combine(drap.Folder, "marks")).FullName;
        using DrapClient node = await drap.ConnectAsync();
        JobId job = await SubmitAsync(drap, marks);
        HashSet<int> finished = await FinishedAsync(node, job, atLeast: 10);
        int before = dev.Nodes[1].Pid;
        DrapProgram.Kill(before);
        await CheckAsync(drap, job, marks, finished);
        await DrapProgram.UntilAsync(() => dev.Said.Contains("worker w1 was ended by signal 9", StringComparison.Ordinal), "nobody said that w1 was killed");
        // It is on the market again, under its old name.
        await DrapProgram.UntilAsync(() => node.MarketAsync(false, Cancel).Result.Nodes.Count(n => n.SilentSeconds is null) == 3, "w1 did not come back");
        Assert.Equal(dev.Nodes.Skip(1).Select(n => n.Peer).Order(), (await node.MarketAsync(false, Cancel)).Nodes.Select(n => n.Peer).Order());
    }

    [Fact]
    public async Task A_swarm_that_is_killed_takes_its_workers_along_and_goes_on_at_the_next_start()
    {
        await using var drap = new DrapProgram();
        string marks = Directory.CreateDirectory(Path.Combine(drap.Folder, "marks")).FullName;
        JobId job;
        HashSet<int> finished;
        await using (Dev dev = await Dev.StartAsync(drap, "--workers", "3"))
        {
            using DrapClient node = await drap.ConnectAsync();
            job = await SubmitAsync(drap, marks);
            finished = await FinishedAsync(node, job, atLeast: 10);
            dev.Kill();
            foreach (SwarmNode worker in dev.Nodes.Skip(1))
                await DrapProgram.UntilAsync(() => !IsAlive(worker.Pid), $"{worker.Name} outlived the process that had started it");
        }
        await using (Dev dev = await Dev.StartAsync(drap, "--workers", "3"))
            await CheckAsync(drap, job, marks, finished);
        Traces.AssertNone(drap.Home.Folder.Path);
    }

    [Fact]
    public async Task Nothing_is_left_of_a_swarm_that_was_stopped()
    {
        await using var drap = new DrapProgram();
        Dev dev = await Dev.StartAsync(drap, "--workers", "2");
        string marks = Directory.CreateDirectory(Path.Combine(drap.Folder, "marks")).FullName;
        using (DrapClient node = await drap.ConnectAsync())
            await FinishedAsync(node, await SubmitAsync(drap, marks), atLeast: 1);
        string socket = HomeSocket.Find(drap.Home.Folder)!;
        await drap.StopAsync();
        Assert.Equal(0, await dev.EndAsync());
        Assert.All(dev.Nodes, n => Assert.False(IsAlive(n.Pid), $"{n.Name} is still there"));
        foreach (string address in dev.Nodes.SelectMany(n => n.Addresses))
        {
            string[] parts = address.Split('/');
            using var tcp = new TcpClient();
            await Assert.ThrowsAnyAsync<SocketException>(() => tcp.ConnectAsync(parts[2], int.Parse(parts[4], CultureInfo.InvariantCulture), Cancel).AsTask());
        }
        Assert.False(File.Exists(socket));
        Traces.AssertNone(drap.Home.Folder.Path);
        Assert.DoesNotContain("worker", dev.Said, StringComparison.Ordinal);
    }

    /// <summary>Prices follow the file while the workers' processes run; a worker that is taken out of it drains.</summary>
    [Fact]
    public async Task Workers_follow_their_file()
    {
        await using var drap = new DrapProgram();
        string file = drap.File("workers.yaml", "workers: [{name: a, cpu: 1}, {name: b, cpu: 1, factor: 2}]");
        await using Dev dev = await Dev.StartAsync(drap, "--workers", file);
        using DrapClient node = await drap.ConnectAsync();
        long before = (await node.MarketAsync(false, Cancel)).Nodes.Single(n => n.Name == "b").CorePrice.MicroPerHour;
        drap.File("workers.yaml", "workers: [{name: b, cpu: 1, factor: 4}, {name: c, cpu: 1}]");
        await DrapProgram.UntilAsync(
            () => node.MarketAsync(false, Cancel).Result.Nodes.SingleOrDefault(n => n.Name == "b")?.CorePrice.MicroPerHour == 2 * before, "b's price did not follow");
        await DrapProgram.UntilAsync(() => dev.Said.Contains("worker a is not in the file any more", StringComparison.Ordinal)
            && dev.Said.Contains("worker c is new in the file", StringComparison.Ordinal), "what changed besides was not said");
    }

    private static bool IsAlive(int process) => Directory.Exists($"/proc/{process}") && !File.ReadAllText($"/proc/{process}/stat").Contains(") Z ", StringComparison.Ordinal);

    private static async Task<JobId> SubmitAsync(DrapProgram drap, string marks)
    {
        DrapProgram.Ended submitted = await drap.RunAsync("submit", drap.File("job.yaml", Job), "--param", "marks=" + marks, "-o", "quiet");
        Assert.True(submitted.Code == 0, submitted.Err);
        return DevSwarm.JobOf(submitted.Out.Trim());
    }

    /// <summary>Waits until so many tasks have finished; which have by then.</summary>
    private static async Task<HashSet<int>> FinishedAsync(DrapClient node, JobId job, int atLeast)
    {
        await foreach (JobEvent e in node.EventsAsync(job, tasks: false, Cancel))
            if (e.Job!.Tasks.Finished >= atLeast)
                break;
        TaskListDocument tasks = await node.TasksAsync(job, 1, Tasks, history: false, Cancel);
        return [.. tasks.Tasks.Where(t => t.State == TaskState.Finished).Select(t => t.Index)];
    }

    /// <summary>The job comes to its end with what it was to make, and what had finished ran once.</summary>
    private static async Task CheckAsync(DrapProgram drap, JobId job, string marks, HashSet<int> finished)
    {
        DrapProgram.Ended ended = await drap.RunAsync("job", "wait", job.ToString());
        Assert.True(ended.Code == 0, ended.Err);
        ended = await drap.RunAsync("job", "results", job.ToString(), "--out", "out");
        Assert.True(ended.Code == 0, ended.Err);
        string[] all = [.. (await File.ReadAllLinesAsync(Path.Combine(drap.Folder, "out", "all"), Cancel)).Select(l => l.Trim())];
        Assert.Equal([.. Enumerable.Range(0, Tasks).Select(i => $"1 {i}"), $"{Tasks} 1000000"], all);
        Assert.All(finished, i => Assert.Single(File.ReadAllLines(Path.Combine(marks, $"{i}"))));
    }

    /// <summary>A swarm in the foreground.</summary>
    private sealed class Dev : IAsyncDisposable
    {
        private readonly DrapProgram drap;
        private readonly Process process;
        private readonly Task<string> rest;
        private readonly Task listening;
        private readonly Lock gate = new();
        private string said = "";
        private bool isKilled;

        private Dev(DrapProgram drap, Process process, SwarmNode[] nodes)
        {
            this.drap = drap;
            this.process = process;
            Nodes = nodes;
            rest = process.StandardOutput.ReadToEndAsync(Cancel);
            listening = ListenAsync();
        }

        /// <summary>The scheduler, then the workers.</summary>
        public SwarmNode[] Nodes { get; }

        /// <summary>What it said on standard error so far.</summary>
        public string Said
        {
            get
            {
                lock (gate)
                    return said;
            }
        }

        public static async Task<Dev> StartAsync(DrapProgram drap, params string[] arguments)
        {
            Process process = drap.Start(input: false, ["dev", .. arguments, "-o", "json"]);
            string? line = await process.StandardOutput.ReadLineAsync(Cancel);
            Assert.True(line is not null, line is null ? await process.StandardError.ReadToEndAsync(Cancel) : "");
            JsonElement document = JsonDocument.Parse(line!).RootElement;
            SwarmNode[] nodes = [.. document.GetProperty("nodes").EnumerateArray().Select(n => JsonSerializer.Deserialize(n, Drap.Api.Json.ApiJson.Line.SwarmNode)!)];
            return new Dev(drap, process, nodes);
        }

        public void Kill()
        {
            isKilled = true;
            DrapProgram.Kill(process.Id);
        }

        public async Task<int> EndAsync()
        {
            await process.WaitForExitAsync(Cancel);
            Assert.Equal("", await rest);
            await listening;
            return process.ExitCode;
        }

        public async ValueTask DisposeAsync()
        {
            if (!isKilled)
                await drap.StopAsync();
            int code = await EndAsync();
            Assert.True(code == (isKilled ? 137 : 0), $"the swarm ended with {code}: {Said}");
            process.Dispose();
        }

        private async Task ListenAsync()
        {
            while (await process.StandardError.ReadLineAsync(Cancel) is { } line)
                lock (gate)
                    said += line + "\n";
        }
    }
}
