using System.Collections.Immutable;

namespace Drap.Libp2p.Mdns;

/// <summary>Record types that are read or written here (RFC 1035, 3596, 2782).</summary>
public enum DnsType
{
    /// <summary>An IPv4 address.</summary>
    A = 1,

    /// <summary>Another name of the same.</summary>
    Cname = 5,

    /// <summary>The name of something: of a service, each of its instances.</summary>
    Ptr = 12,

    /// <summary>Texts: of an instance, its attributes.</summary>
    Txt = 16,

    /// <summary>An IPv6 address.</summary>
    Aaaa = 28,

    /// <summary>Where an instance runs: a host's name and a port.</summary>
    Srv = 33,

    /// <summary>In a question: all of them.</summary>
    Any = 255,
}

/// <summary>A question of a DNS message.</summary>
/// <param name="Name">What it is about, in lower case, without a dot at its end.</param>
/// <param name="Type">What is asked for.</param>
public readonly record struct DnsQuestion(string Name, DnsType Type);

/// <summary>A record of a DNS message.</summary>
/// <param name="Name">What it is about, in lower case, without a dot at its end.</param>
/// <param name="Type">What it says.</param>
/// <param name="Ttl">How many seconds it holds; 0 takes it back.</param>
public sealed record DnsRecord(string Name, DnsType Type, uint Ttl)
{
    /// <summary>The name that a <see cref="DnsType.Ptr"/> or <see cref="DnsType.Cname"/> points to, or the host of an <see cref="DnsType.Srv"/>.</summary>
    public string Target { get; init; } = "";

    /// <summary>The port of an <see cref="DnsType.Srv"/>.</summary>
    public int Port { get; init; }

    /// <summary>The texts of a <see cref="DnsType.Txt"/>, each at most 255 bytes.</summary>
    public ImmutableArray<byte[]> Texts { get; init; } = [];

    /// <summary>The bytes of an <see cref="DnsType.A"/> or <see cref="DnsType.Aaaa"/>.</summary>
    public byte[] Address { get; init; } = [];
}

/// <summary>A DNS message as far as service discovery needs it (RFC 1035, section 4; RFC 6762, section 18).</summary>
/// <param name="Id">Its number: 0 in multicast, and otherwise repeated by the answer.</param>
/// <param name="IsResponse">Whether it answers.</param>
public sealed record DnsMessage(ushort Id, bool IsResponse)
{
    /// <summary>What it asks.</summary>
    public ImmutableArray<DnsQuestion> Questions { get; init; } = [];

    /// <summary>What it answers.</summary>
    public ImmutableArray<DnsRecord> Answers { get; init; } = [];

    /// <summary>What it says besides.</summary>
    public ImmutableArray<DnsRecord> Additional { get; init; } = [];
}
