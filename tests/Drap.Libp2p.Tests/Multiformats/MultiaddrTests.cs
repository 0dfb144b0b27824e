using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Multiformats;

public sealed class MultiaddrTests
{
    private const string Peer = "12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV";

    [Theory]
    // Published by go-multiaddr and js-multiaddr.
    [InlineData("/ip4/127.0.0.1/udp/1234", "047f000001910204d2")]
    [InlineData("/ip4/127.0.0.1/tcp/4321", "047f0000010610e1")]
    [InlineData("/ip4/127.0.0.1/udp/1234/ip4/127.0.0.1/tcp/4321", "047f000001910204d2047f0000010610e1")]
    // By the table of protocols.
    [InlineData("/ip6/2001:8a0:7ac5:4201:3ac9:86ff:fe31:7095/tcp/8000", "29200108a07ac542013ac986fffe317095061f40")]
    [InlineData("/ip6zone/eth0/ip6/fe80::1/tcp/1", "2a046574683029fe80000000000000000000000000000106" + "0001")]
    [InlineData("/ip4/192.0.2.0/ipcidr/24", "04c00002002b18")]
    [InlineData("/dns4/example.com/tcp/443/wss", "360b6578616d706c652e636f6d0601bbde03")]
    [InlineData("/dns/a.b/udp/1/quic-v1", "3503612e6291020001cd03")]
    [InlineData("/dns6/x/tcp/2/ws", "370178060002dd03")]
    [InlineData("/dnsaddr/bootstrap.libp2p.io", "3813626f6f7473747261702e6c69627032702e696f")]
    [InlineData("/unix/a/b/c", "9003062f612f622f63")]
    [InlineData("/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC", "a503221220d52ebb89d85b02a284948203a62ff28389c57c9f42beec4ec20db76a68911c0b")]
    [InlineData("/ip4/127.0.0.1/tcp/127/tls/sni/a.b/noise/http", "047f00000106007fc003c10303612e62c603e003")]
    public void Text_and_bytes(string text, string hex)
    {
        Multiaddr address = Multiaddr.Parse(text);
        Assert.Equal(hex, Convert.ToHexStringLower(address.Bytes));
        Assert.True(Multiaddr.TryFromBytes(Convert.FromHexString(hex), out Multiaddr? same));
        Assert.Equal(text, same.ToString());
        Assert.Equal(address, same);
        Assert.Equal(address.GetHashCode(), same.GetHashCode());
        // Cut within a part it is none.
        var ends = new List<int>();
        foreach (MultiaddrComponent component in address.Components)
            ends.Add(component.Start + component.Length);
        for (int i = 0; i < address.Bytes.Length; i++)
            Assert.Equal(ends.Contains(i), Multiaddr.TryFromBytes(address.Bytes[..i], out _));
    }

    [Theory]
    [InlineData("/ip4/127.0.0.1/tcp/1234/", "/ip4/127.0.0.1/tcp/1234")]
    [InlineData("/ipfs/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC/tcp/1", "/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC/tcp/1")]
    [InlineData("/p2p/bafzbeigvf25ytwc3akrijfecaotc74udrhcxzh2cx3we5qqnw5vgrei4bm", "/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC")]
    [InlineData("/p2p/k2k4r8oqamigqdo6o7hsbfwd45y70oyynp98usk7zmyfrzpqxh1pohl7", "/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC")]
    [InlineData("/ip6/2001:DB8:0:0::1", "/ip6/2001:db8::1")]
    [InlineData("/ip6/::ffff:192.0.2.1/tcp/1", "/ip6/::ffff:192.0.2.1/tcp/1")]
    [InlineData("/ip6zone/x%y/ip6/::", "/ip6zone/x%y/ip6/::")]
    [InlineData("/unix/%2Frun%2Fp2pd.sock", "/unix/run/p2pd.sock")] // as js writes it
    [InlineData("/unix/%2Frun%2Fp2pd.sock/p2p/" + Peer, "/unix/%2Frun%2Fp2pd.sock/p2p/" + Peer)]
    [InlineData("/ip4/1.2.3.4/tcp/80/unix/a/b/c/d/e/f", "/ip4/1.2.3.4/tcp/80/unix/a/b/c/d/e/f")]
    [InlineData("/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/b2uaraocy6yrdblb4sfptaddgimjmmpy", "/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/u1QEQOFj2IjCsPJFfMAxmQxLGPw")]
    public void One_address_has_one_text(string given, string text)
    {
        Multiaddr address = Multiaddr.Parse(given);
        Assert.Equal(text, address.ToString());
        Assert.Equal(address, Multiaddr.Parse(text));
        Assert.True(Multiaddr.TryFromBytes(address.Bytes, out Multiaddr? same));
        Assert.Equal(text, same.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("ip4/1.2.3.4")]
    [InlineData("//ip4/1.2.3.4")]
    [InlineData("/ip4/1.2.3.4//tcp/1")]
    [InlineData("/ip4")]
    [InlineData("/ip4/::1")]
    [InlineData("/ip4/127.1")]
    [InlineData("/ip4/0x7f.0.0.1")]
    [InlineData("/ip4/1.2.3.04")]
    [InlineData("/ip4/1.2.3.256")]
    [InlineData("/ip4/1.2.3.4.5")]
    [InlineData("/ip4/ 1.2.3.4")]
    [InlineData("/ip6/fe80::1%eth0")]
    [InlineData("/ip6/[::1]")]
    [InlineData("/ip6/1.2.3.4")]
    [InlineData("/ip6zone//ip6/fe80::1")]
    [InlineData("/ip4/1.2.3.4/ipcidr/256")]
    [InlineData("/tcp/65536")]
    [InlineData("/tcp/-1")]
    [InlineData("/tcp/+1")]
    [InlineData("/tcp/ 1")]
    [InlineData("/tcp")]
    [InlineData("/udp/1234/quic-v1/1234")]
    [InlineData("/dns4/")]
    [InlineData("/p2p/tcp")]
    [InlineData("/p2p")]
    [InlineData("/p2p/QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY")] // a digest of another length
    [InlineData("/unix")]
    [InlineData("/unix/")]
    [InlineData("/unix/%2F")]
    [InlineData("/ip4/1.2.3.4/udp/1/webtransport/certhash/b2uaraocy6yrdblb4sfptaddgimjmmp")]
    [InlineData("/carrier-pigeon/1")]
    public void What_is_no_address(string text) => Assert.False(Multiaddr.TryParse(text, out _));

    [Theory]
    [InlineData("")]
    [InlineData("7f")] // a code that nobody knows
    [InlineData("84007f000001")] // a code that is not minimal
    [InlineData("3600")] // a name of no length
    [InlineData("36ffffffffffffffff7f61")] // a name of 2^63 - 1 bytes
    [InlineData("36ffffffffffffffffff0161")] // and of more
    [InlineData("3601ff")] // not UTF-8
    [InlineData("3603612f62")] // a slash in a name
    [InlineData("a50300")] // a peer of no length
    [InlineData("a503021220")] // a hash without its digest
    [InlineData("9003032f612f")] // a path that ends with a slash
    [InlineData("900303612f62")] // one that does not begin with it
    [InlineData("9003032f0062")] // a zero in it
    public void What_are_no_address_s_bytes(string hex) => Assert.False(Multiaddr.TryFromBytes(Convert.FromHexString(hex), out _));

    [Fact]
    public void Longer_than_a_kibibyte_is_none()
    {
        byte[] bytes = [.. Enumerable.Repeat(new byte[] { 4, 1, 2, 3, 4 }, 204).SelectMany(b => b), 0xde, 0x03];
        Assert.Equal(1022, bytes.Length);
        Assert.True(Multiaddr.TryFromBytes(bytes, out Multiaddr? longest));
        Assert.True(Multiaddr.TryParse(longest.ToString(), out _));
        Assert.False(Multiaddr.TryFromBytes([.. bytes, 0xde, 0x03, 0xde, 0x03], out _));
        Assert.False(Multiaddr.TryParse(longest + "/ip4/1.2.3.4", out _));
        Assert.False(Multiaddr.TryParse("/dns/" + new string('x', 254), out _));
    }

    [Theory]
    [InlineData("/ip4/192.0.2.1/tcp/4001", "192.0.2.1:4001", null)]
    [InlineData("/ip4/192.0.2.1/tcp/4001/p2p/" + Peer, "192.0.2.1:4001", null)]
    [InlineData("/ip6/2001:db8::1/tcp/0", "[2001:db8::1]:0", null)]
    [InlineData("/ip6zone/eth0/ip6/fe80::1/tcp/9", "[fe80::1]:9", "eth0")]
    [InlineData("/dns/example.com/tcp/1", "Unspecified/example.com:1", null)]
    [InlineData("/dns4/example.com/tcp/1", "InterNetwork/example.com:1", null)]
    [InlineData("/dns6/example.com/tcp/1/p2p/" + Peer, "InterNetworkV6/example.com:1", null)]
    public void Plain_TCP(string text, string endPoint, string? zone)
    {
        Assert.True(Multiaddr.Parse(text).TryGetTcp(out EndPoint? where, out string? its));
        Assert.Equal((endPoint, zone), (where.ToString(), its));
        if (where is IPEndPoint { Address: var ip, Port: var port } && zone is null)
            Assert.Equal(Multiaddr.Parse(text).WithoutPeer(), Multiaddr.FromTcp(ip, port));
    }

    [Theory]
    [InlineData("/ip4/192.0.2.1")]
    [InlineData("/tcp/1")]
    [InlineData("/ip4/192.0.2.1/udp/1")]
    [InlineData("/ip4/192.0.2.1/tcp/1/ws")]
    [InlineData("/ip4/192.0.2.1/tcp/1/tls/ws")]
    [InlineData("/ip4/192.0.2.1/tcp/1/p2p/" + Peer + "/p2p-circuit")]
    [InlineData("/ip4/192.0.2.1/tcp/1/tcp/2")]
    [InlineData("/ip4/192.0.2.1/ip4/192.0.2.1/tcp/2")]
    [InlineData("/ip6zone/x/ip4/192.0.2.1/tcp/2")]
    [InlineData("/p2p/" + Peer + "/tcp/2")]
    [InlineData("/dnsaddr/example.com/tcp/1")]
    [InlineData("/unix/a")]
    public void What_is_not_plain_TCP(string text) => Assert.False(Multiaddr.Parse(text).TryGetTcp(out _, out _));

    [Fact]
    public void Peers_relays_and_paths()
    {
        Assert.True(PeerId.TryParse(Peer, out PeerId peer));
        Multiaddr plain = Multiaddr.Parse("/ip4/192.0.2.1/tcp/1");
        Multiaddr full = plain.WithPeer(peer);
        Assert.Equal($"/ip4/192.0.2.1/tcp/1/p2p/{Peer}", full.ToString());
        Assert.Equal(full, full.WithPeer(peer));
        Assert.Equal(plain, full.WithoutPeer());
        Assert.Same(plain, plain.WithoutPeer());
        Assert.Null(Multiaddr.Parse("/p2p/" + Peer).WithoutPeer());
        Assert.Equal((peer, null), (full.Peer, plain.Peer));

        Multiaddr relayed = full.Encapsulate(Multiaddr.Parse("/p2p-circuit")).WithPeer(peer);
        Assert.True(relayed.IsCircuit);
        Assert.False(full.IsCircuit);
        Assert.True(relayed.TrySplitCircuit(out Multiaddr? relay, out Multiaddr? target));
        Assert.Equal(full, relay);
        Assert.Equal("/p2p/" + Peer, target!.ToString());
        Assert.True(Multiaddr.Parse("/p2p-circuit").TrySplitCircuit(out relay, out target));
        Assert.Null(relay);
        Assert.Null(target);
        Assert.False(full.TrySplitCircuit(out _, out _));
        // Of a relay behind a relay the last one counts.
        Assert.True(relayed.Encapsulate(Multiaddr.Parse("/p2p-circuit/p2p/" + Peer)).TrySplitCircuit(out relay, out _));
        Assert.Equal(relayed, relay);

        Assert.True(Multiaddr.FromUnix("/run/a b%20c/p2pd.sock").TryGetUnixPath(out string? path));
        Assert.Equal("/run/a b%20c/p2pd.sock", path);
        Assert.Equal(Multiaddr.FromUnix(path), Multiaddr.Parse(Multiaddr.FromUnix(path).ToString()));
        Assert.True(Multiaddr.Parse("/unix/%2Fa/p2p/" + Peer).TryGetUnixPath(out path));
        Assert.Equal("/a", path);
        Assert.False(full.TryGetUnixPath(out _));
        Assert.Equal(AddressFamily.InterNetwork, new IPAddress(plain.Bytes[1..5]).AddressFamily);
    }

    [Fact]
    public void Reading_allocates_no_more_than_the_address()
    {
        Multiaddr address = Multiaddr.Parse($"/ip4/192.0.2.1/tcp/1/p2p/{Peer}/p2p-circuit");
        byte[] bytes = address.Bytes.ToArray(), bad = [.. bytes, 0x7f];
        Multiaddr.TryFromBytes(bytes, out _);
        Multiaddr.TryFromBytes(bad, out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            Multiaddr.TryFromBytes(bad, out _);
        // The peer id is checked by making one, 64 bytes.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100 * 80);
    }
}
