using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Envelope;

/// <summary>
/// A peer's own word on where it is (libp2p/specs RFC 0003), in a <see cref="SignedEnvelope"/>, so that others can pass it on. Domain and payload type
/// are go's and js's (<c>libp2p-peer-record</c>, 0x0301), which differ from the RFC's draft names; those of the RFC, which rust still writes, are
/// read too.
/// </summary>
/// <param name="Peer">Whose addresses these are; the envelope's signer.</param>
/// <param name="Sequence">Higher in newer records; of one peer the highest counts. Often, but not surely, a time.</param>
/// <param name="Addresses">Where it listens, best first; those with protocols that are not known here are left out.</param>
public sealed record PeerRecord(PeerId Peer, ulong Sequence, ImmutableArray<Multiaddr> Addresses)
{
    /// <summary>Addresses that are kept of one record, as a peer that listens everywhere has some twenty; the rest is passed over.</summary>
    public const int AddressesMax = 64;

    private const string Domain = "libp2p-peer-record", DraftDomain = "libp2p-routing-state";

    private const int PeerField = 1, SequenceField = 2, AddressField = 3, MultiaddrField = 1;

    private static ReadOnlySpan<byte> PayloadType => [0x03, 0x01];

    private static ReadOnlySpan<byte> DraftPayloadType => "/libp2p/routing-state-record"u8;

    /// <summary>Signs the record. The key is the peer's own.</summary>
    public SignedEnvelope Seal(PrivateKey key)
    {
        Invariant.Check(key.PeerId == Peer && Addresses.Length <= AddressesMax);
        var writer = new ProtoWriter();
        writer.Bytes(PeerField, Peer.Bytes);
        writer.Number(SequenceField, Sequence);
        foreach (Multiaddr address in Addresses)
        {
            int info = writer.BeginMessage(AddressField);
            writer.Bytes(MultiaddrField, address.Bytes);
            writer.EndMessage(info);
        }
        return SignedEnvelope.Seal(key, Domain, PayloadType, writer.Written);
    }

    /// <summary>Opens an envelope that holds a peer record. False if it is none, or was signed by another than the peer that it speaks of.</summary>
    public static bool TryOpen(
        ReadOnlySpan<byte> encoded, [NotNullWhen(true)] out PeerRecord? record, [NotNullWhen(true)] out SignedEnvelope? envelope)
    {
        record = null;
        return (SignedEnvelope.TryOpen(encoded, Domain, PayloadType, out envelope)
                || SignedEnvelope.TryOpen(encoded, DraftDomain, DraftPayloadType, out envelope))
            && TryRead(envelope, out record);
    }

    private static bool TryRead(SignedEnvelope envelope, [NotNullWhen(true)] out PeerRecord? record)
    {
        record = null;
        PeerId peer = default;
        ulong sequence = 0;
        ImmutableArray<Multiaddr>.Builder addresses = ImmutableArray.CreateBuilder<Multiaddr>();
        var reader = new ProtoReader(envelope.Payload.Span);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case PeerField when !PeerId.TryFromBytes(reader.Bytes(), out peer):
                    return false;
                case SequenceField:
                    sequence = reader.UInt64();
                    break;
                case AddressField when addresses.Count < AddressesMax:
                    var info = new ProtoReader(reader.Bytes());
                    while (info.Next())
                    {
                        if (info.Field == MultiaddrField && Multiaddr.TryFromBytes(info.Bytes(), out Multiaddr? address) && addresses.Count < AddressesMax)
                            addresses.Add(address);
                    }
                    if (info.Malformed)
                        return false;
                    break;
            }
        }
        if (reader.Malformed || peer != envelope.Signer.PeerId)
            return false;
        record = new PeerRecord(peer, sequence, addresses.DrainToImmutable());
        return true;
    }
}
