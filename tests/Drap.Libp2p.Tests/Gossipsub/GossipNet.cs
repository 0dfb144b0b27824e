using Drap.Libp2p.Gossipsub;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

/// <summary>
/// Routers in virtual time, over links that take time, keep their order, and may lose what is not control. Signatures take time, too, and their checks end
/// in any order. All follows from the seed.
/// </summary>
internal sealed class GossipNet
{
    private readonly PriorityQueue<Action, (Instant At, long Order)> events = new();
    private readonly Dictionary<PeerId, GossipNode> byId = [];
    private readonly Prng prng;
    private long order;

    public GossipNet(ulong seed)
    {
        prng = new Prng(seed);
        // Shown with a failure.
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
    }

    public List<GossipNode> Nodes { get; } = [];

    public Prng Prng => prng;

    public Instant Now { get; private set; } = new(1_000_000_000);

    /// <summary>Of a thousand frames that may be lost so many are.</summary>
    public int LostPermille { get; set; }

    /// <summary>How fast a link carries; a frame arrives when its last byte does.</summary>
    public long BytesPerSecond { get; init; } = 1_000_000_000;

    /// <summary>Messages are handed over as objects, as a simulator does.</summary>
    public bool Shares { get; init; }

    public long Frames { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>Changes with any frame that arrives anywhere.</summary>
    public ulong Trace { get; private set; }

    public GossipNode Add(GossipOptions options, GossipVersion speaks = GossipVersion.V12, Func<SignedMessage, MessageVerdict>? validator = null)
    {
        var id = TestRpc.Peer($"n{Nodes.Count}");
        var node = new GossipNode(this, id, Nodes.Count, options, prng.NextUInt64()) { Speaks = speaks, Validator = validator };
        Nodes.Add(node);
        byId[id] = node;
        return node;
    }

    /// <summary>Each node dials so many others, by chance.</summary>
    public void Wire(int dials)
    {
        foreach (GossipNode node in Nodes)
            for (int i = 0; i < dials; i++)
                Dial(node, Nodes[prng.Below(Nodes.Count)]);
    }

    public void Dial(GossipNode from, GossipNode to)
    {
        if (ReferenceEquals(from, to) || from.Links.ContainsKey(to.Id) || !from.IsUp || !to.IsUp)
            return;
        var latency = TimeSpan.FromMilliseconds(prng.Between(1, 50));
        from.Links[to.Id] = new GossipLink(latency, ++order);
        to.Links[from.Id] = new GossipLink(latency, order);
        from.Step((r, now, e) => r.Connected(to.Id, from.SpeaksWith(to), true, 0, now, e));
        to.Step((r, now, e) => r.Connected(from.Id, to.SpeaksWith(from), false, 0, now, e));
    }

    /// <summary>All links of a node break; what is on them is lost. It keeps its router.</summary>
    public void Cut(GossipNode node)
    {
        foreach (PeerId peer in node.Links.Keys.ToArray())
        {
            byId[peer].Links.Remove(node.Id);
            byId[peer].Step((r, now, e) => r.Disconnected(node.Id, now, e));
            node.Step((r, now, e) => r.Disconnected(peer, now, e));
        }
        node.Links.Clear();
    }

    public void Send(GossipNode from, GossipEffect.Send send)
    {
        if (!from.Links.TryGetValue(send.To, out GossipLink? link))
            return;
        Frames++;
        Bytes += send.Frame.Length;
        if (send.Kind != FrameKind.Control && prng.Below(1000) < LostPermille)
            return;
        GossipNode to = byId[send.To];
        link.FreeAt = Instant.Max(link.FreeAt, Now + link.Latency) + TimeSpan.FromSeconds((double)send.Frame.Length / BytesPerSecond);
        long line = link.Line;
        At(link.FreeAt, () =>
        {
            if (!to.Links.TryGetValue(from.Id, out GossipLink? now) || now.Line != line)
                return;
            Trace = unchecked((Trace * 6364136223846793005) + (ulong)(to.Number * 31 + send.Frame.Length) + (ulong)Now.Nanoseconds);
            if (Shares && send.Message is { } message)
            {
                to.Step((r, at, e) => r.Receive(from.Id, message, at, e));
            }
            else
            {
                ReadOnlyMemory<byte> rpc = Body(send.Frame);
                to.Step((r, at, e) => r.Receive(from.Id, rpc.Span, at, e));
            }
        });
    }

    public void At(Instant at, Action action) => events.Enqueue(action, (at, ++order));

    public void After(TimeSpan time, Action action) => At(Now + time, action);

    /// <summary>Lets so much time pass.</summary>
    public void Run(TimeSpan time)
    {
        Instant end = Now + time;
        long steps = 0;
        while (events.TryPeek(out Action? action, out (Instant At, long Order) due) && due.At <= end)
        {
            events.Dequeue();
            Now = due.At;
            action();
            Assert.True(++steps < 50_000_000, "the network does not come to rest");
        }
        Now = end;
    }

    private static ReadOnlyMemory<byte> Body(ReadOnlyMemory<byte> frame)
    {
        int prefix = 0;
        while (frame.Span[prefix++] >= 0x80)
        {
        }
        return frame[prefix..];
    }
}

internal sealed class GossipLink(TimeSpan latency, long line)
{
    public TimeSpan Latency => latency;

    /// <summary>Which connection it is, of those that there were between the two.</summary>
    public long Line => line;

    public Instant FreeAt { get; set; }
}

internal sealed class GossipNode(GossipNet net, PeerId id, int number, GossipOptions options, ulong seed)
{
    private readonly List<GossipEffect> effects = [];
    private Instant tickAt = Instant.Never;
    private int steps;

    public PeerId Id => id;

    public int Number => number;

    public GossipRouter Router { get; } = new(id, default, options, new Prng(seed));

    public Dictionary<PeerId, GossipLink> Links { get; } = [];

    public GossipVersion Speaks { get; init; } = GossipVersion.V12;

    public bool IsUp { get; set; } = true;

    /// <summary>How often each message was delivered here.</summary>
    public Dictionary<(PeerId From, ulong Sequence), int> Delivered { get; } = [];

    public List<(GossipEffect.Published Published, Instant At)> Published { get; } = [];

    public List<GossipEffect.Misbehaved> Misdeeds { get; } = [];

    /// <summary>What this node's application says; null: its topics are not validated.</summary>
    public Func<SignedMessage, MessageVerdict>? Validator { get; init; }

    public GossipVersion SpeaksWith(GossipNode other) => Speaks < other.Speaks ? Speaks : other.Speaks;

    public void Subscribe(string topic) => Step((r, now, e) => Assert.True(r.Subscribe(topic, Validator is not null, now, e)));

    public void Publish(string topic, int size = 100) =>
        Step((r, now, e) => Assert.Equal(PublishOutcome.Taken, r.Publish(topic, new byte[size], now, e)));

    public void Step(Action<GossipRouter, Instant, IList<GossipEffect>> input)
    {
        // A step may be made inside of another's effects only if those are at their end; so effects are taken out first.
        input(Router, net.Now, effects);
        GossipEffect[] now = [.. effects];
        effects.Clear();
        if (++steps % 64 == 0)
            Router.CheckInvariants();
        foreach (GossipEffect effect in now)
            Perform(effect);
        Schedule();
    }

    private void Perform(GossipEffect effect)
    {
        switch (effect)
        {
            case GossipEffect.Send send:
                net.Send(this, send);
                break;
            case GossipEffect.Sign sign:
                net.After(Work(), () => Step((r, now, e) => r.Signed(sign.Message, new byte[64], now, e)));
                break;
            case GossipEffect.Verify verify:
                // The test's forgeries are signed with 66s.
                bool isGood = verify.Message.Content.Signature[0] != 66;
                net.After(Work(), () => Step((r, now, e) => r.Verified(verify.Message, isGood, now, e)));
                break;
            case GossipEffect.Validate validate:
                net.After(Work(), () => Step((r, now, e) => r.Validated(validate.Message, Validator!(validate.Message.Content), now, e)));
                break;
            case GossipEffect.Deliver deliver:
                (PeerId, ulong) key = (deliver.Message.Content.From, deliver.Message.Content.Sequence);
                Delivered[key] = Delivered.GetValueOrDefault(key) + 1;
                break;
            case GossipEffect.Published published:
                Published.Add((published, net.Now));
                break;
            case GossipEffect.Misbehaved misdeed:
                Misdeeds.Add(misdeed);
                break;
        }
    }

    private TimeSpan Work() => TimeSpan.FromMicroseconds(net.Prng.Between(20, 2000));

    private void Schedule()
    {
        Instant due = Router.NextDeadline;
        if (due >= tickAt)
            return;
        tickAt = due;
        net.At(due, () =>
        {
            tickAt = Instant.Never;
            Step((r, now, e) => r.Tick(now, e));
        });
    }
}
