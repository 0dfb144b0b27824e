namespace Drap.Core.Transfer;

/// <summary>Reads protobuf fields from a span; a malformed one ends the reading and sets <see cref="Failed"/>, nothing throws.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> rest = bytes;

    public bool Failed { get; private set; }

    /// <summary>The field's number after <see cref="Next"/>.</summary>
    public int Field { get; private set; }

    /// <summary>The value of a varint field.</summary>
    public ulong Number { get; private set; }

    /// <summary>The bytes of a length-delimited field.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Whether the field is length-delimited; else it is a varint (fixed-width fields occur in no message of ours).</summary>
    public bool IsBytes { get; private set; }

    /// <summary>Moves to the next field; false at the end and at the first fault.</summary>
    public bool Next()
    {
        if (rest.IsEmpty || Failed || !TryVarint(out ulong key) || key >> 3 is 0 or > 536_870_911)
            return Fail(!rest.IsEmpty || Failed);
        Field = (int)(key >> 3);
        switch (key & 7)
        {
            case 0:
                IsBytes = false;
                Bytes = default;
                if (!TryVarint(out ulong number))
                    return Fail(true);
                Number = number;
                return true;
            case 2:
                IsBytes = true;
                Number = 0;
                if (!TryVarint(out ulong length) || length > (ulong)rest.Length)
                    return Fail(true);
                Bytes = rest[..(int)length];
                rest = rest[(int)length..];
                return true;
            default:
                return Fail(true);
        }
    }

    /// <summary>Reads a bare varint, as packed fields hold them; false at the end and at the first fault.</summary>
    public bool NextPacked(out ulong value)
    {
        value = 0;
        return !rest.IsEmpty && (TryVarint(out value) || Fail(true));
    }

    private bool Fail(bool really)
    {
        Failed |= really;
        return false;
    }

    private bool TryVarint(out ulong value)
    {
        value = 0;
        for (int i = 0; i < 10 && i < rest.Length; i++)
        {
            byte b = rest[i];
            if (i == 9 && b > 1)
                break;
            value |= (ulong)(b & 0x7f) << (7 * i);
            if (b < 0x80)
            {
                rest = rest[(i + 1)..];
                return true;
            }
        }
        Failed = true;
        return false;
    }
}
