using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Tests.Daemon;

/// <summary>Two hosts that are connected, each with a daemon and a client of it, on Unix sockets or on TCP.</summary>
internal sealed class DaemonPair : IAsyncDisposable
{
    private readonly DirectoryInfo? folder;

    private DaemonPair(Libp2pHost a, Libp2pHost b, bool unix, bool hasServices)
    {
        folder = unix ? Directory.CreateTempSubdirectory("drap-test-") : null;
        (HostA, HostB) = (a, b);
        if (hasServices)
        {
            // One message waits for a slow program, so that a test can be slow.
            var options = new PubSubOptions { SubscriptionMessagesMax = 1 };
            KadOptions kad = KadOptions.Drap with { KeepsUnknownNamespaces = true };
            (TopicsA, TopicsB) = (new PubSub(a, Hosts.Key(1), options), new PubSub(b, Hosts.Key(2), options));
            (DhtA, DhtB) = (new Dht(a, kad, isServer: true), new Dht(b, kad, isServer: true));
        }
        (A, B) = (Serve(a, "a.sock", TopicsA, DhtA), Serve(b, "b.sock", TopicsB, DhtB));
        (ClientA, ClientB) = (new DaemonClient(A.Address), new DaemonClient(B.Address));
    }

    public Libp2pHost HostA { get; }

    public Libp2pHost HostB { get; }

    public DaemonServer A { get; }

    public DaemonServer B { get; }

    public DaemonClient ClientA { get; }

    public DaemonClient ClientB { get; }

    public PubSub? TopicsA { get; }

    public PubSub? TopicsB { get; }

    public Dht? DhtA { get; }

    public Dht? DhtB { get; }

    public static async Task<DaemonPair> StartAsync(bool unix, bool hasServices = false)
    {
        Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var pair = new DaemonPair(a, b, unix, hasServices);
        await pair.ClientA.ConnectAsync(b.Self, b.ListenAddresses);
        return pair;
    }

    public async ValueTask DisposeAsync()
    {
        await ClientA.DisposeAsync();
        await ClientB.DisposeAsync();
        await A.DisposeAsync();
        await B.DisposeAsync();
        foreach (IAsyncDisposable? service in (IAsyncDisposable?[])[TopicsA, TopicsB, DhtA, DhtB])
            await (service?.DisposeAsync() ?? ValueTask.CompletedTask);
        await HostA.DisposeAsync();
        await HostB.DisposeAsync();
        folder?.Delete(recursive: true);
    }

    private DaemonServer Serve(Libp2pHost host, string name, PubSub? topics, Dht? dht) => DaemonServer.Start(
        host, folder is null ? Multiaddr.Parse("/ip4/127.0.0.1/tcp/0") : Multiaddr.FromUnix(Path.Combine(folder.FullName, name)), topics, dht);
}
