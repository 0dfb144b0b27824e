using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Market.Pricing;

namespace Drap.Core.Nodes;

/// <summary>What an owner says about a worker, and the limits that it keeps.</summary>
public sealed record WorkerOptions
{
    /// <summary>Schedulers that a worker remembers: at 128 B each, half a megabyte. At the limit the one silent longest is forgotten.</summary>
    public const int SchedulersMax = 4096;

    /// <summary>The name that people see. Default: empty, the peer id's end is shown.</summary>
    public string Name { get; init; } = "";

    /// <summary>What may be used.</summary>
    public required NodeResources Resources { get; init; }

    /// <summary>Where and what the node is, with its drivers and handlers.</summary>
    public required NodeTraits Traits { get; init; }

    /// <summary>
    /// Regions whose ads it hears besides those of its own, so that it can say that it is not meant. Default none; on one machine with workers of
    /// many regions, the scheduler's. At most a few: each costs its topics' meshes.
    /// </summary>
    public ImmutableArray<string> AlsoHears { get; init; } = [];

    /// <summary>Principals that may run here; empty lets all. At most a thousand are looked at.</summary>
    public ImmutableArray<Principal> Principals { get; init; } = [];

    /// <summary>Whose tasks run in a sandbox, and what they may have there.</summary>
    public SandboxRules Sandbox { get; init; } = new();

    /// <summary>How the owner prices, counters, gives discounts and keeps a reserve.</summary>
    public PricingOptions Pricing { get; init; } = new();

    /// <summary>The credit line of each principal; null gives everyone an endless one, as on a machine of one's own.</summary>
    public CreditTerms? Credit { get; init; }

    /// <summary>Principals whose line is another, also one's own; needs <see cref="Credit"/>. Default none. Own terms of <see cref="SandboxRules.Owner"/> are left aside: its line has no end.</summary>
    public ImmutableSortedDictionary<Principal, CreditTerms> CreditOf { get; init; } = ImmutableSortedDictionary<Principal, CreditTerms>.Empty;

    /// <summary>What one principal may have here at one time; the owner's own has no quota.</summary>
    public QuotaTerms Quota { get; init; } = new();

    /// <summary>How long an offer promises to let a task run; zero for no promise. Default zero: nothing here is taken back, only lost.</summary>
    public TimeSpan Guaranteed { get; init; }

    /// <summary>What the sandbox enforces, a line a resource, for <c>drap market</c>; empty if all is.</summary>
    public ImmutableArray<string> Enforcement { get; init; } = [];

    /// <summary>After how long without a task the worker goes; null, the default, for never. While a result waits for its scheduler, twice as long.</summary>
    public TimeSpan? IdleTimeout { get; init; }

    /// <summary>How long a result waits for its scheduler. Default seven days; then it is dropped and counted.</summary>
    public TimeSpan OutboxAge { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Bytes of waiting results with their outputs. Default 10 GiB; beyond it the oldest is dropped and counted.</summary>
    public long OutboxBytesMax { get; init; } = 10L << 30;
}
