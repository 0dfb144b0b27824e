using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Mdns;

/// <summary>
/// Finds the peers of a LAN, and lets itself be found (libp2p/specs, discovery/mdns, over RFC 6762 and 6763). One of these serves one
/// network interface: it takes the messages that come there and says what to send to the group, or to one that asked for itself. Not
/// thread-safe.
/// </summary>
public sealed class MdnsDiscovery
{
    /// <summary>The group of IPv4.</summary>
    public static readonly IPAddress Group = new([224, 0, 0, 251]);

    /// <summary>The port of multicast DNS; who asks from another wants an answer to itself.</summary>
    public const int Port = 5353;

    /// <summary>The service that all libp2p peers are.</summary>
    public const string PublicService = "_p2p._udp.local";

    /// <summary>Peers that are remembered, so that each is told once: more than a LAN has. The one heard from longest ago is forgotten first.</summary>
    public const int PeersMax = 1024;

    /// <summary>Addresses told, and taken of one message.</summary>
    public const int AddressesMax = 16;

    /// <summary>A message that fits a frame of Ethernet, with the headers of IPv6 and UDP.</summary>
    private const int PacketBytesMax = 1440;

    // What others remember of us, and for how long (RFC 6762 would have 75 min for texts; js and go have 2 min).
    private const uint TtlSeconds = 120;

    private static readonly TimeSpan QueryFirst = TimeSpan.FromSeconds(1), QueryLongest = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ResponsesApart = TimeSpan.FromSeconds(1);

    // A peer that is heard of again after this is told again: it may have been lost meanwhile.
    private static readonly TimeSpan ToldFor = TimeSpan.FromSeconds(30);

    private readonly PeerId self;
    private readonly Prng random;
    private readonly string service, instance, host;
    private readonly Dictionary<PeerId, Told> told = [];
    private ImmutableArray<Multiaddr> addresses;
    private TimeSpan queryEvery = QueryFirst;
    private Instant queryAt, respondAt = Instant.Never, respondedAt = Instant.Zero;

    /// <summary>Begins to look.</summary>
    /// <param name="self">Who we are.</param>
    /// <param name="addresses">Where we are reached on this interface; see <see cref="SetAddresses"/>.</param>
    /// <param name="service">
    /// The service's name: <see cref="PublicService"/>, or <c>_p2p-X._udp.local</c> for a swarm that wants to see only its own.
    /// </param>
    /// <param name="random">Makes the instance's name, and spreads what many do at once.</param>
    /// <param name="now">When.</param>
    public MdnsDiscovery(PeerId self, ImmutableArray<Multiaddr> addresses, string service, Prng random, Instant now)
    {
        this.self = self;
        this.random = random;
        this.service = service;
        var name = new StringBuilder();
        for (int i = 0; i < 32; i++)
            name.Append("abcdefghijklmnopqrstuvwxyz0123456789"[random.Below(36)]);
        instance = $"{name}.{service}";
        host = $"{name}.p2p.local";
        this.addresses = Usable(addresses);
        queryAt = now + Jitter();
    }

    /// <summary>Peers that are remembered.</summary>
    public int Peers => told.Count;

    /// <summary>When <see cref="Advance"/> has something to do.</summary>
    public Instant NextDeadline => Instant.Min(queryAt, respondAt);

    /// <summary>
    /// We are reached elsewhere now, or are on another network: the others are told, and asked. Relayed addresses and names are left out,
    /// as are those after <see cref="AddressesMax"/>; our peer id is added.
    /// </summary>
    public void SetAddresses(ImmutableArray<Multiaddr> addresses, Instant now)
    {
        ImmutableArray<Multiaddr> usable = Usable(addresses);
        if (usable.SequenceEqual(this.addresses))
            return;
        this.addresses = usable;
        queryEvery = QueryFirst;
        queryAt = Instant.Min(queryAt, now + Jitter());
    }

    /// <summary>A message came on this interface.</summary>
    /// <param name="packet">Its bytes; whatever they are.</param>
    /// <param name="from">Who sent it.</param>
    /// <param name="now">When.</param>
    /// <param name="effects">What is to be done.</param>
    public void Receive(ReadOnlySpan<byte> packet, IPEndPoint from, Instant now, List<MdnsEffect> effects)
    {
        if (!DnsReader.TryRead(packet, out DnsMessage? message))
            return;
        if (message.IsResponse)
            Learn(message, now, effects);
        else if (message.Questions.Any(IsOurs))
            Answer(message, from, now, effects);
    }

    /// <summary>Sends what is due.</summary>
    public void Advance(Instant now, List<MdnsEffect> effects)
    {
        if (respondAt <= now)
        {
            respondAt = Instant.Never;
            respondedAt = now;
            foreach (byte[] packet in Responses(id: 0, question: null, TtlSeconds))
                effects.Add(new MdnsEffect.Send(packet, null));
        }
        if (queryAt > now)
            return;
        effects.Add(new MdnsEffect.Send(
            DnsWriter.Write(new DnsMessage(0, IsResponse: false) { Questions = [new DnsQuestion(service, DnsType.Ptr)] }), null));
        queryAt = now + queryEvery + Jitter();
        queryEvery = new TimeSpan(Math.Min(queryEvery.Ticks * 2, QueryLongest.Ticks));
        // A peer answers its own question, so that those who ask seldom hear of it.
        Respond(now);
    }

    /// <summary>What tells the others that we are leaving; to be sent before the end.</summary>
    public ImmutableArray<byte[]> Goodbye() => [.. Responses(id: 0, question: null, ttl: 0)];

    private void Answer(DnsMessage query, IPEndPoint from, Instant now, List<MdnsEffect> effects)
    {
        if (from.Port == Port)
        {
            Respond(now);
            return;
        }
        // One that does not take part gets its own answer (RFC 6762, section 6.7), and no more than everybody else.
        if (now - respondedAt < ResponsesApart)
            return;
        respondedAt = now;
        if (Responses(query.Id, query.Questions.First(IsOurs), ttl: 10).FirstOrDefault() is { } packet)
            effects.Add(new MdnsEffect.Send(packet, from));
    }

    // Once a second at most, and not all at once.
    private void Respond(Instant now)
    {
        if (respondAt == Instant.Never)
            respondAt = Instant.Max(now, respondedAt + ResponsesApart) + Jitter();
    }

    private void Learn(DnsMessage message, Instant now, List<MdnsEffect> effects)
    {
        // One message is of one peer: its pointer, its texts. js puts the texts among the answers, go and the specification behind them.
        if (message.Answers.Concat(message.Additional).FirstOrDefault(
                record => record.Type == DnsType.Ptr && record.Name == service) is not { } pointer || pointer.Target == instance)
            return;
        PeerId? peer = null;
        var found = ImmutableArray.CreateBuilder<Multiaddr>();
        foreach (DnsRecord record in message.Answers.Concat(message.Additional))
        {
            if (record.Type != DnsType.Txt || record.Name != pointer.Target || record.Ttl == 0)
                continue;
            foreach (byte[] text in record.Texts)
            {
                if (found.Count == AddressesMax || !text.AsSpan().StartsWith("dnsaddr="u8)
                    || !Multiaddr.TryParse(Encoding.UTF8.GetString(text.AsSpan(8)), out Multiaddr? address)
                    || address.Peer is not { } named || named == self || (peer ?? named) != named
                    || address.WithoutPeer() is not { } way || !IsDirect(way))
                    continue;
                peer = named;
                found.Add(way);
            }
        }
        if (peer is { } id)
            Tell(id, found.ToImmutable(), now, effects);
    }

    private void Tell(PeerId peer, ImmutableArray<Multiaddr> found, Instant now, List<MdnsEffect> effects)
    {
        if (told.TryGetValue(peer, out Told? known) && now - known.At < ToldFor && found.SequenceEqual(known.Addresses))
            return;
        // Those of one moment are parts of one answer. Whoever tells new addresses with every message is heard out for so many a second.
        if (known is not null && now - known.At < ResponsesApart)
        {
            found = [.. known.Addresses.Union(found).Take(AddressesMax)];
            if (found.Length == known.Addresses.Length)
                return;
            now = known.At;
        }
        if (known is null && told.Count == PeersMax)
            told.Remove(told.MinBy(pair => pair.Value.At.Nanoseconds).Key);
        told[peer] = new Told(found, now);
        effects.Add(new MdnsEffect.Found(peer, found));
    }

    private bool IsOurs(DnsQuestion question)
    {
        string name = question.Name;
        return question.Type switch
        {
            DnsType.Ptr => name == service || name == "_services._dns-sd._udp.local",
            DnsType.Txt or DnsType.Srv => name == instance,
            DnsType.A or DnsType.Aaaa => name == host,
            DnsType.Any => name == service || name == instance || name == host,
            _ => false,
        };
    }

    // All that we say is one answer to any question about us, cut into as many messages as it takes, each of which stands alone.
    private IEnumerable<byte[]> Responses(ushort id, DnsQuestion? question, uint ttl)
    {
        if (addresses.IsEmpty)
            yield break;
        bool isMeta = question is { Name: "_services._dns-sd._udp.local" };
        ImmutableArray<DnsRecord> answers = isMeta
            ? [new DnsRecord(question!.Value.Name, DnsType.Ptr, ttl) { Target = service }]
            : [new DnsRecord(service, DnsType.Ptr, ttl) { Target = instance }];
        var head = new DnsMessage(id, IsResponse: true) { Questions = question is { } asked ? [asked] : [], Answers = answers };
        ImmutableArray<DnsRecord> more = isMeta ? [] : [.. HostRecords(ttl)];
        var texts = ImmutableArray.CreateBuilder<byte[]>();
        foreach (Multiaddr address in addresses)
        {
            texts.Add(Encoding.UTF8.GetBytes($"dnsaddr={address}"));
            if (DnsWriter.Write(head with { Additional = [Text(texts), .. more] }).Length <= PacketBytesMax)
                continue;
            texts.RemoveAt(texts.Count - 1);
            yield return DnsWriter.Write(head with { Additional = [Text(texts), .. more] }, isLegacy: id != 0);
            texts.Clear();
            more = [];
            texts.Add(Encoding.UTF8.GetBytes($"dnsaddr={address}"));
        }
        yield return DnsWriter.Write(head with { Additional = [Text(texts), .. more] }, isLegacy: id != 0);

        DnsRecord Text(ImmutableArray<byte[]>.Builder all) => new(instance, DnsType.Txt, ttl) { Texts = all.ToImmutable() };
    }

    // For people who look at what runs on their network with other tools.
    private IEnumerable<DnsRecord> HostRecords(uint ttl)
    {
        bool hasPort = false;
        var seen = new HashSet<string>();
        foreach (Multiaddr address in addresses.Take(4))
        {
            foreach (MultiaddrComponent part in address.Components)
            {
                if (part.Protocol is MultiaddrProtocol.Ip4 or MultiaddrProtocol.Ip6 && seen.Add(part.ValueText))
                {
                    yield return new DnsRecord(host, part.Protocol == MultiaddrProtocol.Ip4 ? DnsType.A : DnsType.Aaaa, ttl)
                    {
                        Address = part.Value.ToArray(),
                    };
                }
                else if (part.Protocol == MultiaddrProtocol.Tcp && !hasPort)
                {
                    hasPort = true;
                    yield return new DnsRecord(instance, DnsType.Srv, ttl)
                    {
                        Target = host,
                        Port = BinaryPrimitives.ReadUInt16BigEndian(part.Value.Span),
                    };
                }
            }
        }
    }

    // A text has a byte for its length; longer addresses cannot be told.
    private ImmutableArray<Multiaddr> Usable(ImmutableArray<Multiaddr> all) =>
        [.. all.Where(IsDirect).Select(address => address.WithPeer(self))
            .Where(address => string.Create(CultureInfo.InvariantCulture, $"dnsaddr={address}").Length <= 255).Take(AddressesMax)];

    // Names would be asked of a resolver, and relays are not on the LAN.
    private static bool IsDirect(Multiaddr address) =>
        !address.IsCircuit && (address.Has(MultiaddrProtocol.Ip4) || address.Has(MultiaddrProtocol.Ip6)) && !address.Has(MultiaddrProtocol.Unix);

    // RFC 6762, section 6: 20 to 120 ms.
    private TimeSpan Jitter() => TimeSpan.FromMilliseconds(20 + random.Below(100));

    private sealed record Told(ImmutableArray<Multiaddr> Addresses, Instant At);
}

/// <summary>What an <see cref="MdnsDiscovery"/> wants done.</summary>
public abstract record MdnsEffect
{
    private MdnsEffect()
    {
    }

    /// <summary>Send a message on the interface.</summary>
    /// <param name="Packet">Its bytes.</param>
    /// <param name="To">To whom; null for the group.</param>
    public sealed record Send(byte[] Packet, IPEndPoint? To) : MdnsEffect;

    /// <summary>A peer is on the LAN, as somebody there says: only a handshake tells whether it is true.</summary>
    /// <param name="Peer">Who.</param>
    /// <param name="Addresses">Where, without its peer id.</param>
    public sealed record Found(PeerId Peer, ImmutableArray<Multiaddr> Addresses) : MdnsEffect;
}
