using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Node.Overlay;

namespace Drap.Node.Blobs;

/// <summary>
/// A node's store in its swarm: serves what it has, and fetches by name what others have, from one holder. Each block is checked against its name
/// before anything is kept, a file is kept when it is whole, a folder's parts one by one: what was fetched before a cut is not fetched again.
/// </summary>
internal sealed class BlobExchange : IDisposable
{
    /// <summary>
    /// Fetches at once; further ones wait. Each is a stream, and holds at most one block of 2 MiB and what its stream has on the way: below 64 MiB
    /// together.
    /// </summary>
    private const int FetchesMax = 16;

    /// <summary>How long nothing may come before a holder counts as unreachable.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly BlobStore blobs;
    private readonly IOverlay overlay;
    private readonly BlobFetches coming = new();
    private readonly BlobServer server;
    private readonly SemaphoreSlim slots = new(FetchesMax);
    private readonly CancellationTokenSource stop = new();

    /// <summary>Begins to serve a store.</summary>
    public BlobExchange(BlobStore blobs, IOverlay overlay)
    {
        this.blobs = blobs;
        this.overlay = overlay;
        server = new BlobServer(blobs, coming);
        overlay.Handle(BlobWire.Protocol, server.ServeAsync);
    }

    /// <summary>Whether all of it is here, so that there is nothing to fetch.</summary>
    public bool Has(Cid cid) => blobs.IsComplete(cid);

    /// <summary>
    /// Fetches what is not here of these, and keeps it: for a job, if one is named, as durable as each is wanted. Cancelled, or broken off, it leaves
    /// what was whole.
    /// </summary>
    public Task<BlobFetch> FetchAsync(PeerId holder, IReadOnlyList<WantedBlob> wanted, JobId? owner, CancellationToken cancel)
    {
        // From this moment on it is on its way: whoever is told of it next, and asks for it here, waits.
        List<Cid> ours = [.. wanted.Select(w => w.Content).Distinct().Where(coming.TryBegin)];
        return Task.Run(() => FetchAsync(holder, wanted, ours, owner, cancel), CancellationToken.None);
    }

    public void Dispose()
    {
        stop.Cancel();
        stop.Dispose();
        slots.Dispose();
        server.Dispose();
    }

    private async Task<BlobFetch> FetchAsync(PeerId holder, IReadOnlyList<WantedBlob> wanted, List<Cid> ours, JobId? owner, CancellationToken cancel)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel, stop.Token);
        // Until it is pinned: what has come must not be collected meanwhile.
        List<BlobHold> holds = [.. wanted.Select(w => blobs.Hold(w.Content))];
        try
        {
            var lacking = new List<Cid>();
            foreach (Cid cid in wanted.Select(w => w.Content).Distinct())
            {
                if (!ours.Contains(cid))
                    await coming.WhenHereAsync(cid, ended.Token).ConfigureAwait(false);
                if (!blobs.IsComplete(cid))
                    lacking.Add(cid);
            }
            if (lacking.Count > 0)
            {
                await slots.WaitAsync(ended.Token).ConfigureAwait(false);
                try
                {
                    await TransferAsync(holder, lacking, ended.Token).ConfigureAwait(false);
                }
                finally
                {
                    slots.Release();
                }
            }
            ImmutableArray<Cid> missing = [.. lacking.Where(cid => !blobs.IsComplete(cid))];
            if (!missing.IsEmpty)
                return new BlobFetch(FetchEnd.Gone, missing, $"it does not have {missing[0]}");
            Keep(wanted, owner);
            return new BlobFetch(FetchEnd.Safe, [], "");
        }
        catch (Exception e) when (e is InvalidDataException or BlobMismatchException or BlobRefusedException)
        {
            return new BlobFetch(FetchEnd.Gone, [.. ours.Where(cid => !blobs.IsComplete(cid))], e.Message);
        }
        catch (Exception e) when (e is IOException or BlobStoreException or UnauthorizedAccessException)
        {
            return new BlobFetch(FetchEnd.Unreachable, [], e.Message);
        }
        finally
        {
            foreach (Cid cid in ours)
                coming.End(cid);
            holds.ForEach(h => h.Dispose());
        }
    }

    private async Task TransferAsync(PeerId holder, List<Cid> roots, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        try
        {
            OverlayStream stream = await overlay.OpenStreamAsync(holder, BlobWire.Protocol, patience.Token).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                using var transfer = new BlobTransfer(blobs, stream, () => patience.CancelAfter(Patience));
                await transfer.RunAsync(roots, patience.Token).ConfigureAwait(false);
                await stream.CompleteWritesAsync(patience.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new OverlayException(OverlayFailure.Unreachable, $"nothing came for {Patience.TotalSeconds:0} s");
        }
    }

    private void Keep(IReadOnlyList<WantedBlob> wanted, JobId? owner)
    {
        foreach (WantedBlob blob in wanted)
        {
            if (blob.Durable)
                blobs.Sync(FolderExport.Reach(blobs, blob.Content));
            if (owner is { } job)
                blobs.Pin(job, blob.Content, blob.Durable);
        }
    }
}

/// <summary>How a fetch ended.</summary>
/// <param name="End">Whether all is here now.</param>
/// <param name="Missing">What its holder does not have, or has something else for.</param>
/// <param name="Why">For a person, where not all is here.</param>
internal readonly record struct BlobFetch(FetchEnd End, ImmutableArray<Cid> Missing, string Why);
