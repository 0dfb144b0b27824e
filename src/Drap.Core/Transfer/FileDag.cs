using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Drap.Core.Transfer;

/// <summary>
/// The DAG of one file in kubo's balanced layout. It follows wholly from the file's length and its leaves' digests, so these are
/// all that is kept: 32 bytes for each 256 KiB. With them any range can be verified, and any block be made again.
/// </summary>
public sealed class FileDag
{
    private readonly byte[] digests;

    /// <summary>The DAG of a file of <paramref name="length"/> bytes; <paramref name="digests"/> is sha2-256 of each leaf in turn.</summary>
    public FileDag(long length, byte[] digests)
    {
        Invariant.Check(digests.Length == 32L * UnixFs.LeafCount(length));
        this.digests = digests;
        Length = length;
        LeafCount = UnixFs.LeafCount(length);
        DagBytes = length;
        Root = LeafAt(0);
        foreach (DagBlock node in Nodes())
        {
            Root = node.Cid;
            DagBytes += node.Bytes.Length;
        }
    }

    /// <summary>The file's name: of a file of one leaf the leaf itself.</summary>
    public Cid Root { get; }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>Leaves, at least one.</summary>
    public int LeafCount { get; }

    /// <summary>Bytes of all blocks together, which links to this file name as their size.</summary>
    public long DagBytes { get; }

    /// <summary>The leaves' digests, 32 bytes each.</summary>
    public ReadOnlySpan<byte> Digests => digests;

    /// <summary>The name of leaf <paramref name="index"/>.</summary>
    public Cid LeafAt(int index) => Cid.FromDigest(CidCodec.Raw, digests.AsSpan(index * 32, 32));

    /// <summary>Bytes in leaf <paramref name="index"/>: a whole chunk, but for the last.</summary>
    public int LeafLength(int index) => (int)Math.Min(UnixFs.ChunkBytes, Length - (long)index * UnixFs.ChunkBytes);

    /// <summary>Whether <paramref name="chunk"/> is what leaf <paramref name="index"/> holds.</summary>
    public bool Verifies(int index, ReadOnlySpan<byte> chunk)
    {
        if (chunk.Length != LeafLength(index))
            return false;
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(chunk, digest);
        return digest.SequenceEqual(digests.AsSpan(index * 32, 32));
    }

    /// <summary>The inner nodes, level by level from below; the last is the root. None for a file of one leaf.</summary>
    public IEnumerable<DagBlock> Nodes()
    {
        if (LeafCount == 1)
            yield break;
        int count = LeafCount;
        Func<int, Child> below = i => new Child(LeafAt(i), LeafLength(i), LeafLength(i));
        while (count > 1)
        {
            int parents = (count + UnixFs.LinksPerNode - 1) / UnixFs.LinksPerNode;
            var level = new Child[parents];
            for (int p = 0; p < parents; p++)
            {
                int first = p * UnixFs.LinksPerNode;
                DagBlock node = Parent(below, first, Math.Min(UnixFs.LinksPerNode, count - first), out level[p]);
                yield return node;
            }
            below = i => level[i];
            count = parents;
        }
    }

    /// <summary>
    /// All blocks, parents before what they name and that in the order of the file, as a receiver that believes nothing wants them: inner nodes
    /// with their bytes (and leaf -1), leaves by their number.
    /// </summary>
    public IEnumerable<(DagBlock Node, int Leaf)> Preorder()
    {
        var levels = new List<Child[]>();
        for (int count = LeafCount; count > 1; count = levels[^1].Length)
        {
            var level = new Child[(count + UnixFs.LinksPerNode - 1) / UnixFs.LinksPerNode];
            for (int p = 0; p < level.Length; p++)
                NodeAt(levels.Count + 1, p, out level[p]);
            levels.Add(level);
        }
        var open = new Stack<(int Level, int Index)>([(levels.Count, 0)]);
        while (open.TryPop(out (int Level, int Index) next))
        {
            if (next.Level == 0)
            {
                yield return (default, next.Index);
                continue;
            }
            yield return (NodeAt(next.Level, next.Index, out _), -1);
            int first = next.Index * UnixFs.LinksPerNode;
            for (int child = Math.Min(first + UnixFs.LinksPerNode, CountAt(next.Level - 1)) - 1; child >= first; child--)
                open.Push((next.Level - 1, child));
        }

        int CountAt(int level) => level == 0 ? LeafCount : levels[level - 1].Length;

        DagBlock NodeAt(int level, int index, out Child node)
        {
            int first = index * UnixFs.LinksPerNode;
            return Parent(
                i => level == 1 ? new Child(LeafAt(i), LeafLength(i), LeafLength(i)) : levels[level - 2][i],
                first, Math.Min(UnixFs.LinksPerNode, CountAt(level - 1) - first), out node);
        }
    }

    private static DagBlock Parent(Func<int, Child> below, int first, int count, out Child parent)
    {
        var links = new DagLink[count];
        var blockBytes = new long[count];
        long dagBytes = 0, fileBytes = 0;
        for (int i = 0; i < count; i++)
        {
            Child child = below(first + i);
            links[i] = new DagLink("", child.Cid, child.DagBytes);
            blockBytes[i] = child.FileBytes;
            dagBytes += child.DagBytes;
            fileBytes += child.FileBytes;
        }
        DagBlock block = DagPb.File(links, blockBytes);
        parent = new Child(block.Cid, fileBytes, dagBytes + block.Bytes.Length);
        return block;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Child(Cid Cid, long FileBytes, long DagBytes);
}
