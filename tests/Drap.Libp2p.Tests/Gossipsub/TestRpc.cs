using System.Globalization;
using System.Text;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Tests.Gossipsub;

/// <summary>RPCs as lines of text, written and read by nothing that the router uses but the protobuf reader and writer.</summary>
internal static class TestRpc
{
    /// <summary>A peer of that name; its key is no point, and nobody checks.</summary>
    public static PeerId Peer(string name)
    {
        Span<byte> key = stackalloc byte[32];
        key.Clear();
        Encoding.ASCII.GetBytes(name, key);
        return PeerId.FromEd25519(key);
    }

    public static string NameOf(PeerId peer) => Encoding.ASCII.GetString(peer.Bytes[6..]).TrimEnd('\0');

    /// <summary><c>a#7</c>: the id of the message that a has numbered 7.</summary>
    public static byte[] Id(string word, MessageIdForm form)
    {
        string[] parts = word.Split('#');
        byte[] number = new byte[8];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(number, ulong.Parse(parts[1], CultureInfo.InvariantCulture));
        ReadOnlySpan<byte> from = Peer(parts[0]).Bytes;
        return [.. form == MessageIdForm.SourceAndSequence ? from : from[2..], .. number];
    }

    public static string IdName(ReadOnlySpan<byte> id, MessageIdForm form) =>
        (form == MessageIdForm.SourceAndSequence ? id.Length == 46 : id.Length == 44)
            ? $"{Encoding.ASCII.GetString(id[^40..^8]).TrimEnd('\0')}#{System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(id[^8..])}"
            : Convert.ToHexStringLower(id);

    public static byte[] Message(string from, ulong sequence, string topic, ReadOnlySpan<byte> data, byte mark = 1)
    {
        var writer = new ProtoWriter();
        Span<byte> number = stackalloc byte[8];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(number, sequence);
        writer.Bytes(1, Peer(from).Bytes);
        writer.Bytes(2, data);
        writer.Bytes(3, number);
        writer.Text(4, topic);
        Span<byte> signature = stackalloc byte[64];
        signature.Fill(mark);
        writer.Bytes(5, signature);
        return writer.ToArray();
    }

    /// <summary>
    /// Encodes parts divided by semicolons: <c>sub t</c>, <c>unsub t</c>, <c>msg a#1 t size=9 sig=2</c>, <c>graft t</c>, <c>prune t 60 x,y</c>,
    /// <c>ihave t a#1 a#2</c>, <c>iwant a#1</c>, <c>idontwant a#1</c>.
    /// </summary>
    public static byte[] Encode(string text, MessageIdForm form)
    {
        var rpc = new ProtoWriter();
        var control = new ProtoWriter();
        foreach (string part in text.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = part.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var sub = new ProtoWriter();
            switch (words[0])
            {
                case "sub" or "unsub":
                    sub.Number(1, words[0] == "sub" ? 1u : 0u);
                    sub.Text(2, words[1]);
                    rpc.Bytes(1, sub.Written);
                    break;
                case "msg":
                    string[] id = words[1].Split('#');
                    int size = words.FirstOrDefault(w => w.StartsWith("size=", StringComparison.Ordinal)) is { } s ? int.Parse(s[5..], CultureInfo.InvariantCulture) : 8;
                    byte mark = words.FirstOrDefault(w => w.StartsWith("sig=", StringComparison.Ordinal)) is { } m ? byte.Parse(m[4..], CultureInfo.InvariantCulture) : (byte)1;
                    rpc.Bytes(2, Message(id[0], ulong.Parse(id[1], CultureInfo.InvariantCulture), words[2], new byte[size], mark));
                    break;
                case "graft":
                    sub.Text(1, words[1]);
                    control.Bytes(3, sub.Written);
                    break;
                case "prune":
                    sub.Text(1, words[1]);
                    if (words.Length > 3)
                        foreach (string name in words[3].Split(','))
                        {
                            var info = new ProtoWriter();
                            info.Bytes(1, Peer(name).Bytes);
                            info.Text(2, "record of " + name);
                            sub.Bytes(2, info.Written);
                        }
                    if (words.Length > 2)
                        sub.Number(3, ulong.Parse(words[2], CultureInfo.InvariantCulture));
                    control.Bytes(4, sub.Written);
                    break;
                case "ihave":
                    sub.Text(1, words[1]);
                    foreach (string word in words[2..])
                        sub.Bytes(2, Id(word, form));
                    control.Bytes(1, sub.Written);
                    break;
                case "iwant" or "idontwant":
                    foreach (string word in words[1..])
                        sub.Bytes(1, Id(word, form));
                    control.Bytes(words[0] == "iwant" ? 2 : 5, sub.Written);
                    break;
                default:
                    throw new ArgumentException($"no such part: {part}", nameof(text));
            }
        }
        if (control.Length > 0)
            rpc.Bytes(3, control.Written);
        return rpc.ToArray();
    }

    /// <summary>The parts of a frame, in the words of <see cref="Encode"/>.</summary>
    public static string Decode(ReadOnlySpan<byte> frame, MessageIdForm form)
    {
        var parts = new List<string>();
        int prefix = 0;
        int length = 0;
        do
            length |= (frame[prefix] & 0x7f) << (7 * prefix);
        while (frame[prefix++] >= 0x80);
        if (length != frame.Length - prefix)
            return $"bad length {length} of {frame.Length - prefix}";
        var rpc = new ProtoReader(frame[prefix..]);
        while (rpc.Next())
        {
            switch (rpc.Field)
            {
                case 1:
                    (bool on, string topic) = Subscription(rpc.Bytes());
                    parts.Add($"{(on ? "sub" : "unsub")} {topic}");
                    break;
                case 2:
                    parts.Add($"msg {MessageName(rpc.Bytes(), form)}");
                    break;
                case 3:
                    Control(rpc.Bytes(), form, parts);
                    break;
                default:
                    parts.Add($"field {rpc.Field}");
                    break;
            }
        }
        return rpc.Malformed ? "malformed" : string.Join("; ", parts);
    }

    private static (bool On, string Topic) Subscription(ReadOnlySpan<byte> bytes)
    {
        (bool On, string Topic) result = default;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            if (reader.Field == 1)
                result.On = reader.Bool();
            else
                result.Topic = reader.Text();
        }
        return result;
    }

    private static string MessageName(ReadOnlySpan<byte> bytes, MessageIdForm form)
    {
        byte[] from = [], number = [];
        string topic = "";
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            if (reader.Field == 1)
                from = reader.Bytes().ToArray();
            else if (reader.Field == 3)
                number = reader.Bytes().ToArray();
            else if (reader.Field == 4)
                topic = reader.Text();
        }
        return $"{IdName([.. form == MessageIdForm.SourceAndSequence ? from : from[2..], .. number], form)} {topic}";
    }

    private static void Control(ReadOnlySpan<byte> bytes, MessageIdForm form, List<string> parts)
    {
        var control = new ProtoReader(bytes);
        while (control.Next())
        {
            var words = new List<string>();
            int kind = control.Field;
            var reader = new ProtoReader(control.Bytes());
            while (reader.Next())
            {
                if (kind is 2 or 5 || (kind == 1 && reader.Field == 2))
                {
                    words.Add(IdName(reader.Bytes(), form));
                }
                else if (kind == 4 && reader.Field == 2)
                {
                    var info = new ProtoReader(reader.Bytes());
                    string name = "";
                    while (info.Next())
                        name += info.Field == 1 && PeerId.TryFromBytes(info.Bytes(), out PeerId peer) ? NameOf(peer) : $"({info.Text()})";
                    words.Add(name);
                }
                else if (kind == 4 && reader.Field == 3)
                {
                    words.Add($"{reader.UInt64()}s");
                }
                else
                {
                    words.Add(reader.Text());
                }
            }
            string name0 = kind switch { 1 => "ihave", 2 => "iwant", 3 => "graft", 4 => "prune", 5 => "idontwant", _ => $"control {kind}" };
            // Ids come in any order.
            if (kind == 1)
                words = [words[0], .. words.Skip(1).Order(StringComparer.Ordinal)];
            else if (kind == 2)
                words.Sort(StringComparer.Ordinal);
            parts.Add($"{name0} {string.Join(' ', words)}");
        }
    }
}
