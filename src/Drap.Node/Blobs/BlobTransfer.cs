using Drap.Core.Transfer;

namespace Drap.Node.Blobs;

/// <summary>
/// One stream to a holder, over which a few blobs come with all that folders among them name. What is here already is not asked for; large files are
/// gathered, and brought by whoever owns this, from all who have them.
/// </summary>
/// <param name="blobs">Where it goes.</param>
/// <param name="stream">The stream.</param>
/// <param name="prover">In whose name it comes, if what only others have brought does not count as here; null where all counts.</param>
/// <param name="line">Told of what comes, and of what is kept of it.</param>
internal sealed class BlobTransfer(BlobStore blobs, Stream stream, Principal? prover, IBlobLine line) : IDisposable
{
    /// <summary>Files that are gathered before they are brought: as many are open at once.</summary>
    private const int FilesMax = 64;

    /// <summary>Their leaves together: 2 MiB of digests, 16 GiB of files; one larger file comes alone.</summary>
    private const int LeavesMax = 65_536;

    private readonly Stack<Cid> open = new();
    private readonly Queue<BlobRequest> asked = new();
    private readonly HashSet<Cid> seen = [];
    private readonly List<FileDag> files = [];
    private readonly byte[] requests = new byte[BlobWire.AskedMax * BlobWire.RequestBytes];
    private long leaves;

    /// <summary>The stream's reader; while large files are brought the stream is theirs.</summary>
    public WireReader Reader { get; } = new(stream);

    /// <summary>What the holder would not give to this node, if anything.</summary>
    public Cid Refused { get; private set; }

    /// <summary>Whether a blob counts as here.</summary>
    public static bool IsHere(BlobStore blobs, Cid cid, Principal? prover) => blobs.Contains(cid) && (prover is not { } owner || blobs.Owners.Has(owner, cid));

    /// <summary>Fetches what its holder has; what it does not have, or does not give, is left out.</summary>
    /// <exception cref="InvalidDataException">The holder sent what was not asked for, or a folder without bounds.</exception>
    public async Task RunAsync(IReadOnlyList<Cid> roots, Func<IReadOnlyList<FileDag>, Task> bring, CancellationToken cancel)
    {
        for (int i = roots.Count - 1; i >= 0; i--)
            open.Push(roots[i]);
        while (true)
        {
            bool isFull = files.Count >= FilesMax || leaves >= LeavesMax;
            if (!isFull)
                await AskAsync(cancel).ConfigureAwait(false);
            if (asked.TryDequeue(out BlobRequest next))
            {
                await TakeAsync(next, cancel).ConfigureAwait(false);
                continue;
            }
            if (files.Count == 0)
                return;
            await bring(files).ConfigureAwait(false);
            files.Clear();
            leaves = 0;
        }
    }

    /// <summary>Asks who else has a file. On a stream on which no answer is under way.</summary>
    public async Task<List<PeerId>> HoldersAsync(Cid cid, CancellationToken cancel)
    {
        BlobWire.Write(requests, new BlobRequest(BlobQuestion.Holders, cid));
        await stream.WriteAsync(requests.AsMemory(0, BlobWire.RequestBytes), cancel).ConfigureAwait(false);
        var found = new List<PeerId>();
        if (await StatusAsync(cancel).ConfigureAwait(false) != BlobStatus.Here)
            return found;
        ReadOnlyMemory<byte> names = await Reader.ReadBlockAsync(BlobWire.HoldersBytesMax, cancel).ConfigureAwait(false);
        for (int at = 0; at < names.Length; at += 1 + names.Span[at])
        {
            if (at + 1 + names.Span[at] > names.Length || !PeerId.TryFromBytes(names.Span.Slice(at + 1, names.Span[at]), out PeerId peer))
                throw new InvalidDataException("names of holders that are none");
            found.Add(peer);
        }
        return found;
    }

    public void Dispose() => Reader.Dispose();

    /// <summary>Asks for as many as may be asked for at once, in one write.</summary>
    private async ValueTask AskAsync(CancellationToken cancel)
    {
        // Half of them at least, so that a folder of small files takes one write for many.
        if (asked.Count > BlobWire.AskedMax / 2)
            return;
        int count = 0;
        while (asked.Count < BlobWire.AskedMax && open.TryPop(out Cid next))
        {
            if (!seen.Add(next))
                continue;
            if (seen.Count > FolderImport.EntriesMax)
                throw new InvalidDataException($"a folder of more than {FolderImport.EntriesMax} entries");
            var request = new BlobRequest(BlobQuestion.Outline, next);
            if (IsHere(blobs, next, prover))
            {
                if (next.Codec != CidCodec.DagPb || blobs.ReadPacked(next) is not { } block || !DagPb.TryDecode(block, out DagNode? node, out _))
                    continue;
                Open(node);
                // What it names is asked for under the right to it.
                if (prover is null)
                    continue;
                request = request with { What = BlobQuestion.Open };
            }
            BlobWire.Write(requests.AsSpan(count++ * BlobWire.RequestBytes), request);
            asked.Enqueue(request);
        }
        if (count > 0)
            await stream.WriteAsync(requests.AsMemory(0, count * BlobWire.RequestBytes), cancel).ConfigureAwait(false);
    }

    private async ValueTask<BlobStatus> StatusAsync(CancellationToken cancel)
    {
        var status = (BlobStatus)(await Reader.ReadWholeAsync(1, cancel).ConfigureAwait(false)).Span[0];
        return status is BlobStatus.Here or BlobStatus.Missing or BlobStatus.Refused ? status : throw new InvalidDataException($"an answer of kind {(byte)status}");
    }

    private async ValueTask TakeAsync(BlobRequest request, CancellationToken cancel)
    {
        BlobStatus status = await StatusAsync(cancel).ConfigureAwait(false);
        line.Came(1);
        if (status == BlobStatus.Refused)
            Refused = request.Content;
        if (status != BlobStatus.Here || request.What == BlobQuestion.Open)
            return;
        var walk = new FileWalk(request.Content, isOutline: true);
        ReadOnlyMemory<byte> block = default;
        bool isFirst = true;
        while (!walk.IsComplete)
        {
            block = await Reader.ReadBlockAsync(walk.NextBytesMax, cancel).ConfigureAwait(false);
            line.Came(block.Length);
            if (!walk.TryTake(block, out _, out string? error))
                throw new InvalidDataException(error);
            if (isFirst && walk.Length > UnixFs.ChunkBytes)
                blobs.CheckRoom(walk.Length);
            isFirst = false;
        }
        if (walk.Length > UnixFs.ChunkBytes)
        {
            files.Add(walk.Finish()!);
            leaves += files[^1].LeafCount;
            return;
        }
        blobs.AddBlock(request.Content, block.Span);
        Own(request.Content);
        line.Kept();
        if (walk.Root is { } node)
            Open(node);
    }

    /// <summary>It was brought in the prover's name.</summary>
    private void Own(Cid cid)
    {
        if (prover is { } owner)
            blobs.Owners.Add(owner, [cid]);
    }

    private void Open(DagNode node)
    {
        for (int i = node.Links.Length - 1; i >= 0; i--)
            open.Push(node.Links[i].Target);
    }
}

/// <summary>What is told of a stream over which blobs come.</summary>
internal interface IBlobLine
{
    /// <summary>So many bytes came, good ones or bad ones.</summary>
    void Came(int bytes);

    /// <summary>What came is kept, and need not come again.</summary>
    void Kept();
}
