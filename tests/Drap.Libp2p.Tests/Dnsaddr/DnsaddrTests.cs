using System.Collections.Immutable;
using System.Net;
using Drap.Libp2p.Dnsaddr;
using Drap.Libp2p.Mdns;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Dnsaddr;

/// <summary>Names that hold addresses: what is asked, what is read of an answer, and where names may lead.</summary>
public sealed class DnsaddrTests
{
    private const string Name = "_dnsaddr.example.org";
    private const string Peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA", Other = "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq";

    [Fact]
    public void A_question_is_as_resolvers_take_it()
    {
        byte[] expected =
        [
            0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1, // recursion desired, one question, one more record
            8, .. "_dnsaddr"u8, 7, .. "example"u8, 3, .. "org"u8, 0, 0, 16, 0, 1,
            0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0, // OPT: 1 232 bytes are taken
        ];
        Assert.Equal(expected, TxtCodec.Question(0x1234, Name));
    }

    [Theory]
    [InlineData("a.b", true)]
    [InlineData("", false)]
    [InlineData("a..b", false)]
    [InlineData(".a", false)]
    [InlineData("a.", false)]
    [InlineData("bücher.example", false)]
    [InlineData("a\\.b", false)]
    public void Only_names_that_can_be_written_are_asked_for(string name, bool isOne)
    {
        Assert.Equal(isOne, TxtCodec.IsName(name));
        Assert.False(TxtCodec.IsName(new string('a', 64)));
        Assert.True(TxtCodec.IsName(new string('a', 63)));
        Assert.False(TxtCodec.IsName(string.Join('.', Enumerable.Repeat("abc", 64))));
    }

    [Fact]
    public void The_texts_of_a_name_are_read_and_those_of_its_alias()
    {
        DnsRecord[] records =
        [
            new(Name, DnsType.Cname, 60) { Target = "elsewhere.example.net" },
            Text("elsewhere.example.net", "dnsaddr=/ip4/192.0.2.1", "/tcp/4001"),
            Text("elsewhere.example.net", "v=spf1"),
            Text("stranger.example.net", "dnsaddr=/ip4/192.0.2.9/tcp/1"),
            new("elsewhere.example.net", DnsType.Txt, 60) { Texts = [[0xff, 0xfe]] },
        ];
        // Names are the same in either case.
        Assert.Equal(TxtStatus.Answered, TxtCodec.Read(Answer(7, records), 7, "_DNSADDR.Example.org", out ImmutableArray<string> texts));
        Assert.Equal(["dnsaddr=/ip4/192.0.2.1/tcp/4001", "v=spf1"], texts);
    }

    [Fact]
    public void Aliases_that_lead_in_a_circle_lead_nowhere()
    {
        DnsRecord[] records = [new(Name, DnsType.Cname, 60) { Target = "a.b" }, new("a.b", DnsType.Cname, 60) { Target = Name }, Text("c.d", "x")];
        Assert.Equal(TxtStatus.Answered, TxtCodec.Read(Answer(7, records), 7, Name, out ImmutableArray<string> texts));
        Assert.Empty(texts);
    }

    [Fact]
    public void What_is_no_answer_to_the_question_is_told_from_one_that_says_no()
    {
        byte[] good = Answer(7, Text(Name, "x"));
        Assert.Equal(TxtStatus.NotOurs, TxtCodec.Read(good, 8, Name, out _));
        Assert.Equal(TxtStatus.NotOurs, TxtCodec.Read(good, 7, "_dnsaddr.example.com", out _));
        Assert.Equal(TxtStatus.NotOurs, TxtCodec.Read(TxtCodec.Question(7, Name), 7, Name, out _));
        foreach ((int flags, TxtStatus expected) in new[]
        {
            (0x8183, TxtStatus.Answered), // no such name
            (0x8182, TxtStatus.Failed), // the server failed
            (0x8185, TxtStatus.Failed), // it refused
            (0x8380, TxtStatus.Truncated),
        })
        {
            byte[] bytes = [.. good];
            (bytes[2], bytes[3]) = ((byte)(flags >> 8), (byte)flags);
            Assert.Equal(expected, TxtCodec.Read(bytes, 7, Name, out ImmutableArray<string> texts));
            Assert.Empty(texts);
        }
    }

    [Fact]
    public void Cut_and_changed_answers_throw_nothing()
    {
        byte[] whole = Answer(7, Text(Name, "dnsaddr=/ip4/192.0.2.1/tcp/4001"), new(Name, DnsType.Cname, 60) { Target = "a.b" }, Text("a.b", "y"));
        for (int cut = 0; cut < whole.Length; cut++)
        {
            Assert.Equal(cut < 12 ? TxtStatus.NotOurs : TxtStatus.Failed, TxtCodec.Read(whole.AsSpan(0, cut), 7, Name, out ImmutableArray<string> texts));
            Assert.Empty(texts);
        }
        var random = new Prng(1);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] changed = [.. whole];
            for (int changes = 1 + (int)(random.NextUInt64() % 4); changes > 0; changes--)
                changed[(int)(random.NextUInt64() % (ulong)changed.Length)] = (byte)random.NextUInt64();
            TxtCodec.Read(changed, 7, Name, out ImmutableArray<string> texts);
            Assert.All(texts, text => Assert.InRange(text.Length, 0, whole.Length));
        }
    }

    [Fact]
    public void An_address_counts_if_it_ends_as_the_name_does()
    {
        var walk = new DnsaddrWalk(Multiaddr.Parse($"/dnsaddr/example.org/p2p/{Peer}"));
        Assert.True(walk.TryNext(out string? name));
        Assert.Equal(Name, name);
        walk.Answered([
            $"dnsaddr=/ip4/192.0.2.1/tcp/4001/p2p/{Peer}", $"dnsaddr=/ip4/192.0.2.2/tcp/4001/p2p/{Other}", "dnsaddr=/ip4/192.0.2.3/tcp/4001",
            $"/ip4/192.0.2.4/tcp/4001/p2p/{Peer}", "dnsaddr=nonsense", "dnsaddr=", $"dnsaddr=/ip6/2001:db8::1/tcp/4001/p2p/{Peer}", $"dnsaddr=/ip4/192.0.2.1/tcp/4001/p2p/{Peer}",
        ]);
        Assert.False(walk.TryNext(out _));
        Assert.Equal([Multiaddr.Parse($"/ip4/192.0.2.1/tcp/4001/p2p/{Peer}"), Multiaddr.Parse($"/ip6/2001:db8::1/tcp/4001/p2p/{Peer}")], walk.Found);
    }

    [Fact]
    public void A_name_leads_to_others_so_far_and_no_further()
    {
        var walk = new DnsaddrWalk(Multiaddr.Parse("/dnsaddr/0.example"));
        var asked = new List<string>();
        while (walk.TryNext(out string? name))
        {
            asked.Add(name);
            int depth = asked.Count;
            // Each leads to the next, back to the first, and to an address.
            walk.Answered([$"dnsaddr=/dnsaddr/{depth}.example", "dnsaddr=/dnsaddr/0.example", $"dnsaddr=/ip4/192.0.2.1/tcp/{depth}"]);
        }
        Assert.Equal(Enumerable.Range(0, DnsaddrWalk.DepthMax + 1).Select(i => $"_dnsaddr.{i}.example"), asked);
        Assert.Equal(asked.Count, walk.Found.Count);
    }

    [Fact]
    public void A_name_with_thousands_of_others_costs_no_more_than_the_bounds()
    {
        var walk = new DnsaddrWalk(Multiaddr.Parse("/dnsaddr/example.org"));
        int asked = 0;
        for (; walk.TryNext(out _); asked++)
            walk.Answered(Enumerable.Range(0, 5000).Select(i => $"dnsaddr=/dnsaddr/{asked}-{i}.example"));
        Assert.Equal(DnsaddrWalk.NamesMax, asked);
        walk = new DnsaddrWalk(Multiaddr.Parse("/dnsaddr/example.org"));
        Assert.True(walk.TryNext(out _));
        walk.Answered(Enumerable.Range(1, 5000).Select(i => $"dnsaddr=/ip4/192.0.2.1/tcp/{i}"));
        Assert.Equal(DnsaddrWalk.AddressesMax, walk.Found.Count);
        Assert.False(walk.TryNext(out _));
        // A name that nobody can ask for is passed over, and an address is found at once.
        Assert.False(new DnsaddrWalk(Multiaddr.Parse($"/dnsaddr/{new string('a', 64)}")).TryNext(out _));
        Assert.Equal("/ip4/192.0.2.1/tcp/1", new DnsaddrWalk(Multiaddr.Parse("/ip4/192.0.2.1/tcp/1")).Found.Single().ToString());
    }

    [Fact]
    public void Name_servers_are_those_that_the_system_names()
    {
        const string file = "# comment\nsearch example.org\nnameserver 192.0.2.1\r\n nameserver\t2001:db8::1 # ours\nnameserver nonsense\noptions timeout:1\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n";
        Assert.Equal([IPEndPoint.Parse("192.0.2.1:53"), IPEndPoint.Parse("[2001:db8::1]:53"), IPEndPoint.Parse("192.0.2.3:53")], NameServers.Parse(file));
        Assert.Equal([IPEndPoint.Parse("127.0.0.1:53")], NameServers.Parse("search x"));
    }

    private static DnsRecord Text(string name, params string[] parts) =>
        new(name, DnsType.Txt, 60) { Texts = [.. parts.Select(System.Text.Encoding.UTF8.GetBytes)] };

    private static byte[] Answer(ushort id, params DnsRecord[] records) =>
        DnsWriter.Write(new DnsMessage(id, IsResponse: true) { Questions = [new DnsQuestion(Name, DnsType.Txt)], Answers = [.. records] }, isLegacy: true);
}
