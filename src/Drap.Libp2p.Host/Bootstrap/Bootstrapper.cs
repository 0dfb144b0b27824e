using Drap.Libp2p.Bootstrap;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Bootstrap;

/// <summary>Keeps a host connected with some of the peers that its user named, and so with its network. Thread-safe.</summary>
public sealed class Bootstrapper : IHostObserver, IAsyncDisposable
{
    private const string Protection = "bootstrap";

    private readonly Libp2pHost host;
    private readonly Dictionary<PeerId, Multiaddr[]> addresses;
    private readonly BootstrapPlan plan;
    private readonly BesideHost frame;

    /// <summary>Begins to dial. Each address ends with the peer's <c>/p2p/ID</c>; several may name one peer.</summary>
    /// <exception cref="ArgumentException">An address names no peer.</exception>
    public Bootstrapper(Libp2pHost host, IReadOnlyList<Multiaddr> named, int wanted = BootstrapPlan.WantedDefault)
    {
        if (named.FirstOrDefault(address => address.Peer is null) is { } nameless)
            throw new ArgumentException($"{nameless} does not end with /p2p/ID", nameof(named));
        this.host = host;
        addresses = named.Where(address => address.Peer != host.Self).GroupBy(address => address.Peer!.Value)
            .ToDictionary(group => group.Key, group => group.ToArray());
        plan = new BootstrapPlan(addresses.Keys, wanted, SystemRandom.NewPrng(), host.Hub.Clock.Now);
        frame = new BesideHost(host, () => Step(_ => { }));
        frame.Observe(this);
        foreach (PeerConnection connection in host.Connections)
            Met(connection.Remote);
        Step(_ => { });
    }

    /// <summary>Peers of the list that are connected.</summary>
    public int Connected
    {
        get
        {
            lock (frame.Gate)
                return plan.Connected;
        }
    }

    /// <summary>Keeps no more; connections stay as long as others use them.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!frame.TryStop())
            return;
        await frame.DisposeAsync().ConfigureAwait(false);
        foreach (PeerId peer in addresses.Keys)
            host.Unprotect(peer, Protection);
    }

    void IHostObserver.Connected(PeerConnection connection, bool isFirst) => Met(connection.Remote);

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast)
    {
        if (!isLast || !addresses.ContainsKey(connection.Remote))
            return;
        host.Unprotect(connection.Remote, Protection);
        Step(now => plan.Lost(connection.Remote, now));
    }

    void IHostObserver.AddressesChanged(IReadOnlyList<Multiaddr> addresses) => Step(plan.Renew);

    private void Met(PeerId peer)
    {
        if (!addresses.ContainsKey(peer))
            return;
        host.Protect(peer, Protection);
        Step(_ => plan.Met(peer));
    }

    private void Step(Action<Instant> step)
    {
        var due = new List<PeerId>();
        lock (frame.Gate)
        {
            if (frame.IsStopped)
                return;
            Instant now = frame.Now;
            step(now);
            while (plan.TryNext(now, out PeerId peer))
                due.Add(peer);
            frame.WakeAt(plan.NextDeadline);
        }
        foreach (PeerId peer in due)
            frame.Run(() => DialAsync(peer));
    }

    private async Task DialAsync(PeerId peer)
    {
        await Task.Yield();
        try
        {
            // That it stands, and later that it does not, is heard as an observer, in that order.
            await host.ConnectAsync(peer, addresses[peer], frame.Stopping).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException or ObjectDisposedException)
        {
            Step(now => plan.Failed(peer, now));
        }
    }
}
