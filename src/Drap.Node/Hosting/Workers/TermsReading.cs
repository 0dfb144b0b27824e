using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Execution;
using Drap.Core.Market.Pricing;
using Drap.Core.Nodes;
using Drap.Node.Config;

namespace Drap.Node.Hosting.Workers;

/// <summary>An owner's words as what a worker goes by.</summary>
internal static class TermsReading
{
    /// <summary>The worker with its place, prices and sandbox.</summary>
    public static WorkerOptions With(this WorkerOptions worker, WorkerTerms terms) => worker with
    {
        Traits = worker.Traits with { Labels = [.. terms.Labels.Distinct().Order(StringComparer.Ordinal)], Region = terms.Region, Zone = terms.Zone },
        Pricing = worker.Pricing with
        {
            Table = Table(terms.Prices),
            OwnerPermille = terms.Factor?.Value ?? worker.Pricing.OwnerPermille,
            HourlyPermille = terms.Hourly.IsEmpty ? worker.Pricing.HourlyPermille : [.. terms.Hourly.Select(h => h.Value)],
        },
        Sandbox = new SandboxRules { Use = terms.Sandbox.Tasks, Network = terms.Sandbox.Network, Shows = [.. terms.Sandbox.Shows.Select(s => s.Value)] },
    };

    /// <summary>The worker as its node's owner lets it work, whatever a workers' file says of it. What the owner gives of the node is divided among its workers.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="node">The owner's words.</param>
    /// <param name="index">Which of the node's workers, from 0.</param>
    /// <param name="count">How many it has.</param>
    public static WorkerOptions Under(this WorkerOptions worker, NodeSpec node, int index, int count) => worker with
    {
        Quota = node.Quota.ToTerms(index, count),
        Credit = node.Credit.ToTerms(count),
        CreditOf = node.Credit.ToOwnTerms(count),
        Principals = [.. node.Allow.Distinct().Order(StringComparer.Ordinal).Select(name => new Principal(name))],
        IdleTimeout = node.IdleTimeout,
        OutboxAge = node.KeepResultsFor,
        OutboxBytesMax = node.KeepResultsUpTo.Bytes,
    };

    /// <summary>Countable things, in the order of their names.</summary>
    public static ImmutableArray<NamedAmount> Named(WorkerTerms terms) => [.. terms.Named.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => new NamedAmount(n.Key, n.Value))];

    private static PriceTable Table(PricesSpec prices) => new()
    {
        Core = prices.Core,
        MemoryGiB = prices.Memory,
        DiskGiB = prices.Disk,
        NetworkMbps = prices.Network,
        Gpu = prices.Gpu,
        // The longest word first: "A100-80GB" is said to mean those, and "A100" the others.
        Gpus = [.. prices.Gpus.OrderByDescending(p => p.Key.Length).ThenBy(p => p.Key, StringComparer.Ordinal).Select(p => new GpuPrice(p.Key, p.Value))],
        Named = [.. prices.Named.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => new NamedPrice(p.Key, p.Value))],
    };
}
