using System.Text;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Keys;
using Xunit;

namespace Drap.Libp2p.Host.Tests.PubSubs;

/// <summary>Gossipsub between hosts on loopback.</summary>
public sealed class PubSubTests : IAsyncDisposable
{
    private const string Topic = "/test/topic";

    private readonly List<Node> nodes = [];

    [Fact]
    public async Task Two_hosts_hear_each_other()
    {
        Node a = await AddAsync(), b = await AddAsync();
        TopicSubscription atB = b.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows that b hears the topic");
        Assert.Equal(1, await a.PubSub.PublishAsync(Topic, "hello"u8.ToArray()));
        GossipMessage got = await Read(atB);
        Assert.Equal("hello", Encoding.UTF8.GetString(got.Content.Data.Span));
        Assert.Equal(a.Host.Self, got.Content.From);
        Assert.Equal(a.Host.Self, got.ReceivedFrom);
    }

    [Fact]
    public async Task The_end_of_a_flood_goes_out_without_another_message()
    {
        Node a = await AddAsync(), b = await AddAsync();
        TopicSubscription atB = b.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows that b hears the topic");
        for (int i = 0; i < 300; i++)
            Assert.Equal(1, await a.PubSub.PublishAsync(Topic, BitConverter.GetBytes(i)));
        for (int i = 0; i < 300; i++)
            Assert.Equal(i, BitConverter.ToInt32((await Read(atB)).Content.Data.Span));
    }

    [Theory]
    [InlineData(MessageIdForm.SourceAndSequence)]
    [InlineData(MessageIdForm.KeyAndSequence)]
    public async Task In_a_mesh_of_ten_every_message_reaches_everyone_once(MessageIdForm ids)
    {
        const int Nodes = 10, Each = 20;
        var options = new PubSubOptions { Gossip = new GossipOptions { MessageIds = ids, FloodPublish = false } };
        for (int i = 0; i < Nodes; i++)
            await AddAsync(options);
        List<TopicSubscription> subscriptions = nodes.ConvertAll(n => n.PubSub.Subscribe(Topic));
        // A ring with chords: nobody has everybody.
        for (int i = 0; i < Nodes; i++)
            foreach (int step in new[] { 1, 3 })
                await nodes[i].Host.ConnectAsync(nodes[(i + step) % Nodes].Host);
        await Hosts.Until(() => nodes.TrueForAll(n => n.PubSub.MeshOf(Topic).Count == 4), "everybody has all its four neighbours in the mesh");
        for (int m = 0; m < Each; m++)
            foreach (Node node in nodes)
                await node.PubSub.PublishAsync(Topic, Encoding.UTF8.GetBytes($"{node.Number}/{m}"));
        for (int i = 0; i < Nodes; i++)
        {
            var heard = new List<string>();
            while (heard.Count < (Nodes - 1) * Each)
            {
                GossipMessage got = await Read(subscriptions[i]);
                heard.Add(Encoding.UTF8.GetString(got.Content.Data.Span));
            }
            Assert.Equal(heard.Count, heard.Distinct().Count());
            Assert.DoesNotContain(heard, h => h.StartsWith($"{i}/", StringComparison.Ordinal));
        }
        Assert.All(nodes, n => Assert.Equal((0, 0), (n.PubSub.Counters.Rejected, n.PubSub.Counters.RpcsRefused)));
        Assert.All(subscriptions, s => Assert.False(s.TryRead(out _)));
    }

    [Fact]
    public async Task Messages_as_large_as_may_be_go_over_several_hosts()
    {
        Node a = await AddAsync(), b = await AddAsync(), c = await AddAsync();
        TopicSubscription atB = b.PubSub.Subscribe(Topic), atC = c.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await b.Host.ConnectAsync(c.Host);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1 && b.PubSub.MeshOf(Topic).Count == 1, "the line stands");
        for (int i = 0; i < 5; i++)
        {
            byte[] large = Hosts.Bytes(new GossipLimits().MessageBytesMax, i);
            await a.PubSub.PublishAsync(Topic, large);
            Assert.Equal(large, (await Read(atB)).Content.Data.ToArray());
            Assert.Equal(large, (await Read(atC)).Content.Data.ToArray());
        }
        await Assert.ThrowsAsync<ArgumentException>(async () => await a.PubSub.PublishAsync(Topic, new byte[1 << 20]));
    }

    [Fact]
    public async Task The_application_decides()
    {
        Node a = await AddAsync(), b = await AddAsync(), c = await AddAsync();
        TopicSubscription atB = b.PubSub.Subscribe(Topic, async message =>
        {
            await Task.Yield();
            return message.Content.Data.Span[0] switch
            {
                (byte)'y' => MessageVerdict.Accept,
                (byte)'n' => MessageVerdict.Reject,
                (byte)'!' => throw new InvalidOperationException("a bug of the application"),
                _ => MessageVerdict.Ignore,
            };
        });
        TopicSubscription atC = c.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await b.Host.ConnectAsync(c.Host);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1 && b.PubSub.MeshOf(Topic).Count == 1, "the line stands");
        foreach (string said in new[] { "?", "!", "n", "y" })
            await a.PubSub.PublishAsync(Topic, Encoding.UTF8.GetBytes(said));
        Assert.Equal((byte)'y', (await Read(atB)).Content.Data.Span[0]);
        Assert.Equal((byte)'y', (await Read(atC)).Content.Data.Span[0]);
        await Hosts.Until(() => b.PubSub.Counters.Rejected == 1 && b.PubSub.Counters.Ignored == 2, "all four were decided about");
        Assert.True(b.PubSub.ScoreOf(a.Host.Self) < 0);
        Assert.False(atB.TryRead(out _));
        Assert.False(atC.TryRead(out _));
    }

    [Fact]
    public async Task Who_comes_back_hears_again()
    {
        Node a = await AddAsync(), b = await AddAsync();
        TopicSubscription atA = a.PubSub.Subscribe(Topic);
        for (int turn = 0; turn < 5; turn++)
        {
            TopicSubscription atB = b.PubSub.Subscribe(Topic);
            await (turn % 2 == 0 ? a.Host.ConnectAsync(b.Host) : b.Host.ConnectAsync(a.Host));
            await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1 && b.PubSub.PeersOf(Topic).Count == 1, "both know each other");
            await b.PubSub.PublishAsync(Topic, new byte[] { 1 });
            await Read(atA);
            await a.PubSub.PublishAsync(Topic, new byte[] { 2 });
            await Read(atB);
            if (turn % 2 == 0)
            {
                await a.Host.DisconnectAsync(b.Host.Self);
                // Else b, which dials next, would still find the connection that is closing.
                await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 0 && b.Host.Connections.Count == 0, "each has gone for the other");
            }
            atB.Dispose();
            await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 0, "b has left");
        }
    }

    /// <summary>
    /// One loses its connection, as by another address, and comes back over a new one before the other has noticed: it says there what it hears, and says it
    /// once. When the old connection ends at the other side, too, that must stand.
    /// </summary>
    [Fact]
    public async Task Who_comes_back_before_its_going_was_noticed_is_not_forgotten()
    {
        Node a = await AddAsync(), b = await AddAsync();
        TopicSubscription atA = a.PubSub.Subscribe(Topic), atB = b.PubSub.Subscribe(Topic);
        await using var wire = new Wire(a.Host.ListenAddresses[0]);
        await b.Host.ConnectAsync(a.Host.Self, [wire.Address]).WaitAsync(Hosts.Patience);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1 && b.PubSub.PeersOf(Topic).Count == 1, "both know each other");
        PeerConnection old = a.Host.Connections.Single();
        wire.Freeze();
        await b.Host.DisconnectAsync(a.Host.Self);
        await b.Host.ConnectAsync(a.Host);
        await Hosts.Until(() => a.Host.Connections.Count == 2 && a.Host.Connections.All(c => c.Identified.IsCompleted), "a has both connections");
        await old.CloseAsync().WaitAsync(Hosts.Patience);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1 && b.PubSub.PeersOf(Topic).Count == 1, "both know each other again");
        await a.PubSub.PublishAsync(Topic, new byte[] { 2 });
        await b.PubSub.PublishAsync(Topic, new byte[] { 3 });
        Assert.Equal((2, 3), ((await Read(atB)).Content.Data.Span[0], (await Read(atA)).Content.Data.Span[0]));
    }

    /// <summary>
    /// As above, but what the peer says on the new connection comes only after the old one has ended here, and before anything is opened to it there: it is said
    /// once, and must not be taken before the router has the peer again.
    /// </summary>
    [Fact]
    public async Task What_is_said_between_two_streams_is_not_lost()
    {
        Node a = await AddAsync();
        TopicSubscription atA = a.PubSub.Subscribe(Topic);
        Libp2pHost b = await Libp2pHost.StartAsync(Hosts.Options(99));
        await using (b)
        {
            b.Handle(GossipProtocols.V12, async stream =>
            {
                byte[] buffer = new byte[1024];
                while (await stream.ReadAsync(buffer) > 0)
                {
                }
            });
            // "subscribe to /test/topic"
            byte[] subscribe = [17, 0x0a, 15, 0x08, 1, 0x12, 11, .. Encoding.ASCII.GetBytes(Topic)];
            await using var wire = new Wire(a.Host.ListenAddresses[0]);
            await b.ConnectAsync(a.Host.Self, [wire.Address]).WaitAsync(Hosts.Patience);
            await (await b.OpenStreamAsync(a.Host.Self, [GossipProtocols.V12])).WriteAsync(subscribe);
            await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows that b hears the topic");
            for (int turn = 0; turn < 3; turn++)
            {
                PeerConnection old = a.Host.Connections.Single();
                if (turn == 0)
                    wire.Freeze();
                await b.DisconnectAsync(a.Host.Self);
                if (turn == 0)
                {
                    await b.ConnectAsync(a.Host);
                    await Hosts.Until(() => a.Host.Connections.Count == 2 && a.Host.Connections.All(c => c.Identified.IsCompleted), "a has both connections");
                    await old.CloseAsync().WaitAsync(Hosts.Patience);
                }
                else
                {
                    await Hosts.Until(() => a.Host.Connections.Count == 0, "a has noticed that b went");
                    await b.ConnectAsync(a.Host);
                }
                await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 0, "what b had said went with the old connection");
                await (await b.OpenStreamAsync(a.Host.Self, [GossipProtocols.V12])).WriteAsync(subscribe);
                await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows again that b hears the topic");
            }
        }
    }

    [Fact]
    public async Task A_subscriber_that_does_not_read_loses_messages_and_nobody_else_does()
    {
        Node a = await AddAsync(), b = await AddAsync(new PubSubOptions { SubscriptionMessagesMax = 10 });
        TopicSubscription idle = b.PubSub.Subscribe(Topic), busy = b.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows that b hears the topic");
        for (byte i = 0; i < 30; i++)
        {
            await a.PubSub.PublishAsync(Topic, new byte[] { i });
            Assert.Equal(i, (await Read(busy)).Content.Data.Span[0]);
        }
        Assert.Equal((20, 0), (idle.Lost, busy.Lost));
        for (byte i = 0; i < 10; i++)
            Assert.Equal(i, (await Read(idle)).Content.Data.Span[0]);
    }

    /// <summary>Faster than can be checked or written: publishers wait, and nothing is lost.</summary>
    [Fact]
    public async Task In_a_flood_nothing_is_lost()
    {
        const int Messages = 5000;
        Node a = await AddAsync(), b = await AddAsync(new PubSubOptions { SubscriptionMessagesMax = Messages });
        TopicSubscription atB = b.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows that b hears the topic");
        byte[] data = new byte[512];
        for (int i = 0; i < Messages; i++)
        {
            BitConverter.TryWriteBytes(data, i);
            await a.PubSub.PublishAsync(Topic, data);
        }
        for (int i = 0; i < Messages; i++)
            Assert.Equal(i, BitConverter.ToInt32((await Read(atB)).Content.Data.Span));
        Assert.Equal((0, 0, 0), (b.PubSub.Counters.Overflowed, b.PubSub.Counters.Rejected, atB.Lost));
    }

    [Fact]
    public async Task Many_publish_at_once_and_numbers_rise()
    {
        Node a = await AddAsync(), b = await AddAsync();
        TopicSubscription atB = b.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows that b hears the topic");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 100; i++)
                Assert.Equal(1, await a.PubSub.PublishAsync(Topic, new byte[] { 1, 2, 3 }));
        })));
        ulong last = 0;
        for (int i = 0; i < 800; i++)
        {
            ulong number = (await Read(atB)).Content.Sequence;
            Assert.True(number > last);
            last = number;
        }
    }

    [Fact]
    public async Task Floodsub_alone_is_enough()
    {
        var flood = new PubSubOptions { Protocols = [GossipProtocols.Floodsub] };
        Node a = await AddAsync(flood), b = await AddAsync(), c = await AddAsync(flood);
        TopicSubscription atB = b.PubSub.Subscribe(Topic), atC = c.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await b.Host.ConnectAsync(c.Host);
        await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1 && b.PubSub.PeersOf(Topic).Count == 1, "the line stands");
        Assert.Equal(1, await a.PubSub.PublishAsync(Topic, new byte[] { 7 }));
        Assert.Equal(7, (await Read(atB)).Content.Data.Span[0]);
        Assert.Equal(7, (await Read(atC)).Content.Data.Span[0]);
        Assert.Empty(b.PubSub.MeshOf(Topic));
    }

    [Fact]
    public async Task Every_kind_of_key_signs()
    {
        Node b = await AddAsync();
        TopicSubscription atB = b.PubSub.Subscribe(Topic);
        using var rsa = System.Security.Cryptography.RSA.Create(2048);
        PrivateKey[] keys =
        [
            PrivateKey.FromRsa(rsa), PrivateKey.FromRandom(KeyType.Secp256k1, new byte[48]), PrivateKey.FromRandom(KeyType.Ecdsa, new byte[48]),
        ];
        foreach (PrivateKey key in keys)
        {
            Node a = await AddAsync(key: key);
            await a.Host.ConnectAsync(b.Host);
            await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows that b hears the topic");
            for (int i = 0; i < 3; i++)
            {
                await a.PubSub.PublishAsync(Topic, new byte[] { 1 });
                Assert.Equal(key.PeerId, (await Read(atB)).Content.From);
            }
        }
    }

    [Fact]
    public async Task The_observer_hears_who_hears_what()
    {
        var observer = new Recorder();
        Node a = await AddAsync(new PubSubOptions { Observer = observer }), b = await AddAsync();
        using TopicSubscription atA = a.PubSub.Subscribe(Topic);
        TopicSubscription atB = b.PubSub.Subscribe(Topic);
        await a.Host.ConnectAsync(b.Host);
        await Hosts.Until(() => observer.Heard.Count == 2, "b came into the mesh");
        atB.Dispose();
        await Hosts.Until(() => observer.Heard.Count == 4, "b has left the mesh");
        Assert.Equal([$"{b.Host.Self.Short} hears", $"{b.Host.Self.Short} in", $"{b.Host.Self.Short} out", $"{b.Host.Self.Short} hears no more"], observer.Heard);
    }

    [Fact]
    public async Task A_peer_that_sends_no_rpcs_is_cut_off_and_harms_nobody()
    {
        Node a = await AddAsync(), b = await AddAsync();
        TopicSubscription atA = a.PubSub.Subscribe(Topic);
        Libp2pHost evil = await Libp2pHost.StartAsync(Hosts.Options(99));
        await using (evil)
        {
            // It serves the protocol, or nobody would open a stream to it.
            evil.Handle(GossipProtocols.V12, async stream =>
            {
                byte[] buffer = new byte[1024];
                while (await stream.ReadAsync(buffer) > 0)
                {
                }
            });
            await evil.ConnectAsync(a.Host);
            // A frame of 4 MiB and a byte; then one that is never finished; then noise in frames.
            P2pStream stream = await evil.OpenStreamAsync(a.Host.Self, [GossipProtocols.V12]);
            await stream.WriteAsync(Convert.FromHexString("81808002"));
            await Assert.ThrowsAsync<StreamResetException>(async () => await stream.ReadToEndAsync());
            stream = await evil.OpenStreamAsync(a.Host.Self, [GossipProtocols.V12]);
            await stream.WriteAsync(Convert.FromHexString("80808002"));
            await stream.WriteAsync(new byte[100_000]);
            P2pStream next = await evil.OpenStreamAsync(a.Host.Self, [GossipProtocols.V12]);
            for (int i = 0; i < 100; i++)
                await next.WriteAsync(new byte[] { 2, 0xff, 0xff });
            // The newer stream took the older one's place.
            await Assert.ThrowsAsync<StreamResetException>(async () => await stream.ReadToEndAsync());
            await Hosts.Until(() => a.PubSub.Counters.RpcsRefused == 100, "the noise was heard");
            Assert.True(a.PubSub.ScoreOf(evil.Self) < -80);
            await b.Host.ConnectAsync(a.Host);
            await Hosts.Until(() => b.PubSub.PeersOf(Topic).Count == 1, "b knows that a hears the topic");
            await b.PubSub.PublishAsync(Topic, new byte[] { 5 });
            Assert.Equal(5, (await Read(atA)).Content.Data.Span[0]);
        }
    }

    /// <summary>A peer that takes nothing: it costs what its queue holds, and publishers wait only as long as it is alone.</summary>
    [Fact]
    public async Task A_peer_that_does_not_read_holds_up_nobody_but_those_who_write_to_it_alone()
    {
        Node a = await AddAsync(new PubSubOptions { PeerQueueBytesMax = 1 << 20, BusyBytes = 256 << 10 });
        Libp2pHost slow = await Libp2pHost.StartAsync(Hosts.Options(98));
        await using (slow)
        {
            var mayRead = new TaskCompletionSource();
            slow.Handle(GossipProtocols.V12, async stream =>
            {
                await mayRead.Task;
                byte[] buffer = new byte[64 * 1024];
                while (await stream.ReadAsync(buffer) > 0)
                {
                }
            });
            await slow.ConnectAsync(a.Host);
            P2pStream stream = await slow.OpenStreamAsync(a.Host.Self, [GossipProtocols.V12]);
            // "subscribe to /test/topic"
            byte[] subscribe = [17, 0x0a, 15, 0x08, 1, 0x12, 11, .. Encoding.ASCII.GetBytes(Topic)];
            await stream.WriteAsync(subscribe);
            await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 1, "a knows that the slow one hears the topic");
            ValueTask<int> waiting = default;
            int published = 0;
            for (; published < 1000; published++)
            {
                waiting = a.PubSub.PublishAsync(Topic, new byte[100_000]);
                if (!waiting.IsCompleted && await Task.WhenAny(waiting.AsTask(), Task.Delay(2000)) is Task<int> { IsCompletedSuccessfully: false } or not Task<int>)
                    break;
            }
            Assert.InRange(published, 3, 300);
            // One that does read makes it two, of which half is enough.
            Node b = await AddAsync(new PubSubOptions { SubscriptionMessagesMax = 1000, SubscriptionBytesMax = 1 << 30 });
            TopicSubscription atB = b.PubSub.Subscribe(Topic);
            await b.Host.ConnectAsync(a.Host);
            await Hosts.Until(() => a.PubSub.PeersOf(Topic).Count == 2, "a knows that b hears the topic");
            for (int i = 0; i < 20; i++)
                await a.PubSub.PublishAsync(Topic, new byte[100_000]).AsTask().WaitAsync(Hosts.Patience);
            for (int i = 0; i < 20; i++)
                await Read(atB);
            mayRead.SetResult();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Node node in nodes)
        {
            await node.PubSub.DisposeAsync();
            await node.Host.DisposeAsync();
        }
    }

    private async Task<Node> AddAsync(PubSubOptions? options = null, PrivateKey? key = null)
    {
        key ??= Hosts.Key(nodes.Count + 1);
        Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1) with { Key = key });
        var node = new Node(nodes.Count, host, new PubSub(host, key, options));
        nodes.Add(node);
        return node;
    }

    private static async Task<GossipMessage> Read(TopicSubscription subscription) => await subscription.ReadAsync().AsTask().WaitAsync(Hosts.Patience);

    private sealed record Node(int Number, Libp2pHost Host, PubSub PubSub);

    private sealed class Recorder : IPubSubObserver
    {
        public List<string> Heard { get; } = [];

        public void PeerSubscription(PeerId peer, string topic, bool subscribed) => Add($"{peer.Short} {(subscribed ? "hears" : "hears no more")}");

        public void MeshChanged(PeerId peer, string topic, bool joined) => Add($"{peer.Short} {(joined ? "in" : "out")}");

        private void Add(string what)
        {
            lock (Heard)
                Heard.Add(what);
        }
    }
}
