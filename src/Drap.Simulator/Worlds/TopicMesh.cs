namespace Drap.Simulator.Worlds;

/// <summary>
/// Who hears a topic, and how long a message takes to each: the quickest way over a mesh of about eight links a member, as gossipsub keeps
/// it. The mesh is drawn anew when members change; what is sent between is not. Not thread-safe.
/// </summary>
internal sealed class TopicMesh(Prng prng)
{
    /// <summary>Links that each member draws; as many others draw it.</summary>
    private const int LinksDrawn = 4;

    /// <summary>Members to which an author who does not hear the topic sends.</summary>
    private const int FanOut = 8;

    /// <summary>What a member takes to check a message and pass it on.</summary>
    private const long HopNanoseconds = 300_000;

    private readonly List<int> members = [];
    private readonly HashSet<int> isMember = [];
    private readonly Dictionary<int, long[]> delays = [];
    private int[][]? links;

    /// <summary>Who hears it, in the order in which they came.</summary>
    public IReadOnlyList<int> Members => members;

    /// <summary>Somebody hears it from now on.</summary>
    public void Add(int node)
    {
        if (!isMember.Add(node))
            return;
        members.Add(node);
        Changed();
    }

    /// <summary>Somebody hears it no more; false if it did not.</summary>
    public bool Remove(int node)
    {
        if (!isMember.Remove(node))
            return false;
        members.Remove(node);
        Changed();
        return true;
    }

    /// <summary>For each member, the nanoseconds from an author to it; <see cref="long.MaxValue"/> where no way leads.</summary>
    /// <param name="author">Who publishes.</param>
    /// <param name="latency">Nanoseconds between two nodes; <see cref="long.MaxValue"/> where they do not reach each other.</param>
    public ReadOnlySpan<long> DelaysFrom(int author, Func<int, int, long> latency)
    {
        if (delays.TryGetValue(author, out long[]? known))
            return known;
        links ??= Draw();
        long[] found = new long[members.Count];
        Array.Fill(found, long.MaxValue);
        var next = new PriorityQueue<int, (long, int)>();
        int entries = Math.Min(FanOut, members.Count);
        for (int i = 0; i < entries; i++)
        {
            int entry = members.Count <= FanOut ? i : prng.Below(members.Count);
            Reach(entry, 0, author);
        }
        while (next.TryDequeue(out int at, out (long Delay, int) reached))
        {
            if (reached.Delay > found[at])
                continue;
            foreach (int to in links[at])
                Reach(to, reached.Delay + HopNanoseconds, members[at]);
        }
        delays[author] = found;
        return found;

        void Reach(int to, long before, int from)
        {
            long hop = latency(from, members[to]);
            if (hop == long.MaxValue || before + hop >= found[to])
                return;
            found[to] = before + hop;
            next.Enqueue(to, (found[to], to));
        }
    }

    /// <summary>Links or sides changed: ways are looked for anew.</summary>
    public void ForgetWays() => delays.Clear();

    private void Changed()
    {
        links = null;
        delays.Clear();
    }

    private int[][] Draw()
    {
        var drawn = new List<int>[members.Count];
        for (int i = 0; i < drawn.Length; i++)
            drawn[i] = [];
        for (int i = 0; i < drawn.Length; i++)
            for (int k = 0; k < LinksDrawn && drawn.Length > 1; k++)
            {
                int other = prng.Below(drawn.Length);
                if (other == i)
                    continue;
                drawn[i].Add(other);
                drawn[other].Add(i);
            }
        return [.. drawn.Select(l => l.ToArray())];
    }
}
