using System.Buffers;
using System.Security.Cryptography;

namespace Drap.Core.Transfer;

/// <summary>
/// Makes a <see cref="FileDag"/> of bytes that come in pieces of any size. Keeps 32 bytes per leaf and copies nothing. Not
/// thread-safe; good for one file.
/// </summary>
public sealed class FileDagBuilder : IDisposable
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly ArrayBufferWriter<byte> digests = new(256);
    private int inLeaf;
    private bool isFinished;

    /// <summary>Bytes taken so far.</summary>
    public long Length { get; private set; }

    /// <summary>Takes the file's next bytes. False, and nothing is taken, where the file would pass <see cref="UnixFs.FileBytesMax"/>.</summary>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        Invariant.Check(!isFinished);
        if (bytes.Length > UnixFs.FileBytesMax - Length)
            return false;
        Length += bytes.Length;
        while (!bytes.IsEmpty)
        {
            if (inLeaf == UnixFs.ChunkBytes)
                EndLeaf();
            int take = Math.Min(bytes.Length, UnixFs.ChunkBytes - inLeaf);
            hash.AppendData(bytes[..take]);
            inLeaf += take;
            bytes = bytes[take..];
        }
        return true;
    }

    /// <summary>The DAG of all bytes taken; the builder takes no more.</summary>
    public FileDag Finish()
    {
        Invariant.Check(!isFinished);
        isFinished = true;
        EndLeaf();
        return new FileDag(Length, digests.WrittenSpan.ToArray());
    }

    /// <inheritdoc/>
    public void Dispose() => hash.Dispose();

    private void EndLeaf()
    {
        hash.GetHashAndReset(digests.GetSpan(32));
        digests.Advance(32);
        inLeaf = 0;
    }
}
