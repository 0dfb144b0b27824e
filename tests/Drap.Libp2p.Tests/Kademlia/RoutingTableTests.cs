using Drap.Libp2p.Kademlia;
using Xunit;

namespace Drap.Libp2p.Tests.Kademlia;

public sealed class RoutingTableTests
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromHours(1);

    private static KadPeer Peer(Prng random)
    {
        byte[] key = new byte[32];
        for (int i = 0; i < 32; i += 8)
            BitConverter.TryWriteBytes(key.AsSpan(i), random.NextUInt64());
        return new KadPeer(PeerId.FromEd25519(key), []);
    }

    // A peer of the bucket of those that share nothing with a node at zero.
    private static KadPeer Far(Prng random)
    {
        while (true)
        {
            if (Peer(random) is var peer && peer.Key.CommonPrefix(default) == 0)
                return peer;
        }
    }

    [Fact]
    public void Distance_is_the_xor_of_hashes()
    {
        // sha256("a") and sha256("b").
        Assert.Equal("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", KadKey.Of("a"u8).ToString());
        Assert.Equal("f4b461f23fea1cc4a5f4ee8ba2dad8df78e55f4e6cb49d2cf4a3d6a54b56fca3".Length, (KadKey.Of("a"u8) ^ KadKey.Of("b"u8)).ToString().Length);
        Assert.Equal(default, KadKey.Of("a"u8) ^ KadKey.Of("a"u8));
        Assert.Equal(KadKey.Bits, KadKey.Of("a"u8).CommonPrefix(KadKey.Of("a"u8)));
        for (int bit = 0; bit < 256; bit++)
        {
            byte[] bytes = new byte[32];
            bytes[bit / 8] = (byte)(0x80 >> (bit % 8));
            Assert.Equal(bit, KadKey.FromBytes(bytes).CommonPrefix(default));
        }
    }

    [Fact]
    public void A_full_bucket_keeps_its_peers_until_one_fails()
    {
        var random = new Prng(1);
        var table = new RoutingTable(default, 20);
        KadPeer[] first = [.. Enumerable.Range(0, 20).Select(_ => Far(random))];
        foreach (KadPeer peer in first)
            table.Heard(peer, Start, out _);

        // A newcomer waits; who was heard from lately is not bothered for it.
        KadPeer newcomer = Far(random);
        table.Heard(newcomer, Start, out KadPeer? check);
        Assert.Null(check);
        Assert.False(table.TryGet(newcomer.Id, out _));

        // Later the oldest is asked, once.
        Instant later = Start + TimeSpan.FromMinutes(5);
        table.Heard(first[0], later, out _);
        table.Heard(newcomer, later, out check);
        Assert.Equal(first[1], check);
        table.Heard(newcomer, later, out check);
        Assert.Null(check);

        // It lives: nothing changes. It fails: the newcomer has its place.
        table.Heard(first[1], later, out _);
        table.Heard(newcomer, later + RoutingTable.FreshFor, out check);
        Assert.Equal(first[2], check);
        table.Heard(first[3], later + TimeSpan.FromMinutes(2), out _);
        table.Failed(first[2].Id, later + RoutingTable.FreshFor);
        Assert.False(table.TryGet(first[2].Id, out _));
        Assert.True(table.TryGet(newcomer.Id, out _));
        Assert.Equal(20, table.Count);
        table.CheckInvariants();
    }

    [Fact]
    public void Who_fails_is_told_to_nobody_and_then_forgotten_unless_all_fail()
    {
        var random = new Prng(2);
        var table = new RoutingTable(default, 20);
        KadPeer dead = Far(random), alive = Far(random);
        table.Heard(dead, Start, out _);
        table.Heard(alive, Start, out _);

        // Nobody answered since: it may be us.
        Instant asked = Start + TimeSpan.FromSeconds(10);
        for (int i = 0; i < 10; i++)
            table.Failed(dead.Id, asked);
        Assert.Equal(2, table.Closest(default, 20, withStale: false).Count);

        table.Heard(alive, asked + TimeSpan.FromSeconds(1), out _);
        table.Failed(dead.Id, asked);
        Assert.Equal([alive], table.Closest(default, 20, withStale: false));
        Assert.Equal([alive, dead], table.Closest(default, 20, withStale: true));
        Assert.Equal(1, table.CountGood);

        // An answer makes it good again; a failure of before does not count after it.
        table.Heard(dead, asked + TimeSpan.FromSeconds(2), out _);
        table.Failed(dead.Id, asked);
        Assert.Equal(2, table.CountGood);

        Instant again = asked + TimeSpan.FromSeconds(5);
        table.Heard(alive, again + TimeSpan.FromSeconds(1), out _);
        table.Failed(dead.Id, again);
        table.Failed(dead.Id, again);
        Assert.Equal(1, table.Count);
        table.Remove(alive.Id);
        Assert.Equal(0, table.Count);
        table.CheckInvariants();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_nearest_are_those_that_sorting_finds_and_the_bounds_hold(ulong seed)
    {
        var random = new Prng(seed);
        KadKey self = KadKey.Of(BitConverter.GetBytes(seed));
        var table = new RoutingTable(self, 20);
        var met = new List<KadPeer>();
        Instant now = Start;
        for (int round = 0; round < 4000; round++)
        {
            now += TimeSpan.FromMilliseconds(random.Below(20_000));
            if (met.Count == 0 || random.Chance(1, 3))
                met.Add(Peer(random));
            KadPeer some = met[random.Below(met.Count)];
            switch (random.Below(8))
            {
                case 0:
                    table.Failed(some.Id, now - TimeSpan.FromSeconds(random.Below(60)));
                    break;
                case 1:
                    table.Remove(some.Id);
                    break;
                default:
                    table.Heard(some, now, out _);
                    break;
            }
            if (round % 50 != 0)
                continue;
            table.CheckInvariants();
            Assert.Equal(table.Count, table.Peers.Count());
            KadKey target = random.Chance(1, 2) ? KadKey.Of(BitConverter.GetBytes(random.NextUInt64())) : met[random.Below(met.Count)].Key;
            List<KadPeer> all = table.Closest(target, int.MaxValue, withStale: false);
            Assert.Equal(table.CountGood, all.Count);
            Assert.Equal(all.OrderBy(peer => peer.Key ^ target), all);
            Assert.Equal(all.Take(20), table.Closest(target, 20, withStale: false));
        }
        // Of 1 300 peers some eight buckets are full.
        Assert.InRange(table.Count, 80, 20 * 20);
    }

    [Fact]
    public void The_node_itself_is_never_in_its_table()
    {
        KadPeer self = Peer(new Prng(3));
        var table = new RoutingTable(self.Key, 20);
        table.Heard(self, Start, out _);
        table.Failed(self.Id, Start);
        table.Remove(self.Id);
        Assert.Equal(0, table.Count);
        Assert.False(table.TryGet(self.Id, out _));
    }

    [Fact]
    public void A_prefix_covers_its_region_and_a_preimage_is_found_in_it()
    {
        var random = new Prng(4);
        Assert.Equal("all", new KeyPrefix(0, 0).ToString());
        Assert.Equal("0101", new KeyPrefix(5, 4).ToString());
        foreach (int length in new[] { 0, 1, 4, 10 })
        {
            var prefix = KeyPrefix.Of(Peer(random).Key, length);
            Assert.True(prefix.Covers(KadKey.Of(prefix.FindPreimage(random))));
            Assert.False(prefix.Half(0).Covers(KadKey.Of(prefix.Half(1).FindPreimage(random))));
        }
        // All that is hashed is the network's name and the bits.
        Assert.Equal(
            "1220" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("/drap/1.0.0/members/0101"u8)),
            Convert.ToHexStringLower(new KeyPrefix(5, 4).MembersKey("/drap/1.0.0")));
    }
}
