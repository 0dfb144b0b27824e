using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Drap.Libp2p.Mdns;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Mdns;

/// <summary>
/// Finds peers on each network interface that carries multicast, and lets the host be found there. Whom it finds it puts into the peer
/// book and, if that is wanted, connects to. Thread-safe.
/// </summary>
public sealed class MdnsService : IHostObserver, IAsyncDisposable
{
    /// <summary>Interfaces that are served: more than a machine has that is not a switch. Those after them are not.</summary>
    public const int InterfacesMax = 32;

    /// <summary>How often the interfaces are looked at, besides when the host's addresses change: a cable, a VPN.</summary>
    private static readonly TimeSpan ScanEvery = TimeSpan.FromSeconds(15);

    private readonly Libp2pHost host;
    private readonly MdnsServiceOptions options;
    private readonly Dictionary<int, MdnsInterface> interfaces = [];
    private readonly BesideHost frame;

    /// <summary>Begins to look.</summary>
    public MdnsService(Libp2pHost host, MdnsServiceOptions options)
    {
        this.host = host;
        this.options = options;
        frame = new BesideHost(host, Scan);
        frame.Observe(this);
        Scan();
    }

    /// <summary>Interfaces that are served, by name.</summary>
    public IReadOnlyList<string> Interfaces
    {
        get
        {
            lock (frame.Gate)
                return [.. interfaces.Values.Select(one => one.Name)];
        }
    }

    /// <summary>Says goodbye and looks no more.</summary>
    public async ValueTask DisposeAsync()
    {
        MdnsInterface[] open = [];
        bool isFirst = frame.TryStop(() =>
        {
            open = [.. interfaces.Values];
            interfaces.Clear();
        });
        if (!isFirst)
            return;
        foreach (MdnsInterface one in open)
            await one.DisposeAsync().ConfigureAwait(false);
        await frame.DisposeAsync().ConfigureAwait(false);
    }

    void IHostObserver.AddressesChanged(IReadOnlyList<Multiaddr> addresses) => frame.WakeAt(frame.Now);

    private void Scan()
    {
        var gone = new List<MdnsInterface>();
        Dictionary<int, (string Name, IPAddress[] Addresses)> present = Present();
        lock (frame.Gate)
        {
            if (frame.IsStopped)
                return;
            foreach ((int index, MdnsInterface one) in interfaces.ToArray())
            {
                if (present.ContainsKey(index) && !one.HasFailed)
                    continue;
                interfaces.Remove(index);
                gone.Add(one);
            }
            IReadOnlyList<Multiaddr> all = host.ListenAddresses;
            foreach ((int index, (string name, IPAddress[] addresses)) in present)
            {
                Multiaddr[] here = [.. all.Where(address => LeadsTo(address, addresses))];
                if (interfaces.TryGetValue(index, out MdnsInterface? served))
                    served.SetAddresses(here);
                else if (interfaces.Count < InterfacesMax && MdnsInterface.TryOpen(host, name, index, options.ServiceName, here, Found) is { } opened)
                    interfaces.Add(index, opened);
            }
            frame.WakeAt(frame.Now + ScanEvery);
        }
        foreach (MdnsInterface one in gone)
            frame.Run(() => one.DisposeAsync().AsTask());
    }

    private static Dictionary<int, (string Name, IPAddress[] Addresses)> Present()
    {
        var present = new Dictionary<int, (string, IPAddress[])>();
        foreach (NetworkInterface one in NetworkInterface.GetAllNetworkInterfaces())
        {
            try
            {
                if (one.OperationalStatus is not (OperationalStatus.Up or OperationalStatus.Unknown) || !one.SupportsMulticast)
                    continue;
                IPInterfaceProperties properties = one.GetIPProperties();
                IPAddress[] addresses = [.. properties.UnicastAddresses.Select(unicast => unicast.Address)];
                if (addresses.Any(address => address.AddressFamily == AddressFamily.InterNetwork))
                    present[properties.GetIPv4Properties().Index] = (one.Name, addresses);
            }
            catch (NetworkInformationException)
            {
                // It went away while it was looked at.
            }
        }
        return present;
    }

    private static bool LeadsTo(Multiaddr address, IPAddress[] addresses) =>
        !address.IsCircuit && address.TryGetTcp(out EndPoint? endPoint, out _) && endPoint is IPEndPoint ip
        && addresses.Any(one => one.Equals(ip.Address));

    private void Found(PeerId peer, IReadOnlyList<Multiaddr> addresses)
    {
        host.PeerBook.AddAddresses(peer, addresses);
        options.Found?.Invoke(peer, addresses);
        if (options.Connects && host.Find(peer) is null)
            frame.Run(() => ConnectAsync(peer, addresses));
    }

    private async Task ConnectAsync(PeerId peer, IReadOnlyList<Multiaddr> addresses)
    {
        await Task.Yield();
        try
        {
            await host.ConnectAsync(peer, addresses, frame.Stopping).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException or ObjectDisposedException)
        {
            // Whoever said that it is there was wrong, or it has gone; if it says so again it is tried again.
        }
    }
}

/// <summary>How peers are looked for on the LAN.</summary>
public sealed record MdnsServiceOptions
{
    /// <summary>
    /// The service's name. Default <see cref="MdnsDiscovery.PublicService"/>, by which all libp2p peers are seen; a swarm that wants to see
    /// only its own takes <c>_p2p-X._udp.local</c>.
    /// </summary>
    public string ServiceName { get; init; } = MdnsDiscovery.PublicService;

    /// <summary>Whether peers that are found are connected to. Default true. How many dials run at a time the host bounds.</summary>
    public bool Connects { get; init; } = true;

    /// <summary>Hears of each peer that is found, when it is found and now and then afterwards. Must be short. Default nobody.</summary>
    public Action<PeerId, IReadOnlyList<Multiaddr>>? Found { get; init; }
}
