namespace Drap.Core.Market.Allocation;

/// <summary>How workers stand with the allocator, and whom it has to ask what they own. Not thread-safe.</summary>
internal sealed class WorkerStandings
{
    /// <summary>A worker is asked what it owns at most this often: it hears several topics, and may offer wrongly again and again.</summary>
    private static readonly TimeSpan AskInterval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<PeerId, WorkerStanding> workers = [];
    private readonly SortedSet<PeerId> unknown = [];

    /// <summary>The standing of a worker; made on first use.</summary>
    public WorkerStanding Of(PeerId worker)
    {
        if (!workers.TryGetValue(worker, out WorkerStanding? standing))
            workers[worker] = standing = new WorkerStanding();
        return standing;
    }

    /// <summary>Why nothing is given to a worker now; null if it may get work.</summary>
    public (Instant Until, string Reason)? BackedOff(PeerId worker, Instant now) =>
        workers.TryGetValue(worker, out WorkerStanding? standing) && standing.BackOff.IsActive(now)
            ? (standing.BackOff.Until, standing.BackOff.Reason)
            : null;

    /// <summary>What these own has to be asked for: they are new, or offer what they cannot have.</summary>
    public void Doubt(ReadOnlySpan<PeerId> doubted)
    {
        foreach (PeerId worker in doubted)
            unknown.Add(worker);
    }

    /// <summary>Asks those whom nobody asked a moment ago.</summary>
    public void AskUnknown(Instant now, List<AllocatorEffect> effects)
    {
        foreach (PeerId worker in unknown)
        {
            WorkerStanding standing = Of(worker);
            if (standing.AskedAt != Instant.Never && now < standing.AskedAt + AskInterval)
                continue;
            standing.AskedAt = now;
            effects.Add(new AllocatorEffect.Ask(worker));
        }
        unknown.Clear();
    }
}
