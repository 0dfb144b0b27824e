using System.Collections.Immutable;

namespace Drap.Api;

/// <summary>The nodes of a swarm on one machine, as <c>drap dev -o json</c> tells them when they are up.</summary>
public sealed record SwarmDocument : Document
{
    /// <summary>What carries it: <c>memory</c>, <c>libp2p</c>, or <c>p2pd</c> where the scheduler speaks by a daemon.</summary>
    public string Overlay { get; set; } = "";

    /// <summary>The region whose topics carry its ads: those of class <c>cpu</c> are on <c>/drap/1.0.0/tasks/cpu/REGION/all</c>.</summary>
    public string Region { get; set; } = "";

    /// <summary>The scheduler, then the workers in their order.</summary>
    public ImmutableArray<SwarmNode> Nodes { get; set; } = [];
}

/// <summary>One node of a swarm.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Peer">Its peer id.</param>
public sealed record SwarmNode(string Name, PeerId Peer)
{
    /// <summary>What it is for: <c>scheduler</c>, <c>worker</c>.</summary>
    public ImmutableArray<string> Roles { get; set; } = [];

    /// <summary>Where it is reached: multiaddrs that end with its peer id; none where only its own process reaches it.</summary>
    public ImmutableArray<string> Addresses { get; set; } = [];

    /// <summary>Its process.</summary>
    public int Pid { get; set; }
}
