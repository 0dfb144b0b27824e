using System.Collections.Immutable;
using Drap.Core.Membership;
using Drap.Libp2p.Multiformats;

namespace Drap.Node.Membership;

/// <summary>How a node takes part in a swarm whose members have certificates: what <c>drap up</c> and <c>drap join</c> start.</summary>
public sealed record SwarmOptions
{
    /// <summary>The ticket to come in by; null where the node belongs to a swarm already, or begins one.</summary>
    public Ticket? Ticket { get; init; }

    /// <summary>What people call the node. Default: the machine's name.</summary>
    public string Name { get; init; } = "";

    /// <summary>What people call a swarm that begins here. Default: the node's name.</summary>
    public string SwarmName { get; init; } = "";

    /// <summary>Who is behind the node, in a swarm that begins here; else its ticket says that. Default: the user's name.</summary>
    public string Principal { get; init; } = "";

    /// <summary>What of its roles it takes on now; null for all that its certificate gives but gateway.</summary>
    public NodeRoles? Roles { get; init; }

    /// <summary>Whether to be a gateway and, where the certificate lets it, to invite; nothing else. Default false; where true, <see cref="Roles"/> is null.</summary>
    public bool IsOnlyGateway { get; init; }

    /// <summary>Where to listen; empty for every IPv4 address of the machine, on the port of the last time, or a free one.</summary>
    public ImmutableArray<Multiaddr> Listen { get; init; } = [];

    /// <summary>Addresses to tell others besides those, such as a router's outside.</summary>
    public ImmutableArray<Multiaddr> Announce { get; init; } = [];

    /// <summary>Whether to find and be found on the LAN. Default yes: who belongs to another swarm is turned away at the gate.</summary>
    public bool Mdns { get; init; } = true;

    /// <summary>Whether nobody can dial it: then it keeps places at gateways at once, and not when it has seen that. Default false.</summary>
    public bool Hidden { get; init; }

    /// <summary>The region of its ads and of its workers.</summary>
    public string Region { get; init; } = "local";
}
