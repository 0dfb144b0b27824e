using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using Drap.Libp2p.Envelope;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Multistream;
using Drap.Libp2p.Noise;
using Drap.Libp2p.Plaintext;
using Drap.Libp2p.Protobuf;
using Drap.Libp2p.Tests.Keys;
using Drap.Libp2p.TlsCertificate;

namespace Drap.Libp2p.Tests.Fuzzing;

/// <summary>The parsers and machines that are fuzzed, with what must hold of each.</summary>
internal static class FuzzTargets
{
    private static readonly PrivateKey Alice = PrivateKey.FromSeed(Filled(1)), Bob = PrivateKey.FromSeed(Filled(2));

    private static readonly NoiseIdentity OfAlice = new(Alice, Filled(3), ["/yamux/1.0.0"]), OfBob = new(Bob, Filled(4), ["/yamux/1.0.0"]);

    private static readonly ProtocolTable Protocols = new(["/yamux/1.0.0", "/chat/2"]);

    private static PrivateKey[] KindsOfKeys { get; } =
        [.. new[] { KeyVectors.Ed25519Private, KeyVectors.Secp256k1Private, KeyVectors.EcdsaPrivate, KeyVectors.RsaPrivate }
            .Select(h => PrivateKey.TryDecode(Hex(h), out PrivateKey? key) ? key : throw new InvalidOperationException(h))];

    private static string[] Contents { get; } =
        ["QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", "zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz", "bafkqaaa"];

    private static string[] Addresses { get; } =
    [
        $"/ip4/192.0.2.1/tcp/4001/p2p/{Alice.PeerId}/p2p-circuit/p2p/{Bob.PeerId}", "/ip6zone/eth0/ip6/fe80::1/tcp/1", "/dns4/example.com/tcp/443/tls/sni/a.b/ws",
        "/unix/run/p2pd.sock", "/unix/%2Frun%2Fp2pd.sock/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC", "/ip6/2001:db8::/ipcidr/32",
        "/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/u1QEQOFj2IjCsPJFfMAxmQxLGPw", "/dnsaddr/bootstrap.libp2p.io",
    ];

    public static FuzzTarget[] All { get; } =
    [
        new("varint", 5_000, _ => 2_000, [[0x01], [0xac, 0x02], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]], Varint),
        new("protobuf", 5_000, n => 4_000 + (6L * n), [Hex(KeyVectors.Ed25519Public), OfAlice.Payload], Protobuf),
        new("multibase", 5_000, n => 4_000 + (24L * n), [.. "fbkzu".Select(p => Text(Multibase.Encode(p, "some bytes"u8)))], MultibaseText),
        new("peer-id", 5_000, n => 8_000 + (24L * n), [Text(Alice.PeerId.ToString()), Text(Alice.PeerId.ToCidText()), Text("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")], PeerIdText),
        new("peer-id-bytes", 5_000, n => 4_000 + (8L * n), [Alice.PeerId.Bytes.ToArray(), [0x12, 0x20, .. Filled(5)]], PeerIdBytes),
        new("content-id", 3_000, n => 4_000 + (24L * n), [.. Contents.Select(Text)], ContentIdText),
        new("content-id-bytes", 5_000, n => 4_000 + (24L * n), [.. Contents.Select(t => ContentId.TryParse(t, out ContentId? id) ? id.Bytes.ToArray() : [])], ContentIdBytes),
        new("multiaddr", 5_000, n => 12_000 + (60L * n), [.. Addresses.Select(Text)], MultiaddrText),
        new("multiaddr-bytes", 5_000, n => 12_000 + (60L * n), [.. Addresses.Select(a => Multiaddr.Parse(a).Bytes.ToArray())], MultiaddrBytes),
        new("public-key", 1_000, n => 12_000 + (24L * n), [Hex(KeyVectors.Ed25519Public), Hex(KeyVectors.Secp256k1Public), Hex(KeyVectors.EcdsaPublic), Hex(KeyVectors.RsaPublic)], PublicKeys),
        new("private-key", 300, n => 40_000 + (40L * n), [Hex(KeyVectors.Ed25519Private), Hex(KeyVectors.Secp256k1Private), Hex(KeyVectors.EcdsaPrivate)], PrivateKeys),
        new("signature", 500, n => 12_000 + (24L * n), [.. KindsOfKeys.Select((k, i) => (byte[])[(byte)i, .. k.Sign("message"u8)])], Signatures),
        new("multistream-responder", 3_000, n => 40_000 + (8L * n), [Text("\x13/multistream/1.0.0\n\b/chat/2\nx"), Text("\x13/multistream/1.0.0\n\u0003ls\n\b/chat/3\n")], Responder),
        new("multistream-initiator", 3_000, n => 40_000 + (8L * n), [Text("\x13/multistream/1.0.0\n\b/chat/2\nx"), Text("\x13/multistream/1.0.0\n\u0003na\n\b/chat/1\n")], Initiator),
        new("noise-first", 300, n => 60_000 + (4L * n), [Recorded(0)], bytes => Handshake(bytes, 0)),
        new("noise-second", 300, n => 60_000 + (4L * n), [Recorded(1)], bytes => Handshake(bytes, 1)),
        new("noise-third", 300, n => 60_000 + (4L * n), [Recorded(2)], bytes => Handshake(bytes, 2)),
        new("noise-payload", 500, n => 12_000 + (24L * n), [OfBob.Payload], Payload),
        new("noise-frame", 2_000, n => 4_000 + (4L * n), [[0, 16, .. new byte[16]], Frame("hello"u8)], Frames),
        new("plaintext", 500, n => 12_000 + (40L * n), [Exchange(Alice), Exchange(KindsOfKeys[3])], Plaintexts),
        new("peer-record", 500, n => 24_000 + (60L * n), [Record(Alice), Record(KindsOfKeys[1])], Records),
        new("certificate", 500, n => 24_000 + (30L * n), [.. KindsOfKeys.Select(Certificate)], Certificates),
        .. ProtocolFuzzTargets.All,
    ];

    private static string Varint(byte[] bytes)
    {
        VarintStatus status = UnsignedVarint.TryRead(bytes, out ulong value, out int length);
        if (status == VarintStatus.Done)
        {
            byte[] back = new byte[UnsignedVarint.BytesMax];
            Must(UnsignedVarint.Write(back, value) == length && back.AsSpan(0, length).SequenceEqual(bytes.AsSpan(0, length)));
        }
        return $"{status} {length}";
    }

    // What the reader walks over, written again and read again, is the same.
    private static string Protobuf(byte[] bytes)
    {
        int fields = 0;
        var writer = new ProtoWriter();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            fields++;
            if (reader.Type == WireType.Bytes)
                writer.Bytes(reader.Field, reader.Bytes());
            else
                writer.Number(reader.Field, reader.UInt64());
        }
        var again = new ProtoReader(writer.Written);
        int same = 0;
        while (again.Next())
            same++;
        Must(same == fields && !again.Malformed);
        return $"{reader.Malformed} {Math.Min(fields, 20)}";
    }

    private static string MultibaseText(byte[] bytes)
    {
        string text = FromBytes(bytes);
        if (!Multibase.TryDecode(text, out byte[]? decoded))
            return "none";
        Must(Multibase.Encode(text[0], decoded) == text);
        return $"{text[0]} {Math.Min(decoded.Length, 8)}";
    }

    private static string PeerIdText(byte[] bytes)
    {
        if (!PeerId.TryParse(FromBytes(bytes), out PeerId peer))
            return "none";
        Must(PeerId.TryParse(peer.ToString(), out PeerId same) && same == peer);
        Must(PeerId.TryParse(peer.ToCidText(), out same) && same == peer);
        return $"{peer.Bytes[0]} {peer.Bytes.Length}";
    }

    private static string PeerIdBytes(byte[] bytes)
    {
        if (!PeerId.TryFromBytes(bytes, out PeerId peer))
            return "none";
        Must(peer.Bytes.SequenceEqual(bytes));
        bool inline = PublicKey.TryFromPeerId(peer, out PublicKey? key);
        Must(!inline || key!.PeerId == peer);
        return $"{peer.Bytes[0]} {inline}";
    }

    private static string ContentIdText(byte[] bytes)
    {
        if (!ContentId.TryParse(FromBytes(bytes), out ContentId? id))
            return "none";
        Must(ContentId.TryParse(id.ToString(), out ContentId? same) && same.Equals(id));
        return $"{id.Version} {id.Codec.CompareTo(0x70UL)}";
    }

    private static string ContentIdBytes(byte[] bytes)
    {
        if (!ContentId.TryFromBytes(bytes, out ContentId? id))
            return "none";
        Must(id.Bytes.SequenceEqual(bytes) && ContentId.TryParse(id.ToString(), out ContentId? same) && same.Equals(id));
        return $"{id.Version} {Math.Min(id.Multihash.Length, 40)}";
    }

    private static string MultiaddrText(byte[] bytes) => Multiaddr.TryParse(FromBytes(bytes), out Multiaddr? address) ? Of(address) : "none";

    private static string MultiaddrBytes(byte[] bytes)
    {
        if (!Multiaddr.TryFromBytes(bytes, out Multiaddr? address))
            return "none";
        Must(address.Bytes.SequenceEqual(bytes));
        return Of(address);
    }

    private static string Of(Multiaddr address)
    {
        Must(Multiaddr.TryFromBytes(address.Bytes, out Multiaddr? same) && same.Equals(address));
        Must(Multiaddr.TryParse(address.ToString(), out same) && same.Equals(address));
        int parts = 0;
        int last = 0;
        foreach (MultiaddrComponent component in address.Components)
        {
            parts++;
            last = (int)component.Protocol;
        }
        Must(address.WithPeer(Alice.PeerId).Peer == Alice.PeerId);
        bool tcp = address.TryGetTcp(out EndPoint? where, out _);
        Must(!tcp || where is IPEndPoint or DnsEndPoint);
        if (address.TryGetUnixPath(out string? path))
            Must(path.StartsWith('/'));
        address.TrySplitCircuit(out _, out _);
        return $"{Math.Min(parts, 5)} {last} {tcp}";
    }

    private static string PublicKeys(byte[] bytes)
    {
        if (!PublicKey.TryDecode(bytes, out PublicKey? key))
            return "none";
        Must(PublicKey.TryDecode(key.Encoded, out PublicKey? same) && same.Equals(key) && same.PeerId == key.PeerId);
        Must(!key.Verify("message"u8, bytes));
        return $"{key.Type} {key.Data.Length}";
    }

    private static string PrivateKeys(byte[] bytes)
    {
        if (!PrivateKey.TryDecode(bytes, out PrivateKey? key))
            return "none";
        using (key)
        {
            Must(key.PublicKey.Verify(bytes, key.Sign(bytes)));
            return key.Type.ToString();
        }
    }

    private static string Signatures(byte[] bytes)
    {
        if (bytes.Length == 0)
            return "none";
        PrivateKey key = KindsOfKeys[bytes[0] % KindsOfKeys.Length];
        return $"{key.Type} {key.PublicKey.Verify("message"u8, bytes.AsSpan(1))}";
    }

    private static string Responder(byte[] bytes)
    {
        var (whole, pieces) = (new MultistreamResponder(Protocols.Match), new MultistreamResponder(Protocols.Match));
        var (output, other) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        int consumed = whole.Receive(bytes, output);
        int total = InPieces(bytes, piece => pieces.Receive(piece, other));
        Must((whole.Status, whole.Error, whole.Protocol) == (pieces.Status, pieces.Error, pieces.Protocol));
        Must(output.WrittenSpan.SequenceEqual(other.WrittenSpan) && (whole.Status == MultistreamStatus.Failed || consumed == total));
        return $"{whole.Status} {whole.Error} {whole.Protocol}";
    }

    private static string Initiator(byte[] bytes)
    {
        var (whole, pieces) = (new MultistreamInitiator(["/chat/2", "/chat/1"]), new MultistreamInitiator(["/chat/2", "/chat/1"]));
        var (output, other) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        int consumed = whole.Receive(bytes, output);
        int total = InPieces(bytes, piece => pieces.Receive(piece, other));
        Must((whole.Status, whole.Error, whole.Protocol) == (pieces.Status, pieces.Error, pieces.Protocol));
        Must(output.WrittenSpan.SequenceEqual(other.WrittenSpan) && (whole.Status == MultistreamStatus.Failed || consumed == total));
        return $"{whole.Status} {whole.Error} {whole.Protocol}";
    }

    // Gives one side the bytes in the place of the numbered message, whole and in pieces.
    private static string Handshake(byte[] bytes, int message)
    {
        (NoiseStatus, NoiseError)[] ends = new (NoiseStatus, NoiseError)[2];
        for (int i = 0; i < 2; i++)
        {
            using NoiseHandshake victim = message == 1
                ? NoiseHandshake.Dial(OfAlice, Filled(5), Bob.PeerId)
                : NoiseHandshake.Listen(OfBob, Filled(6));
            var output = new ArrayBufferWriter<byte>();
            if (message == 1)
                victim.Start(output);
            if (message == 2)
                victim.Receive(Recorded(0), output);
            if (i == 0)
                victim.Receive(bytes, output);
            else
                InPieces(bytes, piece => victim.Receive(piece, output));
            Must(victim.IsDone == (victim.Transport is not null) && victim.IsDone == (victim.RemoteKey is not null));
            // Nobody but the two who recorded the messages can finish the handshake.
            Must(!victim.IsDone || (message > 0 && bytes.AsSpan().StartsWith(Recorded(message))));
            victim.Transport?.Dispose();
            ends[i] = (victim.Status, victim.Error);
        }
        Must(ends[0] == ends[1]);
        return ends[0].ToString();
    }

    private static string Payload(byte[] bytes)
    {
        NoiseError error = NoisePayload.Read(bytes, OfBob.Key.PublicKey, OfAlice, initiator: true, out PublicKey? key, out string? muxer);
        Must(error is NoiseError.None or NoiseError.NoCommonMuxer ? key!.Equals(Bob.PublicKey) : key is null);
        return $"{error} {muxer}";
    }

    private static string Frames(byte[] bytes)
    {
        using var transport = new NoiseTransport(new CipherState(Filled(1)), new CipherState(Filled(1)));
        byte[] copy = [.. bytes];
        NoiseFrameStatus status = transport.Decrypt(copy, out int consumed, out Span<byte> plaintext);
        Must(status == NoiseFrameStatus.Done ? consumed == plaintext.Length + NoiseTransport.OverheadBytes : consumed == 0);
        Must(status != NoiseFrameStatus.Done || bytes.AsSpan().StartsWith(Frame(plaintext)));
        Must(NoiseTransport.FrameBytes(bytes) >= 2);
        return status.ToString();
    }

    private static string Plaintexts(byte[] bytes)
    {
        var (whole, pieces) = (new PlaintextExchange(Bob, null), new PlaintextExchange(Bob, null));
        int consumed = whole.Receive(bytes);
        int total = InPieces(bytes, piece => pieces.Receive(piece));
        Must(whole.Error == pieces.Error && whole.IsDone == pieces.IsDone && (!whole.IsDone || consumed == total));
        return $"{whole.Error} {whole.RemoteKey?.Type}";
    }

    private static string Records(byte[] bytes)
    {
        if (!PeerRecord.TryOpen(bytes, out PeerRecord? record, out SignedEnvelope? envelope))
            return "none";
        Must(envelope.Signer.PeerId == record.Peer && (record.Peer == Alice.PeerId || record.Peer == KindsOfKeys[1].PeerId));
        Must(record.Addresses.Length == 1 && record.Sequence == 7);
        return envelope.Signer.Type.ToString();
    }

    private static string Certificates(byte[] bytes)
    {
        TlsError error = PeerCertificate.Verify(bytes, new UtcTime(1_700_000_000_000), null, out PublicKey? key);
        Must(error == TlsError.None ? KindsOfKeys.Any(k => k.PublicKey.Equals(key)) : key is null);
        return $"{error} {key?.Type}";
    }

    /// <summary>The bytes in pieces whose lengths follow from the bytes themselves.</summary>
    public static IEnumerable<byte[]> Pieces(byte[] bytes)
    {
        for (int at = 0, length; at < bytes.Length; at += length)
        {
            length = Math.Min(1 + (bytes[at] % 7), bytes.Length - at);
            yield return bytes[at..(at + length)];
        }
    }

    // Such pieces, until no more is taken.
    private static int InPieces(byte[] bytes, Func<byte[], int> receive)
    {
        int total = 0;
        foreach (byte[] piece in Pieces(bytes))
        {
            int consumed = receive(piece);
            total += consumed;
            if (consumed < piece.Length)
                break;
        }
        return total;
    }

    private static byte[] Recorded(int number)
    {
        using NoiseHandshake dialer = NoiseHandshake.Dial(OfAlice, Filled(5), null), listener = NoiseHandshake.Listen(OfBob, Filled(6));
        ArrayBufferWriter<byte>[] messages = [new(), new(), new()];
        dialer.Start(messages[0]);
        listener.Receive(messages[0].WrittenSpan, messages[1]);
        dialer.Receive(messages[1].WrittenSpan, messages[2]);
        return messages[number].WrittenSpan.ToArray();
    }

    private static byte[] Frame(ReadOnlySpan<byte> plaintext)
    {
        using var transport = new NoiseTransport(new CipherState(Filled(1)), new CipherState(Filled(1)));
        byte[] frame = new byte[plaintext.Length + NoiseTransport.OverheadBytes];
        transport.Encrypt(plaintext, frame);
        Must(BinaryPrimitives.ReadUInt16BigEndian(frame) == frame.Length - 2);
        return frame;
    }

    private static byte[] Exchange(PrivateKey key)
    {
        var output = new ArrayBufferWriter<byte>();
        new PlaintextExchange(key, null).Start(output);
        return output.WrittenSpan.ToArray();
    }

    private static byte[] Record(PrivateKey key) => new PeerRecord(key.PeerId, 7, [Multiaddr.Parse("/ip4/192.0.2.1/tcp/4001")]).Seal(key).Encoded.ToArray();

    private static byte[] Certificate(PrivateKey key)
    {
        using var certificate = PeerCertificate.Create(
            key, [.. Enumerable.Range(0, PeerCertificate.RandomBytes).Select(i => (byte)i)], new UtcTime(0), new UtcTime(4_000_000_000_000));
        return certificate.RawData;
    }

    // Bytes stand for characters; two of them for one beyond ASCII and for half of a surrogate pair.
    private static string FromBytes(byte[] bytes) => string.Concat(bytes.Select(b => b switch { 0xfd => '\u00e9', 0xfe => '\ud800', _ => (char)b }));

    private static byte[] Text(string text) => [.. text.Select(c => (byte)c)];

    private static byte[] Filled(byte value) => [.. Enumerable.Repeat(value, 32)];

    private static byte[] Hex(string hex) => Convert.FromHexString(hex);

    public static void Must(bool holds, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(holds))] string? what = null)
    {
        if (!holds)
            throw new InvalidOperationException($"does not hold: {what}");
    }
}
