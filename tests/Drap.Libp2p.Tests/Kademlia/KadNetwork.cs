using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Kademlia;

/// <summary>
/// Nodes of a DHT in virtual time, over a network that takes its time and loses requests. A node that is dead refuses at once, or swallows
/// what it is sent, by the lot. Messages cross as bytes.
/// </summary>
internal sealed class KadNetwork
{
    private readonly PriorityQueue<Action, (Instant At, long Order)> events = new();
    private readonly Dictionary<PeerId, Node> nodes = [];
    private readonly KadOptions options;
    private long order;

    public KadNetwork(ulong seed, KadOptions? options = null)
    {
        Random = new Prng(seed);
        this.options = options ?? KadOptions.Ipfs;
    }

    public Prng Random { get; }

    public Instant Now { get; private set; } = Instant.Zero + TimeSpan.FromSeconds(1);

    public int LossPercent { get; set; }

    /// <summary>Whether requests between two nodes are swallowed.</summary>
    public Func<Node, Node, bool> IsCut { get; set; } = (_, _) => false;

    public long Requests { get; private set; }

    public ulong Trace { get; private set; } = 14695981039346656037;

    public List<Node> Alive => [.. nodes.Values.Where(node => node.IsAlive)];

    public List<Node> Servers => [.. nodes.Values.Where(node => node.IsAlive && node.Machine.IsServer)];

    public Node Add(bool isServer = true)
    {
        byte[] key = new byte[32];
        for (int i = 0; i < 32; i += 8)
            BitConverter.TryWriteBytes(key.AsSpan(i), Random.NextUInt64());
        var id = PeerId.FromEd25519(key);
        var address = Multiaddr.Parse($"/ip4/10.{Random.Below(256)}.{Random.Below(256)}.{Random.Below(256)}/tcp/4001");
        var node = new Node(id, address, new KadMachine(id, options, isServer, new Prng(Random.NextUInt64()), Now, new UtcTime(1_700_000_000_000)));
        nodes.Add(id, node);
        return node;
    }

    /// <summary>Builds a network: each newcomer is connected to one that is there.</summary>
    public void Grow(int servers, TimeSpan apart)
    {
        for (int i = 0; i < servers; i++)
        {
            List<Node> there = Servers;
            Node node = Add();
            if (there.Count > 0)
                Connect(node, there[Random.Below(there.Count)]);
            Run(apart);
        }
    }

    /// <summary>Both say who they are.</summary>
    public void Connect(Node a, Node b)
    {
        if (!a.Peers.Add(b.Id))
            return;
        b.Peers.Add(a.Id);
        Do(a, effects => a.Machine.Identified(b.AsPeer, b.Machine.IsServer, Now, effects));
        Do(b, effects => b.Machine.Identified(a.AsPeer, a.Machine.IsServer, Now, effects));
    }

    public void Kill(Node node)
    {
        node.IsAlive = false;
        foreach (PeerId peer in node.Peers)
        {
            nodes[peer].Peers.Remove(node.Id);
            nodes[peer].Machine.Disconnected(node.Id);
        }
        node.Peers.Clear();
    }

    public void Run(TimeSpan time)
    {
        Instant end = Now + time;
        while (events.TryPeek(out Action? action, out (Instant At, long Order) next) && next.At <= end)
        {
            events.Dequeue();
            Now = next.At;
            action();
        }
        Now = end;
    }

    /// <summary>Asks a question and runs until it is over; what it found on the way comes with the outcome.</summary>
    public T Ask<T>(Node node, Func<KadMachine, List<KadEffect>, long> question)
        where T : KadOutcome
    {
        long query = 0;
        Do(node, effects => query = question(node.Machine, effects));
        Assert.NotEqual(0, query);
        Instant deadline = Now + options.SearchTimeout + TimeSpan.FromSeconds(1);
        while (!node.Outcomes.ContainsKey(query))
        {
            Assert.True(events.TryPeek(out _, out (Instant At, long Order) next) && next.At <= deadline, "a question never ended");
            Run(next.At - Now + new TimeSpan(1));
        }
        node.Outcomes.Remove(query, out KadOutcome? outcome);
        return Assert.IsType<T>(outcome);
    }

    /// <summary>The servers alive that are truly nearest.</summary>
    public List<PeerId> Nearest(KadKey target, Node from, int count) =>
        [.. Servers.Where(node => node != from).OrderBy(node => KadKey.Of(node.Id) ^ target).Take(count).Select(node => node.Id)];

    public void Do(Node node, Action<List<KadEffect>> step)
    {
        var effects = new List<KadEffect>();
        step(effects);
        foreach (KadEffect effect in effects)
            Perform(node, effect);
        WakeAtDeadline(node);
    }

    private void WakeAtDeadline(Node node)
    {
        Instant deadline = node.Machine.NextDeadline;
        if (deadline == Instant.Never || (deadline >= node.WakesAt && node.WakesAt > Now))
            return;
        Invariant.Check(deadline > Now - TimeSpan.FromSeconds(1));
        node.WakesAt = Instant.Max(deadline, Now);
        Instant at = node.WakesAt;
        At(at, () =>
        {
            if (!node.IsAlive || node.WakesAt != at)
                return;
            node.WakesAt = Instant.Zero;
            Do(node, effects => node.Machine.Advance(Now, effects));
        });
    }

    private void Perform(Node node, KadEffect effect)
    {
        switch (effect)
        {
            case KadEffect.Send send:
                Requests++;
                node.Sent++;
                Note(send.Request, send.To.Key.High);
                node.Waiting.Add(send.Request);
                byte[] bytes = KadCodec.Encode(send.Message);
                At(Now + Delay(), () => Arrive(node, send, bytes));
                break;
            case KadEffect.Abandon abandon:
                node.Waiting.Remove(abandon.Request);
                break;
            case KadEffect.Done done:
                node.Outcomes.Add(done.Query, done.Outcome);
                break;
        }
    }

    private void Arrive(Node from, KadEffect.Send send, byte[] bytes)
    {
        if (!nodes.TryGetValue(send.To.Id, out Node? to) || IsCut(from, to))
            return;
        if (!to.IsAlive)
        {
            // Every second dead machine refuses, the others are silent.
            if (send.To.Id.Bytes[10] % 2 == 0)
                At(Now + Delay(), () => End(from, send.Request, null));
            return;
        }
        if (Random.Below(100) < LossPercent)
            return;
        Connect(from, to);
        Assert.True(KadCodec.TryDecode(bytes, out KadMessage? request));
        KadReply reply = to.Machine.Handle(from.Id, request, Now);
        WakeAtDeadline(to);
        byte[]? answer = reply is KadReply.Answer { Message: var message } ? KadCodec.Encode(message) : null;
        bool ok = send.IsAnswered ? answer is not null : reply != KadReply.Refused;
        At(Now + Delay(), () => End(from, send.Request, ok ? answer ?? [] : null));
    }

    private void End(Node node, long request, byte[]? answer)
    {
        if (!node.IsAlive || !node.Waiting.Remove(request))
            return;
        Note(request, (ulong)(answer?.Length ?? -1));
        if (answer is null)
        {
            Do(node, effects => node.Machine.Failed(request, Now, effects));
            return;
        }
        KadMessage? message = null;
        Assert.True(answer.Length == 0 || KadCodec.TryDecode(answer, out message));
        Do(node, effects => node.Machine.Answered(request, message, Now, effects));
    }

    private TimeSpan Delay() => TimeSpan.FromMilliseconds(5 + Random.Below(Random.Chance(1, 20) ? 1500 : 100));

    private void At(Instant at, Action action) => events.Enqueue(action, (at, order++));

    private void Note(long a, ulong b) => Trace = ((Trace ^ (ulong)a) * 1099511628211 ^ b ^ (ulong)Now.Nanoseconds) * 1099511628211;

    internal sealed class Node(PeerId id, Multiaddr address, KadMachine machine)
    {
        public PeerId Id { get; } = id;

        public KadMachine Machine { get; } = machine;

        public KadPeer AsPeer { get; } = new(id, [address]);

        public bool IsAlive { get; set; } = true;

        public HashSet<PeerId> Peers { get; } = [];

        public HashSet<long> Waiting { get; } = [];

        public long Sent { get; set; }

        public Dictionary<long, KadOutcome> Outcomes { get; } = [];

        public Instant WakesAt { get; set; }
    }
}
