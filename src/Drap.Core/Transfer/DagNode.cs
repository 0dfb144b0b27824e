using System.Collections.Immutable;

namespace Drap.Core.Transfer;

/// <summary>A link of a dag-pb node.</summary>
/// <param name="Name">The entry's name; empty in a file's inner nodes.</param>
/// <param name="Target">What it points at.</param>
/// <param name="DagBytes">Bytes of all blocks below it (Tsize), as its writer says: a hint, nothing that is checked.</param>
public readonly record struct DagLink(string Name, Cid Target, long DagBytes);

/// <summary>A dag-pb node with its UnixFS data, as <see cref="DagPb.TryDecode"/> reads it.</summary>
public sealed record DagNode
{
    /// <summary>What the node is.</summary>
    public required UnixFsKind Kind { get; init; }

    /// <summary>Its links, in their order on the wire.</summary>
    public required ImmutableArray<DagLink> Links { get; init; }

    /// <summary>Inline data: a symlink's target, a shard's bitmap; empty for the files that we make.</summary>
    public ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>Bytes of the file below a <see cref="UnixFsKind.File"/> node.</summary>
    public long FileBytes { get; init; }

    /// <summary>Bytes of the file below each link, in the links' order; empty unless a file.</summary>
    public ImmutableArray<long> BlockBytes { get; init; } = [];

    /// <summary>Children of a shard at most; 0 unless a shard.</summary>
    public long Fanout { get; init; }

    /// <summary>The multihash code of a shard's hash; 0 unless a shard.</summary>
    public ulong HashCode { get; init; }
}

/// <summary>A block made here: its name and its bytes.</summary>
/// <param name="Cid">The name.</param>
/// <param name="Bytes">The bytes that hash to it.</param>
public readonly record struct DagBlock(Cid Cid, ReadOnlyMemory<byte> Bytes);
