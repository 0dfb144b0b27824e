using System.Collections.Immutable;
using Drap.Core;

namespace Drap.Api;

/// <summary>What the market says to a job that is not submitted: non-binding quotes.</summary>
public sealed record PlanDocument : Document
{
    /// <summary>The job's name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Tasks in all.</summary>
    public int Tasks { get; set; }

    /// <summary>Each segment.</summary>
    public ImmutableArray<SegmentPlan> Segments { get; set; } = [];

    /// <summary>The expected cost of all; null where a segment cannot be placed.</summary>
    public Credits? Cost { get; set; }

    /// <summary>The job's budget; null where it sets none.</summary>
    public Credits? Budget { get; set; }

    /// <summary>From now to the expected end, in seconds; null where nobody can say.</summary>
    public TimeSpan? EndSeconds { get; set; }
}

/// <summary>What the market says to one segment.</summary>
public sealed record SegmentPlan
{
    /// <summary>Its name.</summary>
    public required string Name { get; set; }

    /// <summary>Its tasks.</summary>
    public int Tasks { get; set; }

    /// <summary>What it bids per task; null where the job leaves it to the market.</summary>
    public Price? Bid { get; set; }

    /// <summary>How long a task is thought to run, in seconds.</summary>
    public TimeSpan? EstimateSeconds { get; set; }

    /// <summary>From now to when its first task is expected to begin, in seconds; null where none would.</summary>
    public TimeSpan? StartSeconds { get; set; }

    /// <summary>Its expected cost; null where it cannot be placed.</summary>
    public Credits? Cost { get; set; }

    /// <summary>What each node that answered says, the best offer first and refusals last.</summary>
    public ImmutableArray<NodeVerdict> Nodes { get; set; } = [];
}
