using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>
/// A job as the client submits it and the journal keeps it: parameters are substituted, globs are resolved to items, local files have
/// become CIDs. What still stands in <c>${{ }}</c> is known only at the worker. <see cref="JobRules"/> says what holds of one that was
/// checked. Two specs are compared by their JSON; record equality sees only references of arrays.
/// </summary>
public sealed record JobSpec
{
    /// <summary>The version of this form. Default and only value 1.</summary>
    public int Version { get; init; } = 1;

    /// <summary>What people call the job: letters, digits, <c>.</c>, <c>_</c>, <c>-</c>. Default: the name of the job file's folder.</summary>
    public string Name { get; init; } = "";

    /// <summary>One line for people who list jobs. Default empty.</summary>
    public string Description { get; init; } = "";

    /// <summary>Parameters, set on the command line with <c>--param NAME=VALUE</c> and used as <c>${{ params.NAME }}</c>. A bare value is its default.</summary>
    public ImmutableSortedDictionary<string, ParamSpec> Params { get; init; } = JobJson.EmptyMap<ParamSpec>();

    /// <summary>The most that the job may cost, in credits; when it is spent, nothing more is placed and the job fails. Default: no limit but the credit line.</summary>
    public Credits? Budget { get; init; }

    /// <summary>Failed tasks after which the rest of the job is cancelled: 0 stops at the first. Default: none, what does not depend on a failed task runs.</summary>
    public int? MaxFails { get; init; }

    /// <summary>Fields that hold for each segment that does not set them itself; <c>env</c> and <c>secrets</c> are merged. Only in files: a submitted job has none.</summary>
    public SegmentSpec? Defaults { get; init; }

    /// <summary>The segments, in the order in which their tasks are numbered.</summary>
    public ImmutableArray<SegmentSpec> Segments { get; init; } = [];
}
