using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Envelope;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Relay;

/// <summary>A relay's word that it keeps a place for a peer, in an envelope that it signs (circuit-v2, "Reservation Vouchers").</summary>
/// <param name="Relay">Who keeps it.</param>
/// <param name="Peer">For whom.</param>
/// <param name="Expires">Until when, by the relay's clock; whole seconds.</param>
public sealed record RelayVoucher(PeerId Relay, PeerId Peer, UtcTime Expires)
{
    private const string Domain = "libp2p-relay-rsvp";

    private static ReadOnlySpan<byte> PayloadType => [0x03, 0x02];

    /// <summary>Signs it. The key is the relay's own.</summary>
    public SignedEnvelope Seal(PrivateKey key)
    {
        Invariant.Check(key.PeerId == Relay);
        var writer = new ProtoWriter();
        writer.Bytes(1, Relay.Bytes);
        writer.Bytes(2, Peer.Bytes);
        writer.Number(3, (ulong)(Expires.Milliseconds / 1000));
        return SignedEnvelope.Seal(key, Domain, PayloadType, writer.Written);
    }

    /// <summary>Opens one. False if it is none, or was signed by another than the relay it names.</summary>
    public static bool TryOpen(ReadOnlySpan<byte> encoded, [NotNullWhen(true)] out RelayVoucher? voucher)
    {
        voucher = null;
        if (!SignedEnvelope.TryOpen(encoded, Domain, PayloadType, out SignedEnvelope? envelope))
            return false;
        PeerId relay = default, peer = default;
        ulong expires = 0;
        var reader = new ProtoReader(envelope.Payload.Span);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1 when !PeerId.TryFromBytes(reader.Bytes(), out relay):
                case 2 when !PeerId.TryFromBytes(reader.Bytes(), out peer):
                    return false;
                case 3:
                    expires = reader.UInt64();
                    break;
            }
        }
        if (reader.Malformed || relay != envelope.Signer.PeerId || peer == default || expires > long.MaxValue / 1000)
            return false;
        voucher = new RelayVoucher(relay, peer, new UtcTime((long)expires * 1000));
        return true;
    }
}
