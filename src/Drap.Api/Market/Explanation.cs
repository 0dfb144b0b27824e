using System.Collections.Immutable;
using Drap.Core;

namespace Drap.Api;

/// <summary>Why a job or a task is where it is, or why it waits: per node and resource.</summary>
public sealed record ExplainDocument : Document
{
    /// <summary>The job.</summary>
    public required JobSummary Job { get; init; }

    /// <summary>What is said of each task that was asked for; like tasks of a segment are put together.</summary>
    public ImmutableArray<TaskExplanation> Tasks { get; init; } = [];
}

/// <summary>What is said of one task, or of several that are alike.</summary>
public sealed record TaskExplanation
{
    /// <summary>The first task of those that are alike.</summary>
    public required TaskSummary Task { get; init; }

    /// <summary>How many are alike, this one among them.</summary>
    public int Alike { get; init; } = 1;

    /// <summary>Why, in order of weight.</summary>
    public ImmutableArray<Reason> Reasons { get; init; } = [];

    /// <summary>What each node says to it, ordered by name.</summary>
    public ImmutableArray<NodeVerdict> Nodes { get; init; } = [];

    /// <summary>Whether <see cref="Nodes"/> is every node of the swarm, or those that were asked and answered.</summary>
    public bool Complete { get; init; } = true;
}

/// <summary>What one node says to one task.</summary>
public sealed record NodeVerdict
{
    /// <summary>The node's name.</summary>
    public required string Node { get; init; }

    /// <summary>Its peer id.</summary>
    public PeerId Peer { get; init; }

    /// <summary>Whether it could take the task now.</summary>
    public bool Fits { get; init; }

    /// <summary>Whether it is the one that has or had it.</summary>
    public bool Chosen { get; init; }

    /// <summary>What it asks, in credits per hour; null when it refused.</summary>
    public Price? Ask { get; init; }

    /// <summary>The expected cost by which offers are compared; null when it refused.</summary>
    public Credits? ExpectedCost { get; init; }

    /// <summary>From now to when it could begin, in seconds; null when unknown.</summary>
    public TimeSpan? StartSeconds { get; init; }

    /// <summary>Why not, per dimension; empty when it fits.</summary>
    public ImmutableArray<Refusal> Refusals { get; init; } = [];
}

/// <summary>One reason why a node does not take a task.</summary>
/// <param name="Code">One of <see cref="ReasonCodes"/>.</param>
/// <param name="Dimension">The resource or the constraint: <c>memory</c>, <c>gpu.type</c>, <c>label ssd</c>; null where none is meant.</param>
/// <param name="Needed">What the task asks for, in words with a unit; null where it is no amount.</param>
/// <param name="Available">What there is; null where it is no amount.</param>
/// <param name="Ever">Whether the node could take it later, when others have left it.</param>
public sealed record Refusal(string Code, string? Dimension = null, string? Needed = null, string? Available = null, bool Ever = false);
