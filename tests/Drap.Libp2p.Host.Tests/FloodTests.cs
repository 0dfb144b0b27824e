using System.Buffers.Binary;
using System.Net.Sockets;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host.Protocols;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Protobuf;
using Drap.Libp2p.Yamux;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Nothing else runs beside these: they measure the memory of the process.</summary>
[CollectionDefinition(nameof(FloodTests), DisableParallelization = true)]
public sealed class FloodCollection;

/// <summary>
/// Peers that send as much as they can over real sockets, and what the host holds for it in the end: never more than its limits say, and somebody honest is
/// served after it. What the attackers need themselves is made before it is measured, or is in the allowance.
/// </summary>
[Collection(nameof(FloodTests))]
public sealed class FloodTests
{
    private const int MiB = 1 << 20;
    private const string Topic = "t";

    /// <summary>
    /// What sockets and tasks need, and the pools of all hosts here keep: the one that is attacked up to 4 MiB of chunks. Unbounded, each of these floods would
    /// come to several times as much.
    /// </summary>
    private const long Allowance = 12 * MiB;

    [Fact]
    public async Task Handshakes_that_never_end_hold_64_KiB_each_of_so_many()
    {
        var limits = new HostLimits { HandshakesMax = 100, HandshakeTimeout = Hosts.Patience };
        await using Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1, ConnectionSecurity.Tls, ConnectionSecurity.Noise) with { Limits = limits });
        // A hello of TLS that is 64 KiB long, and never whole.
        byte[] hello = new byte[60_000];
        for (int at = 0; at < hello.Length; at += 5 + 16_000)
        {
            (hello[at], hello[at + 1], hello[at + 2]) = (22, 3, 1);
            BinaryPrimitives.WriteUInt16BigEndian(hello.AsSpan(at + 3), 16_000);
        }
        (hello[5], hello[6], hello[7], hello[8]) = (1, 1, 0, 0);
        byte[] greeting = ProtocolGreeting.Of("/tls/1.0.0"), answer = new byte[100];
        long before = Memory(), most = 0;
        var strangers = new List<Socket>();
        int turnedAway = 0;
        for (int i = 0; i < 150; i++)
        {
            Socket stranger = await RawPeer.DialAsync(host);
            strangers.Add(stranger);
            try
            {
                await stranger.SendAsync(greeting);
                int received = await stranger.ReceiveAsync(answer).WaitAsync(Hosts.Patience);
                turnedAway += received == 0 ? 1 : 0;
                for (int sent = 0; received > 0 && sent < hello.Length;)
                    sent += await stranger.SendAsync(hello.AsMemory(sent));
            }
            catch (SocketException)
            {
                turnedAway++;
            }
            if (i % 25 == 24)
                most = Math.Max(most, Memory() - before);
        }
        Assert.Equal(50, turnedAway);
        most = Math.Max(most, Memory() - before);
        // What is taken is held twice: as it came, and as TLS keeps it.
        AssertWithin(most, 100 * 2 * 64 * 1024L);
        strangers.ForEach(s => s.Dispose());
        await Hosts.AssertServesAsync(host, ConnectionSecurity.Noise, ConnectionSecurity.Tls, ConnectionSecurity.Plaintext);
    }

    [Fact]
    public async Task Streams_in_a_flood_cost_so_much_each_and_no_more_than_so_many_stand()
    {
        const int Peers = 4, EachMax = 6 * 1024;
        await using Libp2pHost host = await Hosts.StartAsync(1, ConnectionSecurity.Plaintext);
        var release = new TaskCompletionSource();
        int handled = 0;
        host.Handle("/stay/1", _ =>
        {
            Interlocked.Increment(ref handled);
            return release.Task;
        });
        host.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        RawPeer[] peers = [.. await Task.WhenAll(Enumerable.Range(10, Peers).Select(seed => RawPeer.ConnectAsync(host, seed)))];
        byte[] greeting = ProtocolGreeting.Of("/stay/1");
        long before = Memory();
        await OpenAsync(1, 2000);
        await Hosts.Until(() => Volatile.Read(ref handled) == Peers * 1000, "each peer has its thousand streams");
        // Each of these is refused, and said so.
        await OpenAsync(2001, 2101);
        AssertWithin(Memory() - before, Peers * 1000L * EachMax);
        Assert.Equal(Peers * 1000, handled);
        foreach (RawPeer peer in peers)
            peer.Dispose();
        release.SetResult();
        await Hosts.AssertServesAsync(host, ConnectionSecurity.Noise, ConnectionSecurity.Tls, ConnectionSecurity.Plaintext);
        Assert.Equal(Peers * 1000, handled);

        // Each with its first word, until all of it was answered.
        Task OpenAsync(uint first, uint end) => Task.WhenAll(peers.Select(peer => Task.Run(async () =>
        {
            Task reading = ReadAllAsync(peer);
            for (uint id = first; id < end; id += 2)
                await peer.SendAsync(new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, id, (uint)greeting.Length), greeting);
            await peer.SendAsync(new YamuxHeader(YamuxType.Ping, YamuxFlags.Syn, 0, 77));
            await reading;
        }))).WaitAsync(Hosts.Patience);
    }

    [Fact]
    public async Task Data_that_nobody_reads_is_held_up_to_the_shares()
    {
        var limits = new HostLimits { PeerMemoryGuaranteed = MiB, PeerMemoryMax = 4 * MiB, MemoryMax = 8 * MiB };
        await using Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1, ConnectionSecurity.Plaintext) with { Limits = limits });
        var release = new TaskCompletionSource();
        host.Handle("/deaf/1", _ => release.Task);
        host.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        RawPeer[] peers = [.. await Task.WhenAll(Enumerable.Range(10, 6).Select(seed => RawPeer.ConnectAsync(host, seed)))];
        byte[] greeting = ProtocolGreeting.Of("/deaf/1"), block = new byte[32 * 1024];
        long before = Memory(), most = 0, sent = 0;
        Task[] floods = [.. peers.Select(peer => Task.Run(async () =>
        {
            try
            {
                // 43 MiB a peer, as the windows of its streams allow.
                for (uint id = 1; id < 400; id += 2)
                {
                    await peer.SendAsync(new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, id, (uint)greeting.Length), greeting);
                    for (int i = 0; i < 7; i++)
                    {
                        await peer.SendAsync(new YamuxHeader(YamuxType.Data, YamuxFlags.None, id, (uint)block.Length), block);
                        Interlocked.Add(ref sent, block.Length);
                    }
                }
            }
            catch (SocketException)
            {
                // Closed at the end of the test.
            }
        }))];
        // Until all peers stand still, being read from no more.
        for (long last = -1; Interlocked.Read(ref sent) != last || host.MemoryLent < 7 * MiB;)
        {
            last = Interlocked.Read(ref sent);
            await Hosts.AssertServesAsync(host, ConnectionSecurity.Noise, ConnectionSecurity.Tls, ConnectionSecurity.Plaintext);
            most = Math.Max(most, Memory() - before);
            Assert.InRange(host.MemoryLent, 0, limits.MemoryMax);
        }
        AssertWithin(most, (6 * limits.PeerMemoryGuaranteed) + limits.MemoryMax);
        foreach (RawPeer peer in peers)
            peer.Dispose();
        await Task.WhenAll(floods).WaitAsync(Hosts.Patience);
        release.SetResult();
    }

    [Fact]
    public async Task Subscriptions_in_a_flood_cost_half_a_mebibyte_a_peer()
    {
        const int Peers = 6;
        await using var victim = await Victim.StartAsync(new PubSubOptions());
        byte[][] rpcs = [.. Enumerable.Range(0, 10).Select(ManySubscriptions)];
        await using Evils evils = await Evils.StartAsync(victim, Peers, reads: true);
        long before = Memory();
        // Each a hundred thousand topics that nobody else hears.
        await evils.SendAllAsync((_, stream) => SendAllAsync(stream, rpcs.Concat(rpcs)));
        await Hosts.Until(() => evils.All.All(evil => victim.PubSub.ScoreOf(evil.Self) < -80), "all of them are heard no more");
        AssertWithin(Memory() - before, Peers * 512 * 1024L);
        Assert.InRange(victim.PubSub.Counters.RpcsRefused, Peers, Peers * 20);
        await victim.AssertHeardAsync();
    }

    [Fact]
    public async Task Messages_in_a_flood_fill_the_caches_and_replays_nothing()
    {
        var limits = new GossipLimits { SeenMax = 50_000, CacheMessagesMax = 2000, CacheBytesMax = 4 * MiB };
        await using var victim = await Victim.StartAsync(new PubSubOptions
        {
            Gossip = new GossipOptions { Limits = limits }, SubscriptionMessagesMax = 100, SubscriptionBytesMax = MiB,
        });
        using PrivateKey author = Hosts.Key(77);
        byte[][] rpcs = [.. Enumerable.Range(0, 1000).Select(batch => Messages(author, batch * 20, 20, forged: false))];
        await using Evils evils = await Evils.StartAsync(victim, 2, reads: true);
        long before = Memory();
        // 20 000 good messages of a kilobyte, from two peers, and all of it again. What one brings first waits for the other.
        await evils.SendAllAsync((_, stream) => SendAllAsync(stream, rpcs.Concat(rpcs)));
        await Hosts.Until(() => victim.PubSub.Counters is { Delivered: 20_000, Duplicates: >= 60_000 }, "each was delivered once, and each other copy counted");
        long most = Memory() - before;
        AssertWithin(most, limits.CacheBytesMax + (limits.SeenMax * 64L) + MiB + (2L * new PubSubOptions().PeerQueueBytesMax));
        Assert.Equal(20_000, victim.PubSub.Counters.Delivered);
        await victim.AssertHeardAsync();
    }

    [Fact]
    public async Task Forged_messages_are_heard_a_few_times()
    {
        await using var victim = await Victim.StartAsync(new PubSubOptions());
        using PrivateKey author = Hosts.Key(77);
        byte[][] rpcs = [.. Enumerable.Range(0, 200).Select(batch => Messages(author, batch * 20, 20, forged: true))];
        await using Evils evils = await Evils.StartAsync(victim, 3, reads: true);
        long before = Memory();
        await evils.SendAllAsync((_, stream) => SendAllAsync(stream, rpcs));
        await Hosts.Until(() => evils.All.All(evil => victim.PubSub.ScoreOf(evil.Self) < -80), "all of them are heard no more");
        AssertWithin(Memory() - before, 3L * MiB);
        Assert.Equal(0, victim.PubSub.Counters.Delivered);
        await victim.AssertHeardAsync();
    }

    /// <summary>Whoever asks for much and reads nothing: what waits for it stays within its queue.</summary>
    [Fact]
    public async Task Questions_and_grafts_of_a_peer_that_does_not_read_fill_its_queue_and_no_more()
    {
        var options = new PubSubOptions { PeerQueueBytesMax = MiB, Gossip = new GossipOptions { LastSequence = 1000, HistoryLength = 100 } };
        await using var victim = await Victim.StartAsync(options);
        var ids = new List<byte[]>();
        for (int i = 0; i < 100; i++)
        {
            await victim.PubSub.PublishAsync(Topic, new byte[50_000]).AsTask().WaitAsync(Hosts.Patience);
            byte[] id = [.. victim.Host.Self.Bytes, .. new byte[8]];
            BinaryPrimitives.WriteUInt64BigEndian(id.AsSpan(id.Length - 8), (ulong)(1001 + i));
            ids.Add(id);
        }
        await using Evils evils = await Evils.StartAsync(victim, 3, reads: false);
        byte[] question = Control(2, [.. ids]), grafts = Control(3, [.. Enumerable.Repeat("t"u8.ToArray(), 1000)]);
        byte[] prunes = Control(4, [.. Enumerable.Repeat("t"u8.ToArray(), 1000)]), wants = Control(1, [.. Enumerable.Range(0, 16).Select(_ => "t"u8.ToArray())]);
        long before = Memory();
        await evils.SendAllAsync((_, stream) => SendAllAsync(stream, Enumerable.Range(0, 500).SelectMany(_ => new[] { question, grafts, prunes, wants })));
        // Twice its size of control at most, and a window of the stream.
        AssertWithin(Memory() - before, 3 * ((2L * options.PeerQueueBytesMax) + YamuxOptions.InitialWindow));
        await victim.AssertHeardAsync();
    }

    private static void AssertWithin(long grown, long bound)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"{grown / 1024} KiB of {bound / 1024} KiB and {Allowance / 1024} KiB");
        Assert.InRange(grown, long.MinValue, bound + Allowance);
    }

    private static long Memory()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    // To the answer to a ping, or to the end.
    private static async Task ReadAllAsync(RawPeer peer)
    {
        while (await peer.ReceiveAsync() is { } header && header is not { Type: YamuxType.Ping, Flags: YamuxFlags.Ack })
        {
        }
    }

    private static async Task SendAllAsync(P2pStream stream, IEnumerable<byte[]> rpcs)
    {
        try
        {
            foreach (byte[] rpc in rpcs)
                await stream.WriteAsync(Delimited.Frame(rpc)).AsTask().WaitAsync(Hosts.Patience);
        }
        catch (Libp2pException)
        {
            // The host ended it.
        }
    }

    private static async Task DropAllAsync(P2pStream stream)
    {
        byte[] buffer = new byte[16 * 1024];
        while (await stream.ReadAsync(buffer) > 0)
        {
        }
    }

    private static byte[] ManySubscriptions(int series)
    {
        var rpc = new ProtoWriter();
        for (int i = 0; i < 5000; i++)
        {
            int start = rpc.BeginMessage(1);
            rpc.Number(1, 1);
            rpc.Text(2, $"/some/topic/of/usual/length/{series}/{i}");
            rpc.EndMessage(start);
        }
        return rpc.ToArray();
    }

    private static byte[] Messages(PrivateKey author, int first, int count, bool forged)
    {
        var rpc = new ProtoWriter();
        for (int i = first; i < first + count; i++)
        {
            var message = new ProtoWriter();
            byte[] number = new byte[8];
            BinaryPrimitives.WriteUInt64BigEndian(number, (ulong)i + 1);
            message.Bytes(1, author.PeerId.Bytes);
            message.Bytes(2, new byte[1000]);
            message.Bytes(3, number);
            message.Text(4, Topic);
            byte[] signature = author.Sign([.. SignedMessage.SigningPrefix, .. message.Written]);
            signature[3] ^= forged ? (byte)1 : (byte)0;
            message.Bytes(5, signature);
            rpc.Bytes(2, message.Written);
        }
        return rpc.ToArray();
    }

    // Parts of one kind of control: IHAVE, IWANT (all ids in one), GRAFT, PRUNE.
    private static byte[] Control(int kind, byte[][] items)
    {
        var control = new ProtoWriter();
        var part = new ProtoWriter();
        foreach (byte[] item in items)
        {
            part.Bytes(1, item);
            if (kind == 2)
                continue;
            control.Bytes(kind, part.Written);
            part.Clear();
        }
        if (kind == 2)
            control.Bytes(kind, part.Written);
        var rpc = new ProtoWriter();
        rpc.Bytes(3, control.Written);
        return rpc.ToArray();
    }

    /// <summary>A host that hears the topic.</summary>
    private sealed class Victim(Libp2pHost host, PubSub pubSub) : IAsyncDisposable
    {
        private readonly TopicSubscription heard = pubSub.Subscribe(Topic);

        public Libp2pHost Host => host;

        public PubSub PubSub => pubSub;

        public static async Task<Victim> StartAsync(PubSubOptions options)
        {
            Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1));
            return new Victim(host, new PubSub(host, Hosts.Key(1), options));
        }

        /// <summary>Somebody honest is heard.</summary>
        public async Task AssertHeardAsync()
        {
            while (heard.TryRead(out _))
            {
            }
            await using Libp2pHost honest = await Libp2pHost.StartAsync(Hosts.Options(2));
            await using var pubsub = new PubSub(honest, Hosts.Key(2));
            await honest.ConnectAsync(host);
            await Hosts.Until(() => pubsub.PeersOf(Topic).Count == 1, "the host tells what it hears");
            await pubsub.PublishAsync(Topic, "honest"u8.ToArray()).AsTask().WaitAsync(Hosts.Patience);
            while (!(await heard.ReadAsync().AsTask().WaitAsync(Hosts.Patience)).Content.Data.Span.SequenceEqual("honest"u8))
            {
            }
        }

        public async ValueTask DisposeAsync()
        {
            await pubSub.DisposeAsync();
            await host.DisposeAsync();
        }
    }

    /// <summary>Peers that speak gossipsub by hand.</summary>
    private sealed class Evils : IAsyncDisposable
    {
        private readonly List<P2pStream> streams = [];
        private readonly TaskCompletionSource release = new();

        public List<Libp2pHost> All { get; } = [];

        public static async Task<Evils> StartAsync(Victim victim, int count, bool reads)
        {
            var evils = new Evils();
            for (int i = 0; i < count; i++)
            {
                Libp2pHost evil = await Libp2pHost.StartAsync(Hosts.Options(100 + i));
                evils.All.Add(evil);
                evil.Handle(GossipProtocols.V12, reads ? DropAllAsync : _ => evils.release.Task);
                await evil.ConnectAsync(victim.Host);
                P2pStream stream = await evil.OpenStreamAsync(victim.Host.Self, [GossipProtocols.V12]);
                evils.streams.Add(stream);
                await FloodTests.SendAllAsync(stream, [Subscription()]);
            }
            await Hosts.Until(() => victim.PubSub.PeersOf(Topic).Count == count, "all of them hear the topic");
            return evils;
        }

        public Task SendAllAsync(Func<Libp2pHost, P2pStream, Task> send) => Task.WhenAll(All.Zip(streams, (evil, stream) => Task.Run(() => send(evil, stream))));

        public async ValueTask DisposeAsync()
        {
            release.SetResult();
            foreach (Libp2pHost evil in All)
                await evil.DisposeAsync();
        }

        private static byte[] Subscription()
        {
            var part = new ProtoWriter();
            part.Number(1, 1);
            part.Text(2, Topic);
            var rpc = new ProtoWriter();
            rpc.Bytes(1, part.Written);
            return rpc.ToArray();
        }
    }
}
