using System.Collections.Immutable;
using System.CommandLine;
using Drap.Api.Json;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Node.Config;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Overlay;

namespace Drap.Cli.Commands;

/// <summary>Commands about the node itself: <c>dev</c>, <c>stop</c>, <c>adopt</c>, and the hidden <c>serve</c>.</summary>
internal static class NodeCommands
{
    /// <summary>How long a process may take from the end of its node to its own.</summary>
    private static readonly TimeSpan stopPatience = TimeSpan.FromSeconds(10), stopLook = TimeSpan.FromMilliseconds(5);

    public static IEnumerable<Command> All(Common common) => [Dev(common), Stop(common), Adopt(common), Serve(common)];

    private static Command Dev(Common common)
    {
        var workers = new Option<string?>("--workers")
        {
            Description = "How many share this machine, or a file that gives each its resources, labels, region and prices; read again when it changes", HelpName = "N|FILE",
        };
        var overlay = new Option<string[]>("--overlay")
        {
            Description = "What carries the swarm: libp2p, with a process for each node; memory, all in this one; p2pd:MULTIADDR, a libp2p daemon. "
                + "After libp2p: words with commas between: listen=, announce=, bootstrap=MULTIADDR, mdns, relay, hidden. "
                + "Given more than once, the first is the scheduler's, the others the workers' [default: libp2p]",
            HelpName = "KIND",
        };
        return common.Command(
            "dev", "Run a swarm in the foreground until Ctrl+C; its jobs are resumed when it starts again",
            ["drap dev --workers 3", "drap dev --workers workers.yaml", "drap dev --overlay memory", "drap dev --overlay p2pd:/unix/run/p2pd.sock"],
            async call =>
            {
                NodeHostOptions options = Workers(call, call.Get(workers)) with { Overlays = Overlays(call.Get(overlay) ?? []), Program = BackgroundNode.Program() };
                await using NodeSession session = await NodeSession.EmbedAsync(call.Context, call.Home, options, ConsoleLogs.Create(call.Context.Err), call.Cancel);
                if (session.Host is not { } host)
                    throw new CliException(
                        ExitCode.Error, $"process {HomeLock.HolderOf(call.Home)} serves {call.Home} already", "drap stop ends it; or set DRAP_HOME to another folder");
                MarketDocument market = await session.Node.MarketAsync(explain: false, call.Cancel);
                if (call.Screen.Format is OutputFormat.Json or OutputFormat.Yaml)
                    call.Screen.Write(host.Swarm, ApiJson.Line.SwarmDocument, _ => { }, () => []);
                call.Screen.Say($"a swarm of {Words.Count(market.Nodes.Length, "node")} in {call.Home}; Ctrl+C stops it, jobs are kept and resumed when it starts again");
                call.Screen.Say(call.Screen.Faint("next, in another shell: drap market · drap submit examples/wordcount/job.yaml"));
                try
                {
                    await host.Completion.WaitAsync(call.Cancel);
                }
                catch (OperationCanceledException) when (call.Context.Interrupts.Any)
                {
                    call.Screen.Say("\nstopping");
                }
                return ExitCode.Ok;
            }, workers, overlay);
    }

    private static ImmutableArray<OverlayOptions> Overlays(string[] texts)
    {
        var overlays = ImmutableArray.CreateBuilder<OverlayOptions>(texts.Length);
        foreach (string text in texts.Length > 0 ? texts : ["libp2p"])
            overlays.Add(OverlayOptions.TryParse(text, out OverlayOptions? overlay, out string? error) ? overlay : throw new CliException(ExitCode.Usage, error));
        return overlays.Count > 1 && overlays.Any(o => o.Kind == OverlayKind.Memory)
            ? throw new CliException(ExitCode.Usage, "--overlay memory stands for all nodes; found others beside it")
            : overlays.ToImmutable();
    }

    private static Command Stop(Common common) => common.Command(
        "stop", "End the node that serves the home; its jobs are kept, and the next drap goes on with them", ["drap stop"], async call =>
        {
            await using NodeSession? session = await NodeSession.FindAsync(call.Home, call.Cancel);
            if (session is null)
            {
                call.Screen.Say($"no node serves {call.Home}");
                return ExitCode.Ok;
            }
            await session.Node.ShutdownAsync(call.Cancel);
            await AwaitEndAsync(call);
            return ExitCode.Ok;
        });

    /// <summary>A process whose node has ended still has to close its files: whoever then removes or copies the folder must not meet it there.</summary>
    public static async Task AwaitEndAsync(Invocation call)
    {
        long start = call.Context.Time.GetTimestamp();
        while (!TryPass(call.Home))
        {
            if (call.Context.Time.GetElapsedTime(start) > stopPatience)
                throw new CliException(ExitCode.Error, $"process {HomeLock.HolderOf(call.Home)} has ended its node and still has {call.Home}", "end that process");
            await Task.Delay(stopLook, call.Cancel);
        }
    }

    /// <summary>Whether nobody has the home now.</summary>
    private static bool TryPass(HomeFolder home)
    {
        using HomeLock? held = HomeLock.TryTake(home);
        return held is not null;
    }

    private static Command Adopt(Common common) => common.Command(
        "adopt", "Take a copied or moved state folder as this machine's own; the original must never be started again", ["drap adopt --home /data/drap"], call =>
        {
            if (!call.Home.Exists)
                throw new CliException(ExitCode.Error, $"{call.Home} is no state folder", "name one with --home");
            using HomeLock held = HomeLock.TryTake(call.Home)
                ?? throw new CliException(ExitCode.Error, $"process {HomeLock.HolderOf(call.Home)} has {call.Home}", "end it first: drap stop");
            HomeIdentity.Check(call.Home, adopt: true);
            call.Screen.Say($"{call.Home} is this machine's own now; do not start the original again");
            return Task.FromResult(ExitCode.Ok);
        });

    /// <summary>What <see cref="BackgroundNode"/> starts: serves the home until its last job has ended; and what <c>drap dev</c> starts for each worker.</summary>
    private static Command Serve(Common common)
    {
        var worker = new Option<string?>("--worker") { Description = "Be this worker, until the standard input says stop or ends", HelpName = "NAME" };
        var workers = new Option<string?>("--workers") { Description = "The workers of the machine", HelpName = "N|FILE" };
        var settings = new Option<string?>("--settings") { Description = "What their owner says of them", HelpName = "JSON" };
        var region = new Option<string>("--region") { Description = "The region of the swarm's scheduler", HelpName = "REGION", DefaultValueFactory = _ => ProcessSwarm.Region };
        var overlay = new Option<string>("--overlay") { Description = "What carries it", HelpName = "KIND", DefaultValueFactory = _ => "libp2p" };
        var bootstrap = new Option<string[]>("--bootstrap") { Description = "A peer by which the swarm is found", HelpName = "MULTIADDR" };
        var member = new Option<bool>("--member") { Description = "It belongs to a swarm by the certificates in its folder" };
        var endsAt = new Option<long?>("--ends-at") { Description = "When the node ends, in nanoseconds since the machine's boot", HelpName = "TIME" };
        var noop = new Option<bool>("--noop") { Description = "Serve the handler noop, for benchmarks" };
        Command command = common.Command("serve", "Serve a home in the background until its last job has ended", [], async call =>
        {
            if (call.Get(worker) is { } name)
                return await WorkerCommand.RunAsync(
                    call, name, Workers(call, call.Get(workers)) with { Terms = Terms(call.Get(settings)) }, call.Get(region)!, call.Get(overlay)!, call.Get(bootstrap) ?? [], call.Get(member), call.Get(endsAt), call.Get(noop));
            await using NodeSession session = await NodeSession.EmbedAsync(
                call.Context, call.Home, new NodeHostOptions { Mode = "background" }, ConsoleLogs.Create(call.Context.Err), call.Cancel);
            // Somebody else was faster: the caller finds that one.
            if (session.Host is not { } host)
                return ExitCode.Ok;
            try
            {
                await await Task.WhenAny(host.IdleAsync(call.Cancel), host.Completion);
            }
            catch (OperationCanceledException) when (call.Context.Interrupts.Any)
            {
                // Ended on purpose: the jobs are kept.
            }
            return ExitCode.Ok;
        }, worker, workers, settings, region, overlay, bootstrap, member, endsAt, noop);
        command.Hidden = true;
        return command;
    }

    private static NodeSpec? Terms(string? text) => text is null ? null
        : NodeSpec.TryParse(text) ?? throw new CliException(ExitCode.Usage, "--settings: found no settings; allowed: those that drap up hands on");

    /// <summary>What <c>--workers</c> says.</summary>
    public static NodeHostOptions Workers(Invocation call, string? text)
    {
        var options = new NodeHostOptions { Mode = "dev" };
        if (text is null)
            return options;
        if (int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int count) && count is > 0 and <= 1000)
            return options with { Workers = count };
        string path = Path.GetFullPath(text, call.Context.CurrentFolder);
        return File.Exists(path)
            ? options with { WorkersFile = path }
            : throw new CliException(ExitCode.Usage, $"--workers: found '{text}'; allowed: a number from 1 to 1000, or a file that is there");
    }
}
