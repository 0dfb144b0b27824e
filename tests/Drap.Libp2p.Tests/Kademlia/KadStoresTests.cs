using System.Text;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Kademlia;

public sealed class KadStoresTests
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromHours(1);
    private static readonly KadOptions Keeping = KadOptions.Ipfs with { KeepsUnknownNamespaces = true };

    private static KadPeer Peer(int number)
    {
        byte[] key = new byte[32];
        BitConverter.TryWriteBytes(key, number);
        return new KadPeer(PeerId.FromEd25519(key), [Multiaddr.Parse($"/ip4/10.0.0.1/tcp/{(uint)number % 60000 + 1}")]);
    }

    private static KadRecord Record(string key, string value) => new(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value), null);

    // The record of the interop suite: an RSA key under the name that follows from it.
    private static readonly byte[] RsaKey = Convert.FromHexString(
        "080012a60230820122300d06092a864886f70d01010105000382010f003082010a0282010100c2588f998971dac9e3eef76a311bf9159505aff69ea3b664c55a36aa28ee08de"
        + "1127228a4d431bb9c0840240c75f6e98a0843a78d945491a3ea5e1f7cee2bc71383510db5290702383975b7bffae9fb40c84cc1220fb4a7db862fffb0de42f8fd8fb33a17d"
        + "eb20f30e2d0f194791fe69355a392f77df35f101e08a2fc95b2c018768938814fcb52482f899f5e90a1905e8abbcdbb1647ad80a5b0417e1ce8320d64197a6ba3848926375"
        + "c63adebabdf6eb82109bcadfee13b62bf922bbb6f74c1a26c9bc6122d1436787e0e6de3c152b1959701092abef84599f73eaedb2fcef9f87293e1bbe8e0fef3f1a7fd2e8b9"
        + "4c7e633f88473644a63cb948e4d25c54490203010001");

    private static readonly byte[] RsaName =
        [.. "/pk/"u8, .. Convert.FromHexString("122057793ff481bb00422ced1e1255236568fa0661d9709b6e551b22e9e15ca19722")];

    [Fact]
    public void A_public_key_stands_under_its_own_name_only()
    {
        Assert.True(PublicKeyValidator.Instance.IsValid(RsaName, RsaKey));
        Assert.False(PublicKeyValidator.Instance.IsValid(RsaName, RsaKey.AsSpan(1)));
        byte[] other = [.. RsaName];
        other[^1]++;
        Assert.False(PublicKeyValidator.Instance.IsValid(other, RsaKey));
        Assert.False(PublicKeyValidator.Instance.IsValid("/pk/"u8, []));
        Assert.False(PublicKeyValidator.Instance.IsValid("/xx/"u8, RsaKey));
    }

    [Fact]
    public void Values_are_kept_as_their_namespace_says()
    {
        var store = new RecordStore(default, KadOptions.Ipfs);
        Assert.True(store.TryPut(Peer(1).Id, new KadRecord(RsaName, RsaKey, null), new UtcTime(5), Start));
        Assert.Equal(new UtcTime(5), store.Find(RsaName, Start)!.Received);
        foreach (string key in new[] { "/pk/else", "/foo/x", "foo", "/", "//x", "" })
            Assert.False(store.TryPut(Peer(1).Id, Record(key, "v"), default, Start), key);

        store = new RecordStore(default, Keeping);
        foreach (string key in new[] { "/foo/x", "foo", "/", "//x" })
        {
            Assert.True(store.TryPut(Peer(1).Id, Record(key, "v"), default, Start), key);
            Assert.True(store.TryPut(Peer(2).Id, Record(key, "w"), default, Start), key);
            Assert.Equal("w"u8, store.Find(Encoding.UTF8.GetBytes(key), Start)!.Value);
        }
        // A namespace that has a validator is judged all the same.
        Assert.False(store.TryPut(Peer(1).Id, Record("/pk/else", "v"), default, Start));
        Assert.False(store.TryPut(Peer(1).Id, Record("", "v"), default, Start));
        store.CheckInvariants();
    }

    [Fact]
    public void A_better_value_replaces_a_worse_one_and_never_the_other_way()
    {
        KadOptions options = KadOptions.Ipfs with { Validators = KadOptions.Ipfs.Validators.Add("n", new Longest()) };
        var store = new RecordStore(default, options);
        Assert.True(store.TryPut(Peer(1).Id, Record("/n/k", "22"), default, Start));
        Assert.False(store.TryPut(Peer(2).Id, Record("/n/k", "1"), default, Start));
        Assert.True(store.TryPut(Peer(2).Id, Record("/n/k", "333"), default, Start));
        Assert.Equal("333"u8, store.Find("/n/k"u8, Start)!.Value);
        // Put again, it lasts longer.
        Assert.True(store.TryPut(Peer(2).Id, Record("/n/k", "333"), default, Start + TimeSpan.FromHours(40)));
        store.Advance(Start + TimeSpan.FromHours(49));
        Assert.Equal(1, store.Count);
        Assert.NotNull(store.Find("/n/k"u8, Start + TimeSpan.FromHours(87)));
        Assert.Null(store.Find("/n/k"u8, Start + TimeSpan.FromHours(88)));
        store.Advance(store.NextDeadline);
        Assert.Equal((0, 0, Instant.Never), (store.Count, store.Bytes, store.NextDeadline));
    }

    [Fact]
    public void One_peer_fills_an_eighth_and_all_of_them_the_bounds()
    {
        var store = new RecordStore(default, Keeping);
        byte[] large = new byte[KadCodec.ValueBytesMax - 100];
        int kept = Enumerable.Range(0, 100).Count(i =>
            store.TryPut(Peer(1).Id, new KadRecord(Encoding.ASCII.GetBytes($"/x/{i}"), large, null), default, Start));
        Assert.Equal(RecordStore.BytesMax / RecordStore.ShareOfPeer / (large.Length + 4), kept);
        store.CheckInvariants();

        // Many peers: what stands nearest to us stays.
        for (int i = 0; i < 600; i++)
            store.TryPut(Peer(i).Id, new KadRecord(Encoding.ASCII.GetBytes($"/y/{i}"), large, null), default, Start);
        store.CheckInvariants();
        Assert.InRange(store.Bytes, RecordStore.BytesMax - KadCodec.ValueBytesMax - 200, RecordStore.BytesMax);
        KadKey[] tried = [.. Enumerable.Range(0, kept).Select(i => KadKey.Of(Encoding.ASCII.GetBytes($"/x/{i}"))),
            .. Enumerable.Range(0, 600).Select(i => KadKey.Of(Encoding.ASCII.GetBytes($"/y/{i}")))];
        foreach (int i in Enumerable.Range(0, 600))
        {
            byte[] key = Encoding.ASCII.GetBytes($"/y/{i}");
            int nearer = tried.Count(other => other < KadKey.Of(key));
            if (nearer < store.Count - 1)
                Assert.NotNull(store.Find(key, Start));
        }

        store = new RecordStore(default, Keeping);
        for (int i = 0; i < 20_000; i++)
            store.TryPut(Peer(i).Id, Record($"/z/{i}", ""), default, Start);
        Assert.Equal(RecordStore.RecordsMax, store.Count);
        store.CheckInvariants();
    }

    [Fact]
    public void Providers_lapse_are_renewed_and_bounded()
    {
        var store = new ProviderStore(default, TimeSpan.FromHours(1));
        KadKey content = KadKey.Of("c"u8);
        Assert.True(store.TryAdd(content, Peer(1), Start));
        Assert.True(store.TryAdd(content, Peer(2), Start + TimeSpan.FromMinutes(30)));
        Assert.True(store.TryAdd(content, Peer(1), Start + TimeSpan.FromMinutes(40)));
        Assert.Equal([Peer(1), Peer(2)], store.Find(content, 20, Start + TimeSpan.FromMinutes(41)));
        Assert.Equal([Peer(1)], store.Find(content, 1, Start + TimeSpan.FromMinutes(41)));
        Assert.Equal([Peer(1)], store.Find(content, 20, Start + TimeSpan.FromMinutes(95)));
        store.Advance(Start + TimeSpan.FromMinutes(95));
        Assert.Equal(1, store.Count);
        Assert.Equal(Start + TimeSpan.FromMinutes(100), store.NextDeadline);

        // Of long addresses fewer are kept.
        Multiaddr Long(int bytes) => Multiaddr.Parse($"/dns4/{new string('x', bytes - (bytes > 132 ? 6 : 5))}/tcp/1");
        var wordy = new KadPeer(Peer(3).Id, [Long(62), Long(200), Long(200), Long(50), Long(62)]);
        Assert.True(store.TryAdd(content, wordy, Start + TimeSpan.FromMinutes(95)));
        Assert.Equal(wordy.Addresses[..4], store.Find(content, 1, Start + TimeSpan.FromMinutes(95))[0].Addresses);

        for (int i = 0; i < 1000; i++)
            store.TryAdd(content, Peer(i), Start);
        Assert.Equal(ProviderStore.RecordsOfKeyMax, store.Find(content, int.MaxValue, Start).Count);
        Assert.Equal(Peer(999), store.Find(content, 1, Start)[0]);
        store.CheckInvariants();

        int taken = Enumerable.Range(0, 10_000).Count(i => store.TryAdd(KadKey.Of(BitConverter.GetBytes(i)), Peer(-1), Start));
        Assert.Equal(ProviderStore.RecordsOfPeerMax, taken);
        for (int i = 0; i < 60_000; i++)
            store.TryAdd(KadKey.Of(BitConverter.GetBytes(i)), Peer(-2 - i % 30), Start);
        Assert.Equal(ProviderStore.RecordsMax, store.Count);
        store.CheckInvariants();
        store.Advance(Start + TimeSpan.FromHours(1));
        Assert.Equal(0, store.Count);
        store.CheckInvariants();
    }

    internal sealed class Longest : IRecordValidator
    {
        public bool IsValid(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => true;

        public bool IsBetter(ReadOnlySpan<byte> key, ReadOnlySpan<byte> newer, ReadOnlySpan<byte> older) => newer.Length > older.Length;
    }
}
