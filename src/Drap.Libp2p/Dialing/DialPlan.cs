using System.Net.Sockets;

namespace Drap.Libp2p.Dialing;

/// <summary>
/// Which address of a peer is tried when (RFC 8305, "Happy Eyeballs"): IPv6 and IPv4 in turns, then those over relays, the next one 250 ms after the last or as
/// soon as one failed. The first that leads to the peer wins. Pure: it says when, and its driver dials.
/// </summary>
public sealed class DialPlan<T>
{
    /// <summary>RFC 8305, section 5, "Connection Attempt Delay": 250 ms recommended.</summary>
    public static readonly TimeSpan AttemptDelay = TimeSpan.FromMilliseconds(250);

    private readonly Queue<T> waiting;
    private int underWay;
    private Instant nextAt;

    /// <summary>
    /// A plan over addresses in the order of preference; <paramref name="family"/> says which family each is of, <see cref="AddressFamily.Unspecified"/> being
    /// that of relays.
    /// </summary>
    public DialPlan(IReadOnlyList<T> addresses, Func<T, AddressFamily> family, Instant now)
    {
        nextAt = now;
        waiting = new Queue<T>(Interleave(addresses, family));
    }

    /// <summary>Whether nothing is left to be tried or waited for: it has failed.</summary>
    public bool IsExhausted => waiting.Count == 0 && underWay == 0;

    /// <summary>When <see cref="TryStart"/> gives the next address at the latest; never if none is left.</summary>
    public Instant NextDeadline => waiting.Count == 0 ? Instant.Never : nextAt;

    /// <summary>The address to try now, if it is time.</summary>
    public bool TryStart(Instant now, out T? address)
    {
        address = default;
        if (waiting.Count == 0 || (underWay > 0 && now < nextAt))
            return false;
        address = waiting.Dequeue();
        underWay++;
        nextAt = now + AttemptDelay;
        return true;
    }

    /// <summary>An attempt failed: the next need not wait.</summary>
    public void Failed(Instant now)
    {
        Invariant.Check(underWay > 0);
        underWay--;
        nextAt = now;
    }

    // The first family is that of the first address: whoever ordered them may know. Within a family the order stays.
    private static IEnumerable<T> Interleave(IReadOnlyList<T> addresses, Func<T, AddressFamily> family)
    {
        if (addresses.Count == 0)
            yield break;
        AddressFamily preferred = family(addresses[0]);
        T[] relayed = [.. addresses.Where(a => family(a) == AddressFamily.Unspecified)];
        T[] direct = [.. addresses.Where(a => family(a) != AddressFamily.Unspecified)];
        T[] first = [.. direct.Where(a => family(a) == preferred)], second = [.. direct.Where(a => family(a) != preferred)];
        for (int i = 0; i < Math.Max(first.Length, second.Length); i++)
        {
            if (i < first.Length)
                yield return first[i];
            if (i < second.Length)
                yield return second[i];
        }
        foreach (T last in relayed)
            yield return last;
    }
}
