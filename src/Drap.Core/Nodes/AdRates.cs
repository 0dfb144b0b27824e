using Drap.Core.Execution;
using Drap.Core.Health;

namespace Drap.Core.Nodes;

/// <summary>How many ads a worker looks at of each principal, however many schedulers it has, and of all together. Above it an ad is as one that was lost.</summary>
internal sealed class AdRates
{
    /// <summary>Ads of one principal at once, and then one each <see cref="Interval"/>. At some ten microseconds each they cost a twentieth of a processor, and all a tenth.</summary>
    private const int Burst = 4096;

    private static readonly TimeSpan Interval = TimeSpan.FromMicroseconds(250);

    private readonly RateTable<Principal> rates = new(new RateTerms(Interval, Burst), new RateTerms(Interval / 2, 2 * Burst), PrincipalBook.PrincipalsMax);

    /// <summary>Takes one up.</summary>
    /// <returns>What is wrong with so many; null if there is room.</returns>
    public string? Take(Principal principal, Instant now) => rates.TryTake(principal, now)
        ? null : $"more than {Burst} ads at once of the principal {principal}, or one each {Interval.TotalMicroseconds:0} µs";
}
