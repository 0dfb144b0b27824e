using System.Buffers.Binary;
using System.Text;

namespace Drap.Libp2p.Protobuf;

/// <summary>
/// Walks the fields of one protobuf message over the bytes it lies in, and allocates nothing: a hostile message of two-byte fields costs
/// its reader only what the caller decides to keep. It never throws on bad bytes; <see cref="Malformed"/> says so after the walk.
/// </summary>
/// <remarks>
/// Use: <c>while (reader.Next()) switch (reader.Field) { case 1: x = reader.Bytes(); break; … }</c>, then look at <see cref="Malformed"/>.
/// A field that is not read is passed over, as is one that is read as another wire type than it has, which makes the message malformed.
/// </remarks>
public ref struct ProtoReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> rest = message;
    private ReadOnlySpan<byte> value;
    private ulong number;

    /// <summary>The current field's number.</summary>
    public int Field { get; private set; }

    /// <summary>How the current field is laid out.</summary>
    public WireType Type { get; private set; }

    /// <summary>Whether the bytes were not a message, or a field was read as what it is not. Then nothing more is read.</summary>
    public bool Malformed { get; private set; }

    /// <summary>Goes to the next field; false at the end and at the first malformed one.</summary>
    public bool Next()
    {
        if (Malformed || rest.IsEmpty)
            return false;
        if (!TryVarint(out ulong tag) || tag >> 3 is 0 or > 0x1fffffff)
            return Fail();
        Field = (int)(tag >> 3);
        Type = (WireType)(tag & 7);
        switch (Type)
        {
            case WireType.Varint:
                return TryVarint(out number) || Fail();
            case WireType.Bytes:
                return (TryVarint(out ulong length) && length <= (ulong)rest.Length && Take((int)length)) || Fail();
            case WireType.Fixed64:
                return Take(8) || Fail();
            case WireType.Fixed32:
                return Take(4) || Fail();
            default:
                return Fail();
        }
    }

    /// <summary>The current field as bytes, or as a message to be read in turn; they lie in the message.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        if (Type == WireType.Bytes)
            return value;
        Fail();
        return default;
    }

    /// <summary>The current field as text; bytes that are not UTF-8 make the message malformed.</summary>
    public string Text()
    {
        try
        {
            return Strict.GetString(Bytes());
        }
        catch (DecoderFallbackException)
        {
            Fail();
            return "";
        }
    }

    /// <summary>The current field as an unsigned number.</summary>
    public ulong UInt64()
    {
        switch (Type)
        {
            case WireType.Varint:
                return number;
            case WireType.Fixed64:
                return BinaryPrimitives.ReadUInt64LittleEndian(value);
            case WireType.Fixed32:
                return BinaryPrimitives.ReadUInt32LittleEndian(value);
            default:
                Fail();
                return 0;
        }
    }

    /// <summary>The current field as a signed number (<c>int64</c>, <c>int32</c>: two's complement, not zigzag).</summary>
    public long Int64() => (long)UInt64();

    /// <summary>The current field as a 32-bit number or an enumeration; a larger one makes the message malformed.</summary>
    public int Int32()
    {
        long wide = Int64();
        if (wide is >= int.MinValue and <= int.MaxValue)
            return (int)wide;
        Fail();
        return 0;
    }

    /// <summary>The current field as a truth value.</summary>
    public bool Bool() => UInt64() != 0;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private bool Take(int length)
    {
        if (rest.Length < length)
            return false;
        value = rest[..length];
        rest = rest[length..];
        return true;
    }

    // Protobuf's varints, unlike multiformats', may be ten bytes long and need not be minimal.
    private bool TryVarint(out ulong result)
    {
        result = 0;
        for (int i = 0; i < 10 && i < rest.Length; i++)
        {
            result |= (ulong)(rest[i] & 0x7f) << (7 * i);
            if (rest[i] >= 0x80)
                continue;
            rest = rest[(i + 1)..];
            return true;
        }
        return false;
    }

    private bool Fail()
    {
        Malformed = true;
        rest = default;
        return false;
    }
}
