using System.Buffers;
using System.Buffers.Binary;
using Drap.Core.Transfer;
using Drap.Node.Overlay;

namespace Drap.Node.Blobs;

/// <summary>What a node gives to its peers, and to whom.</summary>
/// <param name="Blobs">The store.</param>
/// <param name="Coming">What is on its way there.</param>
/// <param name="Holders">Who else has it.</param>
/// <param name="Rights">Who may read it; null in an open swarm, where everybody may.</param>
internal sealed record ServedBlobs(BlobStore Blobs, BlobFetches Coming, BlobHolders Holders, BlobRights? Rights)
{
    /// <summary>How long it is looked for what is not here any more and a live lease names: the asker's patience is longer.</summary>
    public static readonly TimeSpan RecoveryTime = TimeSpan.FromSeconds(10);

    /// <summary>Brings what should be here, and is not, from those who keep copies; null where nobody does.</summary>
    public Func<Cid, CancellationToken, Task>? Recover { get; set; }
}

/// <summary>One stream of a peer: its requests and their answers, in their order.</summary>
internal sealed class BlobAnswers : IDisposable
{
    private readonly ServedBlobs served;
    private readonly PeerId peer;
    private readonly OverlayStream stream;
    private readonly Func<int, TimeSpan> delay;
    private readonly TimeSpan idleTime;
    private readonly CancellationToken cancel;
    private readonly CancellationTokenSource patience;
    private readonly WireReader reader;
    private readonly Principal? principal;
    private readonly ReadScope scope;
    private readonly byte[] leaf = ArrayPool<byte>.Shared.Rent(UnixFs.ChunkBytes);
    private readonly byte[] piece = ArrayPool<byte>.Shared.Rent(1 + BlobWire.BlockHeadBytes + UnixFs.ChunkBytes);
    private int used;
    private Cid opened;
    private OutgoingBlob? file;

    /// <summary>Takes a stream.</summary>
    /// <param name="served">What is given, and to whom.</param>
    /// <param name="stream">The stream; its opener closes it.</param>
    /// <param name="delay">How long so many bytes must wait, since the peer has had enough for now.</param>
    /// <param name="idleTime">How long the peer may take to send a request, or to read a block.</param>
    /// <param name="cancel">Gives up.</param>
    public BlobAnswers(ServedBlobs served, OverlayStream stream, Func<int, TimeSpan> delay, TimeSpan idleTime, CancellationToken cancel)
    {
        (this.served, peer, this.stream, this.delay, this.idleTime, this.cancel) = (served, stream.Peer, stream, delay, idleTime, cancel);
        patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        reader = new WireReader(stream);
        principal = served.Rights?.PrincipalOf(peer);
        scope = served.Rights is null ? ReadScope.OfOpenSwarm() : ReadScope.Of(principal);
    }

    /// <summary>Answers until the peer asks no more.</summary>
    /// <exception cref="InvalidDataException">It sent what is no request.</exception>
    public async Task RunAsync()
    {
        while (true)
        {
            patience.CancelAfter(idleTime);
            ReadOnlyMemory<byte> bytes = await reader.ReadAsync(BlobWire.RequestBytes, patience.Token).ConfigureAwait(false);
            if (bytes.IsEmpty)
                return;
            await AnswerAsync(BlobWire.Read(bytes.Span) ?? throw new InvalidDataException("a request that is none")).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        file?.Dispose();
        reader.Dispose();
        patience.Dispose();
        ArrayPool<byte>.Shared.Return(leaf);
        ArrayPool<byte>.Shared.Return(piece);
    }

    private async Task AnswerAsync(BlobRequest request)
    {
        patience.CancelAfter(Timeout.InfiniteTimeSpan);
        ReadRight right = await JudgeAsync(request.Content).ConfigureAwait(false);
        if (right == ReadRight.None)
            await SayAsync(BlobStatus.Refused).ConfigureAwait(false);
        else if (request.What == BlobQuestion.Outline)
            await OutlineAsync(request.Content, right).ConfigureAwait(false);
        else if (request.What == BlobQuestion.Leaves)
            await LeavesAsync(request).ConfigureAwait(false);
        else if (request.What == BlobQuestion.Open)
            await SayAsync(Open(request.Content, served.Blobs.ReadPacked(request.Content), right)).ConfigureAwait(false);
        else
            await HoldersAsync(request.Content).ConfigureAwait(false);
    }

    private async ValueTask<ReadRight> JudgeAsync(Cid wanted)
    {
        ReadRight right = scope.Judge(wanted, served.Rights?.OwnersOf(served.Blobs, wanted, principal) ?? BlobOwnership.Nobody);
        if (right != ReadRight.None || principal is null || !await served.Rights!.LeaseNames(peer, wanted, cancel).ConfigureAwait(false))
            return right;
        return scope.TryGrant(wanted) ? ReadRight.Lease : ReadRight.None;
    }

    private async Task OutlineAsync(Cid cid, ReadRight right)
    {
        // What is on its way here is not missing.
        await served.Coming.WhenHereAsync(cid, cancel).ConfigureAwait(false);
        OutgoingBlob? found = Find(cid);
        if (found is null && served.Recover is { } recover && await served.Rights!.LeaseNames(peer, cid, cancel).ConfigureAwait(false))
        {
            using var late = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            late.CancelAfter(ServedBlobs.RecoveryTime);
            try
            {
                await recover(cid, late.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                // Who keeps it, if anybody, is not found in time: who made it runs again.
            }
            found = Find(cid);
        }
        if (found is not { } blob)
        {
            await SayAsync(BlobStatus.Missing).ConfigureAwait(false);
            return;
        }
        if (Open(cid, blob.Only, right) == BlobStatus.Refused)
        {
            await SayAsync(BlobStatus.Refused).ConfigureAwait(false);
            return;
        }
        Begin(BlobStatus.Here);
        foreach (ReadOnlyMemory<byte> block in blob.Outline(leaf))
            await SendAsync(block).ConfigureAwait(false);
        if (blob.LeafCount > 0)
            served.Holders.Note(cid, peer);
        else
            scope.Close(cid);
    }

    private async Task LeavesAsync(BlobRequest request)
    {
        if (Find(request.Content) is not { LeafCount: > 0 } blob || request.First > blob.LeafCount - request.Count)
        {
            await SayAsync(BlobStatus.Missing).ConfigureAwait(false);
            return;
        }
        Begin(BlobStatus.Here);
        for (int i = 0; i < request.Count; i++)
            await SendAsync(blob.Leaf(request.First + i, leaf)).ConfigureAwait(false);
    }

    private async Task HoldersAsync(Cid cid)
    {
        // Of the asker's own principal only: others would refuse it.
        byte[] names = [.. served.Holders.Of(cid).Where(h => h != peer && (served.Rights is not { } r || r.PrincipalOf(h) == principal))
            .SelectMany(h => (byte[])[(byte)h.Bytes.Length, .. h.Bytes])];
        Begin(BlobStatus.Here);
        await SendAsync(names).ConfigureAwait(false);
    }

    /// <summary>What a node of a folder names may be asked for, if the right to it goes so far.</summary>
    private BlobStatus Open(Cid cid, byte[]? block, ReadRight right)
    {
        if (block is null)
            return BlobStatus.Missing;
        return right is not (ReadRight.Lease or ReadRight.Parent) || cid.Codec != CidCodec.DagPb || !DagPb.TryDecode(block, out DagNode? node, out _)
            || scope.TryOpen(node, right) ? BlobStatus.Here : BlobStatus.Refused;
    }

    /// <summary>The last file stays open: its leaves come in many requests.</summary>
    private OutgoingBlob? Find(Cid cid)
    {
        if (opened == cid && file is not null)
            return file;
        file?.Dispose();
        opened = cid;
        return file = served.Blobs.TryOpenParts(cid);
    }

    private ValueTask SayAsync(BlobStatus status)
    {
        Begin(status);
        return FlushAsync();
    }

    private void Begin(BlobStatus status)
    {
        piece[0] = (byte)status;
        used = 1;
    }

    private async ValueTask FlushAsync()
    {
        patience.CancelAfter(idleTime);
        await stream.WriteAsync(piece.AsMemory(0, used), patience.Token).ConfigureAwait(false);
        used = 0;
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> block)
    {
        if (delay(block.Length) is var wait && wait > TimeSpan.Zero)
            await Task.Delay(wait, cancel).ConfigureAwait(false);
        BinaryPrimitives.WriteUInt32BigEndian(piece.AsSpan(used), (uint)block.Length);
        used += BlobWire.BlockHeadBytes;
        if (block.Length <= piece.Length - used)
        {
            block.CopyTo(piece.AsMemory(used));
            used += block.Length;
            await FlushAsync().ConfigureAwait(false);
            return;
        }
        await FlushAsync().ConfigureAwait(false);
        patience.CancelAfter(idleTime);
        await stream.WriteAsync(block, patience.Token).ConfigureAwait(false);
    }
}
