using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Drap.Libp2p.Mdns;

/// <summary>
/// Reads DNS messages as anybody on the LAN may send them: never throws, never goes round in circles (a pointer leads back to before the
/// name it stands in, so each is followed once), and keeps no more than the bounds below.
/// </summary>
public ref struct DnsReader
{
    /// <summary>The longest message, RFC 6762's own limit. A longer one is none.</summary>
    public const int BytesMax = 9000;

    /// <summary>Questions and records that are read of one message; those after them are left out. js sends one of each address.</summary>
    public const int ItemsMax = 128;

    /// <summary>Texts that are read of one record; those after them are left out.</summary>
    public const int TextsMax = 64;

    // RFC 1035, section 2.3.4.
    private const int NameBytesMax = 255, LabelBytesMax = 63;

    private readonly ReadOnlySpan<byte> message;
    private int at;

    private DnsReader(ReadOnlySpan<byte> message) => this.message = message;

    /// <summary>Reads a message; false if the bytes are none. Records of other types and classes are passed over.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DnsMessage? message)
    {
        message = null;
        if (bytes.Length is < 12 or > BytesMax)
            return false;
        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        // The opcode and the response code must be zero (RFC 6762, sections 18.3 and 18.11).
        if ((flags & 0x780f) != 0)
            return false;
        var reader = new DnsReader(bytes) { at = 12 };
        int questions = BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]);
        int answers = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]);
        int authorities = BinaryPrimitives.ReadUInt16BigEndian(bytes[8..]);
        int additional = BinaryPrimitives.ReadUInt16BigEndian(bytes[10..]);
        int items = 0;
        var asked = ImmutableArray.CreateBuilder<DnsQuestion>();
        for (int i = 0; i < questions && items < ItemsMax; i++, items++)
        {
            if (!reader.TryReadName(out string name) || !reader.TryReadUInt16(out int type) || !reader.TryReadUInt16(out int questionClass))
                return false;
            // The highest bit of the class asks for a unicast answer.
            if ((questionClass & 0x7fff) is 1 or 255)
                asked.Add(new DnsQuestion(name, (DnsType)type));
        }
        var lists = new[] { ImmutableArray.CreateBuilder<DnsRecord>(), ImmutableArray.CreateBuilder<DnsRecord>(), ImmutableArray.CreateBuilder<DnsRecord>() };
        int[] counts = [answers, authorities, additional];
        for (int list = 0; list < 3; list++)
        {
            for (int i = 0; i < counts[list] && items < ItemsMax; i++, items++)
            {
                if (!reader.TryReadRecord(out DnsRecord? record))
                    return false;
                if (record is not null)
                    lists[list].Add(record);
            }
        }
        message = new DnsMessage(BinaryPrimitives.ReadUInt16BigEndian(bytes), (flags & 0x8000) != 0)
        {
            Questions = asked.DrainToImmutable(),
            Answers = lists[0].DrainToImmutable(),
            Additional = lists[2].DrainToImmutable(),
        };
        return true;
    }

    private bool TryReadRecord(out DnsRecord? record)
    {
        record = null;
        if (!TryReadName(out string name) || !TryReadUInt16(out int type) || !TryReadUInt16(out int recordClass)
            || !TryReadUInt16(out int ttlHigh) || !TryReadUInt16(out int ttlLow) || !TryReadUInt16(out int length) || message.Length - at < length)
            return false;
        int end = at + length;
        uint ttl = ((uint)ttlHigh << 16) | (uint)ttlLow;
        // The highest bit of the class says that the record replaces earlier ones.
        if ((recordClass & 0x7fff) == 1)
        {
            switch ((DnsType)type)
            {
                case DnsType.A when length == 4:
                case DnsType.Aaaa when length == 16:
                    record = new DnsRecord(name, (DnsType)type, ttl) { Address = message.Slice(at, length).ToArray() };
                    break;
                case DnsType.Ptr:
                case DnsType.Cname:
                    if (!TryReadName(out string target) || at != end)
                        return false;
                    record = new DnsRecord(name, (DnsType)type, ttl) { Target = target };
                    break;
                case DnsType.Srv:
                    at += 4; // priority and weight
                    if (!TryReadUInt16(out int port) || !TryReadName(out string host) || at != end)
                        return false;
                    record = new DnsRecord(name, DnsType.Srv, ttl) { Target = host, Port = port };
                    break;
                case DnsType.Txt:
                    if (!TryReadTexts(end, out ImmutableArray<byte[]> texts))
                        return false;
                    record = new DnsRecord(name, DnsType.Txt, ttl) { Texts = texts };
                    break;
            }
        }
        at = end;
        return true;
    }

    private bool TryReadTexts(int end, out ImmutableArray<byte[]> texts)
    {
        var list = ImmutableArray.CreateBuilder<byte[]>();
        texts = [];
        while (at < end)
        {
            int length = message[at++];
            if (end - at < length)
                return false;
            if (list.Count < TextsMax && length > 0)
                list.Add(message.Slice(at, length).ToArray());
            at += length;
        }
        texts = list.DrainToImmutable();
        return true;
    }

    private bool TryReadUInt16(out int value)
    {
        value = 0;
        if (message.Length - at < 2)
            return false;
        value = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
        at += 2;
        return true;
    }

    private bool TryReadName(out string name)
    {
        name = "";
        var text = new StringBuilder();
        int position = at, limit = at, bytes = 1;
        bool hasJumped = false;
        while (true)
        {
            if (position >= message.Length)
                return false;
            int length = message[position];
            if (length >= 0xc0)
            {
                if (position + 1 >= message.Length)
                    return false;
                int target = BinaryPrimitives.ReadUInt16BigEndian(message[position..]) & 0x3fff;
                // Back to before this name, or before where the last pointer led: ever further back, so never in circles.
                if (target < 12 || target >= limit)
                    return false;
                if (!hasJumped)
                    at = position + 2;
                hasJumped = true;
                position = limit = target;
                continue;
            }
            if (length > LabelBytesMax || position + 1 + length > message.Length || (bytes += length + 1) > NameBytesMax)
                return false;
            position++;
            if (length == 0)
            {
                if (!hasJumped)
                    at = position;
                name = text.ToString();
                return true;
            }
            if (text.Length > 0)
                text.Append('.');
            foreach (byte b in message.Slice(position, length))
            {
                // Names are compared without regard to case. A dot or a backslash in a label is told from one between labels.
                if (b is (byte)'.' or (byte)'\\')
                    text.Append('\\');
                text.Append((char)(b is >= (byte)'A' and <= (byte)'Z' ? b | 0x20 : b));
            }
            position += length;
        }
    }
}
