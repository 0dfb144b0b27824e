using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Execution;

/// <summary>Everything that a driver needs to start one attempt.</summary>
public sealed record LaunchOrder
{
    /// <summary>The attempt; its fence is the task's <c>DRAP_FENCE</c>, its number <c>DRAP_ATTEMPT</c>.</summary>
    public required AttemptId Attempt { get; init; }

    /// <summary>The scheduler whose lease it is.</summary>
    public required PeerId Scheduler { get; init; }

    /// <summary>Who has its inputs: the node that speaks for the scheduler.</summary>
    public required PeerId Holder { get; init; }

    /// <summary>Whose work it is.</summary>
    public required Principal Principal { get; init; }

    /// <summary>The job.</summary>
    public JobId Job => Attempt.Task.Job;

    /// <summary>What the segment's tasks have in common, read once for all of them.</summary>
    public required TaskSpec Template { get; init; }

    /// <summary>Variables that it gets beside the template's; never written down or shown.</summary>
    public ImmutableArray<SecretVariable> Secrets { get; init; } = [];

    /// <summary>The task's own part: index, item, inputs, hosts.</summary>
    public required Assignment Assignment { get; init; }

    /// <summary>What it may use: the limits to enforce, and its devices for <c>CUDA_VISIBLE_DEVICES</c>.</summary>
    public required Grant Grant { get; init; }

    /// <summary>What it has in a sandbox; null if it runs as a plain process.</summary>
    public SandboxTerms? Sandbox { get; init; }

    /// <summary>When the guard ends it, should this worker not do so.</summary>
    public required GuardTerms Guard { get; init; }
}
