using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

public sealed class HostileTests
{
    private static readonly PeerId Evil = TestRpc.Peer("evil");
    private static readonly Instant Start = new(1_000_000_000);

    private readonly List<GossipEffect> effects = [];
    private GossipRouter router = null!;
    private Instant now = Start;

    private static byte[] Everything => TestRpc.Encode(
        "sub t; unsub u; msg w#1 t; msg w#2 t size=300; graft t; prune t 60 x,y; ihave t w#8 w#9; iwant w#1; idontwant w#1",
        MessageIdForm.SourceAndSequence);

    /// <summary>Cut anywhere, an RPC is either refused whole, with nothing of it done, or it ends between two of its parts.</summary>
    [Fact]
    public void A_cut_rpc_is_refused_or_counts_up_to_the_cut()
    {
        byte[] whole = Everything;
        int taken = 0;
        for (int length = 0; length < whole.Length; length++)
        {
            Make();
            Receive(whole.AsSpan(0, length));
            if (router.Counters.RpcsRefused == 0)
            {
                taken++;
                continue;
            }
            Assert.Equal(0, router.Counters.Received);
            Assert.Empty(router.PeersOf("t"));
            Assert.Equal(Misbehaviour.MalformedRpc, Assert.Single(effects.OfType<GossipEffect.Misbehaved>()).What);
        }
        // Before the first part and after each of the five but the last: two subscriptions, two messages, control.
        Assert.Equal(5, taken);
    }

    [Fact]
    public void A_byte_at_a_time_an_rpc_is_the_same()
    {
        byte[] whole = Everything;
        byte[] stream = [.. Delimited.Frame(whole), .. Delimited.Frame([0x10, 0x00])];
        Make();
        var got = new List<byte[]>();
        int start = 0;
        for (int end = 1; end <= stream.Length; end++)
        {
            if (Delimited.TryRead(stream.AsSpan(start, end - start), router.Options.Limits.FrameBytesMax, out ReadOnlySpan<byte> rpc, out int consumed)
                != VarintStatus.Done)
                continue;
            got.Add(rpc.ToArray());
            start += consumed;
        }
        Assert.Equal([whole, [0x10, 0x00]], got);
    }

    [Theory]
    [InlineData("81808002")] // 4 MiB and one byte more
    [InlineData("ffffffffffffffffff01")]
    [InlineData("ffffffff0f")]
    public void A_length_that_is_none_or_too_large_ends_the_stream_before_anything_is_kept(string hex) =>
        Assert.Equal(VarintStatus.Malformed, Delimited.TryRead(Convert.FromHexString(hex), new GossipLimits().FrameBytesMax, out _, out _));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Noise_and_damaged_frames_do_no_harm(ulong seed)
    {
        var prng = new Prng(seed);
        byte[] good = Everything;
        Make();
        for (int i = 0; i < 50_000; i++)
        {
            byte[] bytes;
            if (prng.Below(4) == 0)
            {
                bytes = new byte[prng.Below(200)];
                for (int j = 0; j < bytes.Length; j++)
                    bytes[j] = (byte)prng.NextUInt64();
            }
            else
            {
                bytes = [.. good];
                for (int j = prng.Below(4); j >= 0; j--)
                    bytes[prng.Below(bytes.Length)] = (byte)(prng.Below(3) == 0 ? 0xff : prng.NextUInt64());
            }
            Receive(bytes);
            foreach (GossipEffect effect in effects.ToArray())
                if (effect is GossipEffect.Verify verify)
                    router.Verified(verify.Message, prng.Below(2) == 0, now, effects);
            effects.Clear();
            if (i % 100 == 0)
            {
                router.CheckInvariants();
                // Its score decays, or nothing of it would be looked at.
                router.SetApplicationScore(Evil, 1_000_000_000);
                now = router.NextDeadline;
                router.Tick(now, effects);
            }
        }
        Assert.True(router.Counters.RpcsRefused is > 1000 and < 50_000);
    }

    [Theory]
    [InlineData("seq7", Misbehaviour.InvalidMessage)]
    [InlineData("noseq", Misbehaviour.InvalidMessage)]
    [InlineData("nofrom", Misbehaviour.InvalidMessage)]
    [InlineData("badfrom", Misbehaviour.InvalidMessage)]
    [InlineData("nosig", Misbehaviour.InvalidMessage)]
    [InlineData("longsig", Misbehaviour.InvalidMessage)]
    [InlineData("otherkey", Misbehaviour.InvalidMessage)]
    [InlineData("emptykey", Misbehaviour.InvalidMessage)]
    [InlineData("hashnokey", Misbehaviour.InvalidMessage)]
    public void A_message_without_what_it_must_have_is_not_even_checked(string defect, Misbehaviour what)
    {
        Make();
        Receive(Defective(defect));
        Assert.Equal(what, Assert.Single(effects.OfType<GossipEffect.Misbehaved>()).What);
        Assert.Equal(0, router.Counters.Checks);
        Assert.Equal(-10, router.ScoreOf(Evil));
    }

    /// <summary>Fields that nobody knows, in any order, twice: what goes on has each once, in order, and nothing else; that is what js-libp2p can check.</summary>
    [Fact]
    public void What_goes_on_is_canonical()
    {
        Make();
        PeerId friend = TestRpc.Peer("friend");
        router.Connected(friend, GossipVersion.V12, false, 0, now, effects);
        router.Receive(friend, TestRpc.Encode("sub t", MessageIdForm.SourceAndSequence), now, effects);
        var message = new ProtoWriter();
        message.Bytes(77, "unknown"u8);
        message.Bytes(5, new byte[64]);
        message.Text(4, "other");
        message.Text(4, "t");
        message.Bytes(3, [0, 0, 0, 0, 0, 0, 0, 1]);
        message.Bytes(2, "data"u8);
        message.Bytes(1, TestRpc.Peer("w").Bytes);
        message.Number(9, 5);
        var rpc = new ProtoWriter();
        rpc.Bytes(2, message.Written);
        Receive(rpc.Written);
        GossipMessage got = effects.OfType<GossipEffect.Verify>().Single().Message;
        effects.Clear();
        router.Verified(got, true, now, effects);

        var canonical = new ProtoWriter();
        canonical.Bytes(1, TestRpc.Peer("w").Bytes);
        canonical.Bytes(2, "data"u8);
        canonical.Bytes(3, [0, 0, 0, 0, 0, 0, 0, 1]);
        canonical.Text(4, "t");
        byte[] signed = [.. "libp2p-pubsub:"u8, .. canonical.Written];
        canonical.Bytes(5, new byte[64]);
        var frame = new ProtoWriter();
        frame.Bytes(2, canonical.Written);
        GossipEffect.Send sent = effects.OfType<GossipEffect.Send>().Single();
        Assert.Equal(Delimited.Frame(frame.Written), sent.Frame.ToArray());
        byte[] check = new byte[got.Content.SignedLength];
        got.Content.CopySigned(check);
        Assert.Equal(signed, check);
    }

    [Fact]
    public void An_absent_field_and_an_empty_one_are_signed_differently()
    {
        byte[] Signed(bool hasData)
        {
            Make();
            var message = new ProtoWriter();
            message.Bytes(1, TestRpc.Peer("w").Bytes);
            if (hasData)
                message.Bytes(2, []);
            message.Bytes(3, new byte[8]);
            message.Text(4, "t");
            message.Bytes(5, new byte[64]);
            var rpc = new ProtoWriter();
            rpc.Bytes(2, message.Written);
            Receive(rpc.Written);
            SignedMessage got = effects.OfType<GossipEffect.Verify>().Single().Message.Content;
            byte[] check = new byte[got.SignedLength];
            got.CopySigned(check);
            return check;
        }
        Assert.Equal(2, Signed(true).Length - Signed(false).Length);
    }

    private void Make(GossipOptions? options = null)
    {
        effects.Clear();
        now = Start;
        router = new GossipRouter(TestRpc.Peer("me"), default, options ?? new GossipOptions(), new Prng(7));
        router.Subscribe("t", validated: false, now, effects);
        router.Connected(Evil, GossipVersion.V12, false, 0, now, effects);
        effects.Clear();
    }

    private void Receive(ReadOnlySpan<byte> rpc) => router.Receive(Evil, rpc, now, effects);

    private static byte[] Defective(string defect)
    {
        var message = new ProtoWriter();
        byte[] from = TestRpc.Peer("w").Bytes.ToArray();
        if (defect == "badfrom")
            from[1]++;
        if (defect == "hashnokey")
            from = [0x12, 0x20, .. new byte[32]];
        if (defect != "nofrom")
            message.Bytes(1, from);
        message.Bytes(2, "x"u8);
        if (defect != "noseq")
            message.Bytes(3, new byte[defect == "seq7" ? 7 : 8]);
        message.Text(4, "t");
        if (defect != "nosig")
            message.Bytes(5, new byte[defect == "longsig" ? 1025 : 64]);
        if (defect == "otherkey")
            message.Bytes(6, TestRpc.Peer("x").Bytes[2..]);
        if (defect == "emptykey")
            message.Bytes(6, []);
        var rpc = new ProtoWriter();
        rpc.Bytes(2, message.Written);
        return rpc.ToArray();
    }
}
