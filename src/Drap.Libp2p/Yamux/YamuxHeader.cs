using System.Buffers.Binary;

namespace Drap.Libp2p.Yamux;

/// <summary>The twelve bytes before every frame (hashicorp/yamux spec.md, "Framing"); all numbers are big-endian and unsigned.</summary>
/// <param name="Type">What the frame is.</param>
/// <param name="Flags">What it says of its stream besides; unknown flags are kept and mean nothing.</param>
/// <param name="StreamId">Its stream; 0 is the session itself.</param>
/// <param name="Length">Bytes of payload, credit, a ping's value or the reason of going away, by type.</param>
public readonly record struct YamuxHeader(YamuxType Type, YamuxFlags Flags, uint StreamId, uint Length)
{
    /// <summary>Bytes on the wire.</summary>
    public const int Bytes = 12;

    /// <summary>Reads the first <see cref="Bytes"/> bytes of <paramref name="source"/>; says which rule they break, if one.</summary>
    public static YamuxViolation Read(ReadOnlySpan<byte> source, out YamuxHeader header)
    {
        header = new YamuxHeader((YamuxType)source[1], (YamuxFlags)BinaryPrimitives.ReadUInt16BigEndian(source[2..]),
            BinaryPrimitives.ReadUInt32BigEndian(source[4..]), BinaryPrimitives.ReadUInt32BigEndian(source[8..]));
        if (source[0] != 0)
            return YamuxViolation.UnknownVersion;
        if (header.Type > YamuxType.GoAway)
            return YamuxViolation.UnknownType;
        bool isOfSession = header.Type is YamuxType.Ping or YamuxType.GoAway;
        return isOfSession == (header.StreamId == 0) ? YamuxViolation.None : YamuxViolation.WrongStreamId;
    }

    /// <summary>Writes <see cref="Bytes"/> bytes.</summary>
    public void Write(Span<byte> destination)
    {
        destination[0] = 0;
        destination[1] = (byte)Type;
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)Flags);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], StreamId);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], Length);
    }
}

/// <summary>What a frame is ("Type Field").</summary>
public enum YamuxType : byte
{
    /// <summary>Bytes of a stream; the length is theirs.</summary>
    Data = 0,

    /// <summary>Credit for a stream; the length is added to what may be sent on it.</summary>
    WindowUpdate = 1,

    /// <summary>A question whether the other side lives (SYN), or the answer (ACK); the length is a value that the answer repeats.</summary>
    Ping = 2,

    /// <summary>No more streams; the length says why (<see cref="YamuxGoAway"/>).</summary>
    GoAway = 3,
}

/// <summary>What a frame says of its stream besides ("Flag Field").</summary>
[Flags]
public enum YamuxFlags : ushort
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>It opens the stream; on a ping, it asks.</summary>
    Syn = 1,

    /// <summary>It accepts the stream; on a ping, it answers.</summary>
    Ack = 2,

    /// <summary>The sender writes no more.</summary>
    Fin = 4,

    /// <summary>The stream is over, both ways, at once.</summary>
    Rst = 8,
}

/// <summary>Why a session ends, as the wire says it ("Go Away").</summary>
public enum YamuxGoAway : uint
{
    /// <summary>It is not needed any more.</summary>
    Normal = 0,

    /// <summary>The other side broke a rule.</summary>
    ProtocolError = 1,

    /// <summary>This side cannot go on.</summary>
    InternalError = 2,
}

/// <summary>Which rule a peer broke. Each ends the session with <see cref="YamuxGoAway.ProtocolError"/>.</summary>
public enum YamuxViolation : byte
{
    /// <summary>None.</summary>
    None,

    /// <summary>A version other than 0.</summary>
    UnknownVersion,

    /// <summary>A type above 3.</summary>
    UnknownType,

    /// <summary>A stream's frame with id 0, a session's frame with another, or an opening with an id of our parity.</summary>
    WrongStreamId,

    /// <summary>An opening of a stream that is open.</summary>
    OpenedTwice,

    /// <summary>A frame of a stream that nobody opened.</summary>
    NeverOpened,

    /// <summary>More bytes than the stream's window allowed.</summary>
    WindowExceeded,

    /// <summary>Credit for more than 2^32 - 1 bytes.</summary>
    WindowOverflow,

    /// <summary>Bytes after the sender had said that it writes no more.</summary>
    DataAfterFin,

    /// <summary>More pings than this side could answer, because the peer does not read what it is sent.</summary>
    PingFlood,

    /// <summary>More streams refused than this side could say, because the peer does not read what it is sent.</summary>
    StreamFlood,
}
