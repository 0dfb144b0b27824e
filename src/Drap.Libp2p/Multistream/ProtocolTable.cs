using System.Collections.Frozen;

namespace Drap.Libp2p.Multistream;

/// <summary>A fixed set of protocol names as a <see cref="ProtocolMatch"/> that allocates nothing: make one, share it among streams.</summary>
public sealed class ProtocolTable
{
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> names;

    /// <summary>A table of these names.</summary>
    public ProtocolTable(IEnumerable<string> protocols)
    {
        FrozenSet<string> set = protocols.ToFrozenSet(StringComparer.Ordinal);
        Invariant.Check(set.All(MessageWriter.IsProtocol));
        names = set.GetAlternateLookup<ReadOnlySpan<char>>();
        Match = offered => names.TryGetValue(offered, out string? name) ? name : null;
    }

    /// <summary>The match, made once.</summary>
    public ProtocolMatch Match { get; }
}
