using System.Collections.Immutable;
using System.Diagnostics;
using Drap.Client;
using Drap.Cli.Nodes;
using Drap.Core.Jobs;
using Drap.Node.Api;
using Drap.Node.Drivers;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Overlay;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drap.Cli.Bench;

/// <summary>A node of the benchmark's own, in a folder beside the user's home and so on the same disk, and a client at its socket.</summary>
internal sealed class BenchNode : IAsyncDisposable
{
    private readonly string folder;
    private readonly HomeLock taken;
    private readonly INodeHost swarm;
    private readonly ApiServer server;

    private BenchNode(string folder, HomeLock taken, INodeHost swarm, ApiServer server)
    {
        this.folder = folder;
        this.taken = taken;
        this.swarm = swarm;
        this.server = server;
        Client = new DrapClient(server.SocketPath);
    }

    /// <summary>A client, as another process would have it.</summary>
    public DrapClient Client { get; }

    /// <summary>The node without the socket between.</summary>
    public INodeService Direct => swarm.Service;

    /// <summary>Its folder, on the disk of the journal.</summary>
    public string Folder => folder;

    /// <summary>Its home, in that folder.</summary>
    public HomeFolder Home => HomeFolder.At(Path.Combine(folder, "home"));

    /// <summary>Whether the folder is left where it is when this ends: somebody goes on with it, and removes it.</summary>
    public bool LeavesFolder { get; set; }

    /// <summary>Starts one.</summary>
    /// <param name="workers">The file that names its workers; null for the machine's own.</param>
    /// <param name="overlay">What carries it: in memory all of it is in this process, else each worker is one of its own.</param>
    /// <param name="cancel">Gives the start up.</param>
    /// <param name="again">The folder of an earlier one, which left it; null for a new one.</param>
    public static Task<BenchNode> StartAsync(string? workers, OverlayOptions overlay, CancellationToken cancel, string? again = null) =>
        StartAsync(workers, [overlay], BackgroundNode.Program(), cancel, again);

    /// <summary>Starts one whose nodes are carried each by its own overlay, and whose workers are started with a program of the benchmark's choice.</summary>
    public static async Task<BenchNode> StartAsync(
        string? workers, ImmutableArray<OverlayOptions> overlays, ImmutableArray<string> program, CancellationToken cancel, string? again = null)
    {
        string onDisk = again ?? NewFolder();
        string? file = null;
        if (workers is not null)
            await File.WriteAllTextAsync(file = Path.Combine(onDisk, "workers.yaml"), workers, cancel).ConfigureAwait(false);
        HomeFolder home = HomeFolder.At(Path.Combine(onDisk, "home"));
        home.Create();
        HomeLock taken = HomeLock.TryTake(home) ?? throw new InvalidOperationException($"{home} is taken");
        HomeIdentity.Check(home);
        var handlers = new HandlerRegistry();
        handlers.Register("noop", (_, _) => ValueTask.CompletedTask);
        var options = new NodeHostOptions { Mode = "dev", WorkersFile = file, Overlays = overlays, Program = program };
        INodeHost swarm = overlays[0].Kind == OverlayKind.Memory
            ? EmbeddedSwarm.Start(home, options, handlers, NullLoggerFactory.Instance, _ => { }, cancel)
            : await ProcessSwarm.StartAsync(home, options, NullLoggerFactory.Instance, Console.Error.WriteLine, ["--noop"], cancel).ConfigureAwait(false);
        ApiServer server = await ApiServer.StartAsync(swarm.Service, home, NullLoggerFactory.Instance, cancel).ConfigureAwait(false);
        return new BenchNode(onDisk, taken, swarm, server);
    }

    private static string NewFolder()
    {
        string parent = Path.GetDirectoryName(HomeFolder.At().Path)!;
        Directory.CreateDirectory(parent);
        string folder = Directory.CreateTempSubdirectory("drap-bench-").FullName;
        string onDisk = Path.Combine(parent, Path.GetFileName(folder));
        Directory.Delete(folder);
        Directory.CreateDirectory(onDisk);
        return onDisk;
    }

    /// <summary>Ends it and its tasks at once, as a signal would; then it is to be disposed of.</summary>
    public void Abort() => swarm.Abort();

    /// <summary>Runs a job of one segment to its end: from submit until its client knows.</summary>
    public async Task<(TimeSpan Time, JobId Job)> RunAsync(SegmentSpec segment, CancellationToken cancel)
    {
        var id = DrapClient.NewJobId();
        long start = Stopwatch.GetTimestamp();
        await Client.SubmitAsync(new SubmitRequest { Id = id, Job = new JobSpec { Name = "bench", Segments = [segment] } }, cancel).ConfigureAwait(false);
        JobSummary end = await Client.WaitAsync(id, cancel).ConfigureAwait(false);
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        if (end.State != JobState.Finished)
            throw new CliException(ExitCode.Error, $"a job of the benchmark ended as {end.State}: {end.Reason?.Message}", "drap job list shows what else runs on this machine");
        return (time, id);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await server.DisposeAsync().ConfigureAwait(false);
        await swarm.DisposeAsync().ConfigureAwait(false);
        taken.Dispose();
        if (!LeavesFolder)
            Directory.Delete(folder, recursive: true);
    }
}
