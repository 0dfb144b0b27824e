using System.Collections.Immutable;
using Drap.Api;
using Drap.Node.Config;
using Drap.Node.Home;
using Drap.Node.Membership;
using Drap.Node.Overlay;
using Drap.Node.Storage.Etcd;

namespace Drap.Node.Hosting;

/// <summary>Starts an engine in a home that this process has locked.</summary>
public interface INodeHostFactory
{
    /// <summary>Replays the journal, starts scheduler and workers, resumes what was left; returns when submits are taken.</summary>
    /// <param name="home">The folder; its lock is held by the caller for the host's whole life.</param>
    /// <param name="options">What to start.</param>
    /// <param name="cancel">Ends the start; nothing is left running then.</param>
    Task<INodeHost> StartAsync(HomeFolder home, NodeHostOptions options, CancellationToken cancel);
}

/// <summary>A running engine. Disposing it is an orderly stop: what runs is ended or left to its lease, the journal is closed.</summary>
public interface INodeHost : IAsyncDisposable
{
    /// <summary>What it does for its user.</summary>
    INodeService Service { get; }

    /// <summary>Its nodes, and where they are reached.</summary>
    SwarmDocument Swarm { get; }

    /// <summary>Completes when no job is open and none has been for a moment, so that a process that serves one run may end.</summary>
    Task IdleAsync(CancellationToken cancel);

    /// <summary>
    /// Kills what runs, without a grace and without a word to the scheduler, which takes it for lost at the next start: for a process that must
    /// end now. Nothing else is of use after it. Any thread.
    /// </summary>
    void Abort();

    /// <summary>Completes when the engine has stopped, by <see cref="INodeService.ShutdownAsync"/> or, with the fault, by one of its own.</summary>
    Task Completion { get; }
}

/// <summary>What to start in a home.</summary>
public sealed record NodeHostOptions
{
    /// <summary>
    /// How long the embedded swarm is there: <c>run</c> ends with its last job, <c>background</c> when it was also not asked anything for a
    /// while, <c>dev</c> stays.
    /// </summary>
    public string Mode { get; init; } = "run";

    /// <summary>
    /// How many workers share the machine; null takes the engine's default. They own it once together, not each.
    /// </summary>
    public int? Workers { get; init; }

    /// <summary>A file that gives each worker its resources, labels, region and prices, read again when it changes; null uses the machine's.</summary>
    public string? WorkersFile { get; init; }

    /// <summary>What the owner says of the node and its workers; null for the usual. Only of <c>drap up</c> and <c>drap join</c>.</summary>
    public NodeSpec? Terms { get; init; }

    /// <summary>
    /// Whose libp2p carries the swarm: the first is the scheduler's, the others the workers', in their order; the last that is no daemon's serves all
    /// that follow, too. Default: all nodes in this process, in memory.
    /// </summary>
    public ImmutableArray<OverlayOptions> Overlays { get; init; } = [];

    /// <summary>Where in etcd the scheduler's journal is to be; default where the home has it, which is in the home unless it began in etcd.</summary>
    public EtcdAddress? Journal { get; init; }

    /// <summary>How this program is started, for workers that are processes of their own: its path, and what comes before its arguments.</summary>
    public ImmutableArray<string> Program { get; init; } = [];

    /// <summary>The swarm to which the home belongs, or is to; then <see cref="Overlays"/> says nothing. Default none: the home's nodes are a swarm by themselves.</summary>
    public SwarmOptions? Swarm { get; init; }
}
