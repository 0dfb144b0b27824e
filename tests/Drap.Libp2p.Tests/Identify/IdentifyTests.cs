using Drap.Libp2p.Identify;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Identify;

public sealed class IdentifyTests
{
    private static readonly Multiaddr Address = Multiaddr.Parse("/ip4/127.0.0.1/tcp/4001");

    private static IdentifyMessage Whole => new()
    {
        ProtocolVersion = "drap/1.0.0",
        AgentVersion = "drap/0.1.0",
        PublicKey = [8, 1, 18, 2, 7, 7],
        ListenAddresses = [Address, Multiaddr.Parse("/ip4/10.0.0.1/tcp/80")],
        ObservedAddress = Multiaddr.Parse("/ip4/9.9.9.9/tcp/257"),
        Protocols = ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.2.0"],
        SignedPeerRecord = [1, 2, 3],
    };

    [Fact]
    public void What_js_writes_is_read()
    {
        // protons writes 5, 6, 1, 2, 4, 3, 8 in this order, and the message's length before it.
        var js = new ProtoWriter();
        js.Text(5, "ipfs/0.1.0");
        js.Text(6, "js-libp2p/3.3.11");
        js.Bytes(1, [8, 1, 18, 1, 9]);
        js.Bytes(2, Address.Bytes);
        js.Bytes(4, Address.Bytes);
        js.Text(3, "/ipfs/kad/1.0.0");
        js.Text(3, "/ipfs/id/1.0.0");
        js.Bytes(8, [5]);
        js.Number(99, 1);
        var receiver = new IdentifyReceiver();
        receiver.Receive(Delimited.Frame(js.Written));
        IdentifyMessage read = receiver.Message!;
        Assert.Equal(("ipfs/0.1.0", "js-libp2p/3.3.11"), (read.ProtocolVersion, read.AgentVersion));
        Assert.Equal([8, 1, 18, 1, 9], read.PublicKey);
        Assert.Equal([Address], read.ListenAddresses);
        Assert.Equal(Address, read.ObservedAddress);
        Assert.Equal(["/ipfs/kad/1.0.0", "/ipfs/id/1.0.0"], read.Protocols);
        Assert.Equal([5], read.SignedPeerRecord);
        Assert.False(receiver.IsOver);
    }

    [Fact]
    public void An_answer_is_read_whole_or_byte_by_byte_and_what_was_whole_counts_when_it_is_cut()
    {
        byte[] stream = Whole.Encode();
        for (int cut = 0; cut <= stream.Length; cut++)
        {
            var receiver = new IdentifyReceiver();
            foreach (byte b in stream.AsSpan(0, cut))
                receiver.Receive([b]);
            Assert.False(receiver.IsOver);
            if (cut < stream.Length)
                Assert.Null(receiver.Message);
            else
                AssertSame(Whole, receiver.Message!);
        }
    }

    [Fact]
    public void What_one_message_does_not_hold_goes_into_several()
    {
        IdentifyMessage large = Whole with
        {
            ListenAddresses = [.. Enumerable.Range(1, IdentifyMessage.AddressesMax).Select(i => Multiaddr.Parse($"/dns4/{new string('a', 60)}.example/tcp/{i}"))],
            Protocols = [.. Enumerable.Range(0, 300).Select(i => $"/drap/some/protocol/{i}")],
            SignedPeerRecord = new byte[IdentifyMessage.MessageBytesMax - 3],
        };
        byte[] stream = large.Encode();
        var receiver = new IdentifyReceiver();
        foreach (byte[] piece in stream.Chunk(1000))
            receiver.Receive(piece);
        AssertSame(large, receiver.Message!);

        // And the first of them says what older peers need.
        Delimited.TryRead(stream, IdentifyMessage.MessageBytesMax, out ReadOnlySpan<byte> first, out _);
        Assert.True(IdentifyMessage.TryDecode(first, out IdentifyMessage? alone));
        Assert.Equal(large.PublicKey, alone.PublicKey);
    }

    [Fact]
    public void More_than_the_bounds_is_left_out()
    {
        var writer = new ProtoWriter();
        for (int i = 0; i < 3000; i++)
            writer.Bytes(3, "a"u8);
        Assert.True(IdentifyMessage.TryDecode(writer.Written[..(3 * 2700)], out IdentifyMessage? many));
        Assert.Equal(IdentifyMessage.ProtocolsMax, many.Protocols.Length);

        writer.Clear();
        for (int i = 0; i < 600; i++)
            writer.Bytes(2, Address.Bytes[..5]);
        for (int i = 0; i < IdentifyMessage.AddressesMax + 1; i++)
            writer.Bytes(2, Address.Bytes);
        writer.Bytes(2, [1, 2, 3]);
        writer.Text(6, new string('x', IdentifyMessage.NameBytesMax + 1));
        writer.Bytes(4, []);
        Assert.True(IdentifyMessage.TryDecode(writer.Written, out many));
        Assert.Equal(IdentifyMessage.AddressesMax, many.ListenAddresses.Length);
        Assert.Null(many.AgentVersion);
        Assert.Null(many.ObservedAddress);

        Assert.False(IdentifyMessage.TryDecode(new byte[IdentifyMessage.MessageBytesMax + 1], out _));
        Assert.False(IdentifyMessage.TryDecode([0x1a, 1, 0xff], out _)); // a protocol that is not UTF-8
        Assert.False(IdentifyMessage.TryDecode([0x18, 1], out _)); // a protocol that is a number
    }

    [Fact]
    public void An_endless_answer_ends_at_its_tenth_message_and_a_long_length_at_once()
    {
        var receiver = new IdentifyReceiver();
        byte[] small = new IdentifyMessage { Protocols = ["/a"] }.Encode();
        for (int i = 0; i < IdentifyMessage.MessagesMax; i++)
        {
            Assert.False(receiver.IsOver);
            receiver.Receive(small);
        }
        Assert.True(receiver.IsOver);
        Assert.Equal(["/a"], receiver.Message!.Protocols);

        receiver = new IdentifyReceiver();
        receiver.Receive([0x81, 0x40]); // 8 193
        Assert.True(receiver.IsOver);
        Assert.Null(receiver.Message);

        // What came whole before nonsense is kept.
        receiver = new IdentifyReceiver();
        receiver.Receive([.. small, 1, 0xff]);
        Assert.True(receiver.IsOver);
        Assert.NotNull(receiver.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Changed_bytes_never_throw_and_never_keep_more_than_the_bounds(ulong seed)
    {
        var random = new Prng(seed);
        byte[] whole = Whole.Encode();
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = [.. whole];
            for (int i = random.Below(4); i >= 0; i--)
                bytes[random.Below(bytes.Length)] = (byte)random.Below(256);
            var receiver = new IdentifyReceiver();
            receiver.Receive(bytes);
            if (receiver.Message is { } message && message.Encode() is var again)
                Assert.True(again.Length <= bytes.Length + 2, $"seed {seed}, round {round}");
        }
    }

    private static void AssertSame(IdentifyMessage expected, IdentifyMessage actual)
    {
        Assert.Equal(expected.ListenAddresses, actual.ListenAddresses);
        Assert.Equal(expected.Protocols, actual.Protocols);
        Assert.Equal(expected.PublicKey, actual.PublicKey);
        Assert.Equal(expected.ObservedAddress, actual.ObservedAddress);
        Assert.Equal(expected.SignedPeerRecord, actual.SignedPeerRecord);
        Assert.Equal((expected.AgentVersion, expected.ProtocolVersion), (actual.AgentVersion, actual.ProtocolVersion));
    }
}
