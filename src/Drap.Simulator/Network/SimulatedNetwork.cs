namespace Drap.Simulator.Network;

/// <summary>Takes a message that arrived.</summary>
public delegate void MessageReceiver(string from, ReadOnlyMemory<byte> message);

/// <summary>
/// Carries opaque messages between named nodes, as badly as told. Who is not attached hears nothing; what is under way to a node that
/// detaches is lost, also when it attaches again before.
/// </summary>
public sealed class SimulatedNetwork(Simulation simulation)
{
    private readonly Prng prng = simulation.NewPrng();
    private readonly Dictionary<string, MessageReceiver> receivers = new(StringComparer.Ordinal);
    private readonly Dictionary<(string From, string To), LinkConditions> links = [];
    private readonly Dictionary<(string From, string To), Instant> lastArrivals = [];
    private readonly HashSet<(string From, string To)> cuts = [];
    private readonly Dictionary<string, int> sides = new(StringComparer.Ordinal);

    /// <summary>Holds between all nodes for which <see cref="SetLink"/> says nothing else.</summary>
    public LinkConditions DefaultConditions { get; set; } = LinkConditions.Lan;

    /// <summary>Messages given to <see cref="Send"/>.</summary>
    public long Sent { get; private set; }

    /// <summary>Messages handed over, duplicates included.</summary>
    public long Delivered { get; private set; }

    /// <summary>Messages and duplicates that got lost: by chance, by a cut, or for want of a receiver.</summary>
    public long Lost { get; private set; }

    public void Attach(string node, MessageReceiver receiver) => Invariant.Check(receivers.TryAdd(node, receiver));

    public void Detach(string node) => receivers.Remove(node);

    /// <summary>Sets the conditions of one direction.</summary>
    public void SetLink(string from, string to, LinkConditions conditions) => links[(from, to)] = conditions;

    /// <summary>Nothing gets from one to the other any more, nor does what is under way; the other direction is not touched.</summary>
    public void Cut(string from, string to) => cuts.Add((from, to));

    /// <summary>Ends a <see cref="Cut"/>.</summary>
    public void Mend(string from, string to) => cuts.Remove((from, to));

    /// <summary>Puts nodes on a side; messages pass only within one. Nodes that were never put anywhere are on side 0.</summary>
    public void Partition(int side, params ReadOnlySpan<string> nodes)
    {
        foreach (string node in nodes)
            sides[node] = side;
    }

    /// <summary>Ends all cuts and partitions.</summary>
    public void Heal()
    {
        cuts.Clear();
        sides.Clear();
    }

    /// <summary>Sends a message; the bytes are not copied and must not change.</summary>
    public void Send(string from, string to, ReadOnlyMemory<byte> message)
    {
        Sent++;
        LinkConditions link = links.GetValueOrDefault((from, to), DefaultConditions);
        // Drawn in every case and in one order, so that a change of one condition does not reshuffle all that follows.
        bool isLost = Chance(link.LossPerMillion);
        bool isDoubled = Chance(link.DuplicatePerMillion);
        TimeSpan delay = Delay(link);
        TimeSpan secondDelay = Delay(link);
        if (isLost || !receivers.TryGetValue(to, out MessageReceiver? receiver) || IsCut(from, to))
        {
            Lost++;
            return;
        }
        Deliver(from, to, message, receiver, Arrival(from, to, link, delay));
        if (isDoubled)
            Deliver(from, to, message, receiver, Arrival(from, to, link, secondDelay));
    }

    private void Deliver(string from, string to, ReadOnlyMemory<byte> message, MessageReceiver receiver, Instant at) =>
        simulation.At(at, () =>
        {
            if (!receivers.TryGetValue(to, out MessageReceiver? now) || now != receiver || IsCut(from, to))
            {
                Lost++;
                return;
            }
            Delivered++;
            simulation.Trace.Add(from);
            simulation.Trace.Add(to);
            simulation.Trace.Add(message.Span);
            receiver(from, message);
        });

    private Instant Arrival(string from, string to, LinkConditions link, TimeSpan delay)
    {
        Instant arrival = simulation.Now + delay;
        if (!link.IsOrdered)
            return arrival;
        arrival = Instant.Max(arrival, lastArrivals.GetValueOrDefault((from, to)));
        return lastArrivals[(from, to)] = arrival;
    }

    private TimeSpan Delay(LinkConditions link)
    {
        TimeSpan delay = link.Latency + new TimeSpan(prng.Between(0, link.Jitter.Ticks));
        bool isHeldBack = Chance(link.ReorderPerMillion);
        var more = new TimeSpan(prng.Between(0, link.ReorderDelay.Ticks));
        return isHeldBack && !link.IsOrdered ? delay + more : delay;
    }

    private bool Chance(int perMillion) => prng.Chance(perMillion, 1_000_000);

    private bool IsCut(string from, string to) =>
        cuts.Contains((from, to)) || sides.GetValueOrDefault(from) != sides.GetValueOrDefault(to);
}
