using Drap.Core.Transfer;

namespace Drap.Node.Blobs;

/// <summary>One stream to a holder, over which a few blobs come with all that folders among them name. What is here already is not asked for.</summary>
internal sealed class BlobTransfer(BlobStore blobs, Stream stream, Action progressed) : IDisposable
{
    private readonly Stack<Cid> open = new();
    private readonly Queue<Cid> asked = new();
    private readonly HashSet<Cid> seen = [];
    private readonly WireReader reader = new(stream);
    private readonly byte[] requests = new byte[BlobWire.AskedMax * BlobWire.RequestBytes];

    /// <summary>Fetches what its holder has; what it does not have is left out.</summary>
    /// <exception cref="InvalidDataException">The holder sent what was not asked for, or a folder without bounds.</exception>
    public async Task RunAsync(List<Cid> roots, CancellationToken cancel)
    {
        for (int i = roots.Count - 1; i >= 0; i--)
            open.Push(roots[i]);
        while (true)
        {
            await AskAsync(cancel).ConfigureAwait(false);
            if (!asked.TryDequeue(out Cid next))
                return;
            byte status = (await reader.ReadWholeAsync(1, cancel).ConfigureAwait(false)).Span[0];
            progressed();
            if (status == BlobWire.Here)
                await TakeAsync(next, cancel).ConfigureAwait(false);
            else if (status != BlobWire.Missing)
                throw new InvalidDataException($"an answer of kind {status}");
        }
    }

    public void Dispose() => reader.Dispose();

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
            if (blobs.Contains(next))
            {
                if (next.Codec == CidCodec.DagPb && blobs.ReadPacked(next) is { } block && DagPb.TryDecode(block, out DagNode? node, out _))
                    Open(node);
                continue;
            }
            next.CopyTo(requests.AsSpan(count++ * BlobWire.RequestBytes));
            asked.Enqueue(next);
        }
        if (count > 0)
            await stream.WriteAsync(requests.AsMemory(0, count * BlobWire.RequestBytes), cancel).ConfigureAwait(false);
    }

    private async ValueTask TakeAsync(Cid cid, CancellationToken cancel)
    {
        var walk = new FileWalk(cid);
        ReadOnlyMemory<byte> block = await NextAsync(walk, cancel).ConfigureAwait(false);
        if (walk.IsComplete)
        {
            blobs.AddBlock(cid, block.Span);
            if (walk.Root is { } node)
                Open(node);
            return;
        }
        using IncomingFile file = blobs.Receive(walk.Length);
        while (!walk.IsComplete)
        {
            bool isLeaf = walk.Next.Codec == CidCodec.Raw;
            block = await NextAsync(walk, cancel).ConfigureAwait(false);
            if (isLeaf)
                file.Append(block.Span);
        }
        blobs.Keep(file, walk.Finish()!, new AddOptions { Expected = cid });
    }

    private async ValueTask<ReadOnlyMemory<byte>> NextAsync(FileWalk walk, CancellationToken cancel)
    {
        ReadOnlyMemory<byte> block = await reader.ReadBlockAsync(walk.NextBytesMax, cancel).ConfigureAwait(false);
        progressed();
        return walk.TryTake(block, out _, out string? error) ? block : throw new InvalidDataException(error);
    }

    private void Open(DagNode node)
    {
        for (int i = node.Links.Length - 1; i >= 0; i--)
            open.Push(node.Links[i].Target);
    }
}
