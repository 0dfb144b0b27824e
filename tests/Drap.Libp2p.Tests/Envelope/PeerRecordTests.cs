using Drap.Libp2p.Envelope;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;
using Drap.Libp2p.Tests.Keys;
using Xunit;

namespace Drap.Libp2p.Tests.Envelope;

public sealed class PeerRecordTests
{
    // Made by js-libp2p (@libp2p/peer-record 9.0.16) with the specification's Ed25519 key.
    private const string OfJs =
        "0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e120203011a530a260024080112201ed1e8fae2c4a144b8be8fd4"
        + "b47bf3d3b34b871c3cacf6010f0e42d474fce27e1080d095ffbc311a0a0a0804c0000201060fa11a160a142920010db8000000000000000000000001060fa12a"
        + "4059631b02a00e8b674c833fae03b7a828294584f43afe48e90fea5c28d66ed4127504f4d5a0ad073dd83ce1bc8facae0fa51228c18130c623546fc17dc4369d"
        + "04";

    private static readonly PrivateKey Alice = PrivateKey.FromSeed([.. Enumerable.Repeat((byte)1, 32)]), Bob = PrivateKey.FromSeed(new byte[32]);

    [Fact]
    public void A_record_of_js()
    {
        byte[] bytes = Convert.FromHexString(OfJs);
        Assert.True(PeerRecord.TryOpen(bytes, out PeerRecord? record, out SignedEnvelope? envelope));
        Assert.True(PrivateKey.TryDecode(Convert.FromHexString(KeyVectors.Ed25519Private), out PrivateKey? key));
        Assert.Equal((key.PeerId, 1_700_000_000_000UL), (record.Peer, record.Sequence));
        Assert.Equal(["/ip4/192.0.2.1/tcp/4001", "/ip6/2001:db8::1/tcp/4001"], record.Addresses.Select(a => a.ToString()));
        Assert.Equal(key.PublicKey, envelope.Signer);
        Assert.Equal(bytes, envelope.Encoded.Span);
        // Ed25519 signs the same way each time: ours is the same to the byte.
        Assert.Equal(bytes, record.Seal(key).Encoded.Span);
    }

    [Fact]
    public void Cut_or_bent_at_any_place_it_is_refused()
    {
        byte[] bytes = Convert.FromHexString(OfJs);
        for (int i = 0; i < bytes.Length; i++)
        {
            Assert.False(PeerRecord.TryOpen(bytes.AsSpan(0, i), out _, out _));
            foreach (byte bit in new byte[] { 0x01, 0x80 })
            {
                byte[] bent = [.. bytes];
                bent[i] ^= bit;
                // A bent field number or type of the key message, which is not signed, leaves the key what it was only if it is read as nothing.
                if (PeerRecord.TryOpen(bent, out PeerRecord? record, out _))
                    Assert.Equal(1_700_000_000_000UL, record.Sequence);
            }
        }
        Assert.False(PeerRecord.TryOpen(new byte[SignedEnvelope.BytesMax + 1], out _, out _));
    }

    [Fact]
    public void An_envelope_serves_one_purpose_and_one_signer()
    {
        SignedEnvelope envelope = SignedEnvelope.Seal(Alice, "offers", [1, 2], "payload"u8);
        Assert.True(SignedEnvelope.TryOpen(envelope.Encoded.Span, "offers", [1, 2], out SignedEnvelope? opened));
        Assert.Equal("payload"u8, opened.Payload.Span);
        Assert.Equal(Alice.PublicKey, opened.Signer);
        Assert.False(SignedEnvelope.TryOpen(envelope.Encoded.Span, "other", [1, 2], out _));
        Assert.False(SignedEnvelope.TryOpen(envelope.Encoded.Span, "offers", [1], out _));
        // A byte moved from the type to the payload.
        byte[] moved = Envelope(Alice.PublicKey, [1], [2, .. "payload"u8], SignatureOf(envelope));
        Assert.False(SignedEnvelope.TryOpen(moved, "offers", [1], out _));
        Assert.False(SignedEnvelope.TryOpen(Envelope(Bob.PublicKey, [1, 2], "payload"u8, SignatureOf(envelope)), "offers", [1, 2], out _));
        Assert.True(SignedEnvelope.TryOpen(Envelope(Alice.PublicKey, [1, 2], "payload"u8, SignatureOf(envelope)), "offers", [1, 2], out _));
        // Empty ones are envelopes, too.
        Assert.True(SignedEnvelope.TryOpen(SignedEnvelope.Seal(Alice, "", [], []).Encoded.Span, "", [], out _));
        Assert.False(SignedEnvelope.TryOpen([], "", [], out _));
    }

    [Fact]
    public void A_record_is_the_signer_s_own()
    {
        var payload = new ProtoWriter();
        payload.Bytes(1, Bob.PeerId.Bytes);
        payload.Number(2, 1);
        SignedEnvelope stolen = SignedEnvelope.Seal(Alice, "libp2p-peer-record", [0x03, 0x01], payload.Written);
        Assert.False(PeerRecord.TryOpen(stolen.Encoded.Span, out _, out _));
        SignedEnvelope own = SignedEnvelope.Seal(Bob, "libp2p-peer-record", [0x03, 0x01], payload.Written);
        Assert.True(PeerRecord.TryOpen(own.Encoded.Span, out PeerRecord? record, out _));
        Assert.Empty(record.Addresses);
        // The names of the RFC's draft.
        SignedEnvelope draft = SignedEnvelope.Seal(Bob, "libp2p-routing-state", "/libp2p/routing-state-record"u8, payload.Written);
        Assert.True(PeerRecord.TryOpen(draft.Encoded.Span, out _, out _));
        Assert.Throws<InvariantException>(() => record.Seal(Alice));
    }

    [Fact]
    public void Addresses_that_are_not_known_or_too_many_are_passed_over()
    {
        var payload = new ProtoWriter();
        payload.Bytes(1, Bob.PeerId.Bytes);
        payload.Bytes(3, [0x0a, 0x01, 0x7f]);
        for (int i = 0; i < 100; i++)
        {
            int info = payload.BeginMessage(3);
            payload.Bytes(1, Multiaddr.FromTcp(System.Net.IPAddress.Loopback, i).Bytes);
            payload.EndMessage(info);
        }
        SignedEnvelope own = SignedEnvelope.Seal(Bob, "libp2p-peer-record", [0x03, 0x01], payload.Written);
        Assert.True(PeerRecord.TryOpen(own.Encoded.Span, out PeerRecord? record, out _));
        Assert.Equal(PeerRecord.AddressesMax, record.Addresses.Length);
        Assert.Equal("/ip4/127.0.0.1/tcp/0", record.Addresses[0].ToString());
        // The longest that may be sealed can be opened.
        Multiaddr longest = Multiaddr.Parse("/dns/" + new string('a', 250) + "/dns/" + new string('b', 250) + "/dns/" + new string('c', 250) + "/dns/" + new string('d', 250));
        PeerRecord full = new(Bob.PeerId, ulong.MaxValue, [.. Enumerable.Repeat(longest, PeerRecord.AddressesMax)]);
        Assert.True(PeerRecord.TryOpen(full.Seal(Bob).Encoded.Span, out record, out _));
        Assert.Equal((ulong.MaxValue, PeerRecord.AddressesMax), (record.Sequence, record.Addresses.Length));
    }

    private static byte[] SignatureOf(SignedEnvelope envelope) => envelope.Encoded.Span[^64..].ToArray();

    private static byte[] Envelope(PublicKey key, ReadOnlySpan<byte> type, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> signature)
    {
        var writer = new ProtoWriter();
        writer.Bytes(5, signature); // in another order
        writer.Bytes(3, payload);
        writer.Bytes(2, type);
        writer.Bytes(1, key.Encoded);
        return writer.ToArray();
    }
}
