using Drap.Cli.Commands;
using Drap.Cli.Output;
using Drap.Node.Home;

namespace Drap.Cli.Nodes;

/// <summary>Where the program gets its engine: the one place that names the implementations behind the command line's seams.</summary>
internal static class Engine
{
    /// <summary>Starts the embedded swarm.</summary>
    public static INodeHostFactory Hosts { get; } = new None();

    /// <summary>Reads a home that stands still.</summary>
    public static IStoppedHome Stopped { get; } = new None();

    /// <summary>Runs the benchmarks.</summary>
    public static IBench Bench { get; } = new None();

    /// <summary>A build of the command line alone, which can only talk to a node of another one.</summary>
    private sealed class None : INodeHostFactory, IStoppedHome, IBench
    {
        public Task<INodeHost> StartAsync(HomeFolder home, NodeHostOptions options, CancellationToken cancel) => throw Absent;

        public Task<INodeService> OpenAsync(HomeFolder home, CancellationToken cancel) => throw Absent;

        public Task<int> PlacementAsync(Screen screen, int tasks, CancellationToken cancel) => throw Absent;

        public Task<int> ThroughputAsync(Screen screen, CancellationToken cancel) => throw Absent;

        private static CliException Absent => new(ExitCode.Error, "this build has no engine", "start a node of a whole build, and set DRAP_HOME to its folder");
    }
}
