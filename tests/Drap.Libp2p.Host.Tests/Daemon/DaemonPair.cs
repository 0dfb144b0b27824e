using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Tests.Daemon;

/// <summary>Two hosts that are connected, each with a daemon and a client of it, on Unix sockets or on TCP.</summary>
internal sealed class DaemonPair : IAsyncDisposable
{
    private readonly DirectoryInfo? folder;

    private DaemonPair(Libp2pHost a, Libp2pHost b, bool unix)
    {
        folder = unix ? Directory.CreateTempSubdirectory("drap-test-") : null;
        (HostA, HostB) = (a, b);
        (A, B) = (Serve(a, "a.sock"), Serve(b, "b.sock"));
        (ClientA, ClientB) = (new DaemonClient(A.Address), new DaemonClient(B.Address));
    }

    public Libp2pHost HostA { get; }

    public Libp2pHost HostB { get; }

    public DaemonServer A { get; }

    public DaemonServer B { get; }

    public DaemonClient ClientA { get; }

    public DaemonClient ClientB { get; }

    public static async Task<DaemonPair> StartAsync(bool unix)
    {
        Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var pair = new DaemonPair(a, b, unix);
        await pair.ClientA.ConnectAsync(b.Self, b.ListenAddresses);
        return pair;
    }

    public async ValueTask DisposeAsync()
    {
        await ClientA.DisposeAsync();
        await ClientB.DisposeAsync();
        await A.DisposeAsync();
        await B.DisposeAsync();
        await HostA.DisposeAsync();
        await HostB.DisposeAsync();
        folder?.Delete(recursive: true);
    }

    private DaemonServer Serve(Libp2pHost host, string name) => DaemonServer.Start(
        host, folder is null ? Multiaddr.Parse("/ip4/127.0.0.1/tcp/0") : Multiaddr.FromUnix(Path.Combine(folder.FullName, name)));
}
