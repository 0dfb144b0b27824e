using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Connections over Unix sockets.</summary>
public sealed class UnixSocketTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("drap-unix-");

    public void Dispose() => folder.Delete(recursive: true);

    private string Path(string name = "host.sock") => System.IO.Path.Combine(folder.FullName, name);

    [Theory]
    [InlineData(ConnectionSecurity.Noise)]
    [InlineData(ConnectionSecurity.Tls)]
    public async Task Peers_of_one_machine_meet_at_a_path(ConnectionSecurity security)
    {
        Multiaddr at = Multiaddr.FromUnix(Path());
        // One that was left by a process that has gone is in nobody's way.
        using (var left = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified))
            left.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(Path()));
        await using (Libp2pHost b = await Libp2pHost.StartAsync(Hosts.Options(2, security) with { Listen = [at, Multiaddr.Parse("/ip4/127.0.0.1/tcp/0")] }))
        {
            Assert.Equal(at, b.ListenAddresses[0]);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path()));
            b.Handle(Hosts.Echo[0], Hosts.EchoAsync);
            await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1, security) with { Listen = [], DialsUnixSockets = true });
            PeerConnection connection = await a.ConnectAsync(b.Self, [at.WithPeer(b.Self)]).WaitAsync(Hosts.Patience);
            Assert.Equal((b.Self, at, at), (connection.Remote, connection.RemoteAddress, connection.LocalAddress));
            P2pStream stream = await a.OpenStreamAsync(b.Self, Hosts.Echo).WaitAsync(Hosts.Patience);
            byte[] sent = new byte[3_000_000];
            new Random(1).NextBytes(sent);
            Task writing = stream.WriteAndCloseAsync(sent).AsTask();
            Assert.Equal(sent, await stream.ReadToEndAsync());
            await writing;
            // Peers elsewhere have nothing of it.
            await connection.Identified.WaitAsync(Hosts.Patience);
            Assert.All(a.PeerBook[b.Self].Addresses, address => Assert.True(address.Equals(at) || address.TryGetTcp(out _, out _)));
            await using Libp2pHost c = await Hosts.StartAsync(3, security);
            await (await c.ConnectAsync(b.Self, [b.ListenAddresses[1]]).WaitAsync(Hosts.Patience)).Identified.WaitAsync(Hosts.Patience);
            Assert.DoesNotContain(c.PeerBook[b.Self].Addresses, address => address.TryGetUnixPath(out _));
        }
        Assert.False(File.Exists(Path()));
    }

    [Fact]
    public async Task A_path_is_dialed_only_where_that_is_wanted_and_says_why_it_leads_nowhere()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), wanting = await Libp2pHost.StartAsync(Hosts.Options(4) with { DialsUnixSockets = true });
        PeerId nobody = Hosts.Key(2).PeerId;
        await AssertFails(a, Path(), "Unix sockets are not dialed here");
        await AssertFails(wanting, Path(), "");
        await AssertFails(wanting, Path(new string('x', 120)), "too long for a Unix socket");
        await Assert.ThrowsAsync<Libp2pException>(() => Libp2pHost.StartAsync(Hosts.Options(5) with { Listen = [Multiaddr.FromUnix(Path("no/such/folder"))] }));

        async Task AssertFails(Libp2pHost host, string path, string why)
        {
            DialException failure = await Assert.ThrowsAsync<DialException>(() => host.ConnectAsync(nobody, [Multiaddr.FromUnix(path)]).WaitAsync(Hosts.Patience));
            Assert.Contains($"/unix{path}: {why}", failure.Message, StringComparison.Ordinal);
        }
    }
}
