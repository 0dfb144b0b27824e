using System.Buffers;
using Drap.Core.Messages;
using Drap.Simulator.Scenarios;

namespace Drap.Simulator.Worlds;

/// <summary>
/// The links of a world: streams between nodes, which keep order, lose nothing while they stand, and cost round trips before their first
/// message; and topics. Counts all that is sent, and puts every byte of it into the trace. Not thread-safe.
/// </summary>
internal sealed class WorldNetwork
{
    /// <summary>The event that hands a message over.</summary>
    public const int Arrives = 0;

    /// <summary>The least time-out before a lost packet is sent again (RFC 6298 has a second, Linux this).</summary>
    private const long ResendNanoseconds = 200_000_000;

    private readonly World world;
    private readonly Simulation simulation;
    private readonly Prng prng;
    private readonly NetworkSpec spec;
    private readonly ulong salt;
    private readonly long[,] latencies;
    private readonly List<ISimulated> nodes = [];
    private readonly List<int> regions = [];
    private readonly List<bool> isUp = [];
    private readonly List<long[]> open = [];
    private readonly int hubs;
    private readonly SortedDictionary<string, TopicMesh> topics = new(StringComparer.Ordinal);
    private readonly ArrayBufferWriter<byte> bytes = new();
    private readonly Func<int, int, long> latency;
    private readonly int[] sides;
    private Trouble trouble;

    /// <summary>Links without nodes.</summary>
    /// <param name="world">Where they are.</param>
    /// <param name="simulation">Virtual time.</param>
    /// <param name="spec">What the scenario says.</param>
    /// <param name="regionNames">The regions, by number.</param>
    /// <param name="hubs">The first so many nodes talk to all, the others only to them.</param>
    /// <param name="count">Nodes in all.</param>
    public WorldNetwork(World world, Simulation simulation, NetworkSpec spec, IReadOnlyList<string> regionNames, int hubs, int count)
    {
        this.hubs = hubs;
        for (int i = 0; i < 2 * hubs; i++)
            open.Add(new long[count]);
        (this.world, this.simulation) = (world, simulation);
        this.spec = spec;
        prng = simulation.NewPrng();
        salt = prng.NextUInt64();
        sides = new int[regionNames.Count];
        latencies = new long[regionNames.Count, regionNames.Count];
        for (int a = 0; a < regionNames.Count; a++)
            for (int b = 0; b < regionNames.Count; b++)
                latencies[a, b] = Between(regionNames[a], regionNames[b]).Ticks * 100;
        latency = (a, b) => regions[a] == regions[b] || sides[regions[a]] == sides[regions[b]] ? Latency(a, b) : long.MaxValue;
    }

    /// <summary>Messages sent, by kind; an ad counts once for each who hears it.</summary>
    public long[] Sent { get; } = new long[(int)MessageKind.StdinCredit + 1];

    /// <summary>Bytes of these.</summary>
    public long Bytes { get; private set; }

    /// <summary>Messages that each node was handed or sent.</summary>
    public List<long> Handled { get; } = [];

    /// <summary>Messages that found nobody.</summary>
    public long Lost { get; private set; }

    /// <summary>Whether two nodes reach each other now.</summary>
    public bool Reaches(int from, int to) => isUp[from] && isUp[to] && sides[regions[from]] == sides[regions[to]];

    /// <summary>Messages between two nodes get lost, come twice or come late, in these shares, until this is said again.</summary>
    public void SetTrouble(int lost, int doubled, int late, TimeSpan by) => trouble = new Trouble(lost, doubled, late, by);

    /// <summary>What goes wrong with messages between two nodes, in millionths.</summary>
    private readonly record struct Trouble(int Lost, int Doubled, int Late, TimeSpan By);

    /// <summary>Adds a node, and returns its number.</summary>
    public int Add(ISimulated node, int region)
    {
        nodes.Add(node);
        regions.Add(region);
        isUp.Add(false);
        Handled.Add(0);
        return nodes.Count - 1;
    }

    /// <summary>Whether a node can be reached at all.</summary>
    public bool IsUp(int node) => isUp[node];

    /// <summary>A node comes up, or is gone with its streams.</summary>
    public void SetUp(int node, bool up)
    {
        isUp[node] = up;
        // Streams to who came again are opened anew.
        foreach (long[] streams in open)
            streams[node] = 0;
        if (node < hubs)
            foreach (long[] streams in open.Slice(2 * node, 2))
                Array.Clear(streams);
    }

    /// <summary>Puts a region on a side; only those of one side reach each other.</summary>
    public void SetSide(int region, int side)
    {
        sides[region] = side;
        foreach (TopicMesh mesh in topics.Values)
            mesh.ForgetWays();
    }

    /// <summary>The topic; made on first use.</summary>
    public TopicMesh Topic(string name)
    {
        if (!topics.TryGetValue(name, out TopicMesh? mesh))
            topics[name] = mesh = new TopicMesh(simulation.NewPrng());
        return mesh;
    }

    /// <summary>Sends a message over the stream between two nodes.</summary>
    public void Send(int from, int to, Message message)
    {
        MessageKind kind = MessageCodec.KindOf(message);
        Note(kind, from, to, message);
        if (world.Trace is not null)
            world.Trace.Add(world, $"{world.NameOf(from)} → {world.NameOf(to)}{(isUp[to] && sides[regions[from]] == sides[regions[to]] ? "" : " (not to be reached)")}: {WorldTrace.Describe(message)}");
        Sent[(int)kind]++;
        Handled[from]++;
        if (!isUp[to] || sides[regions[from]] != sides[regions[to]])
        {
            Lost++;
            return;
        }
        long now = simulation.Now.Nanoseconds, oneWay = Latency(from, to);
        ref long there = ref Stream(from, to);
        if (there == 0)
            there = Stream(to, from) = now + 2 * spec.Handshake * oneWay + oneWay;
        long at = Math.Max(now + oneWay, there);
        if (spec.Loss.Millionths > 0)
        {
            for (long resend = Math.Max(ResendNanoseconds, 3 * oneWay); prng.Below(1_000_000) < spec.Loss.Millionths; resend *= 2)
                at += resend;
            there = at;
        }
        if (trouble != default && IsTroubled(ref at, to, message, from))
            return;
        simulation.At(new Instant(at), nodes[to], Arrives, message, from);
    }

    /// <summary>What goes wrong with one message; true if it gets lost. What comes late overtakes nothing and is overtaken.</summary>
    private bool IsTroubled(ref long at, int to, Message message, int from)
    {
        if (prng.Below(1_000_000) < trouble.Lost)
        {
            world.Trace?.Add(world, "…which gets lost");
            Lost++;
            return true;
        }
        if (prng.Below(1_000_000) < trouble.Doubled)
            simulation.At(new Instant(at + prng.Between(0, trouble.By.Ticks) * 100), nodes[to], Arrives, message, from);
        if (prng.Below(1_000_000) < trouble.Late)
            at += prng.Between(0, trouble.By.Ticks) * 100;
        return false;
    }

    /// <summary>Publishes an ad to all who hear a topic.</summary>
    public void Publish(int from, string topic, Ad ad)
    {
        Note(MessageKind.Ad, from, -1, ad);
        world.Trace?.Add(world, $"{world.NameOf(from)} → {topic}: {WorldTrace.Describe(ad)}");
        Handled[from]++;
        TopicMesh mesh = Topic(topic);
        ReadOnlySpan<long> delays = mesh.DelaysFrom(from, latency);
        for (int i = 0; i < delays.Length; i++)
        {
            if (delays[i] == long.MaxValue)
                continue;
            long at = simulation.Now.Nanoseconds + delays[i];
            // The copy of the quickest way is lost: the next best is that of another neighbour.
            if (spec.Loss.Millionths > 0 && prng.Below(1_000_000) < spec.Loss.Millionths)
                at += delays[i];
            Sent[(int)MessageKind.Ad]++;
            simulation.At(new Instant(at), nodes[mesh.Members[i]], Arrives, ad, from);
        }
    }

    /// <summary>Whether a message that arrives now from a node still gets through; counts it.</summary>
    public bool Gets(int from, int to, Message message)
    {
        if (world.Trace is not null)
            world.Trace.Add(world, $"{world.NameOf(to)} ← {world.NameOf(from)}{(isUp[to] && sides[regions[from]] == sides[regions[to]] ? "" : " (not any more)")}: {WorldTrace.Describe(message)}");
        if (isUp[to] && sides[regions[from]] == sides[regions[to]])
        {
            Handled[to]++;
            simulation.Trace.Add(((ulong)(uint)from << 32) | (uint)to);
            return true;
        }
        Lost++;
        return false;
    }

    private void Note(MessageKind kind, int from, int to, Message message)
    {
        bytes.ResetWrittenCount();
        MessageCodec.Encode(message, bytes);
        Bytes += bytes.WrittenCount;
        simulation.Trace.Add(((ulong)(uint)from << 32) | (uint)to);
        simulation.Trace.Add((long)kind);
        simulation.Trace.Add(bytes.WrittenSpan);
    }

    /// <summary>Nothing arrives before this on the stream of a direction; 0 if there is no stream.</summary>
    private ref long Stream(int from, int to)
    {
        Invariant.Check(from < hubs || to < hubs);
        return ref from < hubs ? ref open[2 * from][to] : ref open[2 * to + 1][from];
    }

    private long Latency(int a, int b)
    {
        long usual = latencies[regions[a], regions[b]];
        // Each link has its own length for good, the same both ways.
        ulong z = (((ulong)(uint)Math.Min(a, b) << 32) | (uint)Math.Max(a, b)) + salt;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return usual + (long)Math.BigMul(z, (ulong)(usual * spec.Spread.Millionths / 1_000_000), out _);
    }

    private TimeSpan Between(string a, string b)
    {
        foreach (LinkSpec link in spec.Links)
            if ((link.Between[0] == a && link.Between[1] == b) || (link.Between[0] == b && link.Between[1] == a))
                return link.Latency;
        return a == b ? spec.Near : spec.Far;
    }
}
