using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Drap.Core.Transfer;

/// <summary>
/// Writes and reads dag-pb nodes that carry UnixFS data. Written in the one canonical form (links first, each with hash, name and
/// size; then the data); read with a peer's malice in mind: nothing throws, nothing is allocated beyond what the block's own size
/// pays for.
/// </summary>
public static class DagPb
{
    private static readonly UTF8Encoding Utf8Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>The block of a directory with these entries, which must be sorted by <see cref="CompareNames"/>.</summary>
    public static DagBlock Directory(IReadOnlyList<DagLink> links) => Encode(links, [0x08, (byte)UnixFsKind.Directory]);

    /// <summary>The block of a symbolic link.</summary>
    public static DagBlock Symlink(string target)
    {
        var data = new ProtoWriter();
        data.Number(1, (ulong)UnixFsKind.Symlink);
        data.Bytes(2, Encoding.UTF8.GetBytes(target));
        return Encode([], data.Written);
    }

    /// <summary>The block of an inner node of a file: child <c>i</c> holds <paramref name="blockBytes"/>[i] bytes of it.</summary>
    public static DagBlock File(IReadOnlyList<DagLink> links, IReadOnlyList<long> blockBytes)
    {
        var data = new ProtoWriter();
        data.Number(1, (ulong)UnixFsKind.File);
        data.Number(3, (ulong)blockBytes.Sum());
        foreach (long bytes in blockBytes)
            data.Number(4, (ulong)bytes);
        return Encode(links, data.Written);
    }

    /// <summary>The block of a shard of a directory; <paramref name="bitmap"/> is big-endian without leading zero bytes.</summary>
    public static DagBlock Shard(IReadOnlyList<DagLink> links, ReadOnlySpan<byte> bitmap)
    {
        var data = new ProtoWriter();
        data.Number(1, (ulong)UnixFsKind.Shard);
        data.Bytes(2, bitmap);
        data.Number(5, UnixFs.ShardHash);
        data.Number(6, UnixFs.ShardFanout);
        return Encode(links, data.Written);
    }

    /// <summary>The order of entries in a directory: by the bytes of their names, which is not the order of .NET strings.</summary>
    public static int CompareNames(string a, string b)
    {
        int shared = Math.Min(a.Length, b.Length);
        for (int i = 0; i < shared; i++)
        {
            if (a[i] == b[i])
                continue;
            // UTF-8 keeps the order of code points; UTF-16 puts the surrogates below U+E000.
            bool aHigh = char.IsSurrogate(a[i]), bHigh = char.IsSurrogate(b[i]);
            return aHigh == bHigh ? a[i].CompareTo(b[i]) : aHigh ? 1 : -1;
        }
        return a.Length.CompareTo(b.Length);
    }

    /// <summary>
    /// Reads a block, which need not be canonical. False, with the reason, for what is not a UnixFS node or uses a CID that we
    /// cannot name (another hash or codec).
    /// </summary>
    public static bool TryDecode(
        ReadOnlyMemory<byte> block, [NotNullWhen(true)] out DagNode? node, [NotNullWhen(false)] out string? error)
    {
        node = null;
        if (block.Length > UnixFs.BlockBytesMax)
        {
            error = $"block of {block.Length} bytes, at most {UnixFs.BlockBytesMax} are read";
            return false;
        }
        var links = ImmutableArray.CreateBuilder<DagLink>();
        bool hasData = false;
        ReadOnlySpan<byte> data = default;
        var reader = new ProtoReader(block.Span);
        while (reader.Next())
        {
            if (!reader.IsBytes || reader.Field is not (1 or 2) || (reader.Field == 1 && hasData))
            {
                error = $"field {reader.Field} has no place in a dag-pb node";
                return false;
            }
            if (reader.Field == 1)
            {
                hasData = true;
                data = reader.Bytes;
            }
            else
            {
                if (!TryReadLink(reader.Bytes, out DagLink link, out error))
                    return false;
                links.Add(link);
            }
        }
        if (reader.Failed)
        {
            error = "malformed dag-pb node";
            return false;
        }
        if (!hasData)
        {
            error = "a dag-pb node without UnixFS data";
            return false;
        }
        return TryReadData(data, links.DrainToImmutable(), out node, out error);
    }

    private static bool TryReadLink(ReadOnlySpan<byte> bytes, out DagLink link, [NotNullWhen(false)] out string? error)
    {
        link = default;
        Cid target = default;
        string name = "";
        ulong size = 0;
        int last = 0;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            // Each field once, in order, as the dag-pb specification wants it.
            if (reader.Field <= last || reader.Field > 3 || reader.IsBytes == (reader.Field == 3))
            {
                error = "malformed dag-pb link";
                return false;
            }
            last = reader.Field;
            if (last == 1 && !TryReadCid(reader.Bytes, out target))
            {
                error = "a link to a CID that is not sha2-256 with codec raw or dag-pb";
                return false;
            }
            if (last == 2 && !TryReadText(reader.Bytes, out name))
            {
                error = "a link's name is not UTF-8";
                return false;
            }
            if (last == 3)
                size = reader.Number;
        }
        if (reader.Failed || target.IsNone)
        {
            error = reader.Failed ? "malformed dag-pb link" : "a link without a CID";
            return false;
        }
        // A size is a hint: one beyond all files is capped, not refused. The links of one block (below 2^16) then sum without overflow.
        link = new DagLink(name, target, (long)Math.Min(size, 1UL << 46));
        error = null;
        return true;
    }

    /// <summary>CIDv1, or CIDv0, which is a bare multihash and always names a dag-pb node.</summary>
    private static bool TryReadCid(ReadOnlySpan<byte> bytes, out Cid cid)
    {
        if (bytes.Length == 34 && bytes[0] == 0x12 && bytes[1] == 0x20)
        {
            cid = Cid.FromDigest(CidCodec.DagPb, bytes[2..]);
            return true;
        }
        return Cid.TryFromBytes(bytes, out cid);
    }

    private static bool TryReadData(
        ReadOnlySpan<byte> bytes, ImmutableArray<DagLink> links,
        [NotNullWhen(true)] out DagNode? node, [NotNullWhen(false)] out string? error)
    {
        node = null;
        error = "malformed UnixFS data";
        ulong? kind = null;
        ulong fileBytes = 0, hash = 0, fanout = 0;
        byte[] data = [];
        var blocks = ImmutableArray.CreateBuilder<long>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field, reader.IsBytes)
            {
                case (1, false): kind = reader.Number; break;
                case (2, true): data = reader.Bytes.ToArray(); break;
                case (3, false): fileBytes = reader.Number; break;
                case (4, false) when reader.Number <= UnixFs.FileBytesMax && blocks.Count < links.Length:
                    blocks.Add((long)reader.Number);
                    break;
                case (4, true):
                    var packed = new ProtoReader(reader.Bytes);
                    while (packed.NextPacked(out ulong value))
                    {
                        if (value > UnixFs.FileBytesMax || blocks.Count == links.Length)
                            return false;
                        blocks.Add((long)value);
                    }
                    if (packed.Failed)
                        return false;
                    break;
                case (4, false): return false;
                case (5, false): hash = reader.Number; break;
                case (6, false): fanout = reader.Number; break;
                case (1 or 2 or 3 or 5 or 6, _): return false;
                default: break; // mode, mtime, and what later versions add
            }
        }
        if (reader.Failed || kind is null or > (ulong)UnixFsKind.Shard || fileBytes > UnixFs.FileBytesMax || fanout > 1024)
            return false;
        node = new DagNode
        {
            Kind = (UnixFsKind)kind.Value,
            Links = links,
            Data = data,
            FileBytes = (long)fileBytes,
            BlockBytes = blocks.DrainToImmutable(),
            Fanout = (long)fanout,
            HashCode = hash,
        };
        error = null;
        return true;
    }

    /// <summary>Reads UTF-8; false where the bytes are not.</summary>
    internal static bool TryReadText(ReadOnlySpan<byte> bytes, out string text)
    {
        bool valid = System.Text.Unicode.Utf8.IsValid(bytes);
        text = valid ? Utf8Strict.GetString(bytes) : "";
        return valid;
    }

    private static DagBlock Encode(IReadOnlyList<DagLink> links, ReadOnlySpan<byte> data)
    {
        var node = new ProtoWriter();
        var link = new ProtoWriter();
        Span<byte> cid = stackalloc byte[Cid.BytesLength];
        foreach (DagLink l in links)
        {
            l.Target.CopyTo(cid);
            link.Clear();
            link.Bytes(1, cid);
            link.Bytes(2, Encoding.UTF8.GetBytes(l.Name));
            link.Number(3, (ulong)l.DagBytes);
            node.Bytes(2, link.Written);
        }
        node.Bytes(1, data);
        byte[] block = node.Written.ToArray();
        return new DagBlock(Cid.Of(CidCodec.DagPb, block), block);
    }
}
