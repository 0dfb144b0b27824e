namespace Drap.Core.Market.Allocation;

/// <summary>
/// Who serves a job: the workers that got or ended a task of it, the last first, and behind them those that offered on it. They have its inputs, its
/// programs and a place that has just become free, so its next ads go straight to them (design 5). Not thread-safe.
/// </summary>
internal sealed class JobServers
{
    /// <summary>Workers kept of a job: as many as one ad may ask in this way. At the limit who served it longest ago is dropped, those first that only offered.</summary>
    public const int KeptMax = Allocator.ExplicitAudienceMax;

    private readonly Dictionary<PeerId, (bool Served, long At)> workers = [];
    private long clock;

    /// <summary>Whether nobody does.</summary>
    public bool IsEmpty => workers.Count == 0;

    /// <summary>The worker got a task, or one of its tasks ended there.</summary>
    public void Served(PeerId worker) => Keep(worker, served: true);

    /// <summary>The worker offered on it.</summary>
    public void Offered(PeerId worker)
    {
        if (!workers.TryGetValue(worker, out (bool Served, long At) known) || !known.Served)
            Keep(worker, served: false);
    }

    /// <summary>The first <paramref name="most"/> that may be asked.</summary>
    public PeerId[] Choose(int most, Func<PeerId, bool> mayBeAsked) =>
        [.. workers.OrderByDescending(w => w.Value).Select(w => w.Key).Where(mayBeAsked).Take(most)];

    private void Keep(PeerId worker, bool served)
    {
        if (workers.Count >= KeptMax && !workers.ContainsKey(worker))
        {
            (PeerId last, (bool Served, long At) known) = workers.MinBy(w => w.Value);
            if (known.Served && !served)
                return;
            workers.Remove(last);
        }
        workers[worker] = (served, ++clock);
    }
}
