namespace Drap.Core.Membership;

/// <summary>How often strangers may ask, from one address and in all: two buckets, one within the other. Pure; one caller at a time.</summary>
public sealed class JoinRate
{
    /// <summary>Questions from one address at once: a rack whose machines share one behind a router.</summary>
    public const int AddressBurst = 20;

    /// <summary>Questions at once in all.</summary>
    public const int TotalBurst = 100;

    /// <summary>Addresses that are counted: 100 KiB. At the limit the one that asked longest ago is forgotten; the rate in all stands.</summary>
    public const int AddressesMax = 1024;

    /// <summary>After this long an address may ask once more.</summary>
    public static readonly TimeSpan AddressInterval = TimeSpan.FromSeconds(2);

    /// <summary>After this long one more may be asked in all: five a second cost a thousandth of a processor.</summary>
    public static readonly TimeSpan TotalInterval = TimeSpan.FromMilliseconds(200);

    private readonly Dictionary<string, Bucket> addresses = new(StringComparer.Ordinal);
    private Bucket total;

    /// <summary>Whether a question may be asked now; if so it is counted.</summary>
    public bool TryTake(string address, Instant now)
    {
        Bucket own = addresses.GetValueOrDefault(address);
        if (!own.TryTake(now, AddressInterval, AddressBurst))
            return false;
        // What one address may not ask takes nothing from the others.
        if (!total.TryTake(now, TotalInterval, TotalBurst))
            return false;
        if (!addresses.ContainsKey(address) && addresses.Count >= AddressesMax)
            addresses.Remove(addresses.OrderBy(a => a.Value.FullAt).ThenBy(a => a.Key, StringComparer.Ordinal).First().Key);
        addresses[address] = own;
        return true;
    }

    /// <summary>A bucket as the time at which it would be full again, which is all that there is to know of it.</summary>
    private struct Bucket
    {
        public Instant FullAt { get; private set; }

        public bool TryTake(Instant now, TimeSpan interval, int burst)
        {
            Instant from = Instant.Max(FullAt, now);
            if (from - now > interval * (burst - 1))
                return false;
            FullAt = from + interval;
            return true;
        }
    }
}
