using System.Buffers.Binary;

namespace Drap.Libp2p.Mdns;

/// <summary>
/// Writes DNS messages. Names are ours or plain ones, with labels of at most 63 bytes; one that stood before is written as a pointer to
/// it. For small messages.
/// </summary>
internal sealed class DnsWriter
{
    private readonly List<byte> bytes = [];
    private readonly Dictionary<string, int> written = [];

    /// <summary>The message as bytes. A legacy resolver's answer repeats the question, and says no "replaces earlier ones".</summary>
    public static byte[] Write(DnsMessage message, bool isLegacy = false)
    {
        var writer = new DnsWriter();
        writer.UInt16(message.Id);
        // A response is authoritative (RFC 6762, section 18.4).
        writer.UInt16(message.IsResponse ? 0x8400 : 0);
        writer.UInt16(message.Questions.Length);
        writer.UInt16(message.Answers.Length);
        writer.UInt16(0);
        writer.UInt16(message.Additional.Length);
        foreach (DnsQuestion question in message.Questions)
        {
            writer.Name(question.Name);
            writer.UInt16((int)question.Type);
            writer.UInt16(1);
        }
        foreach (DnsRecord record in message.Answers.Concat(message.Additional))
            writer.Record(record, isLegacy);
        return [.. writer.bytes];
    }

    private void Record(DnsRecord record, bool isLegacy)
    {
        Name(record.Name);
        UInt16((int)record.Type);
        // Many peers share the name of the service, so its pointers replace nobody else's; the other names are one peer's alone.
        UInt16(record.Type == DnsType.Ptr || isLegacy ? 1 : 0x8001);
        UInt16((int)(record.Ttl >> 16));
        UInt16((int)(record.Ttl & 0xffff));
        int start = bytes.Count;
        UInt16(0);
        switch (record.Type)
        {
            case DnsType.Ptr:
            case DnsType.Cname:
                Name(record.Target);
                break;
            case DnsType.Srv:
                UInt16(0);
                UInt16(0);
                UInt16(record.Port);
                // Not as a pointer: RFC 2782.
                written.Clear();
                Name(record.Target);
                break;
            case DnsType.Txt:
                foreach (byte[] text in record.Texts)
                {
                    Invariant.Check(text.Length <= 255);
                    bytes.Add((byte)text.Length);
                    bytes.AddRange(text);
                }
                // A text record without a text is not allowed (RFC 6763, section 6.1).
                if (record.Texts.IsEmpty)
                    bytes.Add(0);
                break;
            default:
                bytes.AddRange(record.Address);
                break;
        }
        Span<byte> length = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)(bytes.Count - start - 2));
        (bytes[start], bytes[start + 1]) = (length[0], length[1]);
    }

    private void Name(string name)
    {
        for (string rest = name; rest.Length > 0;)
        {
            if (written.TryGetValue(rest, out int position))
            {
                UInt16(0xc000 | position);
                return;
            }
            if (bytes.Count < 0x4000)
                written.Add(rest, bytes.Count);
            int dot = rest.IndexOf('.', StringComparison.Ordinal);
            string label = dot < 0 ? rest : rest[..dot];
            Invariant.Check(label.Length is > 0 and <= 63);
            bytes.Add((byte)label.Length);
            foreach (char c in label)
                bytes.Add((byte)c);
            rest = dot < 0 ? "" : rest[(dot + 1)..];
        }
        bytes.Add(0);
    }

    private void UInt16(int value)
    {
        bytes.Add((byte)(value >> 8));
        bytes.Add((byte)value);
    }
}
