using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>Another way to run the same task. What it does not say is as in the segment.</summary>
public sealed record AlternativeSpec
{
    /// <summary>The command.</summary>
    [Late]
    public CommandSpec? Command { get; init; }

    /// <summary>The driver.</summary>
    public Driver? Driver { get; init; }

    /// <summary>The handler of a <c>dotnet</c> driver.</summary>
    public string? Handler { get; init; }

    /// <summary>The whole bundle; dimensions are not merged with the segment's.</summary>
    public ResourcesSpec? Resources { get; init; }

    /// <summary>The whole set of constraints.</summary>
    public ConstraintsSpec? Constraints { get; init; }
}

/// <summary>Where tasks may run. All that is said must hold.</summary>
public sealed record ConstraintsSpec
{
    /// <summary>Labels that a node must have: <c>ssd</c>, <c>rack=7</c>.</summary>
    public ImmutableArray<string> Labels { get; init; } = [];

    /// <summary>Labels that a node must not have.</summary>
    public ImmutableArray<string> NotLabels { get; init; } = [];

    /// <summary>The processor's architecture as uname has it: <c>x86_64</c>, <c>aarch64</c>. Default: any.</summary>
    public string? Architecture { get; init; }

    /// <summary>The region. Default: any that the scheduler reaches.</summary>
    public string? Region { get; init; }

    /// <summary>The zone in the region. Default: any.</summary>
    public string? Zone { get; init; }

    /// <summary>Nodes on which the segment's tasks run at the same time, at most. Default: no limit.</summary>
    public int? MaxWorkers { get; init; }

    /// <summary>Whether nodes that already hold the job's data or tasks are preferred when offers are near. Default false.</summary>
    public bool PreferColocated { get; init; }
}

/// <summary>An edge of the job graph without data.</summary>
[ScalarForm("segment")]
public sealed record NeedSpec
{
    /// <summary>The segment that is needed.</summary>
    public string Segment { get; init; } = "";

    /// <summary>Which of its tasks: <c>all</c>, <c>same</c> (the one with this index), or indices such as <c>${{ 4 * index }}..${{ 4 * index + 3 }}</c>; what lies beyond its last task is left out. Default <c>all</c>.</summary>
    [Late]
    public string Tasks { get; init; } = "all";
}

/// <summary>A file or folder that a task finds in its work folder: exactly one of <c>path</c>, <c>cid</c> and <c>from</c>. A bare text is a path, or a CID if it starts with <c>ipfs://</c>.</summary>
[ScalarForm("path")]
public sealed record InputSpec
{
    /// <summary>A file or folder on the client's machine, relative to the job file; a submitted job has its CID instead.</summary>
    public string? Path { get; init; }

    /// <summary>Content by its identifier.</summary>
    public string? Cid { get; init; }

    /// <summary>A named output of another segment: <c>SEGMENT.OUTPUT</c>, where the output may be chosen by index (<c>split.chunk${{ index % 4 }}</c>); makes an edge.</summary>
    [Late]
    public string? From { get; init; }

    /// <summary>With <c>from</c>, which tasks: as in <see cref="NeedSpec.Tasks"/>. With <c>same</c> or one index the output lies at <c>to</c>; else <c>to</c> is a folder with <c>000000</c>, <c>000001</c>, … in the order of their indices. Default <c>all</c>.</summary>
    [Late]
    public string Tasks { get; init; } = "all";

    /// <summary>Where it goes, relative to the work folder. Default: the input's name.</summary>
    [Late]
    public string To { get; init; } = "";

    /// <summary>Whether the file may be executed; the client sets it for a local file that is so. Default false.</summary>
    public bool Executable { get; init; }

    /// <summary>With <c>from</c>, whether a missing optional output is no error. Default false.</summary>
    public bool Optional { get; init; }
}

/// <summary>What a task leaves in its output folder. A bare text is the path.</summary>
[ScalarForm("path")]
public sealed record OutputSpec
{
    /// <summary>A file, a folder, or a glob (<c>*</c>, <c>?</c>, <c>**</c>) whose matches make a folder; relative to the output folder. Default: the output's name.</summary>
    [Late]
    public string Path { get; init; } = "";

    /// <summary>Whether the task may leave it out. Default false: then the result is not valid.</summary>
    public bool Optional { get; init; }

    /// <summary>Whether it is delivered to the folder of <c>--out</c>. Default: it is if no segment takes it as an input.</summary>
    public bool? Result { get; init; }

    /// <summary>Where it is delivered, relative to <c>--out</c>. Default: the path if the segment is one task, else <c>SEGMENT/INDEX/PATH</c>.</summary>
    [Late]
    public string To { get; init; } = "";
}
