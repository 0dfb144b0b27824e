namespace Drap.Node.Blobs;

/// <summary>What goes wrong in a <see cref="BlobStore"/>; each kind that a caller treats differently is a class below.</summary>
public class BlobStoreException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The blob, or a part of a folder, is not here.</summary>
public sealed class BlobMissingException(Cid cid, string what) : BlobStoreException($"blob {cid} is not in the store{what}")
{
    public Cid Cid { get; } = cid;
}

/// <summary>The blob's bytes are not those of its name. It was moved into quarantine: fetch it again or run its producer again.</summary>
public sealed class BlobCorruptException(Cid cid, int chunk) : BlobStoreException(
    $"blob {cid} is corrupt in chunk {chunk} (of 256 KiB, from 0); it was put into quarantine")
{
    public Cid Cid { get; } = cid;

    /// <summary>The first bad chunk, from 0; -1 where only the whole is known to be bad.</summary>
    public int Chunk { get; } = chunk;
}

/// <summary>The disk, the quota or the store's own capacity is exhausted. Nothing of the refused blob remains.</summary>
public sealed class BlobStoreFullException(string message, Exception? inner = null) : BlobStoreException(message, inner);

/// <summary>What was given does not hash to the CID that was expected.</summary>
public sealed class BlobMismatchException(Cid expected, Cid actual) : BlobStoreException(
    $"the bytes are those of {actual}, not of {expected}, which was expected")
{
    public Cid Expected { get; } = expected;

    public Cid Actual { get; } = actual;
}

/// <summary>A file, folder or block that the store does not take: what, where, and what is allowed instead.</summary>
public sealed class BlobRefusedException(string message) : BlobStoreException(message);
