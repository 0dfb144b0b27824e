using System.Collections.Immutable;
using Drap.Client;
using Drap.Node.Api;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drap.Cli.Nodes;

/// <summary>
/// The node that a command talks to: the one that serves the home, wherever it runs. One home has at most one process; its lock decides who that
/// is, and who does not get it finds the socket of the one who did.
/// </summary>
internal sealed class NodeSession : IAsyncDisposable
{
    /// <summary>How long another process may take from its lock to its socket: the replay of a large journal on a slow disk.</summary>
    private static readonly TimeSpan startPatience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan lookEvery = TimeSpan.FromMilliseconds(10);

    private readonly List<IAsyncDisposable> owned = [];

    private NodeSession(INodeService node) => Node = node;

    /// <summary>The node.</summary>
    public INodeService Node { get; }

    /// <summary>The engine, when this process is the one that serves the home; else null.</summary>
    public INodeHost? Host { get; private init; }

    /// <summary>The node that serves the home, or one in this process.</summary>
    /// <exception cref="CliException">The home cannot be used.</exception>
    public static async Task<NodeSession> EmbedAsync(CliContext context, HomeFolder home, NodeHostOptions options, ILoggerFactory? loggers, CancellationToken cancel)
    {
        long start = context.Time.GetTimestamp();
        while (true)
        {
            if (await FindAsync(home, cancel).ConfigureAwait(false) is { } found)
                return found;
            if (HomeLock.TryTake(home) is { } taken)
                return await StartAsync(context, home, options, taken, loggers ?? NullLoggerFactory.Instance, cancel).ConfigureAwait(false);
            if (context.Time.GetElapsedTime(start) > startPatience)
                throw new CliException(
                    ExitCode.Error, $"process {HomeLock.HolderOf(home)?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?"} has {home} and does not answer",
                    "end that process, or set DRAP_HOME to another folder");
            await Task.Delay(lookEvery, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>The node that serves the home, or one that is started in the background for it.</summary>
    public static Task<NodeSession> BackgroundAsync(CliContext context, HomeFolder home, CancellationToken cancel) =>
        BackgroundAsync(context, home, BackgroundNode.Serve, startPatience, cancel);

    /// <summary>As the other, by a command of the caller's, which may take so long.</summary>
    public static async Task<NodeSession> BackgroundAsync(
        CliContext context, HomeFolder home, ImmutableArray<string> command, TimeSpan patience, CancellationToken cancel)
    {
        if (await FindAsync(home, cancel).ConfigureAwait(false) is { } found)
            return found;
        long start = context.Time.GetTimestamp();
        BackgroundNode child = context.Background(home, command);
        while (true)
        {
            if (await FindAsync(home, cancel).ConfigureAwait(false) is { } session)
                return session;
            // It may also have ended since another one was faster; then that one's socket comes.
            bool failed = child.ExitCode is { } code and not ExitCode.Ok;
            if (failed || context.Time.GetElapsedTime(start) > patience)
                throw new CliException(ExitCode.Error, $"the node of {home} did not start: {child.LastWords()}", $"its log is {child.Log}");
            await Task.Delay(lookEvery, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>The node that serves the home, or its folder opened to read.</summary>
    public static async Task<NodeSession> ReadAsync(CliContext context, HomeFolder home, CancellationToken cancel)
    {
        if (await FindAsync(home, cancel).ConfigureAwait(false) is { } found)
            return found;
        if (!home.Exists)
            throw new CliException(ExitCode.Error, $"there are no jobs: {home} is not there yet", "drap run examples/wordcount/job.yaml makes one");
        return new NodeSession(await context.Stopped.OpenAsync(home, cancel).ConfigureAwait(false));
    }

    /// <summary>The node that serves the home; null when there is none.</summary>
    public static async Task<NodeSession?> FindAsync(HomeFolder home, CancellationToken cancel)
    {
        if (HomeSocket.Find(home) is not { } path)
            return null;
        // A socket that a killed node left refuses at once; a call would only try again.
        if (!await HomeSocket.AnswersAsync(path, cancel).ConfigureAwait(false))
            return null;
        var client = new DrapClient(path);
        try
        {
            // One that is on its way out still takes connections: it serves the home only if it answers.
            await client.NodeAsync(cancel).ConfigureAwait(false);
            return new NodeSession(client) { owned = { new Closing(client) } };
        }
        catch (Exception e)
        {
            client.Dispose();
            if (e is NodeUnreachableException or ApiException { Error.Code: ErrorCodes.ShuttingDown or ErrorCodes.Storage })
                return null;
            throw;
        }
    }

    /// <summary>Leaves the node, or ends it in order when it is in this process.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable item in owned)
            await item.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task<NodeSession> StartAsync(
        CliContext context, HomeFolder home, NodeHostOptions options, HomeLock taken, ILoggerFactory loggers, CancellationToken cancel)
    {
        INodeHost? host = null;
        try
        {
            HomeIdentity.Check(home);
            host = await context.Hosts.StartAsync(home, options, cancel).ConfigureAwait(false);
            context.Interrupts.Leaving = host.Abort;
            ApiServer server = await ApiServer.StartAsync(host.Service, home, loggers, cancel).ConfigureAwait(false);
            // In this order: no more calls, no more engine, and only then somebody else's turn.
            return new NodeSession(host.Service) { Host = host, owned = { server, host, new Closing(taken) } };
        }
        catch
        {
            if (host is not null)
                await host.DisposeAsync().ConfigureAwait(false);
            taken.Dispose();
            throw;
        }
    }

    private sealed class Closing(IDisposable inner) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            inner.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
