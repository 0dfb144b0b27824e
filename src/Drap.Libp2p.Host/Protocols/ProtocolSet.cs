using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Drap.Libp2p.Host.Protocols;

/// <summary>The protocols that a peer speaks. Most peers of a swarm speak the same, and share one set.</summary>
internal sealed class ProtocolSet
{
    public static readonly ProtocolSet Empty = new([]);

    // Sets that are shared; the kinds of nodes in a swarm are few.
    private const int SharedMax = 256;

    private static readonly Dictionary<string, ProtocolSet> Shared = new(StringComparer.Ordinal);

    private readonly FrozenSet<string> set;

    private ProtocolSet(ImmutableArray<string> names)
    {
        Names = names;
        set = names.ToFrozenSet(StringComparer.Ordinal);
    }

    public ImmutableArray<string> Names { get; }

    public static ProtocolSet Of(IEnumerable<string> names)
    {
        ImmutableArray<string> ordered = [.. names.Distinct().Order(StringComparer.Ordinal)];
        string key = string.Join('\n', ordered);
        lock (Shared)
        {
            if (!Shared.TryGetValue(key, out ProtocolSet? shared))
            {
                shared = new ProtocolSet(ordered);
                if (Shared.Count < SharedMax)
                    Shared.Add(key, shared);
            }
            return shared;
        }
    }

    public bool Contains(string protocol) => set.Contains(protocol);

    public ProtocolSet With(string protocol) => Contains(protocol) ? this : Of(Names.Add(protocol));
}
