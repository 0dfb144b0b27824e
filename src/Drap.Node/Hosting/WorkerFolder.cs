using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Node.Storage;

namespace Drap.Node.Hosting;

/// <summary>
/// What a worker keeps on disk: the highest epoch of each scheduler, and its outbox, one small file a result. Each write is synced and
/// renamed into place; a file that is cut is one that was never finished, and is dropped.
/// </summary>
internal sealed class WorkerFolder
{
    private readonly string outbox;
    private readonly string epochsFile;
    private readonly SortedDictionary<PeerId, Epoch> epochs = [];
    private readonly HashSet<AttemptId> stored = [];

    public WorkerFolder(string path)
    {
        Path = path;
        outbox = System.IO.Path.Combine(path, "outbox");
        epochsFile = System.IO.Path.Combine(path, "epochs");
        Directory.CreateDirectory(outbox);
    }

    public string Path { get; }

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
            if (StoredResults.TryRead(File.ReadAllBytes(file), out StoredResult? result))
            {
                results.Add(result);
                stored.Add(result.Result.Attempt);
            }
            else
                File.Delete(file);
        }
        return ([.. epochs.Select(e => new SchedulerEpoch(e.Key, e.Value))], results.ToImmutable());
    }

    public void StoreEpoch(PeerId scheduler, Epoch epoch)
    {
        epochs[scheduler] = epoch;
        WriteEpochs();
    }

    public void DropEpoch(PeerId scheduler)
    {
        if (epochs.Remove(scheduler))
            WriteEpochs();
    }

    public void Store(StoredResult result)
    {
        DurableFile.Write(FileOf(result.Result.Attempt), StoredResults.Write(result));
        stored.Add(result.Result.Attempt);
    }

    /// <summary>Most results are acknowledged before they are stored: for those nothing is to be done.</summary>
    public void Drop(AttemptId attempt)
    {
        if (stored.Remove(attempt))
            File.Delete(FileOf(attempt));
    }

    private void WriteEpochs() =>
        DurableFile.Write(epochsFile, System.Text.Encoding.UTF8.GetBytes(string.Concat(epochs.Select(e => $"{e.Key} {e.Value}\n"))));

    private string FileOf(AttemptId attempt) => System.IO.Path.Combine(outbox, $"{attempt.Task}.{attempt.Fence}");
}
