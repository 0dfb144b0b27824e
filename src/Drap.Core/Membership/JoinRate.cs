using Drap.Core.Health;

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

    private readonly RateTable<string> rates = new(new RateTerms(AddressInterval, AddressBurst), new RateTerms(TotalInterval, TotalBurst), AddressesMax);

    /// <summary>Whether a question may be asked now; if so it is counted.</summary>
    public bool TryTake(string address, Instant now) => rates.TryTake(address, now);
}
