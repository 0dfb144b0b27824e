using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Unicode;

namespace Drap.Libp2p.Multiformats;

/// <summary>What the multiaddr table says of a protocol: its name, the bytes of its value, and how they are written as text.</summary>
internal sealed class MultiaddrTable
{
    /// <summary>The value has a length of its own before it.</summary>
    public const int Variable = -1;

    private delegate bool Reader(ReadOnlySpan<char> text, out byte[] value);

    private static readonly MultiaddrTable[] Rows =
    [
        new(MultiaddrProtocol.Ip4, "ip4", 4, v => new IPAddress(v).ToString(), TryReadIp4),
        new(MultiaddrProtocol.Tcp, "tcp", 2, PortText, TryReadPort),
        new(MultiaddrProtocol.Ip6, "ip6", 16, v => new IPAddress(v).ToString(), TryReadIp6),
        new(MultiaddrProtocol.Ip6Zone, "ip6zone", Variable, Text, TryReadName, IsName),
        new(MultiaddrProtocol.IpCidr, "ipcidr", 1, v => v[0].ToString(CultureInfo.InvariantCulture), TryReadByte),
        new(MultiaddrProtocol.Dns, "dns", Variable, Text, TryReadName, IsName),
        new(MultiaddrProtocol.Dns4, "dns4", Variable, Text, TryReadName, IsName),
        new(MultiaddrProtocol.Dns6, "dns6", Variable, Text, TryReadName, IsName),
        new(MultiaddrProtocol.DnsAddr, "dnsaddr", Variable, Text, TryReadName, IsName),
        new(MultiaddrProtocol.Udp, "udp", 2, PortText, TryReadPort),
        new(MultiaddrProtocol.WebRtcDirect, "webrtc-direct"),
        new(MultiaddrProtocol.WebRtc, "webrtc"),
        new(MultiaddrProtocol.P2pCircuit, "p2p-circuit"),
        new(MultiaddrProtocol.Unix, "unix", Variable, Text, TryReadPath, IsPath),
        new(MultiaddrProtocol.P2p, "p2p", Variable, PeerText, TryReadPeer, v => PeerId.TryFromBytes(v, out _)),
        new(MultiaddrProtocol.Https, "https"),
        new(MultiaddrProtocol.Tls, "tls"),
        new(MultiaddrProtocol.Sni, "sni", Variable, Text, TryReadName, IsName),
        new(MultiaddrProtocol.Noise, "noise"),
        new(MultiaddrProtocol.Quic, "quic"),
        new(MultiaddrProtocol.QuicV1, "quic-v1"),
        new(MultiaddrProtocol.WebTransport, "webtransport"),
        new(MultiaddrProtocol.CertHash, "certhash", Variable, v => Multibase.Encode('u', v), TryReadHash, v => Multihash.TryRead(v, out _, out _)),
        new(MultiaddrProtocol.Ws, "ws"),
        new(MultiaddrProtocol.Wss, "wss"),
        new(MultiaddrProtocol.Http, "http"),
    ];

    private static readonly SearchValues<char> Ip6Characters = SearchValues.Create("0123456789abcdefABCDEF:.");

    private static readonly FrozenDictionary<ulong, MultiaddrTable> ByCode = Rows.ToFrozenDictionary(r => (ulong)r.Protocol);

    private static readonly FrozenDictionary<string, MultiaddrTable>.AlternateLookup<ReadOnlySpan<char>> ByName =
        Rows.Append(new("ipfs", Rows.Single(r => r.Protocol == MultiaddrProtocol.P2p)))
            .ToFrozenDictionary(r => r.Name, StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();

    private readonly Func<ReadOnlySpan<byte>, string> write;
    private readonly Reader read;
    private readonly Func<ReadOnlySpan<byte>, bool> check;

    private MultiaddrTable(MultiaddrProtocol protocol, string name)
        : this(protocol, name, 0, _ => "", TryReadNothing)
    {
    }

    private MultiaddrTable(
        MultiaddrProtocol protocol, string name, int size, Func<ReadOnlySpan<byte>, string> write, Reader read,
        Func<ReadOnlySpan<byte>, bool>? check = null)
    {
        Protocol = protocol;
        Name = name;
        Size = size;
        this.write = write;
        this.read = read;
        this.check = check ?? (_ => true);
    }

    private MultiaddrTable(string alias, MultiaddrTable of)
        : this(of.Protocol, alias, of.Size, of.write, of.read, of.check)
    {
    }

    public MultiaddrProtocol Protocol { get; }

    public string Name { get; }

    /// <summary>Bytes of the value, or <see cref="Variable"/>.</summary>
    public int Size { get; }

    public static MultiaddrTable? Find(ulong code) => ByCode.GetValueOrDefault(code);

    public static MultiaddrTable? Find(ReadOnlySpan<char> name) => ByName.TryGetValue(name, out MultiaddrTable? row) ? row : null;

    /// <summary>The value as text, without the slash before it.</summary>
    public string ToText(ReadOnlySpan<byte> value) => write(value);

    /// <summary>The bytes of a value that was written as text; for a path, with its slash.</summary>
    public bool TryRead(ReadOnlySpan<char> text, out byte[] value) => read(text, out value);

    /// <summary>Whether bytes of the right length are a value.</summary>
    public bool IsValue(ReadOnlySpan<byte> value) => check(value);

    private static string Text(ReadOnlySpan<byte> value) => Encoding.UTF8.GetString(value);

    private static string PortText(ReadOnlySpan<byte> value) =>
        BinaryPrimitives.ReadUInt16BigEndian(value).ToString(CultureInfo.InvariantCulture);

    private static string PeerText(ReadOnlySpan<byte> value) => PeerId.TryFromBytes(value, out PeerId peer) ? peer.ToString() : "";

    private static bool TryReadNothing(ReadOnlySpan<char> text, out byte[] value)
    {
        value = [];
        return text.IsEmpty;
    }

    // IPAddress also takes 127.1, 0x7f000001 and 0177.0.0.1, which other implementations do not.
    private static bool TryReadIp4(ReadOnlySpan<char> text, out byte[] value)
    {
        value = new byte[4];
        int i = 0;
        foreach (Range part in text.Split('.'))
        {
            ReadOnlySpan<char> digits = text[part];
            if (i == 4 || digits.Length is < 1 or > 3 || (digits.Length > 1 && digits[0] == '0') || !byte.TryParse(digits, NumberStyles.None, null, out value[i++]))
                return false;
        }
        return i == 4;
    }

    private static bool TryReadIp6(ReadOnlySpan<char> text, out byte[] value)
    {
        value = [];
        if (text.Length > 45 || text.ContainsAnyExcept(Ip6Characters) || !text.Contains(':') || !IPAddress.TryParse(text, out IPAddress? address))
            return false;
        value = address.GetAddressBytes();
        return address.AddressFamily == AddressFamily.InterNetworkV6;
    }

    private static bool TryReadPort(ReadOnlySpan<char> text, out byte[] value)
    {
        value = new byte[2];
        bool read = ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port);
        BinaryPrimitives.WriteUInt16BigEndian(value, port);
        return read;
    }

    private static bool TryReadByte(ReadOnlySpan<char> text, out byte[] value)
    {
        value = new byte[1];
        return byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value[0]);
    }

    private static bool TryReadName(ReadOnlySpan<char> text, out byte[] value) => TryReadText(text, out value) && IsName(value);

    // Anything but a slash, so that it stays one part when it is written; a DNS name has at most 253 characters.
    private static bool IsName(ReadOnlySpan<byte> value) =>
        value.Length is >= 1 and <= 253 && !value.ContainsAny((byte)'/', (byte)0) && IsText(value);

    private static bool TryReadPath(ReadOnlySpan<char> text, out byte[] value) => TryReadText(text, out value) && IsPath(value);

    private static bool IsPath(ReadOnlySpan<byte> value) => value.Length >= 2 && value[0] == '/' && value[^1] != '/' && !value.Contains((byte)0) && IsText(value);

    // Half a surrogate pair has no bytes; the replacement that the framework writes would be another name.
    private static bool TryReadText(ReadOnlySpan<char> text, out byte[] value)
    {
        value = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        bool whole = Utf8.FromUtf16(text, value, out _, out int written, replaceInvalidSequences: false) == OperationStatus.Done;
        value = value[..written];
        return whole;
    }

    private static bool IsText(ReadOnlySpan<byte> value) => Utf8.IsValid(value);

    private static bool TryReadPeer(ReadOnlySpan<char> text, out byte[] value)
    {
        bool read = PeerId.TryParse(text.ToString(), out PeerId peer);
        value = peer.Bytes.ToArray();
        return read;
    }

    private static bool TryReadHash(ReadOnlySpan<char> text, out byte[] value)
    {
        bool read = Multibase.TryDecode(text.ToString(), out byte[]? hash) && Multihash.TryRead(hash, out _, out _);
        value = hash ?? [];
        return read;
    }
}
