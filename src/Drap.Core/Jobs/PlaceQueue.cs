namespace Drap.Core.Jobs;

/// <summary>
/// The tasks of one segment that want a place, in order. Most take any worker; a few are choosy: a retry goes elsewhere first, and the
/// copies of one task go to distinct workers.
/// </summary>
public sealed class PlaceQueue
{
    /// <summary>Choosy places looked at for one worker: with more of them than that, the rest waits for the next look.</summary>
    private const int ChoosyLookMax = 256;

    /// <summary>
    /// So long copies of one task insist on distinct workers. Where there are not enough that could take them, they then take what there is:
    /// a result that one machine repeated is worth less than one that two agree on, but more than none.
    /// </summary>
    public static readonly TimeSpan DistinctTime = TimeSpan.FromSeconds(30);

    private readonly Queue<int> plain = new();
    private readonly HashSet<int> withdrawn = [];
    private readonly List<ChoosyPlace> choosy = [];
    private readonly PriorityQueue<ChoosyPlace, (Instant, int)> delayed = new();
    private readonly Dictionary<int, int> choosyOf = [];
    private int plainCount;

    /// <summary>Places that may be given now.</summary>
    public int Count => plainCount + choosy.Count;

    /// <summary>When the next of those may be given.</summary>
    public Instant NextRelease => delayed.TryPeek(out _, out (Instant At, int) first) ? first.At : Instant.Never;

    /// <summary>The task takes any worker.</summary>
    public void Add(int number)
    {
        plainCount++;
        if (!withdrawn.Remove(number))
            plain.Enqueue(number);
    }

    /// <summary>The task wants a place from <paramref name="notBefore"/> on, and until <paramref name="avoidUntil"/> not on <paramref name="avoid"/>.</summary>
    public void AddChoosy(int number, Instant now, Instant notBefore, PeerId avoid, Instant avoidUntil)
    {
        var place = new ChoosyPlace(number, notBefore, avoid, avoidUntil);
        choosyOf[number] = ChoosyOf(number) + 1;
        if (notBefore > now)
            delayed.Enqueue(place, (notBefore, number));
        else
            choosy.Add(place);
    }

    /// <summary>Makes those available whose time has come; true if any.</summary>
    public bool Release(Instant now)
    {
        bool any = false;
        while (NextRelease <= now)
        {
            choosy.Add(delayed.Dequeue());
            any = true;
        }
        return any;
    }

    /// <summary>How many choosy places the task wants, those that wait for their time among them.</summary>
    public int ChoosyOf(int number) => choosyOf.GetValueOrDefault(number);

    /// <summary>The task wants no place any more: all that it wanted are withdrawn.</summary>
    public void Withdraw(int number)
    {
        if (!choosyOf.Remove(number))
        {
            if (withdrawn.Add(number))
                plainCount--;
            return;
        }
        choosy.RemoveAll(c => c.Number == number);
        foreach ((ChoosyPlace place, _) in delayed.UnorderedItems.Where(d => d.Element.Number == number).ToArray())
            delayed.Remove(place, out _, out _);
    }

    /// <summary>How many places a worker may take.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="now">The time.</param>
    /// <param name="hasCopy">Whether the worker has or had a copy of a task that wants distinct ones.</param>
    public int CountFor(PeerId worker, Instant now, Func<int, PeerId, bool> hasCopy)
    {
        int count = plainCount;
        for (int i = 0; i < Math.Min(choosy.Count, ChoosyLookMax); i++)
            if (choosy[i].Takes(worker, now, hasCopy))
                count++;
        return count;
    }

    /// <summary>Takes up to <paramref name="count"/> places for a worker, the choosy ones first: they have waited longer.</summary>
    public List<int> Take(PeerId worker, int count, Instant now, Func<int, PeerId, bool> hasCopy)
    {
        var taken = new List<int>(count);
        for (int i = 0; i < Math.Min(choosy.Count, ChoosyLookMax) && taken.Count < count;)
        {
            ChoosyPlace place = choosy[i];
            if (!taken.Contains(place.Number) && place.Takes(worker, now, hasCopy))
            {
                taken.Add(place.Number);
                choosy.RemoveAt(i);
                if (--choosyOf[place.Number] == 0)
                    choosyOf.Remove(place.Number);
            }
            else
            {
                i++;
            }
        }
        while (taken.Count < count && plain.TryDequeue(out int number))
        {
            if (withdrawn.Remove(number))
                continue;
            taken.Add(number);
            plainCount--;
        }
        return taken;
    }

    /// <summary>Wants nothing any more.</summary>
    public void Clear()
    {
        plain.Clear();
        withdrawn.Clear();
        choosy.Clear();
        delayed.Clear();
        choosyOf.Clear();
        plainCount = 0;
    }

    private sealed record ChoosyPlace(int Number, Instant NotBefore, PeerId Avoid, Instant AvoidUntil)
    {
        public bool Takes(PeerId worker, Instant now, Func<int, PeerId, bool> hasCopy) =>
            (worker != Avoid || now >= AvoidUntil) && (now >= NotBefore + DistinctTime || !hasCopy(Number, worker));
    }
}
