using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>One blob on its way to a peer, in parts, each leaf checked before it goes. For one reader.</summary>
internal sealed class OutgoingBlob : IDisposable
{
    private readonly SafeFileHandle? handle;
    private readonly FileDag? dag;
    private readonly Func<int, BlobCorruptException>? corrupt;
    private readonly byte[]? only;

    /// <summary>A file of its own: of one leaf or several.</summary>
    public OutgoingBlob(SafeFileHandle handle, FileDag dag, Func<int, BlobCorruptException> corrupt) => (this.handle, this.dag, this.corrupt) = (handle, dag, corrupt);

    /// <summary>What is one block, and in memory.</summary>
    public OutgoingBlob(byte[] only) => this.only = only;

    /// <summary>Its block, if it is one in memory: a small file, or a node of a folder.</summary>
    public byte[]? Only => only;

    /// <summary>Leaves, if it is a file of several; else 0.</summary>
    public int LeafCount => dag is { LeafCount: > 1 } file ? file.LeafCount : 0;

    /// <summary>
    /// Its block, if it is one; of a file of several leaves its inner nodes, parents first. Each may be used until the next is asked for, and lies in
    /// <paramref name="buffer"/> if that is where it has room (<see cref="UnixFs.ChunkBytes"/>).
    /// </summary>
    /// <exception cref="BlobCorruptException">A leaf is not what its name says any more; the blob is in quarantine.</exception>
    public IEnumerable<ReadOnlyMemory<byte>> Outline(Memory<byte> buffer)
    {
        if (only is not null)
        {
            yield return only;
            yield break;
        }
        foreach ((DagBlock node, int number) in dag!.Preorder())
        {
            if (number < 0)
                yield return node.Bytes;
            else if (dag.LeafCount == 1)
                yield return Leaf(0, buffer);
        }
    }

    /// <summary>A leaf, in the buffer.</summary>
    /// <exception cref="BlobCorruptException">It is not what its name says any more; the blob is in quarantine.</exception>
    public ReadOnlyMemory<byte> Leaf(int number, Memory<byte> buffer)
    {
        int got = FileCalls.Read(handle!, buffer.Span[..dag!.LeafLength(number)], (long)number * UnixFs.ChunkBytes);
        return dag.Verifies(number, buffer.Span[..got]) ? buffer[..got] : throw corrupt!(number);
    }

    public void Dispose() => handle?.Dispose();
}
