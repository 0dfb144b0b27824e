using System.Collections.Immutable;
using Drap.Core.Market.Pricing;

namespace Drap.Core.Nodes;

/// <summary>What a scheduler is told at its start.</summary>
public sealed record SchedulerOptions
{
    /// <summary>The scheduler as a role.</summary>
    public required PeerId Scheduler { get; init; }

    /// <summary>Whose work it schedules.</summary>
    public Principal Principal { get; init; } = Principal.Local;

    /// <summary>The region whose topics it publishes on. Default <c>local</c>.</summary>
    public string Region { get; init; } = "local";

    /// <summary>
    /// Opens the sealed secrets of a job that the journal knows: the values by source, or null if the node's key is not the one that they
    /// were sealed with. A function of its arguments and that key. Default: it has no key.
    /// </summary>
    public Func<JobId, ImmutableArray<byte>, ImmutableSortedDictionary<string, string>?> Unseal { get; init; } = (_, _) => null;

    /// <summary>Prices from which a bid is made where a job names none.</summary>
    public PriceTable Prices { get; init; } = PriceTable.Default;
}
