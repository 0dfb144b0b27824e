using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

/// <summary>What a peer can do to a router, and what it costs at most. Memory is measured, so nothing else runs meanwhile.</summary>
[Collection(nameof(AttackTests))]
public sealed class AttackTests
{
    private const int MiB = 1 << 20;

    private static readonly PeerId Evil = TestRpc.Peer("evil");
    private static readonly PeerId Friend = TestRpc.Peer("friend");

    private readonly List<GossipEffect> effects = [];
    private GossipRouter router = Make(new GossipOptions());
    private Instant now = new(1_000_000_000);
    private long checks;
    private long framesToEvil;
    private long bytesToEvil;

    [Fact]
    public void Forged_messages_are_checked_thrice_and_then_no_more_is_heard()
    {
        Begin();
        for (ulong i = 1; i <= 10_000; i++)
            Evils(Message("victim", i, 66));
        Assert.Equal(3, checks);
        Assert.True(router.ScoreOf(Evil) < -80);
        // Over ten minutes of it: whenever enough has decayed one or two more are checked.
        for (ulong second = 0; second < 600; second++)
        {
            for (ulong i = 0; i < 100; i++)
                Evils(Message("victim", 20_000 + second * 100 + i, 66));
            Pass(TimeSpan.FromSeconds(1));
        }
        Assert.InRange(checks, 100, 700);
        Assert.Equal(0, router.Counters.Delivered);
    }

    [Fact]
    public void Replayed_messages_cost_neither_checks_nor_memory()
    {
        Begin();
        byte[][] old = [.. Enumerable.Range(1, 1000).Select(i => Message("w", (ulong)i, 1))];
        foreach (byte[] rpc in old)
            Evils(rpc);
        long before = Memory();
        for (int i = 0; i < 100_000; i++)
            Evils(old[i % 1000]);
        Assert.Equal(1000, checks);
        Assert.Equal(1000, router.Counters.Delivered);
        Assert.Equal(100_000, router.Counters.Duplicates);
        Assert.InRange(Memory() - before, long.MinValue, 64 << 10);
    }

    /// <summary>Replay long after: while ids are remembered, whatever the cache has forgotten.</summary>
    [Fact]
    public void A_replay_two_minutes_later_is_still_a_replay()
    {
        Begin();
        byte[] rpc = Message("w", 1, 1);
        Evils(rpc);
        Pass(TimeSpan.FromSeconds(119));
        Evils(rpc);
        Assert.Equal(1, router.Counters.Delivered);
        Pass(TimeSpan.FromSeconds(3));
        Evils(rpc);
        Assert.Equal(2, router.Counters.Delivered);
    }

    [Fact]
    public void Questions_get_no_more_than_the_limit_in_a_heartbeat()
    {
        Begin();
        for (ulong i = 1; i <= 200; i++)
            router.Receive(Friend, Message("w", i, 1, 50_000), now, effects);
        Answer();
        byte[] question = TestRpc.Encode("iwant " + string.Join(' ', Enumerable.Range(1, 200).Select(i => $"w#{i}")), MessageIdForm.SourceAndSequence);
        bytesToEvil = 0;
        for (int i = 0; i < 1000; i++)
            Evils(question);
        // 4 MiB, for all that was asked.
        Assert.InRange(bytesToEvil, 3 * MiB, 4 * MiB);
        Pass(TimeSpan.FromSeconds(1));
        bytesToEvil = 0;
        for (int i = 0; i < 1000; i++)
            Evils(question);
        Assert.InRange(bytesToEvil, MiB, 4 * MiB);
    }

    [Fact]
    public void Grafts_in_a_flood_are_answered_a_few_times_and_then_not_heard()
    {
        Begin();
        Evils(TestRpc.Encode("prune t 60", MessageIdForm.SourceAndSequence));
        byte[] graft = TestRpc.Encode(string.Join("; ", Enumerable.Repeat("graft t", 1000)), MessageIdForm.SourceAndSequence);
        framesToEvil = 0;
        for (int i = 0; i < 1000; i++)
            Evils(graft);
        Assert.Equal(1, framesToEvil);
        Assert.True(router.ScoreOf(Evil) < -80);
        // Topics that nobody hears: no answer, and nothing is kept.
        Begin();
        long before = Memory();
        for (int i = 0; i < 1000; i++)
            Evils(TestRpc.Encode($"graft unheard{i}; prune unheard{i} 60; ihave unheard{i} w#1", MessageIdForm.SourceAndSequence));
        Assert.Equal(0, framesToEvil);
        Assert.InRange(Memory() - before, long.MinValue, 64 << 10);
    }

    /// <summary>Who breaks promises falls below the gossip threshold, and is asked no more until that has decayed.</summary>
    [Fact]
    public void Promises_that_are_not_kept_end_in_not_being_asked()
    {
        Begin();
        ulong next = 1;
        long asked = 0;
        for (int second = 0; second < 30; second++)
        {
            for (int i = 0; i < 100; i++, next += 100)
                Evils(TestRpc.Encode("ihave t " + string.Join(' ', Enumerable.Range((int)next, 100).Select(n => $"w#{n}")), MessageIdForm.SourceAndSequence));
            // Ten RPCs a heartbeat are looked at.
            Assert.InRange(router.Counters.IWants - asked, 0, 1000);
            asked = router.Counters.IWants;
            Pass(TimeSpan.FromSeconds(1));
        }
        Assert.True(router.ScoreOf(Evil) < -10);
        Assert.Empty(router.MeshOf("t"));
        // Four heartbeats' worth before the first of them count, and no more in the half minute.
        Assert.Equal(40, router.Counters.BrokenPromises);
        Assert.Equal(4000, asked);
    }

    [Fact]
    public void Subscriptions_cost_half_a_mebibyte_a_peer()
    {
        Begin();
        long before = Memory();
        for (int rpc = 0; rpc < 100; rpc++)
            Evils(ManySubscriptions(rpc));
        long after = Memory();
        Assert.InRange(after - before, 0, MiB);
        router.Disconnected(Evil, now, effects);
        effects.Clear();
        Pass(TimeSpan.FromSeconds(20));
        Assert.InRange(Memory() - before, long.MinValue, 256 << 10);
    }

    [Fact]
    public void More_parts_than_the_limit_make_an_rpc_none()
    {
        Begin();
        foreach ((string part, int count) in new[] { ("sub t", 5001), ("msg w#1 t", 5001), ("graft t", 5001), ("prune t", 5001) })
        {
            Begin();
            Evils(TestRpc.Encode(string.Join(';', Enumerable.Repeat(part, count)), MessageIdForm.SourceAndSequence));
            Assert.Equal(1, router.Counters.RpcsRefused);
            Assert.Equal(0, checks);
        }
        foreach ((string part, int count) in new[] { ("ihave t", 5001), ("iwant", 5001), ("idontwant", 513) })
        {
            Begin();
            Evils(TestRpc.Encode(part + string.Concat(Enumerable.Repeat(" w#1", count)), MessageIdForm.SourceAndSequence));
            Assert.Equal(1, router.Counters.RpcsRefused);
        }
        Begin();
        Evils(TestRpc.Encode("prune t 60 " + string.Join(',', Enumerable.Repeat("x", 17)), MessageIdForm.SourceAndSequence));
        Assert.Equal(1, router.Counters.RpcsRefused);
    }

    /// <summary>A host that does not stop reading, and checks that never end: what waits is bounded all the same.</summary>
    [Fact]
    public void Messages_that_wait_for_their_check_are_bounded()
    {
        Begin();
        long before = Memory();
        for (ulong i = 1; i <= 20_000; i++)
            router.Receive(Evil, Message("w", i, 1, 1000), now, effects);
        Assert.Single(effects.OfType<GossipEffect.Pause>());
        int waiting = effects.OfType<GossipEffect.Verify>().Count();
        // 5 MiB of frames of 1 130 bytes.
        Assert.InRange(waiting, 4000, 5000);
        Assert.Equal(20_000 - waiting, router.Counters.Overflowed);
        Assert.InRange(Memory() - before, 0, 8 * MiB);
        GossipEffect[] all = [.. effects];
        effects.Clear();
        foreach (GossipEffect effect in all)
            if (effect is GossipEffect.Verify verify)
                router.Verified(verify.Message, true, now, effects);
        Assert.Single(effects.OfType<GossipEffect.Resume>());
        Assert.Equal(waiting, router.Counters.Delivered);
    }

    /// <summary>Many peers at once, each within its own bound: all together they are bounded, and all are read on in the end.</summary>
    [Fact]
    public void All_peers_together_are_bounded_and_all_are_resumed()
    {
        Begin(new GossipOptions { Limits = new GossipLimits { PendingBytesOfAllMax = 4 * MiB, PendingBytesMax = MiB } });
        PeerId[] many = [.. Enumerable.Range(0, 100).Select(i => TestRpc.Peer($"m{i}"))];
        foreach (PeerId peer in many)
            router.Connected(peer, GossipVersion.V12, false, 0, now, effects);
        effects.Clear();
        for (int i = 0; i < 200; i++)
            foreach (PeerId peer in many)
                router.Receive(peer, Message(TestRpc.NameOf(peer), (ulong)i + 1, 1, 1000), now, effects);
        var paused = effects.OfType<GossipEffect.Pause>().Select(p => p.Peer).ToList();
        GossipEffect.Verify[] waiting = [.. effects.OfType<GossipEffect.Verify>()];
        Assert.Equal(100, paused.Distinct().Count());
        Assert.InRange(waiting.Sum(v => (long)v.Message.Content.Frame.Length), 7 * MiB, 8 * MiB + 1130);
        effects.Clear();
        var prng = new Prng(5);
        prng.Shuffle(waiting.AsSpan());
        foreach (GossipEffect.Verify verify in waiting)
            router.Verified(verify.Message, true, now, effects);
        Assert.Equal(many.OrderBy(p => p), effects.OfType<GossipEffect.Resume>().Select(r => r.Peer).OrderBy(p => p));
    }

    [Fact]
    public void Valid_messages_in_a_flood_fill_the_caches_and_no_more()
    {
        var limits = new GossipLimits { SeenMax = 50_000, CacheMessagesMax = 5000, CacheBytesMax = 2 * MiB };
        Begin(new GossipOptions { Limits = limits });
        long before = Memory();
        for (ulong i = 1; i <= 200_000; i++)
        {
            Evils(Message("w", i, 1));
            if (i % 20_000 == 0)
                Pass(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(200_000, router.Counters.Delivered);
        // Ids: 65 536 places of 40 bytes; messages: 5 000 of about 500 bytes with their records.
        Assert.InRange(Memory() - before, 0, 6 * MiB);
        Pass(TimeSpan.FromSeconds(130));
        Assert.InRange(Memory() - before, long.MinValue, MiB / 4);
    }

    [Fact]
    public void Words_that_messages_are_not_wanted_are_bounded()
    {
        Begin();
        long before = Memory();
        ulong next = 1;
        for (int i = 0; i < 500; i++, next += 500)
            Evils(TestRpc.Encode("idontwant " + string.Join(' ', Enumerable.Range((int)next, 500).Select(n => $"w#{n}")), MessageIdForm.SourceAndSequence));
        Assert.InRange(Memory() - before, 0, 192 << 10);
        Pass(TimeSpan.FromSeconds(12));
        Assert.InRange(Memory() - before, long.MinValue, 96 << 10);
    }

    /// <summary>A thousand names a second, each with a misdeed: of those that went so many are remembered as the limit says.</summary>
    [Fact]
    public void Names_that_come_and_go_are_bounded()
    {
        Begin(new GossipOptions { Limits = new GossipLimits { RetainedPeersMax = 500 } });
        long before = Memory();
        for (int i = 0; i < 20_000; i++)
        {
            PeerId name = TestRpc.Peer($"s{i}");
            router.Connected(name, GossipVersion.V12, false, 0, now, effects);
            router.Receive(name, [0xff], now, effects);
            router.Receive(name, TestRpc.Encode($"sub own{i}; graft t", MessageIdForm.SourceAndSequence), now, effects);
            router.Disconnected(name, now, effects);
            effects.Clear();
            if (i % 1000 == 0)
                Pass(TimeSpan.FromSeconds(1));
        }
        Assert.InRange(Memory() - before, 0, MiB);
        Pass(TimeSpan.FromSeconds(3700));
        Assert.InRange(Memory() - before, long.MinValue, 128 << 10);
    }

    /// <summary>A router with 30 peers in 10 topics, as the simulator has thousands of.</summary>
    [Fact]
    public void A_router_at_rest_is_small()
    {
        GossipRouter Quiet()
        {
            GossipRouter made = Make(new GossipOptions());
            for (int t = 0; t < 10; t++)
                made.Subscribe($"/drap/1.0.0/tasks/cpu/local/{t}", validated: false, now, effects);
            byte[] all = TestRpc.Encode(string.Join(';', Enumerable.Range(0, 10).Select(t => $"sub /drap/1.0.0/tasks/cpu/local/{t}")), MessageIdForm.SourceAndSequence);
            for (int p = 0; p < 30; p++)
            {
                made.Connected(TestRpc.Peer($"p{p}"), GossipVersion.V12, p < 10, 0, now, effects);
                made.Receive(TestRpc.Peer($"p{p}"), all, now, effects);
                effects.Clear();
            }
            effects.Clear();
            return made;
        }
        Quiet();
        long before = Memory();
        var routers = new List<GossipRouter>();
        for (int i = 0; i < 100; i++)
            routers.Add(Quiet());
        long each = (Memory() - before) / 100;
        Assert.InRange(each, 1, 80 << 10);
        GC.KeepAlive(routers);
    }

    private void Begin(GossipOptions? options = null)
    {
        router = Make(options ?? new GossipOptions());
        effects.Clear();
        router.Connected(Evil, GossipVersion.V12, false, 0, now, effects);
        router.Connected(Friend, GossipVersion.V12, true, 0, now, effects);
        router.Subscribe("t", validated: false, now, effects);
        router.Receive(Evil, TestRpc.Encode("sub t", MessageIdForm.SourceAndSequence), now, effects);
        effects.Clear();
        checks = framesToEvil = bytesToEvil = 0;
    }

    private static byte[] ManySubscriptions(int series)
    {
        var writer = new ProtoWriter();
        for (int i = 0; i < 5000; i++)
        {
            int start = writer.BeginMessage(1);
            writer.Number(1, 1);
            writer.Text(2, $"/some/topic/of/usual/length/{series}/{i}");
            writer.EndMessage(start);
        }
        return writer.ToArray();
    }

    private static GossipRouter Make(GossipOptions options) => new(TestRpc.Peer("me"), default, options, new Prng(7));

    private static byte[] Message(string from, ulong number, byte mark, int size = 100)
    {
        var rpc = new ProtoWriter();
        rpc.Bytes(2, TestRpc.Message(from, number, "t", new byte[size], mark));
        return rpc.ToArray();
    }

    private void Evils(ReadOnlySpan<byte> rpc)
    {
        router.Receive(Evil, rpc, now, effects);
        Answer();
    }

    private void Answer()
    {
        for (int i = 0; i < effects.Count; i++)
        {
            switch (effects[i])
            {
                case GossipEffect.Verify verify:
                    checks++;
                    router.Verified(verify.Message, verify.Message.Content.Signature[0] != 66, now, effects);
                    break;
                case GossipEffect.Send send when send.To == Evil:
                    framesToEvil++;
                    bytesToEvil += send.Frame.Length;
                    break;
            }
        }
        effects.Clear();
    }

    private void Pass(TimeSpan time)
    {
        Instant until = now + time;
        while (router.NextDeadline <= until)
        {
            now = router.NextDeadline;
            router.Tick(now, effects);
            Answer();
        }
        now = until;
    }

    private long Memory()
    {
        effects.TrimExcess();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}

[CollectionDefinition(nameof(AttackTests), DisableParallelization = true)]
public sealed class AttackTestCollection;
