using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

/// <summary>What a message of 512 bytes costs beside its signature: bytes allocated, which do not depend on the machine.</summary>
public sealed class CostTests
{
    private const int Messages = 2000;

    private readonly List<GossipEffect> effects = new(64);
    private readonly GossipRouter router = new(TestRpc.Peer("me"), default, new GossipOptions(), new Prng(1));
    private readonly Instant now = new(1_000_000_000);
    private readonly byte[][] rpcs = [.. Enumerable.Range(0, 2 * Messages).Select(i => Rpc((ulong)i + 1))];

    public CostTests()
    {
        router.Subscribe("t", validated: false, now, effects);
        for (int i = 0; i < 7; i++)
        {
            router.Connected(TestRpc.Peer($"p{i}"), GossipVersion.V12, false, 0, now, effects);
            router.Receive(TestRpc.Peer($"p{i}"), TestRpc.Encode("sub t; graft t", MessageIdForm.SourceAndSequence), now, effects);
        }
        effects.Clear();
        Assert.Equal(7, router.MeshOf("t").Count);
    }

    [Fact]
    public void A_message_passed_on_to_six_costs_few_allocations()
    {
        PeerId from = TestRpc.Peer("p0");
        Take(from, 0, Messages);
        // The frame (680), the sender's name (64 and 24), two records of it (96 and 112), six sends (56 each), check and delivery (24 each), places in
        // tables, which are as large as they get after the first round but for the history's.
        long each = Allocated(() => Take(from, Messages, 2 * Messages)) / Messages;
        Assert.InRange(each, 900, 1700);
        Assert.Equal(2 * Messages, router.Counters.Delivered);
        Assert.Equal(12 * Messages, router.Counters.Sent);
    }

    [Fact]
    public void A_copy_costs_none()
    {
        Take(TestRpc.Peer("p0"), 0, Messages);
        PeerId other = TestRpc.Peer("p1");
        Assert.Equal(0, Allocated(() => Take(other, 0, Messages)) / Messages);
        Assert.Equal(Messages, router.Counters.Duplicates);
    }

    [Fact]
    public void Our_own_to_seven_costs_little_more()
    {
        byte[] data = new byte[512], signature = new byte[64];
        void Publish()
        {
            for (int i = 0; i < Messages; i++)
            {
                router.Publish("t", data, now, effects);
                router.Signed(((GossipEffect.Sign)effects[0]).Message, signature, now, effects);
                effects.Clear();
            }
        }
        Publish();
        Assert.InRange(Allocated(Publish) / Messages, 1500, 2500);
        Assert.Equal(14 * Messages, router.Counters.Sent);
    }

    private void Take(PeerId from, int first, int end)
    {
        for (int i = first; i < end; i++)
        {
            router.Receive(from, rpcs[i], now, effects);
            if (effects.Count > 0)
                router.Verified(((GossipEffect.Verify)effects[0]).Message, true, now, effects);
            effects.Clear();
        }
    }

    private static long Allocated(Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static byte[] Rpc(ulong number)
    {
        var rpc = new ProtoWriter();
        rpc.Bytes(2, TestRpc.Message("w", number, "t", new byte[512]));
        return rpc.ToArray();
    }
}
