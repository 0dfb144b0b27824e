using Drap.Cli.Bench;
using Drap.Cli.Commands;
using Drap.Node.Drivers;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Overlay;
using Drap.Node.Service;
using Microsoft.Extensions.Logging;

namespace Drap.Cli.Nodes;

/// <summary>Where the program gets its engine: the one place that names the implementations behind the command line's seams.</summary>
internal static class Engine
{
    /// <summary>Starts swarms: in this process, or with a process for each node.</summary>
    public static INodeHostFactory Hosts { get; } = new Swarms();

    /// <summary>Reads a home that stands still.</summary>
    public static IStoppedHome Stopped { get; } = new StoppedHome();

    /// <summary>Runs the benchmarks.</summary>
    public static IBench Bench { get; } = new EngineBench();

    private sealed class Swarms : INodeHostFactory
    {
        public async Task<INodeHost> StartAsync(HomeFolder home, NodeHostOptions options, CancellationToken cancel)
        {
            ILoggerFactory loggers = ConsoleLogs.Create(Console.Error);
            return options.Swarm is null && options.Overlays is ([] or [{ Kind: OverlayKind.Memory }])
                ? EmbeddedSwarm.Start(home, options, new HandlerRegistry(), loggers, Console.Error.WriteLine, cancel)
                : await ProcessSwarm.StartAsync(home, options, loggers, Console.Error.WriteLine, [], cancel).ConfigureAwait(false);
        }
    }
}
