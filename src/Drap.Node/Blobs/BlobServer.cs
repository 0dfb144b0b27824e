using System.Buffers;
using System.Buffers.Binary;
using Drap.Core.Transfer;
using Drap.Node.Overlay;

namespace Drap.Node.Blobs;

/// <summary>
/// Sends blobs to whoever asks for them by name: in an open swarm everybody may. A stream's requests are answered in their order; who does not read
/// what it asked for holds up its own stream alone, and gives it up after <see cref="Patience"/>.
/// </summary>
internal sealed class BlobServer(BlobStore blobs, BlobFetches coming) : IDisposable
{
    /// <summary>Streams served at once: each holds a leaf and a block, so 32 of them at most 80 MiB.</summary>
    private const int ServedMax = 32;

    /// <summary>Streams that wait for their turn; further ones are reset, and their askers try again.</summary>
    private const int WaitingMax = 1024;

    /// <summary>How long a peer may take to send a request, or to read a block.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim slots = new(ServedMax);
    private int waiting;

    /// <summary>Serves one stream to its end.</summary>
    public async Task ServeAsync(PeerId peer, OverlayStream stream, CancellationToken cancel)
    {
        _ = peer;
        if (Interlocked.Increment(ref waiting) > WaitingMax)
        {
            Interlocked.Decrement(ref waiting);
            throw new OverlayException(OverlayFailure.Reset, "too many streams wait for blobs");
        }
        try
        {
            await slots.WaitAsync(cancel).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref waiting);
        }
        try
        {
            await AnswerAllAsync(stream, cancel).ConfigureAwait(false);
        }
        finally
        {
            slots.Release();
        }
    }

    public void Dispose() => slots.Dispose();

    private async Task AnswerAllAsync(OverlayStream stream, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var reader = new WireReader(stream);
        byte[] piece = ArrayPool<byte>.Shared.Rent(1 + BlobWire.BlockHeadBytes + UnixFs.ChunkBytes);
        try
        {
            while (true)
            {
                patience.CancelAfter(Patience);
                ReadOnlyMemory<byte> request = await reader.ReadAsync(BlobWire.RequestBytes, patience.Token).ConfigureAwait(false);
                if (request.IsEmpty)
                    return;
                if (!Cid.TryFromBytes(request.Span, out Cid cid))
                    throw new InvalidDataException("a request that is no CID");
                await AnswerAsync(cid, stream, piece, patience, cancel).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    private async Task AnswerAsync(Cid cid, OverlayStream stream, byte[] piece, CancellationTokenSource patience, CancellationToken cancel)
    {
        // What is on its way here is not missing.
        patience.CancelAfter(Timeout.InfiniteTimeSpan);
        await coming.WhenHereAsync(cid, cancel).ConfigureAwait(false);
        using OutgoingBlob? blob = blobs.TryOpenBlocks(cid);
        piece[0] = blob is null ? BlobWire.Missing : BlobWire.Here;
        int used = 1;
        if (blob is not null)
        {
            foreach (ReadOnlyMemory<byte> block in blob.Blocks())
            {
                patience.CancelAfter(Patience);
                BinaryPrimitives.WriteUInt32BigEndian(piece.AsSpan(used), (uint)block.Length);
                used += BlobWire.BlockHeadBytes;
                if (block.Length <= piece.Length - used)
                {
                    block.CopyTo(piece.AsMemory(used));
                    await stream.WriteAsync(piece.AsMemory(0, used + block.Length), patience.Token).ConfigureAwait(false);
                }
                else
                {
                    await stream.WriteAsync(piece.AsMemory(0, used), patience.Token).ConfigureAwait(false);
                    await stream.WriteAsync(block, patience.Token).ConfigureAwait(false);
                }
                used = 0;
            }
        }
        else
        {
            patience.CancelAfter(Patience);
            await stream.WriteAsync(piece.AsMemory(0, used), patience.Token).ConfigureAwait(false);
        }
    }
}
