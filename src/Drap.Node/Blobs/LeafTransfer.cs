using Drap.Core.Transfer;

namespace Drap.Node.Blobs;

/// <summary>A few files of several leaves that come from all their holders at once, each leaf from one of them, checked as it comes.</summary>
internal sealed class LeafTransfer : IDisposable
{
    private readonly BlobStore blobs;
    private readonly List<IncomingFile> files = [];
    private readonly LeafPlan plan = new();
    private readonly Lock gate = new();
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int holders;

    /// <summary>What is wanted of which files. What is here of them is found now.</summary>
    /// <exception cref="BlobStoreFullException">There is no room for one.</exception>
    public LeafTransfer(BlobStore blobs, IReadOnlyList<FileDag> wanted)
    {
        this.blobs = blobs;
        try
        {
            foreach (FileDag dag in wanted)
            {
                files.Add(blobs.Receive(dag));
                plan.Add(dag.LeafCount, files[^1].Has);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Whether all is here.</summary>
    public bool IsComplete
    {
        get
        {
            lock (gate)
                return plan.IsComplete;
        }
    }

    /// <summary>Takes what is lacking from one holder until nothing is, together with those for which this is called at the same time.</summary>
    /// <param name="stream">A stream to it, on which no answer is under way.</param>
    /// <param name="reader">Its reader.</param>
    /// <param name="line">Told of what comes, and of what is kept of it.</param>
    /// <param name="cancel">Gives up; what came stays.</param>
    /// <exception cref="InvalidDataException">It sent something else, or does not have it; what it owed others may bring.</exception>
    public async Task TakeAsync(Stream stream, WireReader reader, IBlobLine line, CancellationToken cancel)
    {
        int holder = Interlocked.Increment(ref holders);
        var runs = new Queue<LeafRun>();
        byte[] requests = new byte[LeafPlan.RunsPerHolder * BlobWire.RequestBytes];
        try
        {
            while (true)
            {
                int asked = Ask(holder, runs, requests, out Task more);
                if (asked < 0)
                    return;
                if (asked > 0)
                    await stream.WriteAsync(requests.AsMemory(0, asked * BlobWire.RequestBytes), cancel).ConfigureAwait(false);
                if (runs.TryDequeue(out LeafRun run))
                    await TakeAsync(run, holder, reader, line, cancel).ConfigureAwait(false);
                else
                    // Others bring the rest; if one of them breaks off there is something to do.
                    await more.WaitAsync(cancel).ConfigureAwait(false);
            }
        }
        finally
        {
            lock (gate)
                plan.Lost(holder);
            Wake();
        }
    }

    /// <summary>Puts what is whole into the store.</summary>
    public List<FileDag> Keep()
    {
        lock (gate)
        {
            List<FileDag> whole = [];
            foreach (int file in plan.Whole())
            {
                FileDag dag = files[file].Dag;
                blobs.Keep(files[file], dag, new AddOptions { Expected = dag.Root });
                whole.Add(dag);
            }
            return whole;
        }
    }

    public void Dispose() => files.ForEach(f => f.Dispose());

    /// <summary>Requests for the holder's next runs; -1 when nothing is lacking any more.</summary>
    private int Ask(int holder, Queue<LeafRun> runs, byte[] requests, out Task more)
    {
        lock (gate)
        {
            more = changed.Task;
            if (plan.IsComplete)
                return -1;
            int asked = 0;
            while (plan.TryTake(holder, out LeafRun run))
            {
                BlobWire.Write(requests.AsSpan(asked++ * BlobWire.RequestBytes), new BlobRequest(BlobQuestion.Leaves, files[run.File].Dag.Root, run.First, run.Count));
                runs.Enqueue(run);
            }
            return asked;
        }
    }

    private async Task TakeAsync(LeafRun run, int holder, WireReader reader, IBlobLine line, CancellationToken cancel)
    {
        var status = (BlobStatus)(await reader.ReadWholeAsync(1, cancel).ConfigureAwait(false)).Span[0];
        IncomingFile file = files[run.File];
        if (status != BlobStatus.Here)
            throw new InvalidDataException($"leaves of {file.Dag.Root} are not to be had from it any more ({status})");
        for (int leaf = run.First; leaf < run.First + run.Count; leaf++)
        {
            ReadOnlyMemory<byte> bytes = await reader.ReadBlockAsync(UnixFs.ChunkBytes, cancel).ConfigureAwait(false);
            line.Came(bytes.Length);
            if (!file.Dag.Verifies(leaf, bytes.Span))
                throw new InvalidDataException($"what was sent as leaf {leaf} of {file.Dag.Root} is something else");
            file.Write(leaf, bytes.Span);
            line.Kept();
            lock (gate)
            {
                plan.Came(holder);
                if (!plan.IsComplete)
                    continue;
            }
            Wake();
        }
    }

    private void Wake()
    {
        TaskCompletionSource was;
        lock (gate)
            (was, changed) = (changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        was.SetResult();
    }
}
