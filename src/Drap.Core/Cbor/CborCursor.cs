using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Drap.Core.Cbor;

/// <summary>
/// Walks the items of deterministic CBOR (RFC 8949, 4.2) that anybody may have sent. It never throws: the first fault is kept, and from
/// then on nothing is found. Counts and lengths are held against the bytes that remain before anything is allocated for them. The names
/// that its members take are those of the fields that are read, for the fault.
/// </summary>
internal ref struct CborCursor(ReadOnlySpan<byte> frame)
{
    private readonly ReadOnlySpan<byte> frame = frame;
    private int at;
    private CodecError error;

    /// <summary>Where the next item stands.</summary>
    public readonly int At => at;

    /// <summary>How many bytes remain.</summary>
    public readonly int Left => frame.Length - at;

    /// <summary>Whether a fault was found.</summary>
    public readonly bool Failed => error.Fault != CodecFault.None;

    /// <summary>The first fault.</summary>
    public readonly CodecError Error => error;

    /// <summary>Whether the next item says to be of <paramref name="type"/>; so says a frame that has ended, whose fault is found by who reads on.</summary>
    public readonly bool NextMayBe(CborType type) => at >= frame.Length || (CborType)(frame[at] >> 5) == type;

    /// <summary>An integer from <paramref name="min"/> to <paramref name="max"/>; 0 after a fault.</summary>
    public long Int(string name, long min, long max)
    {
        int start = at;
        if (!TryHead(name, out CborType type, out ulong argument))
            return 0;
        if (type is not (CborType.Unsigned or CborType.Negative))
            return Fail(new CodecError(CodecFault.WrongType, name, start));
        long value = type == CborType.Unsigned ? (long)argument : ~(long)argument;
        if (argument > long.MaxValue || value < min || value > max)
            return Fail(new CodecError(CodecFault.OutOfRange, name, start, min, max));
        return value;
    }

    /// <summary>An identifier of 16 bytes.</summary>
    public Guid Uuid(string name)
    {
        int start = at;
        ReadOnlySpan<byte> bytes = String(CborType.Bytes, name, 16);
        if (bytes.Length == 16)
            return new Guid(bytes, bigEndian: true);
        Fail(new CodecError(CodecFault.Malformed, name, start));
        return default;
    }

    /// <summary>Text of at most <paramref name="bytesMax"/> bytes of UTF-8.</summary>
    public string Text(string name, int bytesMax)
    {
        int start = at;
        ReadOnlySpan<byte> utf8 = String(CborType.Text, name, bytesMax);
        if (utf8.IsEmpty)
            return "";
        if (Utf8.IsValid(utf8))
            return Encoding.UTF8.GetString(utf8);
        Fail(new CodecError(CodecFault.Malformed, name, start));
        return "";
    }

    /// <summary>The bytes of a string of <paramref name="type"/>, where they stand in the frame.</summary>
    public ReadOnlySpan<byte> String(CborType type, string name, int bytesMax)
    {
        int start = at;
        ulong length = Argument(type, name);
        if (Failed)
            return default;
        if (length > (ulong)bytesMax)
            Fail(new CodecError(CodecFault.TooLong, name, start, 0, bytesMax));
        else if (length > (ulong)(frame.Length - at))
            Fail(new CodecError(CodecFault.Truncated, name, start));
        if (Failed)
            return default;
        ReadOnlySpan<byte> bytes = frame.Slice(at, (int)length);
        at += (int)length;
        return bytes;
    }

    /// <summary>How many items the array that begins here has.</summary>
    public int Count(string name, int countMax)
    {
        int start = at;
        ulong count = Argument(CborType.Array, name);
        if (count > (ulong)countMax)
            return Fail(new CodecError(CodecFault.TooMany, name, start, 0, countMax));
        // Each item takes a byte at least.
        if (count > (ulong)(frame.Length - at))
            return Fail(new CodecError(CodecFault.Truncated, name, start));
        return (int)count;
    }

    /// <summary>The argument of a head that must be of <paramref name="expected"/>.</summary>
    public ulong Argument(CborType expected, string name)
    {
        int start = at;
        if (!TryHead(name, out CborType type, out ulong argument))
            return 0;
        if (type == expected)
            return argument;
        Fail(new CodecError(CodecFault.WrongType, name, start));
        return 0;
    }

    /// <summary>The next head: its major type and its argument.</summary>
    public bool TryHead(string name, out CborType type, out ulong argument)
    {
        type = default;
        argument = 0;
        if (Failed)
            return false;
        if (at >= frame.Length)
            return Fail(new CodecError(CodecFault.Truncated, name, at)) != 0;
        int initial = frame[at];
        type = (CborType)(initial >> 5);
        int info = initial & 31;
        if (info < 24)
        {
            at++;
            argument = (ulong)info;
            return true;
        }
        return TryArgument(name, info, type, out argument);
    }

    /// <summary>Passes over one item, whatever it is.</summary>
    public void Skip(int depth)
    {
        int start = at;
        if (depth > CborLimits.DepthMax)
        {
            Fail(new CodecError(CodecFault.TooDeep, "", start));
            return;
        }
        if (!TryHead("", out CborType type, out ulong argument))
            return;
        if (type is CborType.Bytes or CborType.Text)
        {
            if (argument > (ulong)(frame.Length - at))
                Fail(new CodecError(CodecFault.Truncated, "", start));
            else
                at += (int)argument;
            return;
        }
        ulong items = type switch
        {
            CborType.Array => argument,
            CborType.Map when argument <= int.MaxValue => argument * 2,
            CborType.Map => argument,
            CborType.Tag => 1,
            _ => 0,
        };
        // A count that is too large runs into the end of the frame, which is bounded.
        for (ulong i = 0; i < items && !Failed; i++)
            Skip(depth + 1);
    }

    /// <summary>Says that everything must have been read.</summary>
    public void End()
    {
        if (!Failed && at != frame.Length)
            Fail(new CodecError(CodecFault.TrailingBytes, "", at));
    }

    /// <summary>Remembers the first fault and goes to the end of the frame; 0, so that a reader can give it back.</summary>
    public int Fail(CodecError what)
    {
        if (!Failed)
            error = what;
        at = frame.Length;
        return 0;
    }

    private bool TryArgument(string name, int info, CborType type, out ulong argument)
    {
        argument = 0;
        if (info > 27)
            return Fail(new CodecError(CodecFault.NotDeterministic, name, at)) != 0;
        int bytes = 1 << (info - 24);
        if (frame.Length - at - 1 < bytes)
            return Fail(new CodecError(CodecFault.Truncated, name, at)) != 0;
        ReadOnlySpan<byte> rest = frame[(at + 1)..];
        (argument, ulong least) = bytes switch
        {
            1 => (rest[0], 24UL),
            2 => (BinaryPrimitives.ReadUInt16BigEndian(rest), 1UL << 8),
            4 => (BinaryPrimitives.ReadUInt32BigEndian(rest), 1UL << 16),
            _ => (BinaryPrimitives.ReadUInt64BigEndian(rest), 1UL << 32),
        };
        // The argument of a float is its bits, not a number that could be shorter.
        if (argument < least && type != CborType.Simple)
            return Fail(new CodecError(CodecFault.NotDeterministic, name, at)) != 0;
        at += 1 + bytes;
        return true;
    }
}
