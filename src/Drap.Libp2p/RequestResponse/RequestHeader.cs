using System.Buffers.Binary;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.RequestResponse;

/// <summary>
/// What stands before a request on its stream: eight bytes of session, big-endian, three varints, then the body. By it a request that is sent again is known
/// again, over whatever connection it comes.
/// </summary>
/// <param name="Session">One run of one asker, drawn at random; numbers begin anew with it.</param>
/// <param name="Number">The request's own, from 1 on, each once.</param>
/// <param name="Settled">The asker will never send the requests below this number again, so that their answers need not be kept.</param>
/// <param name="Length">Bytes of the body.</param>
public readonly record struct RequestHeader(ulong Session, long Number, long Settled, int Length)
{
    /// <summary>The most bytes that one takes.</summary>
    public const int BytesMax = 8 + 3 * UnsignedVarint.BytesMax;

    /// <summary>Writes it and returns the bytes it took.</summary>
    public int Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, Session);
        int length = 8;
        length += UnsignedVarint.Write(destination[length..], (ulong)Number);
        length += UnsignedVarint.Write(destination[length..], (ulong)Settled);
        return length + UnsignedVarint.Write(destination[length..], (ulong)Length);
    }

    /// <summary>Reads one at the start of <paramref name="source"/>; a body longer than <paramref name="bodyMax"/> makes it malformed.</summary>
    public static VarintStatus TryRead(ReadOnlySpan<byte> source, int bodyMax, out RequestHeader header, out int consumed)
    {
        header = default;
        consumed = 0;
        if (source.Length < 8)
            return VarintStatus.Incomplete;
        ulong session = BinaryPrimitives.ReadUInt64BigEndian(source);
        int at = 8;
        VarintStatus status = Next(source, ref at, out ulong number);
        if (status != VarintStatus.Done)
            return status;
        status = Next(source, ref at, out ulong settled);
        if (status != VarintStatus.Done)
            return status;
        status = Next(source, ref at, out ulong length);
        if (status != VarintStatus.Done)
            return status;
        if (number == 0 || settled > number || length > (ulong)bodyMax)
            return VarintStatus.Malformed;
        header = new RequestHeader(session, (long)number, (long)settled, (int)length);
        consumed = at;
        return VarintStatus.Done;
    }

    private static VarintStatus Next(ReadOnlySpan<byte> source, ref int at, out ulong value)
    {
        VarintStatus status = UnsignedVarint.TryRead(source[at..], out value, out int length);
        at += length;
        return status;
    }
}

/// <summary>What stands before an answer: how it went (one byte), and a varint of the body's length.</summary>
public readonly record struct ResponseHeader(ResponseStatus Status, int Length)
{
    /// <summary>The most bytes that one takes.</summary>
    public const int BytesMax = 1 + UnsignedVarint.BytesMax;

    /// <summary>Writes it and returns the bytes it took.</summary>
    public int Write(Span<byte> destination)
    {
        destination[0] = (byte)Status;
        return 1 + UnsignedVarint.Write(destination[1..], (ulong)Length);
    }

    /// <summary>Reads one at the start of <paramref name="source"/>; a body longer than <paramref name="bodyMax"/> makes it malformed.</summary>
    public static VarintStatus TryRead(ReadOnlySpan<byte> source, int bodyMax, out ResponseHeader header, out int consumed)
    {
        header = default;
        consumed = 0;
        if (source.IsEmpty)
            return VarintStatus.Incomplete;
        if (source[0] > (byte)ResponseStatus.Busy)
            return VarintStatus.Malformed;
        VarintStatus status = UnsignedVarint.TryRead(source[1..], out ulong length, out int prefix);
        if (status != VarintStatus.Done)
            return status;
        if (length > (ulong)bodyMax)
            return VarintStatus.Malformed;
        header = new ResponseHeader((ResponseStatus)source[0], (int)length);
        consumed = 1 + prefix;
        return VarintStatus.Done;
    }
}

/// <summary>How a request went.</summary>
public enum ResponseStatus : byte
{
    /// <summary>The body is the answer.</summary>
    Answered = 0,

    /// <summary>Whoever was asked failed; the body says why, in UTF-8. It is not to be asked again.</summary>
    Failed = 1,

    /// <summary>The request was done, but its answer is not kept any more, or it was settled. It is not to be asked again.</summary>
    Gone = 2,

    /// <summary>It was not begun, since too much is under way. It may be asked again later.</summary>
    Busy = 3,
}
