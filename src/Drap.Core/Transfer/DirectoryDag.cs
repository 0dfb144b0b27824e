using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Drap.Core.Transfer;

/// <summary>
/// Makes and reads directories: one node while names and CIDs fit <see cref="UnixFs.DirectoryBytesMax"/>, else a trie of shards
/// (HAMT, fanout 256), as kubo makes them.
/// </summary>
public static class DirectoryDag
{
    /// <summary>Levels of shards: each uses 8 of the hash's 64 bits.</summary>
    private const int ShardDepthMax = 8;

    /// <summary>
    /// Makes the blocks of a directory, children before parents; the last is its root. The entries may come in any order, each name
    /// once and a <see cref="UnixFs.IsName"/>. Null where two names share all 64 bits of the shards' hash: such a directory has no form.
    /// </summary>
    public static List<DagBlock>? Make(IEnumerable<DagLink> entries, out long dagBytes)
    {
        List<DagLink> links = [.. entries];
        links.Sort((a, b) => DagPb.CompareNames(a.Name, b.Name));
        for (int i = 0; i < links.Count; i++)
            Invariant.Check(UnixFs.IsName(links[i].Name) && (i == 0 || links[i].Name != links[i - 1].Name));

        var blocks = new List<DagBlock>();
        long size = links.Sum(l => (long)Encoding.UTF8.GetByteCount(l.Name) + Cid.BytesLength);
        if (size <= UnixFs.DirectoryBytesMax)
        {
            DagBlock block = DagPb.Directory(links);
            blocks.Add(block);
            dagBytes = block.Bytes.Length + links.Sum(l => l.DagBytes);
            return blocks;
        }
        var hashed = links.ConvertAll(l => (Hash: Murmur3.Hash64(Encoding.UTF8.GetBytes(l.Name)), Link: l));
        hashed.Sort((a, b) => a.Hash.CompareTo(b.Hash));
        dagBytes = 0;
        for (int i = 1; i < hashed.Count; i++)
        {
            if (hashed[i].Hash == hashed[i - 1].Hash)
                return null;
        }
        dagBytes = MakeShard(hashed, 0, hashed.Count, 0, blocks).DagBytes;
        return blocks;
    }

    /// <summary>
    /// Reads the entries of the directory <paramref name="root"/>, sorted by name, through <paramref name="read"/>, which gives a
    /// block's bytes or null. False, with the reason, when a block is missing or bad, a name is no name or comes twice, or there are
    /// more than <paramref name="entriesMax"/>. <paramref name="visit"/> sees each block of the directory itself.
    /// </summary>
    public static bool TryList(
        Cid root, Func<Cid, byte[]?> read, int entriesMax, Action<Cid>? visit,
        out List<DagLink> entries, [NotNullWhen(false)] out string? error)
    {
        entries = [];
        // A shard that is no waste holds at least two entries: more nodes than entries are a peer's attempt to keep us busy.
        int nodesLeft = entriesMax + 1;
        if (!TryListNode(root, read, entriesMax, visit, -1, ref nodesLeft, entries, out error))
            return false;
        entries.Sort((a, b) => DagPb.CompareNames(a.Name, b.Name));
        for (int i = 0; i < entries.Count; i++)
        {
            if (!UnixFs.IsName(entries[i].Name) || (i > 0 && entries[i].Name == entries[i - 1].Name))
            {
                error = $"directory {root} has the entry {Show(entries[i].Name)} "
                    + (UnixFs.IsName(entries[i].Name) ? "twice" : "which is no file name");
                return false;
            }
        }
        return true;
    }

    private static string Show(string name) =>
        name.Length <= UnixFs.NameBytesMax ? $"'{name}'" : string.Create(CultureInfo.InvariantCulture, $"of {name.Length} characters");

    private static bool TryListNode(
        Cid cid, Func<Cid, byte[]?> read, int entriesMax, Action<Cid>? visit, int depth, ref int nodesLeft,
        List<DagLink> entries, [NotNullWhen(false)] out string? error)
    {
        if (nodesLeft-- == 0)
        {
            error = $"directory with more than {entriesMax} shards";
            return false;
        }
        if (cid.Codec != CidCodec.DagPb || read(cid) is not { } block)
        {
            error = cid.Codec != CidCodec.DagPb ? $"{cid} is not a directory" : $"block {cid} is missing";
            return false;
        }
        if (!DagPb.TryDecode(block, out DagNode? node, out error))
            return false;
        bool isShard = node.Kind == UnixFsKind.Shard;
        if (!(isShard && node.Fanout == UnixFs.ShardFanout) && !(node.Kind == UnixFsKind.Directory && depth < 0))
        {
            error = $"{cid} is not a directory" + (isShard ? $" of fanout {UnixFs.ShardFanout}" : "");
            return false;
        }
        visit?.Invoke(cid);
        foreach (DagLink link in node.Links)
        {
            if (isShard && link.Name.Length == 2)
            {
                if (depth + 2 > ShardDepthMax)
                {
                    error = $"directory {cid} has more than {ShardDepthMax} levels of shards";
                    return false;
                }
                if (!TryListNode(link.Target, read, entriesMax, visit, depth + 1, ref nodesLeft, entries, out error))
                    return false;
                continue;
            }
            if (isShard && link.Name.Length < 2)
            {
                error = $"shard {cid} has a link without a prefix";
                return false;
            }
            if (entries.Count == entriesMax)
            {
                error = $"directory {cid} has more than {entriesMax} entries";
                return false;
            }
            entries.Add(isShard ? link with { Name = link.Name[2..] } : link);
        }
        error = null;
        return true;
    }

    /// <summary>Makes the shard of the entries from <paramref name="start"/> to <paramref name="end"/>, which are sorted by hash.</summary>
    private static DagLink MakeShard(
        List<(ulong Hash, DagLink Link)> sorted, int start, int end, int level, List<DagBlock> blocks)
    {
        var links = new List<DagLink>();
        Span<byte> bitmap = stackalloc byte[UnixFs.ShardFanout / 8];
        bitmap.Clear();
        int shift = 56 - (8 * level);
        for (int i = start; i < end;)
        {
            int slot = (byte)(sorted[i].Hash >> shift);
            int next = i + 1;
            while (next < end && (byte)(sorted[next].Hash >> shift) == slot)
                next++;
            string prefix = slot.ToString("X2", CultureInfo.InvariantCulture);
            DagLink link = next - i == 1 ? sorted[i].Link : MakeShard(sorted, i, next, level + 1, blocks);
            links.Add(link with { Name = prefix + link.Name });
            bitmap[^(1 + (slot / 8))] |= (byte)(1 << (slot % 8));
            i = next;
        }
        int zeros = bitmap.IndexOfAnyExcept((byte)0);
        DagBlock block = DagPb.Shard(links, bitmap[zeros..]);
        blocks.Add(block);
        return new DagLink("", block.Cid, block.Bytes.Length + links.Sum(l => l.DagBytes));
    }
}
