using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Node.Membership;
using Drap.Node.Storage;

namespace Drap.Node.Hosting;

/// <summary>
/// What a worker keeps on disk: the highest epoch of each scheduler, and its outbox, one small file for all results that are stored
/// together, so that they cost one sync. Each write is synced and renamed into place; a file that is cut is one that was never finished, and
/// is dropped. A file goes with the last of its results; one that was acknowledged before is sent again after a restart, which does no harm.
/// </summary>
internal sealed class WorkerFolder
{
    private readonly string outbox;
    private readonly string epochsFile;
    private readonly SortedDictionary<PeerId, Epoch> epochs = [];
    private readonly Dictionary<AttemptId, StoredBatch> stored = [];

    public WorkerFolder(string path)
    {
        Path = path;
        outbox = System.IO.Path.Combine(path, "outbox");
        epochsFile = System.IO.Path.Combine(path, "epochs");
        Directory.CreateDirectory(outbox);
    }

    public string Path { get; }

    /// <summary>Its certificates, where it belongs to a swarm.</summary>
    public MembershipFolder Membership => new(System.IO.Path.Combine(Path, "swarm"));

    /// <summary>What was signed here and to it.</summary>
    public string EvidenceFolder => EvidenceOf(Path);

    /// <summary>The same of a worker's folder that another process uses.</summary>
    public static string EvidenceOf(string path) => System.IO.Path.Combine(path, "evidence");

    public string IdentityFile => System.IO.Path.Combine(Path, "identity.key");

    /// <summary>What an earlier run left.</summary>
    public (ImmutableArray<SchedulerEpoch> Epochs, ImmutableArray<StoredResult> Outbox) Load()
    {
        if (File.Exists(epochsFile))
            foreach (string line in File.ReadLines(epochsFile))
                if (line.Split(' ') is [string peer, string epoch] && PeerId.TryParse(peer, out PeerId id)
                    && long.TryParse(epoch, System.Globalization.CultureInfo.InvariantCulture, out long value))
                    epochs[id] = new Epoch(value);
        var results = ImmutableArray.CreateBuilder<StoredResult>();
        foreach (string file in Directory.EnumerateFiles(outbox).Order(StringComparer.Ordinal))
        {
            ImmutableArray<StoredResult> batch = StoredResults.ReadAll(File.ReadAllBytes(file));
            results.AddRange(batch);
            if (batch.IsEmpty)
                File.Delete(file);
            else
                Remember(file, batch);
        }
        return ([.. epochs.Select(e => new SchedulerEpoch(e.Key, e.Value))], results.ToImmutable());
    }

    public void StoreEpoch(PeerId scheduler, Epoch epoch)
    {
        epochs[scheduler] = epoch;
        StoreEpochs();
    }

    public void DropEpoch(PeerId scheduler)
    {
        if (epochs.Remove(scheduler))
            StoreEpochs();
    }

    /// <summary>Writes all epochs that it was told, also those of which an earlier write failed.</summary>
    public void StoreEpochs() =>
        DurableFile.Write(epochsFile, System.Text.Encoding.UTF8.GetBytes(string.Concat(epochs.Select(e => $"{e.Key} {e.Value}\n"))));

    /// <summary>Bytes that may still be written on its disk.</summary>
    public long FreeBytes => FileCalls.FreeBytes(Path);

    /// <summary>Keeps results until <see cref="Drop"/>; they are on disk when it returns.</summary>
    public void Store(IReadOnlyList<StoredResult> results)
    {
        AttemptId first = results[0].Result.Attempt;
        string file = System.IO.Path.Combine(outbox, $"{first.Task}.{first.Fence}");
        DurableFile.Write(file, StoredResults.WriteAll(results));
        Remember(file, results);
    }

    /// <summary>Most results are acknowledged before they are stored: for those nothing is to be done.</summary>
    public void Drop(AttemptId attempt)
    {
        if (stored.Remove(attempt, out StoredBatch? batch) && --batch.Left == 0)
            File.Delete(batch.File);
    }

    private void Remember(string file, IReadOnlyList<StoredResult> results)
    {
        var batch = new StoredBatch(file) { Left = results.Count };
        foreach (StoredResult result in results)
            stored[result.Result.Attempt] = batch;
    }

    private sealed class StoredBatch(string file)
    {
        public string File { get; } = file;

        /// <summary>Results that still wait.</summary>
        public int Left { get; set; }
    }
}
