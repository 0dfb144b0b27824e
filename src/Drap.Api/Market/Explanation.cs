using System.Collections.Immutable;
using Drap.Core;

namespace Drap.Api;

/// <summary>Why a job or a task is where it is, or why it waits: per node and resource.</summary>
public sealed record ExplainDocument : Document
{
    /// <summary>The job.</summary>
    public required JobSummary Job { get; set; }

    /// <summary>What is said of each task that was asked for; like tasks of a segment are put together.</summary>
    public ImmutableArray<TaskExplanation> Tasks { get; set; } = [];
}

/// <summary>What is said of one task, or of several that are alike.</summary>
public sealed record TaskExplanation
{
    /// <summary>The first task of those that are alike.</summary>
    public required TaskSummary Task { get; set; }

    /// <summary>How many are alike, this one among them.</summary>
    public int Alike { get; set; } = 1;

    /// <summary>Why, in order of weight.</summary>
    public ImmutableArray<Reason> Reasons { get; set; } = [];

    /// <summary>What each node says to it, ordered by name.</summary>
    public ImmutableArray<NodeVerdict> Nodes { get; set; } = [];

    /// <summary>Whether <see cref="Nodes"/> is every node of the swarm, or those that were asked and answered.</summary>
    public bool Complete { get; set; } = true;
}

/// <summary>What one node says to one task.</summary>
public sealed record NodeVerdict
{
    /// <summary>The node's name.</summary>
    public required string Node { get; set; }

    /// <summary>Its peer id.</summary>
    public PeerId Peer { get; set; }

    /// <summary>Whether it could take the task now.</summary>
    public bool Fits { get; set; }

    /// <summary>Whether it is the one that has or had it.</summary>
    public bool Chosen { get; set; }

    /// <summary>What it asks, in credits per hour; null when it refused.</summary>
    public Price? Ask { get; set; }

    /// <summary>The expected cost by which offers are compared; null when it refused.</summary>
    public Credits? ExpectedCost { get; set; }

    /// <summary>From now to when it could begin, in seconds; null when unknown.</summary>
    public TimeSpan? StartSeconds { get; set; }

    /// <summary>Why not, per dimension; empty when it fits.</summary>
    public ImmutableArray<Refusal> Refusals { get; set; } = [];
}

/// <summary>One reason why a node does not take a task.</summary>
/// <param name="Code">One of <see cref="ReasonCodes"/>.</param>
/// <param name="Dimension">The resource or the constraint: <c>memory</c>, <c>gpu.type</c>, <c>label ssd</c>; null where none is meant.</param>
/// <param name="Needed">What the task asks for, in words with a unit; null where it is no amount.</param>
/// <param name="Available">What there is; null where it is no amount.</param>
/// <param name="Ever">Whether the node could take it later, when others have left it.</param>
public sealed record Refusal(string Code, string? Dimension = null, string? Needed = null, string? Available = null, bool Ever = false);
