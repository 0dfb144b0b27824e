using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using Drap.Libp2p.Mdns;

namespace Drap.Libp2p.Dnsaddr;

/// <summary>What a name server's answer is.</summary>
public enum TxtStatus
{
    /// <summary>The texts of the name; there may be none.</summary>
    Answered,

    /// <summary>It is too long for a datagram: to be asked again over TCP.</summary>
    Truncated,

    /// <summary>The server cannot or will not say: to be asked of another.</summary>
    Failed,

    /// <summary>No answer to this question: to be passed over, since anybody may send it.</summary>
    NotOurs,
}

/// <summary>Questions for the texts of a name, and answers, as resolvers take and give them (RFC 1035; RFC 6891 for answers of more than 512 bytes).</summary>
public static class TxtCodec
{
    /// <summary>
    /// The longest answer that we say a datagram may hold, 1 232 bytes, as the operators of name servers agreed in 2020: less than any path that IPv6 takes carries in one piece. Longer ones come over TCP.
    /// </summary>
    public const int DatagramBytesMax = 1232;

    // Of CNAMEs, each leading to the next.
    private const int AliasesMax = 8;

    private const int HeadBytes = 12, Opt = 41;

    /// <summary>Whether a name can be asked for: labels of 1 to 63 ASCII characters, 253 in all. A dot at its end is not part of it.</summary>
    public static bool IsName(string name) =>
        name.Length is > 0 and <= 253 && Ascii.IsValid(name) && name.Split('.').All(label => label.Length is > 0 and <= 63 && !label.Contains('\\'));

    /// <summary>The question for a name's texts.</summary>
    /// <param name="id">Its number, which nobody else can guess.</param>
    /// <param name="name">The name; <see cref="IsName"/> holds.</param>
    public static byte[] Question(ushort id, string name)
    {
        Invariant.Check(IsName(name));
        byte[] question = DnsWriter.Write(new DnsMessage(id, IsResponse: false) { Questions = [new DnsQuestion(name, DnsType.Txt)] });
        // Who is asked asks others (RD), and may answer in a long datagram: a record of type OPT at the root.
        question[2] |= 1;
        question[11] = 1;
        return [.. question, 0, 0, Opt, DatagramBytesMax >> 8, DatagramBytesMax & 0xff, 0, 0, 0, 0, 0, 0];
    }

    /// <summary>Reads an answer. Never throws.</summary>
    /// <param name="bytes">What came.</param>
    /// <param name="id">The question's number.</param>
    /// <param name="name">What was asked for.</param>
    /// <param name="texts">The name's texts, each the parts of one record put together; those that are no UTF-8 are left out.</param>
    public static TxtStatus Read(ReadOnlySpan<byte> bytes, ushort id, string name, out ImmutableArray<string> texts)
    {
        texts = [];
        if (bytes.Length < HeadBytes || BinaryPrimitives.ReadUInt16BigEndian(bytes) != id || (bytes[2] & 0x80) == 0)
            return TxtStatus.NotOurs;
        const int NoSuchName = 3;
        int code = bytes[3] & 0x0f;
        if (code != 0)
            return code == NoSuchName ? TxtStatus.Answered : TxtStatus.Failed;
        if ((bytes[2] & 0x02) != 0)
            return TxtStatus.Truncated;
        if (!DnsReader.TryRead(bytes, out DnsMessage? message))
            return TxtStatus.Failed;
        string asked = name.ToLowerInvariant();
        if (message.Questions is not [{ Type: DnsType.Txt } question] || question.Name != asked)
            return TxtStatus.NotOurs;
        for (int i = 0; i < AliasesMax && message.Answers.FirstOrDefault(r => r.Type == DnsType.Cname && r.Name == asked) is { } alias; i++)
            asked = alias.Target;
        texts = [.. message.Answers.Where(r => r.Type == DnsType.Txt && r.Name == asked).Select(TextOf).OfType<string>()];
        return TxtStatus.Answered;
    }

    private static string? TextOf(DnsRecord record)
    {
        byte[] text = [.. record.Texts.SelectMany(part => part)];
        return System.Text.Unicode.Utf8.IsValid(text) ? Encoding.UTF8.GetString(text) : null;
    }
}
