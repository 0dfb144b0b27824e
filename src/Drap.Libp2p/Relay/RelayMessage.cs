using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Relay;

/// <summary>What a message of circuit relay v2 is.</summary>
public enum RelayMessageKind
{
    /// <summary>Keep a place for me (hop).</summary>
    Reserve,

    /// <summary>Connect me to this peer (hop), or this peer wants to be connected to you (stop).</summary>
    Connect,

    /// <summary>How it went.</summary>
    Status,
}

/// <summary>
/// A message of the hop or of the stop protocol (libp2p/specs, relay/circuit-v2): they are the same but for their numbers. On a stream a
/// varint length stands before each. Reading never throws; what is too long is no message.
/// </summary>
/// <param name="Kind">What it is.</param>
public sealed record RelayMessage(RelayMessageKind Kind)
{
    /// <summary>The protocol between a client and its relay.</summary>
    public const string HopProtocol = "/libp2p/circuit/relay/0.2.0/hop";

    /// <summary>The protocol between a relay and the peer that is connected to.</summary>
    public const string StopProtocol = "/libp2p/circuit/relay/0.2.0/stop";

    /// <summary>The longest message, without its length, as in go. A longer one is malformed.</summary>
    public const int BytesMax = 4096;

    /// <summary>Addresses of a relay that are read, or told. Those after them are left out, as are those that are none.</summary>
    public const int AddressesMax = 16;

    /// <summary>The peer at the other end.</summary>
    public PeerId? Peer { get; init; }

    /// <summary>The place that is kept.</summary>
    public RelayReservation? Reservation { get; init; }

    /// <summary>What a circuit is allowed.</summary>
    public RelayLimit Limit { get; init; }

    /// <summary>How it went.</summary>
    public RelayStatus Status { get; init; }

    /// <summary>A status and nothing else.</summary>
    public static RelayMessage Of(RelayStatus status) => new(RelayMessageKind.Status) { Status = status };

    /// <summary>The message as bytes, without a length before it.</summary>
    public byte[] Encode(bool isStop)
    {
        Invariant.Check(!isStop || (Kind != RelayMessageKind.Reserve && Reservation is null));
        var writer = new ProtoWriter();
        writer.Number(1, (ulong)Kind - (isStop ? 1UL : 0));
        if (Peer is { } peer)
        {
            int inner = writer.BeginMessage(2);
            writer.Bytes(1, peer.Bytes);
            writer.EndMessage(inner);
        }
        if (Reservation is { } reservation)
        {
            int inner = writer.BeginMessage(3);
            writer.Number(1, (ulong)Math.Max(reservation.Expires.Milliseconds / 1000, 0));
            foreach (Multiaddr address in reservation.Addresses)
                writer.Bytes(2, address.Bytes);
            if (reservation.Voucher is { } voucher)
                writer.Bytes(3, voucher);
            writer.EndMessage(inner);
        }
        if (Limit.IsSet)
        {
            int inner = writer.BeginMessage(isStop ? 3 : 4);
            writer.Number(1, (ulong)Math.Clamp(Limit.Duration.Ticks / TimeSpan.TicksPerSecond, 0, uint.MaxValue));
            writer.Number(2, (ulong)Limit.Bytes);
            writer.EndMessage(inner);
        }
        if (Kind == RelayMessageKind.Status)
            writer.Number(isStop ? 4 : 5, (ulong)Status);
        Invariant.Check(writer.Length <= BytesMax);
        return writer.ToArray();
    }

    /// <summary>Reads a message of the hop or of the stop protocol; false if it is none. A connect names a peer, or is none.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, bool isStop, [NotNullWhen(true)] out RelayMessage? message)
    {
        message = null;
        if (bytes.Length > BytesMax)
            return false;
        int kind = -1, status = 0;
        PeerId? peer = null;
        RelayReservation? reservation = null;
        RelayLimit limit = default;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (isStop && reader.Field > 2 ? reader.Field + 1 : reader.Field)
            {
                case 1:
                    kind = reader.Int32();
                    break;
                case 2:
                    if (!TryReadPeer(reader.Bytes(), out PeerId named))
                        return false;
                    peer = named;
                    break;
                case 3:
                    if (!TryReadReservation(reader.Bytes(), out reservation))
                        return false;
                    break;
                case 4:
                    if (!TryReadLimit(reader.Bytes(), out limit))
                        return false;
                    break;
                case 5:
                    status = reader.Int32();
                    break;
            }
        }
        // The stop protocol has no reserve: its numbers begin with connect.
        kind += isStop && kind >= 0 ? 1 : 0;
        if (reader.Malformed || kind is < 0 or > (int)RelayMessageKind.Status || (kind == (int)RelayMessageKind.Connect && peer is null))
            return false;
        message = new RelayMessage((RelayMessageKind)kind)
        {
            Peer = peer,
            Reservation = reservation,
            Limit = limit,
            Status = (RelayStatus)status,
        };
        return true;
    }

    private static bool TryReadPeer(ReadOnlySpan<byte> bytes, out PeerId peer)
    {
        peer = default;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
            if (reader.Field == 1 && !PeerId.TryFromBytes(reader.Bytes(), out peer))
                return false;
        return !reader.Malformed && peer != default;
    }

    private static bool TryReadReservation(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out RelayReservation? reservation)
    {
        reservation = null;
        ulong expires = 0;
        byte[]? voucher = null;
        var addresses = ImmutableArray.CreateBuilder<Multiaddr>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    expires = reader.UInt64();
                    break;
                case 2:
                    if (addresses.Count < AddressesMax && Multiaddr.TryFromBytes(reader.Bytes(), out Multiaddr? address))
                        addresses.Add(address);
                    break;
                case 3:
                    voucher = reader.Bytes().ToArray();
                    break;
            }
        }
        if (reader.Malformed)
            return false;
        // Later than any clock shows is for ever.
        reservation = new RelayReservation(
            new UtcTime((long)Math.Min(expires, long.MaxValue / 1000) * 1000), addresses.DrainToImmutable(), voucher);
        return true;
    }

    private static bool TryReadLimit(ReadOnlySpan<byte> bytes, out RelayLimit limit)
    {
        ulong seconds = 0, data = 0;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            if (reader.Field == 1)
                seconds = reader.UInt64();
            else if (reader.Field == 2)
                data = reader.UInt64();
        }
        limit = new RelayLimit(TimeSpan.FromSeconds((long)Math.Min(seconds, uint.MaxValue)), (long)Math.Min(data, long.MaxValue));
        return !reader.Malformed;
    }
}

/// <summary>A place that a relay keeps for a peer (circuit-v2, <c>Reservation</c>).</summary>
/// <param name="Expires">When it ends by the relay's wall clock, which may be wrong.</param>
/// <param name="Addresses">Where the relay is reached, with its peer id and without <c>/p2p-circuit</c>.</param>
/// <param name="Voucher">The signed envelope that proves it; null if there is none. Nobody asks for it yet.</param>
public sealed record RelayReservation(UtcTime Expires, ImmutableArray<Multiaddr> Addresses, byte[]? Voucher);
