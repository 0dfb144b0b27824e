using System.Net;

namespace Drap.Libp2p.Dnsaddr;

/// <summary>The name servers that a resolver's configuration names (resolv.conf(5)).</summary>
public static class NameServers
{
    /// <summary>How many count, as in the C library: the first three.</summary>
    public const int ServersMax = 3;

    private const int Port = 53;

    /// <summary>Reads a configuration. Without any server in it this machine is asked, as resolv.conf(5) says.</summary>
    public static IReadOnlyList<IPEndPoint> Parse(string configuration)
    {
        var servers = new List<IPEndPoint>();
        foreach (string line in configuration.Split('\n'))
        {
            string[] words = line.Split([' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words is ["nameserver", { } address, ..] && IPAddress.TryParse(address, out IPAddress? ip) && servers.Count < ServersMax)
                servers.Add(new IPEndPoint(ip, Port));
        }
        return servers.Count > 0 ? servers : [new IPEndPoint(IPAddress.Loopback, Port)];
    }
}
