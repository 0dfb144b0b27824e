using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Dnsaddr;

/// <summary>
/// Resolves a <c>/dnsaddr/NAME</c>: the texts of <c>_dnsaddr.NAME</c> that begin with <c>dnsaddr=</c> are addresses, of which those count that end with what follows
/// the name, such as a peer; and some of them may be such names again (libp2p/specs, addressing, "dnsaddr"). Pure: it says what to ask for, and its driver asks.
/// </summary>
public sealed class DnsaddrWalk
{
    /// <summary>Names that are asked for in one walk: libp2p's own bootstrap takes five. The others are passed over.</summary>
    public const int NamesMax = 16;

    /// <summary>How often a name may lead to another.</summary>
    public const int DepthMax = 4;

    /// <summary>Addresses that are found in one walk; those after them are left out.</summary>
    public const int AddressesMax = 32;

    private const string Prefix = "dnsaddr=";

    private readonly Queue<(Multiaddr Address, int Depth)> waiting = new();
    private readonly HashSet<Multiaddr> seen = [];
    private readonly List<Multiaddr> found = [];
    private (Multiaddr Address, int Depth) current;
    private int asked;

    /// <summary>Begins with an address, which need not be such a name: then it is found at once.</summary>
    public DnsaddrWalk(Multiaddr address) => Take(address, 0);

    /// <summary>The addresses so far, in the order in which they were found; none of them is such a name.</summary>
    public IReadOnlyList<Multiaddr> Found => found;

    /// <summary>The next name whose texts are wanted; false when it is over.</summary>
    public bool TryNext([NotNullWhen(true)] out string? name)
    {
        name = null;
        while (asked < NamesMax && found.Count < AddressesMax && waiting.TryDequeue(out current))
        {
            current.Address.TryGetDnsaddr(out string? host, out _);
            name = "_dnsaddr." + host!.TrimEnd('.');
            if (!TxtCodec.IsName(name))
                continue;
            asked++;
            return true;
        }
        name = null;
        return false;
    }

    /// <summary>The texts of the name that <see cref="TryNext"/> gave last; not called if they could not be had.</summary>
    public void Answered(IEnumerable<string> texts)
    {
        current.Address.TryGetDnsaddr(out _, out Multiaddr? rest);
        foreach (string text in texts)
        {
            if (text.StartsWith(Prefix, StringComparison.Ordinal) && Multiaddr.TryParse(text[Prefix.Length..], out Multiaddr? address)
                && (rest is null || address.EndsWith(rest)))
                Take(address, current.Depth + 1);
        }
    }

    private void Take(Multiaddr address, int depth)
    {
        if (!seen.Add(address))
            return;
        if (!address.TryGetDnsaddr(out _, out _))
        {
            if (found.Count < AddressesMax)
                found.Add(address);
        }
        else if (depth <= DepthMax && waiting.Count < NamesMax)
        {
            waiting.Enqueue((address, depth));
        }
    }
}
