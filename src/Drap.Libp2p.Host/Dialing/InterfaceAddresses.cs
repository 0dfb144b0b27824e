using System.Net;
using System.Net.NetworkInformation;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Dialing;

/// <summary>The addresses under which a socket is reached: its own, or those of all interfaces where it listens on any.</summary>
internal static class InterfaceAddresses
{
    /// <summary>Whether the machine has this address, on an interface that is up or down: a cable that is pulled is often put back.</summary>
    public static bool IsOwn(IPAddress address, IReadOnlyCollection<IPAddress> own) =>
        IPAddress.IsLoopback(address) || address.IsIPv6LinkLocal || own.Contains(address);

    /// <summary>Every address of the machine.</summary>
    public static HashSet<IPAddress> All() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)];

    public static IEnumerable<Multiaddr> Of(IPEndPoint endPoint)
    {
        if (!endPoint.Address.Equals(IPAddress.Any) && !endPoint.Address.Equals(IPAddress.IPv6Any))
            return [Multiaddr.FromTcp(endPoint.Address, endPoint.Port)];
        // Link-local addresses mean nothing without an interface, which others do not know.
        return [.. NetworkInterface.GetAllNetworkInterfaces()
            .Where(i => i.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown)
            .SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Select(a => a.Address)
            .Where(a => a.AddressFamily == endPoint.AddressFamily && !a.IsIPv6LinkLocal)
            .Distinct()
            .Select(a => Multiaddr.FromTcp(a, endPoint.Port))];
    }
}
