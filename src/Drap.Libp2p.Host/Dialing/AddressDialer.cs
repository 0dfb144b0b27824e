using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Dnsaddr;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Relay;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Host.Upgrade;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Dialing;

/// <summary>One place to dial: an address as it was given or found, and where it leads; null over a relay.</summary>
internal sealed record DialTarget(Multiaddr Address, EndPoint? EndPoint);

/// <summary>Dials one address, over TCP, a Unix socket or a relay, and makes a connection of it.</summary>
internal sealed class AddressDialer(ConnectionHub hub, Upgrader upgrader, HostOptions options)
{
    private readonly TxtResolver texts = new(hub, options.NameServers);

    /// <summary>Dials over relays.</summary>
    public Circuits? Circuits { get; set; }

    // Ways to one name; the rest is not tried.
    private const int AddressesOfNameMax = 4;

    /// <summary>Where the addresses lead, names looked up; why those that lead nowhere do not is added to <paramref name="reasons"/>.</summary>
    public async Task<List<DialTarget>> ResolveAsync(PeerId peer, IReadOnlyList<Multiaddr> addresses, List<string> reasons, CancellationToken ct)
    {
        var targets = new List<DialTarget>();
        var relayed = new List<DialTarget>();
        foreach (Multiaddr address in await FindAsync(addresses, reasons, ct).ConfigureAwait(false))
        {
            if (address.Peer is { } named && named != peer)
                reasons.Add($"{address}: names another peer");
            else if (address.IsCircuit)
                relayed.Add(new DialTarget(address, null));
            else if (address.TryGetUnixPath(out string? path))
                AddUnix(address, path, targets, reasons);
            else if (!address.TryGetTcp(out EndPoint? endPoint, out string? zone))
                reasons.Add($"{address}: no transport for it");
            else if (endPoint is IPEndPoint ip)
                targets.Add(new DialTarget(address, WithZone(ip, zone)));
            else
                await LookUpAsync(address, (DnsEndPoint)endPoint, targets, reasons, ct).ConfigureAwait(false);
        }
        // A relay is for where nothing else leads.
        return [.. targets, .. relayed];
    }

    public async Task<PeerConnection> DialAsync(PeerId peer, DialTarget target, CancellationToken ct)
    {
        using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + hub.Limits.DialTimeout, ct);
        try
        {
            return await DialAsync(peer, target, null, limit.Token).ConfigureAwait(false);
        }
        catch (SecurityRefusedException refused)
        {
            return await DialAsync(peer, target, refused.Security, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (limit.HasPassed && !ct.IsCancellationRequested)
        {
            throw new DialException($"no connection within {hub.Limits.DialTimeout.TotalSeconds:0.#} s");
        }
    }

    private async Task<PeerConnection> DialAsync(PeerId peer, DialTarget target, ConnectionSecurity? refused, CancellationToken ct)
    {
        if (target.EndPoint is null)
            return await Circuits!.DialAsync(peer, target.Address, refused, ct).ConfigureAwait(false);
        bool isTcp = target.EndPoint is IPEndPoint;
        var socket = new Socket(target.EndPoint.AddressFamily, SocketType.Stream, isTcp ? ProtocolType.Tcp : ProtocolType.Unspecified);
        SocketLink link;
        try
        {
            link = await SocketLink.ConnectAsync(socket, target.EndPoint, ct).ConfigureAwait(false);
        }
        catch (Exception)
        {
            socket.Dispose();
            throw;
        }
        Multiaddr remote = target.Address.WithoutPeer()!;
        // Who connects to a Unix socket has no path of his own.
        Multiaddr local = socket.LocalEndPoint is IPEndPoint ip ? Multiaddr.FromTcp(ip.Address, ip.Port) : remote;
        return await upgrader.DialAsync(link, peer, remote, local, refused, ct).ConfigureAwait(false);
    }

    // Names that hold addresses are looked up in their place.
    private async Task<List<Multiaddr>> FindAsync(IReadOnlyList<Multiaddr> addresses, List<string> reasons, CancellationToken ct)
    {
        var found = new List<Multiaddr>();
        foreach (Multiaddr address in addresses.Distinct().Take(hub.Limits.AddressesPerDialMax))
        {
            // The way to a relay is looked up where the relay is dialed.
            if (address.IsCircuit || !address.TryGetDnsaddr(out _, out _))
            {
                found.Add(address);
                continue;
            }
            var walk = new DnsaddrWalk(address);
            int before = reasons.Count;
            while (walk.TryNext(out string? name))
            {
                try
                {
                    walk.Answered(await texts.AskAsync(name, ct).ConfigureAwait(false));
                }
                catch (DialException failure)
                {
                    reasons.Add($"{address}: {failure.Message}");
                }
            }
            if (walk.Found.Count == 0 && reasons.Count == before)
                reasons.Add($"{address}: the name holds no such address");
            found.AddRange(walk.Found);
        }
        return [.. found.Distinct().Take(hub.Limits.AddressesPerDialMax + DnsaddrWalk.AddressesMax)];
    }

    private void AddUnix(Multiaddr address, string path, List<DialTarget> targets, List<string> reasons)
    {
        if (!options.DialsUnixSockets)
            reasons.Add($"{address}: Unix sockets are not dialed here");
        else if (UnixSockets.TryEndPoint(path, out UnixDomainSocketEndPoint? endPoint))
            targets.Add(new DialTarget(address, endPoint));
        else
            reasons.Add($"{address}: too long for a Unix socket");
    }

    private static async Task LookUpAsync(Multiaddr address, DnsEndPoint name, List<DialTarget> targets, List<string> reasons, CancellationToken ct)
    {
        try
        {
            IPAddress[] found = await Dns.GetHostAddressesAsync(name.Host, name.AddressFamily, ct).ConfigureAwait(false);
            targets.AddRange(found.Take(AddressesOfNameMax).Select(ip => new DialTarget(address, new IPEndPoint(ip, name.Port))));
        }
        catch (SocketException failure)
        {
            reasons.Add($"{address}: {failure.Message}");
        }
    }

    private static IPEndPoint WithZone(IPEndPoint endPoint, string? zone)
    {
        if (zone is not null && IPAddress.TryParse($"{endPoint.Address}%{zone}", out IPAddress? scoped))
            endPoint.Address = scoped;
        return endPoint;
    }
}
