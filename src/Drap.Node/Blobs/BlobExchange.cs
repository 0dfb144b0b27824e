using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Core.Transfer;
using Drap.Node.Overlay;
using Drap.Node.Time;

namespace Drap.Node.Blobs;

/// <summary>
/// A node's store in its swarm: serves what it has to those who may read it, and fetches by name what others have. Each block is checked against its name
/// before anything is kept; what was fetched before a cut, also by an earlier process, is not fetched again.
/// </summary>
internal sealed class BlobExchange : IDisposable
{
    /// <summary>
    /// Fetches at once; further ones wait. Each has a stream to each of its holders, and holds at most one block of 2 MiB and what its streams have on the
    /// way: below 64 MiB together from one holder each.
    /// </summary>
    private const int FetchesMax = 16;

    /// <summary>Holders from which one fetch takes at once.</summary>
    private const int HoldersMax = 4;

    /// <summary>From this size on it is asked who else has a file: below it the answer would come with the file's end.</summary>
    private const long SharedBytesMin = 8 << 20;

    /// <summary>How long nothing may come before a holder counts as unreachable; and how long a fetch that was cut is tried again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Between two tries after a cut.</summary>
    private static readonly TimeSpan TryAgain = TimeSpan.FromMilliseconds(250), TryAgainMax = TimeSpan.FromSeconds(2);

    private readonly BlobStore blobs;
    private readonly IOverlay overlay;
    private readonly BlobRights? rights;
    private readonly BlobFetches coming = new();
    private readonly BlobHolders holders = new();
    private readonly ServedBlobs served;
    private readonly BlobServer server;
    private readonly SemaphoreSlim slots = new(FetchesMax);
    private readonly CancellationTokenSource stop = new();
    private long received;

    /// <summary>Begins to serve a store.</summary>
    /// <param name="blobs">The store.</param>
    /// <param name="overlay">The swarm.</param>
    /// <param name="rights">Who may read it; null in an open swarm, where everybody may.</param>
    /// <param name="bytesPerSecond">What one peer gets at most; 0 for no limit.</param>
    public BlobExchange(BlobStore blobs, IOverlay overlay, BlobRights? rights = null, long bytesPerSecond = 0)
    {
        this.blobs = blobs;
        this.overlay = overlay;
        this.rights = rights;
        served = new ServedBlobs(blobs, coming, holders, rights);
        server = new BlobServer(served, bytesPerSecond);
        overlay.Handle(BlobWire.Protocol, server.ServeAsync);
    }

    /// <summary>Brings what should be here, and is not, from those who keep copies, when a worker needs it. Default: nobody does.</summary>
    public Func<Cid, CancellationToken, Task>? Recover
    {
        set => served.Recover = rights is null ? null : value;
    }

    /// <summary>Bytes of blocks that have come, right ones and wrong ones, since it began.</summary>
    public long Received => Interlocked.Read(ref received);

    /// <summary>Whether all of it is here, and brought in this name where that is asked, so that there is nothing to fetch.</summary>
    public bool Has(Cid cid, Principal? prover = null)
    {
        if (rights is null || prover is null)
            return blobs.IsComplete(cid);
        using BlobHold hold = blobs.Hold(cid);
        return FolderExport.Reach(blobs, cid).All(c => BlobTransfer.IsHere(blobs, c, prover));
    }

    /// <summary>In whose name a peer brings things; null where nobody needs to show that he has what he names.</summary>
    public Principal? ProverOf(PeerId holder) => rights?.ProverOf(holder);

    /// <summary>What a task of this principal left here is his; and everybody's if it is public.</summary>
    public void Own(Principal owner, Cid content, bool isPublic)
    {
        if (rights is null)
            return;
        Cid[] all = [.. FolderExport.Reach(blobs, content)];
        blobs.Owners.Add(owner, all);
        if (isPublic)
            blobs.Owners.Publish(all);
    }

    /// <summary>
    /// Fetches what is not here of these, and keeps it: for a job, if one is named, as durable as each is wanted. Cancelled, or broken off, it leaves
    /// what came.
    /// </summary>
    /// <param name="holder">Who has it. Large files come also from others who have them, of whom this one knows.</param>
    /// <param name="wanted">What.</param>
    /// <param name="prover">
    /// In whose name: what only others have brought here does not count, and comes again. Else whoever names a blob that is another's would have it. Null
    /// where all that is here counts.
    /// </param>
    /// <param name="owner">The job for which it is kept.</param>
    /// <param name="cancel">Gives up.</param>
    public Task<BlobFetch> FetchAsync(PeerId holder, IReadOnlyList<WantedBlob> wanted, Principal? prover, JobId? owner, CancellationToken cancel)
    {
        if (rights is null)
            prover = null;
        // From this moment on it is on its way: whoever is told of it next, and asks for it here, waits.
        List<Cid> ours = [.. wanted.Select(w => w.Content).Distinct().Where(coming.TryBegin)];
        return Task.Run(() => FetchAsync(holder, wanted, ours, prover, owner, cancel), CancellationToken.None);
    }

    public void Dispose()
    {
        stop.Cancel();
        stop.Dispose();
        slots.Dispose();
        server.Dispose();
    }

    private async Task<BlobFetch> FetchAsync(PeerId holder, IReadOnlyList<WantedBlob> wanted, List<Cid> ours, Principal? prover, JobId? owner, CancellationToken cancel)
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
                if (!Has(cid, prover))
                    lacking.Add(cid);
            }
            Cid refused = lacking.Count > 0 ? await TransferAsync(holder, lacking, prover, ended.Token).ConfigureAwait(false) : default;
            ImmutableArray<Cid> missing = [.. lacking.Where(cid => !Has(cid, prover))];
            if (!missing.IsEmpty && !refused.IsNone)
                return new BlobFetch(FetchEnd.Unreachable, missing, $"it does not let this node read {refused}: no live lease of this node names it, it is not public, and not of this node's principal")
                {
                    IsRefused = true,
                };
            if (!missing.IsEmpty)
                return new BlobFetch(FetchEnd.Gone, missing, $"it does not have {missing[0]}");
            Keep(wanted, owner);
            return new BlobFetch(FetchEnd.Safe, [], "");
        }
        catch (Exception e) when (e is InvalidDataException or BlobMismatchException or BlobRefusedException)
        {
            return new BlobFetch(FetchEnd.Gone, [.. ours.Where(cid => !Has(cid, prover))], e.Message);
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

    /// <summary>Takes what a holder has; after a cut it is asked again for what is lacking, as long as anything comes. Gives what it refused, if anything.</summary>
    private async Task<Cid> TransferAsync(PeerId holder, List<Cid> roots, Principal? prover, CancellationToken cancel)
    {
        var progress = new Progress();
        TimeSpan wait = TryAgain;
        for (int cuts = 0; ; cuts++)
        {
            // Those who have a large part of it may have the rest.
            PeerId[] leads = [holder, .. progress.Others];
            await slots.WaitAsync(cancel).ConfigureAwait(false);
            long before = progress.Count;
            try
            {
                return await TransferOnceAsync(leads[cuts % leads.Length], roots, prover, progress, cancel).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OverlayException or EndOfStreamException)
            {
                if (roots.All(root => Has(root, prover)))
                    return default;
                // Cut: it may be back at once. One of which nothing ever came is not waited for.
                if (progress.Count == 0 || BootClock.Now - progress.At >= Patience)
                    throw;
                wait = progress.Count > before ? TryAgain : wait * 2 < TryAgainMax ? wait * 2 : TryAgainMax;
            }
            finally
            {
                slots.Release();
            }
            await Task.Delay(wait, cancel).ConfigureAwait(false);
        }
    }

    private async Task<Cid> TransferOnceAsync(PeerId holder, List<Cid> roots, Principal? prover, Progress progress, CancellationToken cancel)
    {
        var line = await Line.OpenAsync(this, holder, progress, cancel).ConfigureAwait(false);
        await using (line.ConfigureAwait(false))
        {
            using var transfer = new BlobTransfer(blobs, line.Stream, prover, line);
            await line.RunAsync(token => transfer.RunAsync(roots, files => BringAsync(line, transfer, files, prover, progress, cancel), token)).ConfigureAwait(false);
            await line.RunAsync(token => line.Stream.CompleteWritesAsync(token).AsTask()).ConfigureAwait(false);
            return transfer.Refused;
        }
    }

    /// <summary>Brings large files from all who have them. What came when it breaks off is there when it is tried again.</summary>
    private async Task BringAsync(Line line, BlobTransfer transfer, IReadOnlyList<FileDag> wanted, Principal? prover, Progress progress, CancellationToken cancel)
    {
        using var leaves = new LeafTransfer(blobs, wanted);
        // Whoever else has it is asked only for what is of this node's own principal: a stranger's word for having a file is that he sends it.
        List<PeerId> others = (prover is null || prover == rights?.Self) && wanted.Sum(f => f.Length) >= SharedBytesMin && !leaves.IsComplete
            ? await transfer.HoldersAsync(wanted[0].Root, line.Token).ConfigureAwait(false) : [];
        others.RemoveAll(p => p == line.Peer || p == overlay.Self);
        if (others.Count > 0)
            progress.Others = [.. others];
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task[] helping = [.. others.Distinct().Take(HoldersMax - 1).Select(p => HelpAsync(p, leaves, progress, enough.Token))];
        try
        {
            await leaves.TakeAsync(line.Stream, transfer.Reader, line, line.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OverlayException or EndOfStreamException or OperationCanceledException && !cancel.IsCancellationRequested)
        {
            // The others go on; the fetch is tried again when they have brought what they can.
            await Task.WhenAll(helping).ConfigureAwait(false);
            throw;
        }
        finally
        {
            await enough.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(helping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (FileDag file in leaves.Keep())
            {
                if (prover is { } owner)
                    blobs.Owners.Add(owner, [file.Root]);
                holders.Note(file.Root, line.Peer);
            }
        }
    }

    /// <summary>Takes what another holder has; whether it can is its own affair.</summary>
    private async Task HelpAsync(PeerId peer, LeafTransfer leaves, Progress progress, CancellationToken cancel)
    {
        try
        {
            var line = await Line.OpenAsync(this, peer, progress, cancel).ConfigureAwait(false);
            await using (line.ConfigureAwait(false))
            {
                using var reader = new WireReader(line.Stream);
                await line.RunAsync(token => leaves.TakeAsync(line.Stream, reader, line, token)).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or OperationCanceledException)
        {
            // What it owed the others bring.
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
            if (rights is not null && blob.IsPublic)
                blobs.Owners.Publish(FolderExport.Reach(blobs, blob.Content));
        }
    }

    /// <summary>How far one fetch has come, over all its lines and tries.</summary>
    private sealed class Progress
    {
        private long count, at = BootClock.Now.Nanoseconds;

        /// <summary>Leaves and small blobs that were kept: what a holder sends again and again is none.</summary>
        public long Count => Interlocked.Read(ref count);

        public Instant At => new(Interlocked.Read(ref at));

        /// <summary>Who else has what is large of it.</summary>
        public ImmutableArray<PeerId> Others { get; set; } = [];

        public void Add()
        {
            Interlocked.Increment(ref count);
            Interlocked.Exchange(ref at, BootClock.Now.Nanoseconds);
        }
    }

    /// <summary>A stream to one holder, which is given up when nothing comes.</summary>
    private sealed class Line : IBlobLine, IAsyncDisposable
    {
        private readonly BlobExchange exchange;
        private readonly Progress progress;
        private readonly CancellationToken cancel;
        private readonly CancellationTokenSource patience;

        private Line(BlobExchange exchange, OverlayStream stream, Progress progress, CancellationTokenSource patience, CancellationToken cancel) =>
            (this.exchange, Stream, this.progress, this.patience, this.cancel) = (exchange, stream, progress, patience, cancel);

        public OverlayStream Stream { get; }

        public PeerId Peer => Stream.Peer;

        public CancellationToken Token => patience.Token;

        public static async Task<Line> OpenAsync(BlobExchange exchange, PeerId peer, Progress progress, CancellationToken cancel)
        {
            var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            patience.CancelAfter(Patience);
            try
            {
                return new Line(exchange, await exchange.overlay.OpenStreamAsync(peer, BlobWire.Protocol, patience.Token).ConfigureAwait(false), progress, patience, cancel);
            }
            catch (Exception e)
            {
                patience.Dispose();
                throw e is OperationCanceledException && !cancel.IsCancellationRequested ? Silent() : e;
            }
        }

        public void Came(int bytes)
        {
            patience.CancelAfter(Patience);
            Interlocked.Add(ref exchange.received, bytes);
        }

        public void Kept() => progress.Add();

        public async Task RunAsync(Func<CancellationToken, Task> what)
        {
            try
            {
                await what(patience.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                throw Silent();
            }
        }

        public async ValueTask DisposeAsync()
        {
            await Stream.DisposeAsync().ConfigureAwait(false);
            patience.Dispose();
        }

        private static OverlayException Silent() => new(OverlayFailure.Unreachable, $"nothing came for {Patience.TotalSeconds:0} s");
    }
}

/// <summary>How a fetch ended.</summary>
/// <param name="End">Whether all is here now.</param>
/// <param name="Missing">What its holder does not have, has something else for, or does not give.</param>
/// <param name="Why">For a person, where not all is here.</param>
internal readonly record struct BlobFetch(FetchEnd End, ImmutableArray<Cid> Missing, string Why)
{
    /// <summary>Whether its holder says that this node may not read it.</summary>
    public bool IsRefused { get; init; }
}
