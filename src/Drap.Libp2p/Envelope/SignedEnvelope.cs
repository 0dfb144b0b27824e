using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Envelope;

/// <summary>
/// Bytes that somebody signed for one purpose, with the key to check it (libp2p/specs RFC 0002). There is no envelope whose signature was not
/// checked: it is made by <see cref="Seal"/> or <see cref="TryOpen"/>. Keeps its own bytes, so that it can be handed on as it came.
/// </summary>
public sealed class SignedEnvelope
{
    /// <summary>
    /// The longest taken, in bytes: a peer record with 64 of the longest addresses and the largest key. Longer ones are refused before their
    /// signature is looked at.
    /// </summary>
    public const int BytesMax = 70_000;

    private const int SignerField = 1, TypeField = 2, PayloadField = 3, SignatureField = 5;

    private SignedEnvelope(PublicKey signer, byte[] payload, byte[] encoded)
    {
        Signer = signer;
        Payload = payload;
        Encoded = encoded;
    }

    /// <summary>Whose signature it bears.</summary>
    public PublicKey Signer { get; }

    /// <summary>What was signed.</summary>
    public ReadOnlyMemory<byte> Payload { get; }

    /// <summary>The envelope's own bytes.</summary>
    public ReadOnlyMemory<byte> Encoded { get; }

    /// <summary>
    /// Signs <paramref name="payload"/>. The domain says for what, so that a signature for one purpose serves no other; the type says how the payload
    /// is to be read, mostly a multicodec.
    /// </summary>
    public static SignedEnvelope Seal(PrivateKey key, string domain, ReadOnlySpan<byte> type, ReadOnlySpan<byte> payload)
    {
        var writer = new ProtoWriter();
        writer.Bytes(SignerField, key.PublicKey.Encoded);
        writer.Bytes(TypeField, type);
        writer.Bytes(PayloadField, payload);
        writer.Bytes(SignatureField, key.Sign(Signed(domain, type, payload)));
        Invariant.Check(writer.Length <= BytesMax);
        return new SignedEnvelope(key.PublicKey, payload.ToArray(), writer.ToArray());
    }

    /// <summary>
    /// Reads an envelope and checks that it has this type and was signed for this domain. False if it is none, is longer than
    /// <see cref="BytesMax"/>, is of another type, or its signature is not its key's.
    /// </summary>
    public static bool TryOpen(ReadOnlySpan<byte> encoded, string domain, ReadOnlySpan<byte> type, [NotNullWhen(true)] out SignedEnvelope? envelope)
    {
        envelope = null;
        if (encoded.Length > BytesMax)
            return false;
        ReadOnlySpan<byte> signer = default, its = default, payload = default, signature = default;
        var reader = new ProtoReader(encoded);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case SignerField:
                    signer = reader.Bytes();
                    break;
                case TypeField:
                    its = reader.Bytes();
                    break;
                case PayloadField:
                    payload = reader.Bytes();
                    break;
                case SignatureField:
                    signature = reader.Bytes();
                    break;
            }
        }
        if (reader.Malformed || !its.SequenceEqual(type) || !PublicKey.TryDecode(signer, out PublicKey? key)
            || !key.Verify(Signed(domain, type, payload), signature))
            return false;
        envelope = new SignedEnvelope(key, payload.ToArray(), encoded.ToArray());
        return true;
    }

    // Each of the three with its length before it, so that no byte can move from one to the next.
    private static byte[] Signed(string domain, ReadOnlySpan<byte> type, ReadOnlySpan<byte> payload)
    {
        byte[] name = System.Text.Encoding.UTF8.GetBytes(domain);
        byte[] signed = new byte[Room(name) + Room(type) + Room(payload)];
        Span<byte> rest = signed;
        Put(ref rest, name);
        Put(ref rest, type);
        Put(ref rest, payload);
        return signed;

        static int Room(ReadOnlySpan<byte> part) => UnsignedVarint.Length((ulong)part.Length) + part.Length;

        static void Put(ref Span<byte> rest, ReadOnlySpan<byte> part)
        {
            rest = rest[UnsignedVarint.Write(rest, (ulong)part.Length)..];
            part.CopyTo(rest);
            rest = rest[part.Length..];
        }
    }
}
