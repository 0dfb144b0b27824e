using Drap.Core.Jobs;
using Drap.Core.Market.Allocation;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>What a segment of a job asks of the market, and offers.</summary>
internal static class SegmentTerms
{
    /// <summary>
    /// A bid is six times the base price where the job names none: the last core of a machine asks 5.4 times it at the curve's end, and a
    /// machine that stands idle behind a backlog serves nobody. A worker offers at its own ask, so a high bid costs nothing.
    /// </summary>
    private const int DefaultBidFactor = 6;

    /// <summary>And its limit twice the bid.</summary>
    private const int DefaultLimitFactor = 2;

    /// <summary>The terms of a segment, or of an alternative of it.</summary>
    /// <param name="spec">The segment.</param>
    /// <param name="variant">0 for the segment itself, then its alternatives.</param>
    /// <param name="prices">From which a bid is made where the job names none.</param>
    /// <param name="deadline">By when its tasks must have been placed.</param>
    /// <param name="submitted">When its job was.</param>
    /// <param name="now">Now.</param>
    public static GroupTerms Of(SegmentSpec spec, int variant, PriceTable prices, Instant deadline, Instant submitted, Instant now)
    {
        AlternativeSpec? alternative = variant == 0 ? null : spec.Alternatives[variant - 1];
        ConstraintsSpec constraints = alternative?.Constraints ?? spec.Constraints;
        ResourceRequest request = (alternative?.Resources ?? spec.Resources).ToRequest();
        Price bid = spec.Bid ?? prices.BaseOf(request, new NodeResources()).Times(DefaultBidFactor, 1);
        Price limit = spec.Limit ?? bid.Times(DefaultLimitFactor, 1);
        Driver driver = alternative?.Driver ?? spec.Driver;
        return new GroupTerms
        {
            Resources = request,
            Placement = new Placement
            {
                Labels = [.. constraints.Labels.Order(StringComparer.Ordinal)],
                NotLabels = [.. constraints.NotLabels.Order(StringComparer.Ordinal)],
                Architecture = constraints.Architecture ?? "",
                Region = constraints.Region ?? "",
                Zone = constraints.Zone ?? "",
            },
            Driver = driver == Driver.Dotnet ? "dotnet" : "process",
            Handler = driver == Driver.Dotnet ? alternative?.Handler ?? spec.Handler ?? "" : "",
            Estimate = spec.Estimate ?? TimeSpan.Zero,
            Bid = bid < limit ? bid : limit,
            Limit = limit,
            // Once it has passed, only what was placed in time is left, and may be placed again.
            Deadline = deadline > now ? deadline : Instant.Never,
            Priority = spec.Priority,
            FirmOnly = spec.Exclusive,
            GangSize = spec.Nodes ?? 0,
            Submitted = submitted,
            WorkersMax = constraints.MaxWorkers ?? 0,
            PreferColocated = constraints.PreferColocated,
            Policy = spec.Policy switch
            {
                Policy.Cheapest => OfferPolicy.Cheapest,
                Policy.Fastest => OfferPolicy.Fastest,
                _ => OfferPolicy.Balanced,
            },
        };
    }
}
