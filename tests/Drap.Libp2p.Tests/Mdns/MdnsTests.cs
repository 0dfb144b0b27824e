using System.Net;
using System.Text;
using Drap.Libp2p.Mdns;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Mdns;

public sealed class MdnsTests
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromHours(1);
    private static readonly IPEndPoint Lan = new(IPAddress.Parse("10.0.0.9"), 5353);

    private static readonly PeerId Js = PeerId.TryParse("12D3KooWQoi8gFt66PrZaEzh6noYwB3mHQc6d5Gmx9TuZPuGoGSt", out PeerId id) ? id : default;

    // What @libp2p/mdns 12.0.30 (dns-packet 5.6) writes: a pointer and a text for each address, all among the answers, nothing compressed.
    private static byte[] JsResponse(params string[] addresses)
    {
        string name = new('q', 63);
        var bytes = new List<byte> { 0, 0, 0x84, 0, 0, 0, 0, (byte)(1 + addresses.Length), 0, 0, 0, 0 };
        void Name(string full)
        {
            foreach (string label in full.Split('.'))
                bytes.AddRange([(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]);
            bytes.Add(0);
        }
        void Length(int length) => bytes.AddRange([(byte)(length >> 8), (byte)length]);
        Name("_p2p._udp.local");
        bytes.AddRange([0, 12, 0, 1, 0, 0, 0, 120]);
        Length(64 + 17);
        Name($"{name}._p2p._udp.local");
        foreach (string address in addresses)
        {
            Name($"{name}._p2p._udp.local");
            bytes.AddRange([0, 16, 0, 1, 0, 0, 0, 120]);
            byte[] text = Encoding.ASCII.GetBytes($"dnsaddr={address}");
            Length(text.Length + 1);
            bytes.AddRange([(byte)text.Length, .. text]);
        }
        return [.. bytes];
    }

    private static PeerId Peer(int number)
    {
        byte[] key = new byte[32];
        BitConverter.TryWriteBytes(key, number);
        return PeerId.FromEd25519(key);
    }

    private static MdnsDiscovery Node(int number, params string[] addresses) =>
        new(Peer(number), [.. addresses.Select(Multiaddr.Parse)], MdnsDiscovery.PublicService, new Prng((ulong)number), Start);

    [Fact]
    public void What_js_sends_is_understood()
    {
        MdnsDiscovery node = Node(1, "/ip4/10.0.0.1/tcp/1");
        var effects = new List<MdnsEffect>();
        byte[] packet = JsResponse($"/ip4/127.0.0.1/tcp/4001/p2p/{Js}", $"/ip4/10.0.0.9/tcp/4001/p2p/{Js}");
        node.Receive(packet, Lan, Start, effects);
        var found = Assert.IsType<MdnsEffect.Found>(Assert.Single(effects));
        Assert.Equal(Js, found.Peer);
        Assert.Equal(["/ip4/127.0.0.1/tcp/4001", "/ip4/10.0.0.9/tcp/4001"], found.Addresses.Select(address => address.ToString()));

        // The same again says nothing new, until a while later; other addresses do.
        node.Receive(packet, Lan, Start + TimeSpan.FromSeconds(5), effects);
        Assert.Single(effects);
        node.Receive(JsResponse($"/ip4/10.0.0.10/tcp/4001/p2p/{Js}"), Lan, Start + TimeSpan.FromSeconds(6), effects);
        Assert.Equal(2, effects.Count);
        node.Receive(JsResponse($"/ip4/10.0.0.10/tcp/4001/p2p/{Js}"), Lan, Start + TimeSpan.FromSeconds(60), effects);
        Assert.Equal(3, effects.Count);
    }

    [Fact]
    public void What_cannot_be_a_peer_of_the_lan_is_left_out()
    {
        MdnsDiscovery node = Node(1, "/ip4/10.0.0.1/tcp/1");
        var effects = new List<MdnsEffect>();
        node.Receive(
            JsResponse(
                "/ip4/10.0.0.9/tcp/4001", // nobody
                $"/ip4/10.0.0.9/tcp/4001/p2p/{Peer(1)}", // ourselves
                $"/dns4/example.org/tcp/4001/p2p/{Js}", // a name
                $"/ip4/10.0.0.9/tcp/1/p2p/{Peer(7)}/p2p-circuit/p2p/{Js}", // over a relay
                "/nonsense",
                $"/ip4/10.0.0.9/tcp/4001/p2p/{Js}",
                $"/ip4/10.0.0.9/tcp/4002/p2p/{Peer(8)}"), // another peer than the first
            Lan, Start, effects);
        var found = Assert.IsType<MdnsEffect.Found>(Assert.Single(effects));
        Assert.Equal((Js, "/ip4/10.0.0.9/tcp/4001"), (found.Peer, Assert.Single(found.Addresses).ToString()));
    }

    [Fact]
    public void Two_nodes_find_each_other_and_say_little_from_then_on()
    {
        MdnsDiscovery[] nodes = [Node(1, "/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1"), Node(2, "/ip4/10.0.0.2/tcp/2"), Node(3)];
        var found = new Dictionary<PeerId, HashSet<PeerId>>();
        Instant now = Start;
        int packets = 0, packetsAfterMinute = 0;
        while (now < Start + TimeSpan.FromMinutes(11))
        {
            now = nodes.Select(node => node.NextDeadline).Aggregate(Instant.Min);
            var effects = new List<(int From, MdnsEffect Effect)>();
            for (int i = 0; i < nodes.Length; i++)
            {
                var own = new List<MdnsEffect>();
                nodes[i].Advance(now, own);
                effects.AddRange(own.Select(effect => (i, effect)));
            }
            foreach ((int from, MdnsEffect effect) in effects)
            {
                var send = Assert.IsType<MdnsEffect.Send>(effect);
                Assert.Null(send.To);
                packets++;
                packetsAfterMinute += now > Start + TimeSpan.FromMinutes(1) ? 1 : 0;
                // Everybody hears it, who sent it too.
                for (int i = 0; i < nodes.Length; i++)
                {
                    var heard = new List<MdnsEffect>();
                    nodes[i].Receive(send.Packet, new IPEndPoint(IPAddress.Parse($"10.0.0.{from + 1}"), 5353), now, heard);
                    foreach (MdnsEffect.Found peer in heard.OfType<MdnsEffect.Found>())
                    {
                        if (!found.TryGetValue(Peer(i + 1), out HashSet<PeerId>? known))
                            found.Add(Peer(i + 1), known = []);
                        known.Add(peer.Peer);
                        if (peer.Peer == Peer(1))
                            Assert.Equal(2, peer.Addresses.Length);
                    }
                }
            }
        }
        // The third has no address here: it finds and is not found.
        Assert.Equal([Peer(2)], found[Peer(1)]);
        Assert.Equal([Peer(1)], found[Peer(2)]);
        Assert.Equal(2, found[Peer(3)].Count);
        Assert.InRange(packetsAfterMinute, 10, 10 * 3 * 4);
        Assert.InRange(packets - packetsAfterMinute, 10, 60);
    }

    [Fact]
    public void Questions_however_many_are_answered_once_a_second()
    {
        MdnsDiscovery node = Node(1, "/ip4/10.0.0.1/tcp/1");
        byte[] query = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, .. "_P2P"u8, 4, .. "_udp"u8, 5, .. "local"u8, 0, 0, 12, 0, 1];
        var effects = new List<MdnsEffect>();
        Instant now = Start + TimeSpan.FromMinutes(1);
        for (int i = 0; i < 10_000; i++)
        {
            now += TimeSpan.FromMilliseconds(1);
            node.Receive(query, Lan, now, effects);
            node.Advance(now, effects);
        }
        Assert.InRange(effects.Count, 9, 9 + 10 + 4);

        // Who asks from another port gets an answer that repeats the question and its number.
        effects.Clear();
        query[1] = 77;
        var resolver = new IPEndPoint(IPAddress.Parse("10.0.0.9"), 40000);
        now += TimeSpan.FromSeconds(5);
        node.Receive(query, resolver, now, effects);
        var send = Assert.IsType<MdnsEffect.Send>(Assert.Single(effects));
        Assert.Equal(resolver, send.To);
        Assert.True(DnsReader.TryRead(send.Packet, out DnsMessage? answer));
        Assert.Equal((77, true, "_p2p._udp.local"), (answer.Id, answer.IsResponse, answer.Questions.Single().Name));
        Assert.Equal([DnsType.Txt, DnsType.A, DnsType.Srv], answer.Additional.Select(record => record.Type));
        Assert.Equal(1, answer.Additional[2].Port);
        node.Receive(query, resolver, now, effects);
        Assert.Single(effects);
    }

    [Fact]
    public void Administrators_tools_see_the_service_and_its_host()
    {
        MdnsDiscovery node = Node(1, "/ip4/10.0.0.1/tcp/1234", "/ip6/fd00::1/tcp/1234");
        var resolver = new IPEndPoint(IPAddress.Parse("10.0.0.9"), 40000);
        DnsMessage? Ask(string name, DnsType type, int seconds)
        {
            var effects = new List<MdnsEffect>();
            byte[] query = DnsWriter.Write(new DnsMessage(5, IsResponse: false) { Questions = [new DnsQuestion(name, type)] });
            node.Receive(query, resolver, Start + TimeSpan.FromSeconds(seconds), effects);
            return effects.Count > 0 && DnsReader.TryRead(((MdnsEffect.Send)effects[0]).Packet, out DnsMessage? answer) ? answer : null;
        }
        Assert.Equal("_p2p._udp.local", Ask("_services._dns-sd._udp.local", DnsType.Ptr, 10)!.Answers.Single().Target);
        string instance = Ask("_p2p._udp.local", DnsType.Ptr, 20)!.Answers.Single().Target;
        DnsRecord server = Ask(instance, DnsType.Srv, 30)!.Additional.Single(record => record.Type == DnsType.Srv);
        Assert.Equal(1234, server.Port);
        DnsMessage host = Ask(server.Target, DnsType.Aaaa, 40)!;
        Assert.Equal([10, 0, 0, 1], host.Additional.Single(record => record.Type == DnsType.A).Address);
        Assert.Equal(16, host.Additional.Single(record => record.Type == DnsType.Aaaa).Address.Length);
        Assert.Null(Ask("elsewhere.local", DnsType.A, 50));
        Assert.Null(Ask("_p2p-ab._udp.local", DnsType.Ptr, 60));
    }

    [Fact]
    public void Many_addresses_go_into_messages_that_fit_a_frame()
    {
        MdnsDiscovery node = Node(1, [.. Enumerable.Range(1, 30).Select(i => $"/ip6/fd00:1111:2222:3333:4444:5555:6666:{i:x}/tcp/65535")]);
        Assert.All(node.Goodbye(), packet => Assert.True(packet.Length <= 1440));
        MdnsDiscovery other = Node(2, "/ip4/10.0.0.2/tcp/1");
        var effects = new List<MdnsEffect>();
        node.Advance(node.NextDeadline, effects);
        effects.Clear();
        node.Advance(node.NextDeadline, effects);
        var heard = new List<MdnsEffect>();
        Instant at = Start + TimeSpan.FromSeconds(10);
        foreach (MdnsEffect.Send send in effects.OfType<MdnsEffect.Send>())
            other.Receive(send.Packet, Lan, at, heard);
        Assert.True(effects.Count > 1);
        Assert.Equal(MdnsDiscovery.AddressesMax, heard.Cast<MdnsEffect.Found>().Last().Addresses.Length);
    }

    [Fact]
    public void A_flood_of_peers_is_borne()
    {
        MdnsDiscovery node = Node(1, "/ip4/10.0.0.1/tcp/1");
        var effects = new List<MdnsEffect>();
        for (int i = 2; i < 3000; i++)
            node.Receive(JsResponse($"/ip4/10.0.0.9/tcp/1/p2p/{Peer(i)}"), Lan, Start + TimeSpan.FromMilliseconds(i), effects);
        Assert.Equal(MdnsDiscovery.PeersMax, node.Peers);
        // One that tells new addresses each time is heard out for sixteen a second.
        effects.Clear();
        for (int i = 0; i < 1000; i++)
            node.Receive(JsResponse($"/ip4/10.0.0.9/tcp/{i + 1}/p2p/{Js}"), Lan, Start + TimeSpan.FromSeconds(60) + TimeSpan.FromMilliseconds(i), effects);
        Assert.Equal(MdnsDiscovery.AddressesMax, effects.Count);
    }

    [Fact]
    public void Names_lead_in_no_circles_and_cut_or_changed_messages_throw_nothing()
    {
        byte[] whole = JsResponse($"/ip4/10.0.0.9/tcp/1/p2p/{Js}");
        for (int cut = 0; cut < whole.Length; cut++)
            Assert.False(DnsReader.TryRead(whole.AsSpan(0, cut), out _), $"cut at {cut}");
        byte[] head = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        foreach (byte[] name in new byte[][]
        {
            [0xc0, 12], // to itself
            [0xc0, 14, 0xc0, 12], // to and fro
            [1, (byte)'a', 0xc0, 12], // back into itself
            [0xc0, 200], // out of the message
            [0xc0, 2], // into the head
            [0xc0], // cut
            [64, .. new byte[70]], // a label that is too long
            [0x80, 1, 0], // a label of a kind that there is not
            [.. Enumerable.Repeat<byte[]>([63, .. new byte[63]], 4).SelectMany(label => label), 0], // a name that is too long
        })
            Assert.False(DnsReader.TryRead([.. head, .. name, 0, 12, 0, 1], out _));
        Assert.True(DnsReader.TryRead([.. head, 1, (byte)'A', 0, 0, 12, 0x80, 1], out DnsMessage? message));
        Assert.Equal(new DnsQuestion("a", DnsType.Ptr), message.Questions.Single());

        // A label with a dot is not two labels.
        Assert.True(DnsReader.TryRead([.. head, 3, .. "a.b"u8, 0, 0, 12, 0, 1], out message));
        Assert.Equal("a\\.b", message.Questions.Single().Name);

        Assert.False(DnsReader.TryRead(new byte[DnsReader.BytesMax + 1], out _));
        // 65 535 questions of two bytes and a pointer each: no more are read than the bound.
        byte[] many = [0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, .. Enumerable.Repeat<byte[]>([0, 0, 12, 0, 1], 1700).SelectMany(item => item)];
        Assert.True(DnsReader.TryRead(many, out message));
        Assert.Equal(DnsReader.ItemsMax, message.Questions.Length);

        MdnsDiscovery node = Node(1, "/ip4/10.0.0.1/tcp/1");
        var random = new Prng(1);
        var effects = new List<MdnsEffect>();
        byte[] own = node.Goodbye()[0];
        for (int round = 0; round < 40_000; round++)
        {
            byte[] bytes = [.. round % 2 == 0 ? whole : own];
            for (int i = random.Below(4); i >= 0; i--)
                bytes[random.Below(bytes.Length)] = (byte)random.Below(256);
            node.Receive(bytes.AsSpan(0, random.Chance(1, 4) ? random.Below(bytes.Length) : bytes.Length), Lan, Start, effects);
        }
    }
}
