using System.Collections.Immutable;

namespace Drap.Libp2p.Gossipsub;

/// <summary>What a peer speaks, by the protocol that was negotiated with it.</summary>
public enum GossipVersion
{
    /// <summary>Flooding alone: it gets every message of its topics, and takes part in no mesh.</summary>
    Floodsub,

    /// <summary>Gossipsub 1.0: meshes and gossip; a PRUNE says no back-off.</summary>
    V10,

    /// <summary>Gossipsub 1.1: back-offs and peer exchange.</summary>
    V11,

    /// <summary>Gossipsub 1.2: it understands IDONTWANT.</summary>
    V12,
}

/// <summary>The names of the protocols.</summary>
public static class GossipProtocols
{
    /// <summary>Gossipsub 1.2.</summary>
    public const string V12 = "/meshsub/1.2.0";

    /// <summary>Gossipsub 1.1.</summary>
    public const string V11 = "/meshsub/1.1.0";

    /// <summary>Gossipsub 1.0.</summary>
    public const string V10 = "/meshsub/1.0.0";

    /// <summary>Floodsub.</summary>
    public const string Floodsub = "/floodsub/1.0.0";

    /// <summary>All of them, the best first.</summary>
    public static ImmutableArray<string> All { get; } = [V12, V11, V10, Floodsub];

    /// <summary>Which version a protocol name stands for; null if it is none of them.</summary>
    public static GossipVersion? VersionOf(string protocol) => protocol switch
    {
        V12 => GossipVersion.V12,
        V11 => GossipVersion.V11,
        V10 => GossipVersion.V10,
        Floodsub => GossipVersion.Floodsub,
        _ => null,
    };
}
