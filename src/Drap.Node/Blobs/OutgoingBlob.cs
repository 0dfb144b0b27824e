using System.Buffers;
using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>One blob on its way to a peer, block by block, each leaf checked before it goes. For one reader; holds at most one leaf.</summary>
internal sealed class OutgoingBlob : IDisposable
{
    private readonly SafeFileHandle? handle;
    private readonly FileDag? dag;
    private readonly Func<int, BlobCorruptException>? corrupt;
    private readonly byte[]? only;

    /// <summary>A file of several leaves.</summary>
    public OutgoingBlob(SafeFileHandle handle, FileDag dag, Func<int, BlobCorruptException> corrupt) => (this.handle, this.dag, this.corrupt) = (handle, dag, corrupt);

    /// <summary>What is one block.</summary>
    public OutgoingBlob(byte[] only) => this.only = only;

    /// <summary>Its blocks, parents first. Each may be used until the next is asked for.</summary>
    /// <exception cref="BlobCorruptException">A leaf is not what its name says any more; the blob is in quarantine.</exception>
    public IEnumerable<ReadOnlyMemory<byte>> Blocks()
    {
        if (only is not null)
        {
            yield return only;
            yield break;
        }
        byte[] leaf = ArrayPool<byte>.Shared.Rent(UnixFs.ChunkBytes);
        try
        {
            foreach ((DagBlock node, int number) in dag!.Preorder())
            {
                if (number < 0)
                {
                    yield return node.Bytes;
                    continue;
                }
                int got = FileCalls.Read(handle!, leaf.AsSpan(0, dag.LeafLength(number)), (long)number * UnixFs.ChunkBytes);
                if (!dag.Verifies(number, leaf.AsSpan(0, got)))
                    throw corrupt!(number);
                yield return leaf.AsMemory(0, got);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(leaf);
        }
    }

    public void Dispose() => handle?.Dispose();
}
