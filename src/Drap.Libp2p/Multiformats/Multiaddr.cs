using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Drap.Libp2p.Multiformats;

/// <summary>
/// An address as libp2p writes it, a path of protocols with their values: <c>/ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…</c> (multiformats/multiaddr,
/// libp2p/specs addressing). Never changes and compares by value. It may name protocols that nobody here can dial.
/// </summary>
public sealed class Multiaddr : IEquatable<Multiaddr>
{
    /// <summary>
    /// The longest address taken, in bytes. One of a relayed WebTransport peer with two certificate hashes and a long DNS name takes about 500; peers
    /// send us many at a time.
    /// </summary>
    public const int BytesMax = 1024;

    // Text takes more room than bytes: an IPv6 address 2.5 times, a hash in base16 twice.
    private const int TextLengthMax = 4 * BytesMax;

    private readonly byte[] bytes;

    private Multiaddr(byte[] bytes) => this.bytes = bytes;

    /// <summary>The binary form.</summary>
    public ReadOnlySpan<byte> Bytes => bytes;

    /// <summary>The parts, first to last.</summary>
    public MultiaddrComponents Components => new(bytes);

    /// <summary>Whether it leads over a relay (<c>/p2p-circuit</c>).</summary>
    public bool IsCircuit => Has(MultiaddrProtocol.P2pCircuit);

    /// <summary>The peer that it leads to: the last part, if that is a <c>/p2p/…</c>; else null.</summary>
    public PeerId? Peer
    {
        get
        {
            MultiaddrComponent last = Last;
            return last.Protocol == MultiaddrProtocol.P2p && PeerId.TryFromBytes(last.Value.Span, out PeerId peer) ? peer : null;
        }
    }

    private MultiaddrComponent Last
    {
        get
        {
            MultiaddrComponent last = default;
            foreach (MultiaddrComponent component in Components)
                last = component;
            return last;
        }
    }

    /// <summary>Reads the binary form. False if it is empty, cut, too long, names a protocol that is not known here, or holds a value that is none.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out Multiaddr? address)
    {
        address = null;
        if (bytes.Length is < 1 or > BytesMax)
            return false;
        for (ReadOnlySpan<byte> rest = bytes; !rest.IsEmpty;)
        {
            if (!MultiaddrComponents.TryTake(ref rest, out MultiaddrTable? row, out ReadOnlySpan<byte> value) || !row.IsValue(value))
                return false;
        }
        address = new Multiaddr(bytes.ToArray());
        return true;
    }

    /// <summary>
    /// Reads the text form; slashes at the end do not count. A Unix path is the rest of the text as go has it (<c>/unix/run/p2pd.sock</c>), or one part
    /// with escapes as js and rust have it (<c>/unix/%2Frun%2Fp2pd.sock</c>).
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out Multiaddr? address)
    {
        address = null;
        if (text is null || text.Length > TextLengthMax || !text.StartsWith('/'))
            return false;
        ReadOnlySpan<char> rest = text.AsSpan().TrimEnd('/');
        Span<byte> room = stackalloc byte[BytesMax];
        int length = 0;
        while (!rest.IsEmpty)
        {
            if (MultiaddrTable.Find(NextPart(ref rest)) is not { } row)
                return false;
            byte[] value = [];
            if (row.Protocol == MultiaddrProtocol.Unix ? !TryReadUnix(ref rest, row, out value) : row.Size != 0 && !row.TryRead(NextPart(ref rest), out value))
                return false;
            int header = UnsignedVarint.Length((ulong)row.Protocol) + (row.Size == MultiaddrTable.Variable ? UnsignedVarint.Length((ulong)value.Length) : 0);
            if (header + value.Length > BytesMax - length)
                return false;
            length += UnsignedVarint.Write(room[length..], (ulong)row.Protocol);
            if (row.Size == MultiaddrTable.Variable)
                length += UnsignedVarint.Write(room[length..], (ulong)value.Length);
            value.CopyTo(room[length..]);
            length += value.Length;
        }
        if (length == 0)
            return false;
        address = new Multiaddr(room[..length].ToArray());
        return true;
    }

    /// <summary>Reads the text form of an address that is known to be one.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static Multiaddr Parse(string text) => TryParse(text, out Multiaddr? address) ? address : throw new FormatException($"not a multiaddr: {text}");

    /// <summary>The address of a TCP port on an IP address.</summary>
    public static Multiaddr FromTcp(IPAddress address, int port)
    {
        Invariant.Check(port is >= 0 and <= ushort.MaxValue);
        bool four = address.AddressFamily == AddressFamily.InterNetwork;
        byte[] bytes = [(byte)(four ? MultiaddrProtocol.Ip4 : MultiaddrProtocol.Ip6), .. address.GetAddressBytes(), (byte)MultiaddrProtocol.Tcp, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(bytes.Length - 2), (ushort)port);
        return new Multiaddr(bytes);
    }

    /// <summary>The address of a Unix socket at an absolute path of at most 500 bytes.</summary>
    public static Multiaddr FromUnix(string path)
    {
        byte[] value = Encoding.UTF8.GetBytes(path);
        Invariant.Check(value.Length <= 500);
        return new Multiaddr(Encoded(MultiaddrProtocol.Unix, value));
    }

    /// <summary>Whether the protocol occurs in it.</summary>
    public bool Has(MultiaddrProtocol protocol)
    {
        foreach (MultiaddrComponent component in Components)
        {
            if (component.Protocol == protocol)
                return true;
        }
        return false;
    }

    /// <summary>This address with <c>/p2p/</c> and the peer behind it, in the place of a peer that stands there.</summary>
    public Multiaddr WithPeer(PeerId peer) => new([.. (WithoutPeer()?.bytes ?? []), .. Encoded(MultiaddrProtocol.P2p, peer.Bytes)]);

    /// <summary>This address without the peer at its end; itself if there is none, null if nothing else is there.</summary>
    public Multiaddr? WithoutPeer()
    {
        MultiaddrComponent last = Last;
        if (last.Protocol != MultiaddrProtocol.P2p)
            return this;
        return last.Start == 0 ? null : new Multiaddr(bytes[..last.Start]);
    }

    /// <summary>This address with another behind it. If the two are longer than <see cref="BytesMax"/> together, others may not take it.</summary>
    public Multiaddr Encapsulate(Multiaddr inner) => new([.. bytes, .. inner.bytes]);

    /// <summary>
    /// Takes a relayed address apart at its last <c>/p2p-circuit</c>: the way to the relay, and what stands behind, mostly the peer. Either is null if
    /// nothing stands there. False if it is not relayed.
    /// </summary>
    public bool TrySplitCircuit(out Multiaddr? relay, out Multiaddr? target)
    {
        relay = target = null;
        int start = -1;
        foreach (MultiaddrComponent component in Components)
        {
            if (component.Protocol == MultiaddrProtocol.P2pCircuit)
                start = component.Start;
        }
        if (start < 0)
            return false;
        int end = start + UnsignedVarint.Length((ulong)MultiaddrProtocol.P2pCircuit);
        relay = start == 0 ? null : new Multiaddr(bytes[..start]);
        target = end == bytes.Length ? null : new Multiaddr(bytes[end..]);
        return true;
    }

    /// <summary>
    /// Where to dial or listen if this is plain TCP: an <see cref="IPEndPoint"/>, or a <see cref="DnsEndPoint"/> whose family says which addresses are
    /// wanted; and the zone of a link-local address (the interface's name), else null. False if it is anything else, such as a WebSocket or a relayed address.
    /// </summary>
    public bool TryGetTcp([NotNullWhen(true)] out EndPoint? endPoint, out string? zone)
    {
        endPoint = null;
        zone = null;
        IPAddress? ip = null;
        (string Name, AddressFamily Family)? name = null;
        int at = 0;
        foreach (MultiaddrComponent component in Components)
        {
            ReadOnlySpan<byte> value = component.Value.Span;
            switch (component.Protocol)
            {
                case MultiaddrProtocol.Ip6Zone when at == 0:
                    zone = component.ValueText;
                    continue;
                case MultiaddrProtocol.Ip4 when at == 0 && zone is null:
                case MultiaddrProtocol.Ip6 when at == 0:
                    ip = new IPAddress(value);
                    break;
                case MultiaddrProtocol.Dns when at == 0 && zone is null:
                    name = (component.ValueText, AddressFamily.Unspecified);
                    break;
                case MultiaddrProtocol.Dns4 when at == 0 && zone is null:
                    name = (component.ValueText, AddressFamily.InterNetwork);
                    break;
                case MultiaddrProtocol.Dns6 when at == 0 && zone is null:
                    name = (component.ValueText, AddressFamily.InterNetworkV6);
                    break;
                case MultiaddrProtocol.Tcp when at == 1:
                    int port = BinaryPrimitives.ReadUInt16BigEndian(value);
                    endPoint = ip is not null ? new IPEndPoint(ip, port) : new DnsEndPoint(name!.Value.Name, port, name.Value.Family);
                    break;
                case MultiaddrProtocol.P2p when at == 2:
                    break;
                default:
                    endPoint = null;
                    return false;
            }
            at++;
        }
        return endPoint is not null;
    }

    /// <summary>
    /// The name whose texts hold addresses, if this begins with one (<c>/dnsaddr/NAME</c>), and what follows it, with which each of those must end; null if nothing
    /// does.
    /// </summary>
    public bool TryGetDnsaddr([NotNullWhen(true)] out string? name, out Multiaddr? rest)
    {
        name = null;
        rest = null;
        MultiaddrComponents parts = Components;
        if (!parts.MoveNext() || parts.Current.Protocol != MultiaddrProtocol.DnsAddr)
            return false;
        name = parts.Current.ValueText;
        int length = parts.Current.Length;
        rest = length == bytes.Length ? null : new Multiaddr(bytes[length..]);
        return true;
    }

    /// <summary>Whether its last parts are these.</summary>
    public bool EndsWith(Multiaddr end)
    {
        foreach (MultiaddrComponent part in Components)
        {
            if (part.Start == bytes.Length - end.bytes.Length)
                return Bytes[part.Start..].SequenceEqual(end.bytes);
        }
        return false;
    }

    /// <summary>The path of a Unix socket, if this is one.</summary>
    public bool TryGetUnixPath([NotNullWhen(true)] out string? path)
    {
        path = null;
        foreach (MultiaddrComponent component in Components)
        {
            if (component.Start == 0 && component.Protocol == MultiaddrProtocol.Unix)
                path = component.ValueText;
            else if (component.Protocol != MultiaddrProtocol.P2p)
                return false;
        }
        return path is not null;
    }

    /// <inheritdoc/>
    public bool Equals(Multiaddr? other) => other is not null && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Multiaddr);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(bytes);
        return hash.ToHashCode();
    }

    /// <summary>The text form.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (MultiaddrComponent component in Components)
        {
            text.Append('/').Append(component.Name);
            bool last = component.Start + component.Length == bytes.Length;
            if (component.Protocol == MultiaddrProtocol.Unix)
                text.Append(last && !component.ValueText.Contains('%') ? component.ValueText : "/" + Uri.EscapeDataString(component.ValueText));
            else if (!component.Value.IsEmpty)
                text.Append('/').Append(component.ValueText);
        }
        return text.ToString();
    }

    private static ReadOnlySpan<char> NextPart(ref ReadOnlySpan<char> rest)
    {
        rest = rest.IsEmpty ? rest : rest[1..];
        int end = rest.IndexOf('/');
        ReadOnlySpan<char> part = end < 0 ? rest : rest[..end];
        rest = rest[part.Length..];
        return part;
    }

    private static bool TryReadUnix(ref ReadOnlySpan<char> rest, MultiaddrTable row, out byte[] value)
    {
        ReadOnlySpan<char> after = rest, part = NextPart(ref after);
        if (part.Contains('%'))
        {
            rest = after;
            return row.TryRead(Uri.UnescapeDataString(part), out value);
        }
        ReadOnlySpan<char> path = rest;
        rest = default;
        return row.TryRead(path, out value);
    }

    private static byte[] Encoded(MultiaddrProtocol protocol, ReadOnlySpan<byte> value)
    {
        byte[] encoded = new byte[UnsignedVarint.Length((ulong)protocol) + UnsignedVarint.Length((ulong)value.Length) + value.Length];
        int length = UnsignedVarint.Write(encoded, (ulong)protocol);
        length += UnsignedVarint.Write(encoded.AsSpan(length), (ulong)value.Length);
        value.CopyTo(encoded.AsSpan(length));
        return encoded;
    }
}
