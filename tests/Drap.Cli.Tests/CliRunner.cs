using System.Collections.Immutable;
using System.Text;
using Drap.Api;
using Drap.Cli;
using Drap.Cli.Commands;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Node.Api;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Overlay;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Drap.Tests.Cli;

/// <summary>Runs commands in a home of the test's own, against a fake node that answers on the home's real socket.</summary>
internal sealed class CliRunner : INodeHostFactory, IStoppedHome, IBench, IAsyncDisposable
{
    private readonly List<IAsyncDisposable> servers = [];
    private HomeLock? held;

    public TemporaryHome Home { get; } = new();

    public FakeNode Node { get; } = new();

    public Interrupts Interrupts { get; set; } = new();

    public byte[]? Stdin { get; set; }

    /// <summary>Variables of the environment; nothing of this process's own.</summary>
    public Dictionary<string, string> Variables { get; } = [];

    /// <summary>With what an engine was started last.</summary>
    public NodeHostOptions? Options { get; private set; }

    /// <summary>By what a node was started in the background.</summary>
    public ImmutableArray<string> Background { get; private set; } = [];

    /// <summary>Engines started in this process.</summary>
    public int Started { get; private set; }

    /// <summary>Homes opened to read.</summary>
    public int Opened { get; private set; }

    /// <summary>Nodes started in the background.</summary>
    public int Backgrounds { get; private set; }

    /// <summary>A node serves the home, as another process would.</summary>
    public async Task<CliRunner> ServeAsync()
    {
        held = HomeLock.TryTake(Home.Folder);
        HomeIdentity.Check(Home.Folder);
        servers.Add(await ApiServer.StartAsync(Node, Home.Folder, NullLoggerFactory.Instance, TestContext.Current.CancellationToken));
        return this;
    }

    public async Task<Result> RunAsync(params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        var bytesOut = new MemoryStream();
        var bytesErr = new MemoryStream();
        int code = await CommandLine.RunAsync([.. args.TakeWhile(a => a != "--"), "--home", Home.Folder.Path, .. args.SkipWhile(a => a != "--")], new CliContext
        {
            Out = output,
            Err = error,
            Stdin = () => new MemoryStream(Stdin ?? []),
            Stdout = () => bytesOut,
            Stderr = () => bytesErr,
            HasStdin = Stdin is not null,
            Variable = name => Variables.GetValueOrDefault(name),
            VariableNames = () => Variables.Keys,
            CurrentFolder = Home.Root,
            Interrupts = Interrupts,
            Hosts = this,
            Stopped = this,
            Background = (_, command) =>
            {
                Backgrounds++;
                Background = command;
                ServeAsync().GetAwaiter().GetResult();
                return new BackgroundNode(Home.Folder, null, 0);
            },
            Bench = this,
        });
        return new Result(
            code, output + Encoding.UTF8.GetString(bytesOut.ToArray()), error + Encoding.UTF8.GetString(bytesErr.ToArray()));
    }

    public string File(string name, string text)
    {
        string path = Path.Combine(Home.Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, text);
        return path;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable server in servers)
            await server.DisposeAsync();
        held?.Dispose();
        Interrupts.Dispose();
        Home.Dispose();
    }

    Task<INodeHost> INodeHostFactory.StartAsync(HomeFolder home, NodeHostOptions options, CancellationToken cancel)
    {
        Started++;
        Options = options;
        return Task.FromResult<INodeHost>(new Host(Node));
    }

    Task<INodeService> IStoppedHome.OpenAsync(HomeFolder home, CancellationToken cancel)
    {
        Opened++;
        return Task.FromResult<INodeService>(Node);
    }

    Task<int> IBench.PlacementAsync(Screen screen, OverlayOptions overlay, int tasks, CancellationToken cancel) => Task.FromResult(0);

    Task<int> IBench.ThroughputAsync(Screen screen, OverlayOptions overlay, CancellationToken cancel) => Task.FromResult(0);

    Task<int> IBench.SandboxAsync(Screen screen, int tasks, CancellationToken cancel) => Task.FromResult(0);

    Task<int> IBench.RecoveryAsync(Screen screen, CancellationToken cancel) => Task.FromResult(0);

    Task<int> IBench.PackingAsync(Screen screen, int instances, CancellationToken cancel) => Task.FromResult(0);

    internal sealed record Result(int Code, string Out, string Err);

    private sealed class Host(FakeNode node) : INodeHost
    {
        public INodeService Service => node;

        public SwarmDocument Swarm { get; } = new();

        public Task Completion => node.ShutDown.Task;

        public void Abort()
        {
        }

        public Task IdleAsync(CancellationToken cancel) => Task.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
