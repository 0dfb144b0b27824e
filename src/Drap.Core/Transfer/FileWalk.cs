using System.Diagnostics.CodeAnalysis;

namespace Drap.Core.Transfer;

/// <summary>
/// Takes in the blocks of one blob as a peer sends them, parents first: a file with all its inner nodes and leaves, or one node of a folder. Each
/// block is checked against the name that a checked one before it gave, so nothing that is handed out can be wrong, and nothing is believed. Pure:
/// whoever owns it says what to do with the leaves.
/// </summary>
/// <remarks>
/// Only files in our own layout (see <see cref="FileDag"/>) are taken: those of another would get another name here. At most
/// <see cref="UnixFs.LinksPerNode"/> names a level are kept beside the 32 bytes of each leaf's digest.
/// </remarks>
public sealed class FileWalk
{
    /// <summary>Levels of inner nodes: four of them carry 174⁴ leaves, which is far above <see cref="UnixFs.FileBytesMax"/>.</summary>
    private const int LevelsMax = 4;

    private readonly Cid root;
    private readonly bool isOutline;
    private readonly Stack<(Cid Name, long Bytes, int Level)> expected = new();
    private byte[] digests = [];
    private long taken;

    /// <summary>Expects the blob of this name.</summary>
    /// <param name="root">Its name.</param>
    /// <param name="isOutline">Whether the leaves of a file of several stay away: their names, which inner nodes give, are what is wanted. Default: no.</param>
    public FileWalk(Cid root, bool isOutline = false)
    {
        this.root = root;
        this.isOutline = isOutline;
        expected.Push((root, -1, 0));
    }

    /// <summary>The block that must come next.</summary>
    public Cid Next => expected.Peek().Name;

    /// <summary>Bytes that it may have.</summary>
    public int NextBytesMax => Next.Codec == CidCodec.Raw ? UnixFs.ChunkBytes : UnixFs.BlockBytesMax;

    /// <summary>Whether all of it has come.</summary>
    public bool IsComplete => expected.Count == 0;

    /// <summary>Bytes of the file, once its root has come; -1 before, and for a node of a folder.</summary>
    public long Length { get; private set; } = -1;

    /// <summary>The root, once it has come, if it is no raw block.</summary>
    public DagNode? Root { get; private set; }

    /// <summary>
    /// Takes the block that comes next. A leaf (<paramref name="isLeaf"/>) follows those before it in the file. False, with the reason, for one that
    /// is not what its parent says; nothing after it can be used.
    /// </summary>
    public bool TryTake(ReadOnlyMemory<byte> block, out bool isLeaf, [NotNullWhen(false)] out string? error)
    {
        Invariant.Check(!IsComplete);
        (Cid name, long bytes, int level) = expected.Pop();
        isLeaf = name.Codec == CidCodec.Raw;
        error = Cid.Of(name.Codec, block.Span) != name ? $"what was sent as block {name} is something else"
            : isLeaf ? TakeLeaf(name, block.Length, bytes)
            : DagPb.TryDecode(block, out DagNode? node, out string? bad) ? TakeNode(name, node, bytes, level) : $"block {name} is refused: {bad}";
        if (error is null && isOutline)
            PassLeaves();
        return error is null;
    }

    /// <summary>The whole file's DAG; null for a node of a folder.</summary>
    public FileDag? Finish()
    {
        Invariant.Check(IsComplete);
        return Length < 0 ? null : new FileDag(Length, digests);
    }

    private void PassLeaves()
    {
        while (expected.TryPeek(out (Cid Name, long Bytes, int Level) next) && next.Bytes >= 0 && next.Name.Codec == CidCodec.Raw)
        {
            expected.Pop();
            next.Name.CopyDigest(digests.AsSpan((int)(taken / UnixFs.ChunkBytes) * 32));
            taken += next.Bytes;
        }
    }

    private string? TakeLeaf(Cid name, int length, long bytes)
    {
        if (bytes < 0)
        {
            // A file of one leaf is that leaf.
            if (length > UnixFs.ChunkBytes)
                return $"raw block {name} has {length} bytes; at most {UnixFs.ChunkBytes} are taken";
            Length = length;
            digests = new byte[32];
        }
        else if (length != bytes)
        {
            return $"leaf {name} has {length} bytes where its parent says {bytes}";
        }
        name.CopyDigest(digests.AsSpan((int)(taken / UnixFs.ChunkBytes) * 32));
        taken += length;
        return null;
    }

    private string? TakeNode(Cid name, DagNode node, long bytes, int level)
    {
        bool isRoot = bytes < 0;
        if (isRoot)
            Root = node;
        if (isRoot && node.Kind is UnixFsKind.Directory or UnixFsKind.Shard or UnixFsKind.Symlink)
            return null;
        if (node.Kind != UnixFsKind.File)
            return $"block {name} is a {node.Kind} where a file is wanted";
        if (level == LevelsMax || node.FileBytes is <= 0 or > UnixFs.FileBytesMax || (isRoot && node.FileBytes <= UnixFs.ChunkBytes) || node.Links.Length is 0 or > UnixFs.LinksPerNode
            || node.BlockBytes.Length != node.Links.Length || (!isRoot && node.FileBytes != bytes))
            return IsForeign();
        if (isRoot)
        {
            Length = node.FileBytes;
            digests = new byte[32 * UnixFs.LeafCount(Length)];
        }
        return TryExpect(node, level) ? null : IsForeign();

        string IsForeign() => $"file {root} is not laid out as drap lays out files";
    }

    /// <summary>What the node's children must be: all leaves, or all inner nodes; whole chunks but for the file's last.</summary>
    private bool TryExpect(DagNode node, int level)
    {
        long sum = 0;
        for (int i = 0; i < node.Links.Length; i++)
        {
            long bytes = node.BlockBytes[i];
            bool isLeaf = node.Links[i].Target.Codec == CidCodec.Raw;
            bool isLast = taken + sum + bytes == Length && i == node.Links.Length - 1;
            if (bytes <= 0 || bytes > node.FileBytes - sum || (isLeaf ? bytes > UnixFs.ChunkBytes : bytes <= UnixFs.ChunkBytes && !isLast)
                || (bytes % UnixFs.ChunkBytes != 0 && !isLast))
                return false;
            sum += bytes;
        }
        if (sum != node.FileBytes)
            return false;
        for (int i = node.Links.Length - 1; i >= 0; i--)
            expected.Push((node.Links[i].Target, node.BlockBytes[i], level + 1));
        return true;
    }
}
