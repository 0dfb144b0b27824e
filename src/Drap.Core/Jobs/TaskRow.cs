using System.Collections.Immutable;
using Drap.Core.Messages;

namespace Drap.Core.Jobs;

/// <summary>All that is kept of one task, for a snapshot; see the columns of <see cref="TaskTable"/>.</summary>
public sealed record TaskRow
{
    /// <summary>The task.</summary>
    public required int Number { get; init; }

    /// <summary>Its state.</summary>
    public TaskState State { get; init; }

    /// <summary>The number of its last attempt.</summary>
    public int Attempts { get; init; }

    /// <summary>Its own failures.</summary>
    public int Failures { get; init; }

    /// <summary>Its last exit code.</summary>
    public int ExitCode { get; init; }

    /// <summary>Where it was last; -1 for nowhere.</summary>
    public int Node { get; init; }

    /// <summary>At which price.</summary>
    public Price Price { get; init; }

    /// <summary>What it cost in all.</summary>
    public Credits Cost { get; init; }

    /// <summary>How long it ran last.</summary>
    public TimeSpan Wall { get; init; }

    /// <summary>Processor time.</summary>
    public TimeSpan Cpu { get; init; }

    /// <summary>Peak memory.</summary>
    public long PeakMemoryBytes { get; init; }

    /// <summary>When it ended last.</summary>
    public UtcTime EndedAt { get; init; }

    /// <summary>Its outputs.</summary>
    public ImmutableArray<TaskOutput> Outputs { get; init; } = [];

    /// <summary>A line that says why.</summary>
    public string Detail { get; init; } = "";

    /// <summary>Earlier attempts.</summary>
    public ImmutableArray<PastAttempt> History { get; init; } = [];

    /// <summary>Results of copies that must agree.</summary>
    public ImmutableArray<Vote> Votes { get; init; } = [];

    /// <summary>Attempts up to this one count no more.</summary>
    public int Discarded { get; init; }

    /// <summary>How often its outputs were lost.</summary>
    public int Losses { get; init; }

    /// <summary>Attempts lost by no fault of the task.</summary>
    public int Faults { get; init; }

    /// <summary>Attempts given back before they began.</summary>
    public int Returned { get; init; }

    /// <summary>Bytes that it takes in a snapshot, at most.</summary>
    public int WireBytes => 256 + (3 * Detail.Length) + Outputs.Sum(o => o.WireBytes) + History.Sum(p => 160 + (3 * p.Detail.Length))
        + Votes.Sum(v => 128 + v.Outputs.Sum(o => o.WireBytes));
}
