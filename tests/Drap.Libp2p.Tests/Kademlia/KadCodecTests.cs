using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Kademlia;

public sealed class KadCodecTests
{
    private static readonly PeerId Peer = PeerId.FromEd25519(new byte[32]);
    private static readonly Multiaddr Address = Multiaddr.Parse("/ip4/127.0.0.1/tcp/4001");

    private static KadMessage Whole => new(KadMessageType.GetValue, "/pk/x"u8.ToArray())
    {
        Record = new KadRecord("/pk/x"u8.ToArray(), [1, 2, 3], new UtcTime(1_700_000_000_123)),
        Closer = [new KadPeer(Peer, [Address, Multiaddr.Parse("/dns4/example.org/tcp/1")]) { Connection = KadConnection.Connected }],
        Providers = [new KadPeer(PeerId.FromEd25519([.. Enumerable.Repeat((byte)7, 32)]), [])],
    };

    [Fact]
    public void A_message_has_the_bytes_of_the_specification()
    {
        string id = Convert.ToHexStringLower(Peer.Bytes);
        var message = new KadMessage(KadMessageType.FindNode, Peer.Bytes.ToArray());
        Assert.Equal($"08041226{id}", Convert.ToHexStringLower(KadCodec.Encode(message)));

        var put = new KadMessage(KadMessageType.PutValue, "k"u8.ToArray()) { Record = new KadRecord("k"u8.ToArray(), "v"u8.ToArray(), new UtcTime(0)) };
        byte[] time = "1970-01-01T00:00:00.000000000Z"u8.ToArray();
        Assert.Equal(
            $"0800" + "12016b" + "1a26" + "0a016b" + "120176" + "2a1e" + Convert.ToHexStringLower(time),
            Convert.ToHexStringLower(KadCodec.Encode(put)));

        var answer = new KadMessage(KadMessageType.FindNode, []) { Closer = [new KadPeer(Peer, [Address]) { Connection = KadConnection.Connected }] };
        Assert.Equal($"0804" + "4234" + $"0a26{id}" + "1208047f000001060fa1" + "1801", Convert.ToHexStringLower(KadCodec.Encode(answer)));
    }

    [Fact]
    public void A_message_reads_back_as_it_was_written_and_none_that_is_cut_is_taken_for_more()
    {
        byte[] bytes = KadCodec.Encode(Whole);
        Assert.True(KadCodec.TryDecode(bytes, out KadMessage? read));
        Assert.Equal(bytes, KadCodec.Encode(read));
        Assert.Equal(Whole.Record!.Received, read.Record!.Received);
        Assert.Equal(KadConnection.Connected, read.Closer[0].Connection);
        for (int cut = 0; cut < bytes.Length; cut++)
        {
            if (KadCodec.TryDecode(bytes.AsSpan(0, cut), out read))
                Assert.True(KadCodec.Encode(read).Length <= cut + 2, $"cut at {cut}");
        }
    }

    [Fact]
    public void A_list_s_bad_entries_are_left_out_and_a_bad_record_is_not()
    {
        var writer = new ProtoWriter();
        writer.Number(1, 4);
        int bad = writer.BeginMessage(8);
        writer.Bytes(1, [1, 2, 3]); // no multihash
        writer.EndMessage(bad);
        writer.Bytes(8, []); // nobody
        int good = writer.BeginMessage(8);
        writer.Bytes(1, Peer.Bytes);
        writer.Bytes(2, [9, 9, 9]); // no address
        writer.Bytes(2, Address.WithPeer(PeerId.FromEd25519([.. Enumerable.Repeat((byte)1, 32)])).Bytes); // somebody else's
        writer.Bytes(2, Address.WithPeer(Peer).Bytes);
        writer.Bytes(2, Address.Bytes);
        writer.Number(3, 77); // a connection that nobody has
        writer.EndMessage(good);
        Assert.True(KadCodec.TryDecode(writer.Written, out KadMessage? read));
        Assert.Equal([Address.WithPeer(Peer), Address], Assert.Single(read.Closer).Addresses);
        Assert.Equal(KadConnection.NotConnected, read.Closer[0].Connection);

        Assert.False(KadCodec.TryDecode([8, 6], out _)); // a type that there is not
        Assert.False(KadCodec.TryDecode([8, 0, 0x1a, 2, 0x12, 9], out _)); // a record whose value is cut
        Assert.True(KadCodec.TryDecode([], out read)); // proto3 leaves zeros out
        Assert.Equal(KadMessageType.PutValue, read.Type);
        Assert.True(KadCodec.TryDecode([8, 1, 0x1a, 7, 0x2a, 5, 0x6c, 0x61, 0x74, 0x65, 0x72], out read)); // received "later"
        Assert.Null(read.Record!.Received);
    }

    [Fact]
    public void More_than_the_bounds_is_not_taken()
    {
        var writer = new ProtoWriter();
        for (int i = 0; i < 1000; i++)
        {
            int peer = writer.BeginMessage(8);
            writer.Bytes(1, Peer.Bytes);
            for (int j = 0; j < 40 && i == 0; j++)
                writer.Bytes(2, Address.Bytes);
            writer.EndMessage(peer);
        }
        Assert.True(KadCodec.TryDecode(writer.Written, out KadMessage? read));
        Assert.Equal((KadCodec.PeersMax, KadCodec.AddressesMax), (read.Closer.Length, read.Closer[0].Addresses.Length));

        writer.Clear();
        writer.Bytes(2, new byte[KadCodec.KeyBytesMax + 1]);
        Assert.False(KadCodec.TryDecode(writer.Written, out _));
        writer.Clear();
        int record = writer.BeginMessage(3);
        writer.Bytes(2, new byte[KadCodec.ValueBytesMax + 1]);
        writer.EndMessage(record);
        Assert.False(KadCodec.TryDecode(writer.Written, out _));
        Assert.False(KadCodec.TryDecode(new byte[KadCodec.MessageBytesMax + 1], out _));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Changed_bytes_never_throw(ulong seed)
    {
        var random = new Prng(seed);
        byte[] whole = KadCodec.Encode(Whole);
        for (int round = 0; round < 30_000; round++)
        {
            byte[] bytes = random.Chance(1, 4) ? whole[..random.Below(whole.Length)] : [.. whole];
            for (int i = random.Below(5); i >= 0 && bytes.Length > 0; i--)
                bytes[random.Below(bytes.Length)] = (byte)random.Below(256);
            if (KadCodec.TryDecode(bytes, out KadMessage? message))
                Assert.True(KadCodec.Encode(message).Length <= bytes.Length + 40, $"seed {seed}, round {round}");
        }
    }
}
