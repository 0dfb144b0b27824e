using System.Collections.Immutable;

namespace Drap.Core;

/// <summary>
/// The built-in policies, which differ only in what an hour is worth to them. In words:
/// <code>
/// run    = estimate / speed
/// once   = price × run + bytes × fetch cost + (start delay + run) × value of time
/// total  = once + risk,   risk = once × (1 − trust) / trust
/// </code>
/// The risk is what the failed attempts before the good one cost on average, if each attempt ends well with the probability trust.
/// The value of an hour is the job's bid, or the default price of a core if that is more (a free swarm has hours too), times the policy's
/// weight: whoever bids more for an hour of work loses more by waiting for one.
/// </summary>
/// <param name="name">As the job file names it.</param>
/// <param name="timeWeightPermille">The value of an hour, in permille of the bid.</param>
public sealed class OfferPolicy(string name, int timeWeightPermille) : IOfferPolicy
{
    /// <summary>What fetching one GiB counts, in micro-credits: the price of half an hour of a core at default prices.</summary>
    public const long FetchMicroPerGiB = 20_000;

    private const long HourMicroMin = 40_000;

    // An unknown or untrusted worker counts as one that fails nineteen of twenty: a bound, so that the term stays finite.
    private const int TrustMin = 50;

    /// <summary>An hour is worth the bid.</summary>
    public static readonly OfferPolicy Balanced = new("balanced", 1000);

    /// <summary>An hour is worth nothing: money and risk alone.</summary>
    public static readonly OfferPolicy Cheapest = new("cheapest", 0);

    /// <summary>An hour is worth a thousand bids: time decides, money between equals.</summary>
    public static readonly OfferPolicy Fastest = new("fastest", 1_000_000);

    /// <summary>All of them, by name.</summary>
    public static readonly ImmutableArray<OfferPolicy> All = [Balanced, Cheapest, Fastest];

    /// <inheritdoc/>
    public string Name => name;

    /// <summary>The policy of that name; null if there is none.</summary>
    public static OfferPolicy? Find(string name)
    {
        foreach (OfferPolicy policy in All)
            if (policy.Name == name)
                return policy;
        return null;
    }

    /// <inheritdoc/>
    public ExpectedCost Expect(in OfferFacts facts)
    {
        long speed = Math.Max(facts.SpeedPermille, 1);
        Int128 runTicks = Clamp(((Int128)Math.Max(facts.Estimate.Ticks, 0) * 1000 + speed - 1) / speed);
        var run = new TimeSpan((long)runTicks);
        var time = new TimeSpan((long)Clamp(runTicks + Math.Max(facts.StartDelay.Ticks, 0)));
        Credits money = facts.Price.For(run);
        Int128 fetch = (Int128)Math.Max(facts.BytesToFetch, 0) * FetchMicroPerGiB >> 30;
        long hour = Math.Max(facts.Bid.MicroPerHour, HourMicroMin);
        Int128 waiting = (Int128)time.Ticks * hour / TimeSpan.TicksPerHour * timeWeightPermille / 1000;
        Int128 once = money.Micro + fetch + waiting;
        long trust = Math.Clamp(facts.TrustPermille, TrustMin, 1000);
        return new ExpectedCost(once + once * (1000 - trust) / trust, time, money);
    }

    // A year bounds every estimate: a longer one is no estimate, and the products stay far below 128 bits.
    private static Int128 Clamp(Int128 ticks) => Int128.Min(ticks, TimeSpan.TicksPerDay * 366);
}
