using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Drap.Libp2p.Mdns;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Peers whose addresses stand in the DNS.</summary>
public sealed class NamedAddressTests
{
    [Fact]
    public async Task A_peer_is_found_by_a_name_that_leads_to_another()
    {
        await using var dns = new NameServer();
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { NameServers = [dns.EndPoint] }), b = await Hosts.StartAsync(2);
        dns.Texts["_dnsaddr.swarm.example"] = [$"dnsaddr=/ip4/192.0.2.1/tcp/1/p2p/{Hosts.Key(3).PeerId}", "hello", $"dnsaddr=/dnsaddr/first.swarm.example/p2p/{b.Self}"];
        // Longer than one text of a record may be, and than a datagram.
        dns.Texts["_dnsaddr.first.swarm.example"] = [.. Enumerable.Range(0, 20).Select(i => $"padding-{i}-{new string('x', 300)}"), $"dnsaddr={b.ListenAddresses[0]}/p2p/{b.Self}"];
        dns.Truncated.Add("_dnsaddr.first.swarm.example");
        PeerConnection connection = await a.ConnectAsync(b.Self, [Multiaddr.Parse($"/dnsaddr/swarm.example/p2p/{b.Self}")]).WaitAsync(Hosts.Patience);
        Assert.Equal(b.Self, connection.Remote);
        Assert.Equal(b.ListenAddresses[0], connection.RemoteAddress);
        Assert.Equal(["udp _dnsaddr.swarm.example", "udp _dnsaddr.first.swarm.example", "tcp _dnsaddr.first.swarm.example"], dns.Asked);
    }

    [Fact]
    public async Task A_name_without_such_addresses_says_so_and_does_not_hold_up_others()
    {
        await using var dns = new NameServer();
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { NameServers = [dns.EndPoint] }), b = await Hosts.StartAsync(2);
        Multiaddr name = Multiaddr.Parse($"/dnsaddr/nothing.example/p2p/{b.Self}");
        DialException failure = await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(b.Self, [name]).WaitAsync(Hosts.Patience));
        Assert.Contains($"{name}: the name holds no such address", failure.Message, StringComparison.Ordinal);
        Assert.Equal(b.Self, (await a.ConnectAsync(b.Self, [name, b.ListenAddresses[0]]).WaitAsync(Hosts.Patience)).Remote);
    }

    [Fact]
    public async Task The_next_name_server_is_asked_where_one_fails_and_strangers_answers_are_passed_over()
    {
        await using var dns = new NameServer { ForgesFirst = true };
        // Bound, but it reads nothing that it would answer; and one that nobody has.
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var gone = (IPEndPoint)closed.LocalEndPoint!;
        closed.Dispose();
        await using var refusing = new NameServer { Refuses = true };
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { NameServers = [gone, refusing.EndPoint, dns.EndPoint] }), b = await Hosts.StartAsync(2);
        dns.Texts["_dnsaddr.swarm.example"] = [$"dnsaddr={b.ListenAddresses[0]}"];
        PeerConnection connection = await a.ConnectAsync(b.Self, [Multiaddr.Parse("/dnsaddr/swarm.example")]).WaitAsync(Hosts.Patience);
        Assert.Equal(b.ListenAddresses[0], connection.RemoteAddress);
        Assert.Single(refusing.Asked);
    }

    /// <summary>A name server on a port of its own, over UDP and TCP.</summary>
    private sealed class NameServer : IAsyncDisposable
    {
        private readonly Socket udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        private readonly Socket tcp = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly Task[] serving;

        public NameServer()
        {
            // The port must be free for both; the system chose it for one.
            while (true)
            {
                tcp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                try
                {
                    udp.Bind(tcp.LocalEndPoint!);
                    break;
                }
                catch (SocketException)
                {
                    tcp.Dispose();
                    tcp = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                }
            }
            tcp.Listen();
            serving = [ServeUdpAsync(), ServeTcpAsync()];
        }

        public IPEndPoint EndPoint => (IPEndPoint)tcp.LocalEndPoint!;

        public Dictionary<string, string[]> Texts { get; } = [];

        public HashSet<string> Truncated { get; } = [];

        public bool Refuses { get; init; }

        public bool ForgesFirst { get; init; }

        public List<string> Asked { get; } = [];

        public async ValueTask DisposeAsync()
        {
            udp.Dispose();
            tcp.Dispose();
            foreach (Task task in serving)
                await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        private async Task ServeUdpAsync()
        {
            byte[] question = new byte[2000];
            while (true)
            {
                SocketReceiveFromResult came = await udp.ReceiveFromAsync(question, new IPEndPoint(IPAddress.Any, 0));
                byte[] answer = Answer(question.AsSpan(0, came.ReceivedBytes), "udp");
                if (ForgesFirst)
                {
                    byte[] forged = [.. answer];
                    forged[0] ^= 0xff;
                    await udp.SendToAsync(forged, came.RemoteEndPoint);
                    await udp.SendToAsync(new byte[3], came.RemoteEndPoint);
                }
                await udp.SendToAsync(answer, came.RemoteEndPoint);
            }
        }

        private async Task ServeTcpAsync()
        {
            while (true)
            {
                await using var stream = new NetworkStream(await tcp.AcceptAsync(), ownsSocket: true);
                byte[] length = new byte[2];
                await stream.ReadExactlyAsync(length);
                byte[] question = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await stream.ReadExactlyAsync(question);
                byte[] answer = Answer(question, "tcp");
                BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)answer.Length);
                await stream.WriteAsync((byte[])[.. length, .. answer]);
            }
        }

        private byte[] Answer(ReadOnlySpan<byte> question, string over)
        {
            Assert.True(DnsReader.TryRead(question, out DnsMessage? message));
            string name = message.Questions.Single().Name;
            Asked.Add($"{over} {name}");
            string[] texts = Texts.GetValueOrDefault(name, []);
            bool isCut = over == "udp" && Truncated.Contains(name);
            int code = Refuses ? 5 : texts.Length == 0 ? 3 : 0;
            if (isCut)
                texts = [];
            int asked = 12;
            while (question[asked] != 0)
                asked += question[asked] + 1;
            asked += 5;
            var answer = new List<byte>();
            answer.AddRange([question[0], question[1], (byte)(isCut ? 0x83 : 0x81), (byte)(0x80 | code), 0, 1, (byte)(texts.Length >> 8), (byte)texts.Length, 0, 0, 0, 0]);
            answer.AddRange(question[12..asked]);
            foreach (string text in texts)
            {
                byte[] data = [.. Encoding.UTF8.GetBytes(text).Chunk(200).SelectMany(part => (byte[])[(byte)part.Length, .. part])];
                answer.AddRange([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, (byte)(data.Length >> 8), (byte)data.Length, .. data]);
            }
            return [.. answer];
        }
    }
}
