using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Market.Arbitration;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>What a worker shows of itself on the market.</summary>
internal static class NodeView
{
    // What its price is quoted for: the smallest bundle that people compare by.
    private static readonly ResourceRequest Quoted = new() { MilliCpus = 1000, MemoryBytes = 1L << 30 };

    public static NodeState Of(WorkerOptions options, Capacity capacity, Executor executor, Arbiter arbiter, Instant now, UtcTime utc, bool isDraining) => new()
    {
        Name = options.Name,
        Total = options.Resources,
        Free = FreeOf(capacity.Free),
        Traits = options.Traits,
        Running = executor.Placed,
        Waiting = executor.Waiting,
        Holds = arbiter.Holds.Count,
        Draining = isDraining,
        EndsIn = arbiter.EndsAt == Instant.Never ? null : arbiter.EndsAt > now ? arbiter.EndsAt - now : TimeSpan.Zero,
        Prices = Explain(arbiter.Pricer.Quote(arbiter.WithoutHolds(), Quoted, utc)),
        Enforcement = options.Enforcement,
    };

    private static NodeResources FreeOf(ResourcePool pool)
    {
        var gpus = ImmutableArray.CreateBuilder<GpuDevice>();
        for (int i = 0; i < pool.Total.Gpus.Length; i++)
            if (pool.FreeDeviceShares[i] > 0)
                gpus.Add(pool.Total.Gpus[i]);
        var named = ImmutableArray.CreateBuilder<NamedAmount>(pool.Total.Named.Length);
        for (int i = 0; i < pool.Total.Named.Length; i++)
            named.Add(pool.Total.Named[i] with { Amount = pool.FreeNamed[i] });
        return new NodeResources
        {
            MilliCpus = pool.FreeMilliCpus,
            MemoryBytes = pool.FreeMemoryBytes,
            DiskBytes = pool.FreeDiskBytes,
            NetworkMbps = pool.FreeNetworkMbps,
            Gpus = gpus.ToImmutable(),
            Named = named.ToImmutable(),
        };
    }

    /// <summary>Each factor with the price after it, in the order in which they are applied.</summary>
    private static ImmutableArray<PriceFactor> Explain(PriceBreakdown price)
    {
        var factors = ImmutableArray.CreateBuilder<PriceFactor>();
        Price amount = price.Base;
        factors.Add(new PriceFactor("base", 0, amount));
        Apply("utilisation", price.Use);
        Apply("time-of-day", price.Hour);
        Apply("market", price.Market);
        Apply("owner", price.Owner);
        factors.Add(new PriceFactor("ask", 0, price.Ask));
        return factors.ToImmutable();

        void Apply(string name, Factor factor)
        {
            amount = factor.Of(amount);
            factors.Add(new PriceFactor(name, factor.Millionths / 1000, amount));
        }
    }
}
