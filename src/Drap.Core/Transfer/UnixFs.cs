namespace Drap.Core.Transfer;

/// <summary>
/// The measures of our DAGs: those of kubo's <c>ipfs add --cid-version=1</c>, so that a file or a folder has the same name here
/// and there (specs.ipfs.tech/unixfs).
/// </summary>
public static class UnixFs
{
    /// <summary>Bytes of a file in one leaf; kubo's <c>size-262144</c> chunker. The last leaf may hold fewer.</summary>
    public const int ChunkBytes = 256 * 1024;

    /// <summary>Children of one inner node of a file; kubo's balanced layout.</summary>
    public const int LinksPerNode = 174;

    /// <summary>Largest block that is read: bitswap's limit. What is larger is refused before it is looked at.</summary>
    public const int BlockBytesMax = 2 * 1024 * 1024;

    /// <summary>
    /// Largest file, 1 TiB: its leaf digests then take 128 MiB, which a node can still hold while it reads the file.
    /// </summary>
    public const long FileBytesMax = 1L << 40;

    /// <summary>
    /// A directory whose names and CIDs take more bytes than this together is sharded (kubo's HAMTShardingSize, counted as kubo
    /// counts: name bytes plus CID bytes; exactly this many still make one plain node).
    /// </summary>
    public const int DirectoryBytesMax = 256 * 1024;

    /// <summary>Children of one shard of a sharded directory.</summary>
    public const int ShardFanout = 256;

    /// <summary>The multihash code that shards name for their hash: murmur3-x64-64.</summary>
    public const ulong ShardHash = 0x22;

    /// <summary>Longest name of a directory entry in bytes: what Linux file systems take (NAME_MAX).</summary>
    public const int NameBytesMax = 255;

    /// <summary>How many leaves a file of <paramref name="length"/> bytes has; an empty file has one empty leaf.</summary>
    public static int LeafCount(long length)
    {
        Invariant.Check(length is >= 0 and <= FileBytesMax);
        return length == 0 ? 1 : (int)((length + ChunkBytes - 1) / ChunkBytes);
    }

    /// <summary>Whether <paramref name="name"/> can be one step of a path: not empty, not <c>.</c> or <c>..</c>, no slash, no NUL, not too long.</summary>
    public static bool IsName(string name) =>
        name.Length > 0 && name is not ("." or "..") && !name.AsSpan().ContainsAny('/', '\0')
        && System.Text.Encoding.UTF8.GetByteCount(name) <= NameBytesMax;
}

/// <summary>What a UnixFS node is; the numbers are those of its protobuf enum.</summary>
public enum UnixFsKind
{
    /// <summary>Bytes of a file inside a dag-pb node (older than raw leaves).</summary>
    Raw = 0,

    /// <summary>A directory in one node.</summary>
    Directory = 1,

    /// <summary>A file, or an inner node of one.</summary>
    File = 2,

    /// <summary>Metadata, of no use here; read, never written.</summary>
    Metadata = 3,

    /// <summary>A symbolic link; its data is the target.</summary>
    Symlink = 4,

    /// <summary>A shard of a directory (HAMT).</summary>
    Shard = 5,
}
