using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>What the allocator knows of a group of like tasks: the public part, which goes into ads, and the private part, which does not.</summary>
public sealed record GroupTerms
{
    /// <summary>What each task asks for.</summary>
    public required ResourceRequest Resources { get; init; }

    /// <summary>Where it may run.</summary>
    public Placement Placement { get; init; } = Placement.Anywhere;

    /// <summary>The driver's kind.</summary>
    public required string Driver { get; init; }

    /// <summary>The handler of a <c>dotnet</c> task; else empty.</summary>
    public string Handler { get; init; } = "";

    /// <summary>How long a task is thought to run, until some have; zero if nobody knows.</summary>
    public TimeSpan Estimate { get; init; }

    /// <summary>The price offered at first.</summary>
    public required Price Bid { get; init; }

    /// <summary>The highest price that is ever accepted; never leaves the scheduler.</summary>
    public required Price Limit { get; init; }

    /// <summary>By when the tasks must have begun; <see cref="Instant.Never"/> without a deadline.</summary>
    public Instant Deadline { get; init; } = Instant.Never;

    /// <summary>Bytes of input a task.</summary>
    public long InputBytes { get; init; }

    /// <summary>Higher first, within a principal.</summary>
    public int Priority { get; init; }

    /// <summary>Only firm offers are taken.</summary>
    public bool FirmOnly { get; init; }

    /// <summary>Ranks of the gang; 0 for plain tasks.</summary>
    public int GangSize { get; init; }

    /// <summary>When the job was submitted; orders groups of like priority, and gangs by age.</summary>
    public Instant Submitted { get; init; }

    /// <summary>The most workers that may hold tasks of the group at once; 0 for no limit.</summary>
    public int WorkersMax { get; init; }

    /// <summary>The most tasks of the group on one worker; 0 for no limit.</summary>
    public int PerWorkerMax { get; init; }

    /// <summary>Workers that run the group already are preferred.</summary>
    public bool PreferColocated { get; init; }

    /// <summary>How offers are compared.</summary>
    public IOfferPolicy Policy { get; init; } = OfferPolicy.Balanced;
}
