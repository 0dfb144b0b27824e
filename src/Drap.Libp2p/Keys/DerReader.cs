namespace Drap.Libp2p.Keys;

/// <summary>
/// Walks over DER (X.690) as keys, signatures and certificates of peers need it. The framework's reader throws where bytes are not what they should
/// be, and a peer could make us pay for that with every message; this one says no, and allocates nothing. It takes only what has one encoding:
/// definite, minimal lengths, and numbers without padding.
/// </summary>
internal ref struct DerReader(ReadOnlySpan<byte> der)
{
    public const byte Boolean = 0x01, Integer = 0x02, BitString = 0x03, OctetString = 0x04, Null = 0x05, ObjectIdentifier = 0x06,
        UtcTime = 0x17, GeneralizedTime = 0x18,
        Sequence = 0x30;

    private ReadOnlySpan<byte> rest = der;

    /// <summary>Whether everything was read.</summary>
    public readonly bool IsAtEnd => rest.IsEmpty;

    /// <summary>The tag of the next value; 0 at the end.</summary>
    public readonly byte Tag => rest.IsEmpty ? (byte)0 : rest[0];

    /// <summary>The bytes that the next value takes with its tag and length; empty if there is no whole one.</summary>
    public readonly ReadOnlySpan<byte> Peek() => TryMeasure(out int header, out int length) ? rest[..(header + length)] : default;

    /// <summary>Reads a value of this tag.</summary>
    public bool TryRead(byte tag, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (Tag != tag || !TryMeasure(out int header, out int length))
            return false;
        value = rest.Slice(header, length);
        rest = rest[(header + length)..];
        return true;
    }

    /// <summary>Reads a value that holds others.</summary>
    public bool TryEnter(byte tag, out DerReader inner)
    {
        bool read = TryRead(tag, out ReadOnlySpan<byte> value);
        inner = new DerReader(value);
        return read;
    }

    /// <summary>Passes over a value of this tag.</summary>
    public bool TrySkip(byte tag) => TryRead(tag, out _);

    /// <summary>Reads a whole number of zero or more, without the zero byte that keeps it from being negative.</summary>
    public bool TryReadUnsigned(out ReadOnlySpan<byte> number)
    {
        if (!TryRead(Integer, out number) || number.IsEmpty || number[0] >= 0x80)
            return false;
        if (number[0] != 0)
            return true;
        if (number.Length > 1 && number[1] < 0x80)
            return false; // padding
        number = number[1..];
        return true;
    }

    /// <summary>Reads a bit string of whole bytes.</summary>
    public bool TryReadBits(out ReadOnlySpan<byte> bits)
    {
        if (!TryRead(BitString, out bits) || bits.IsEmpty || bits[0] != 0)
            return false;
        bits = bits[1..];
        return true;
    }

    private readonly bool TryMeasure(out int header, out int length)
    {
        header = 2;
        length = 0;
        if (rest.Length < 2)
            return false;
        length = rest[1];
        if (length >= 0x80)
        {
            int bytes = length & 0x7f;
            // Three bytes of length are 16 MiB, beyond all that is taken anywhere.
            if (bytes is < 1 or > 3 || rest.Length < 2 + bytes)
                return false;
            length = 0;
            foreach (byte b in rest.Slice(2, bytes))
                length = (length << 8) | b;
            if (length < (bytes == 1 ? 0x80 : 1 << (8 * (bytes - 1))))
                return false;
            header += bytes;
        }
        return rest.Length - header >= length;
    }
}
