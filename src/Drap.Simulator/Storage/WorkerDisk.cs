using Drap.Core.Nodes;

namespace Drap.Simulator.Storage;

/// <summary>What of a worker survives it: the epochs that bind it, and results that were not acknowledged. Not thread-safe.</summary>
internal sealed class WorkerDisk
{
    private readonly SortedDictionary<PeerId, Epoch> epochs = [];
    private readonly SortedDictionary<AttemptId, StoredResult> outbox = [];

    /// <summary>What a worker is told of it when it comes up.</summary>
    public WorkerInput.Restored Read() => new([.. epochs.Select(e => new SchedulerEpoch(e.Key, e.Value))], [.. outbox.Values], []);

    /// <summary>Performs an effect that concerns it; others are left to whoever asks.</summary>
    public void Perform(WorkerEffect effect)
    {
        switch (effect)
        {
            case WorkerEffect.StoreEpoch store:
                epochs[store.Scheduler] = store.Epoch;
                break;
            case WorkerEffect.StoreOutbox store:
                outbox[store.Result.Result.Attempt] = store.Result;
                break;
            case WorkerEffect.DropOutbox drop:
                foreach (AttemptId attempt in drop.Attempts)
                    outbox.Remove(attempt);
                break;
        }
    }
}
