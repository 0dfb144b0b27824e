using Drap.Libp2p.Keys;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Noise;

/// <summary>libp2p's part of the second and third message: <c>NoiseHandshakePayload</c> (libp2p/specs noise, "The libp2p Handshake Payload").</summary>
internal static class NoisePayload
{
    private const int IdentityKey = 1, IdentitySignature = 2, Extensions = 4, StreamMuxers = 2;

    private static ReadOnlySpan<byte> SignaturePrefix => "noise-libp2p-static-key:"u8;

    public static byte[] Encode(PrivateKey identity, ReadOnlySpan<byte> noiseKey, IReadOnlyList<string> muxers)
    {
        var writer = new ProtoWriter();
        writer.Bytes(IdentityKey, identity.PublicKey.Encoded);
        writer.Bytes(IdentitySignature, identity.Sign([.. SignaturePrefix, .. noiseKey]));
        if (muxers.Count > 0)
        {
            int extensions = writer.BeginMessage(Extensions);
            foreach (string muxer in muxers)
                writer.Text(StreamMuxers, muxer);
            writer.EndMessage(extensions);
        }
        return writer.ToArray();
    }

    /// <summary>
    /// Reads a payload that came with <paramref name="noiseKey"/>, checks who signed it, and picks the multiplexer: the first of the initiator's
    /// list that is in the responder's too; null if either side names none.
    /// </summary>
    public static NoiseError Read(
        ReadOnlySpan<byte> payload, ReadOnlySpan<byte> noiseKey, NoiseIdentity self, bool initiator, out PublicKey? identity, out string? muxer)
    {
        identity = null;
        muxer = null;
        ReadOnlySpan<byte> key = default, signature = default;
        int named = 0, best = int.MaxValue;
        var reader = new ProtoReader(payload);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case IdentityKey:
                    key = reader.Bytes();
                    break;
                case IdentitySignature:
                    signature = reader.Bytes();
                    break;
                case Extensions:
                    if (!TryReadMuxers(reader.Bytes(), self, initiator, ref named, ref best))
                        return NoiseError.BadPayload;
                    break;
            }
        }
        if (reader.Malformed || !PublicKey.TryDecode(key, out PublicKey? claimed))
            return NoiseError.BadPayload;
        Span<byte> signed = stackalloc byte[SignaturePrefix.Length + X25519Key.Bytes];
        SignaturePrefix.CopyTo(signed);
        noiseKey.CopyTo(signed[SignaturePrefix.Length..]);
        if (!claimed.Verify(signed, signature))
            return NoiseError.BadSignature;
        identity = claimed;
        if (named == 0 || self.Muxers.Length == 0)
            return NoiseError.None;
        if (best == int.MaxValue)
            return NoiseError.NoCommonMuxer;
        muxer = self.Muxers[best].Name;
        return NoiseError.None;
    }

    private static bool TryReadMuxers(ReadOnlySpan<byte> extensions, NoiseIdentity self, bool initiator, ref int named, ref int best)
    {
        var reader = new ProtoReader(extensions);
        while (reader.Next())
        {
            if (reader.Field != StreamMuxers)
                continue;
            ReadOnlySpan<byte> name = reader.Bytes();
            named++;
            for (int i = 0; i < self.Muxers.Length; i++)
            {
                if (!name.SequenceEqual(self.Muxers[i].Bytes))
                    continue;
                // We prefer by our order if we began, by theirs if they did.
                if (initiator ? i < best : best == int.MaxValue)
                    best = i;
            }
        }
        return !reader.Malformed;
    }
}
