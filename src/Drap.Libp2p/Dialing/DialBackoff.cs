using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Dialing;

/// <summary>
/// Which addresses are not dialed for a while because they failed: 5 s after the first failure, doubled by each further one up to 5 min, as long as nobody gets
/// through. Bounded: the oldest failure is forgotten. Not thread-safe.
/// </summary>
public sealed class DialBackoff
{
    /// <summary>How long after the first failure: go's.</summary>
    public static readonly TimeSpan First = TimeSpan.FromSeconds(5);

    /// <summary>How long at most: a machine that comes back is found within it.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>Addresses that are remembered.</summary>
    public const int AddressesMax = 4096;

    private readonly Dictionary<(PeerId, Multiaddr), LinkedListNode<Failure>> failures = [];
    private readonly LinkedList<Failure> order = [];

    private readonly record struct Failure(PeerId Peer, Multiaddr Address, int Count, Instant Until);

    /// <summary>Whether the address is not to be dialed now.</summary>
    public bool IsOff(PeerId peer, Multiaddr address, Instant now) =>
        failures.TryGetValue((peer, address), out LinkedListNode<Failure>? node) && now < node.Value.Until;

    /// <summary>Dialing it failed.</summary>
    public void Failed(PeerId peer, Multiaddr address, Instant now)
    {
        int count = 1;
        if (failures.Remove((peer, address), out LinkedListNode<Failure>? node))
        {
            order.Remove(node);
            count = Math.Min(node.Value.Count + 1, 16);
        }
        TimeSpan off = TimeSpan.FromTicks(Math.Min(Longest.Ticks, First.Ticks << Math.Min(count - 1, 10)));
        failures.Add((peer, address), order.AddLast(new Failure(peer, address, count, now + off)));
        if (failures.Count <= AddressesMax)
            return;
        Failure oldest = order.First!.Value;
        order.RemoveFirst();
        failures.Remove((oldest.Peer, oldest.Address));
    }

    /// <summary>It led to the peer.</summary>
    public void Succeeded(PeerId peer, Multiaddr address)
    {
        if (failures.Remove((peer, address), out LinkedListNode<Failure>? node))
            order.Remove(node);
    }
}
