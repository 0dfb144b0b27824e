using Drap.Cli.Bench;
using Drap.Cli.Commands;
using Drap.Node.Drivers;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Service;
using Microsoft.Extensions.Logging;

namespace Drap.Cli.Nodes;

/// <summary>Where the program gets its engine: the one place that names the implementations behind the command line's seams.</summary>
internal static class Engine
{
    /// <summary>Starts the embedded swarm.</summary>
    public static INodeHostFactory Hosts { get; } = new Embedded();

    /// <summary>Reads a home that stands still.</summary>
    public static IStoppedHome Stopped { get; } = new StoppedHome();

    /// <summary>Runs the benchmarks.</summary>
    public static IBench Bench { get; } = new EngineBench();

    private sealed class Embedded : INodeHostFactory
    {
        public Task<INodeHost> StartAsync(HomeFolder home, NodeHostOptions options, CancellationToken cancel)
        {
            ILoggerFactory loggers = ConsoleLogs.Create(Console.Error);
            return Task.FromResult<INodeHost>(EmbeddedSwarm.Start(home, options, new HandlerRegistry(), loggers, Console.Error.WriteLine));
        }
    }
}
