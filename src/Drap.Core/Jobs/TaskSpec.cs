using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>
/// One task as it travels to the worker in the confirmation: everything that <see cref="TaskBinding"/> needs there, with inputs as CIDs.
/// </summary>
public sealed record TaskSpec
{
    /// <summary>The job's name, for logs.</summary>
    public string JobName { get; init; } = "";

    /// <summary>The segment's name.</summary>
    public string Segment { get; init; } = "";

    /// <summary>The task's index in its segment, from 0.</summary>
    public int Index { get; init; }

    /// <summary>What DRAP_INDEX says: the array's number, else the index.</summary>
    public long Number { get; init; }

    /// <summary>The item; null if the segment has none.</summary>
    public ItemSpec? Item { get; init; }

    /// <summary>The driver.</summary>
    public Driver Driver { get; init; }

    /// <summary>The handler of a <c>dotnet</c> task.</summary>
    public string? Handler { get; init; }

    /// <summary>What runs, with expressions.</summary>
    public CommandSpec? Command { get; init; }

    /// <summary>The check, with expressions.</summary>
    public CommandSpec? Check { get; init; }

    /// <summary>The environment, with expressions; without secrets, which travel beside the task.</summary>
    public ImmutableSortedDictionary<string, string> Env { get; init; } = JobJson.EmptyMap<string>();

    /// <summary>What is laid into the work folder, in order.</summary>
    public ImmutableArray<TaskInput> Inputs { get; init; } = [];

    /// <summary>What is expected in the output folder, by name.</summary>
    public ImmutableSortedDictionary<string, OutputSpec> Outputs { get; init; } = JobJson.EmptyMap<OutputSpec>();

    /// <summary>What the attempt gets.</summary>
    public ResourcesSpec Resources { get; init; } = new();

    /// <summary>When the attempt is ended.</summary>
    public TimeSpan Timeout { get; init; }

    /// <summary>Members of its gang; 0 if it is in none. Its rank is <see cref="Index"/>.</summary>
    public int Nodes { get; init; }

    /// <summary>Whether the client's standard input is the task's.</summary>
    public bool Stdin { get; init; }

    /// <summary>What it does when its scheduler is away at the end of the lease.</summary>
    public OnSchedulerLost OnSchedulerLost { get; init; }

    /// <summary>What is kept of each output stream.</summary>
    public ByteSize MaxLog { get; init; } = new(JobLimits.LogDefault);

    /// <summary>Whether anyone may fetch its blobs.</summary>
    public bool Public { get; init; }
}

/// <summary>A named input of one task: a file or folder, or several.</summary>
public sealed record TaskInput
{
    /// <summary>The input's name; <c>${{ inputs.NAME }}</c> is the path of <see cref="To"/>.</summary>
    public string Name { get; init; } = "";

    /// <summary>Where it goes, relative to the work folder.</summary>
    public string To { get; init; } = "";

    /// <summary>Whether <see cref="To"/> is a folder that gets the parts under their names; else there is one part, which lies at <see cref="To"/>.</summary>
    public bool IsFolder { get; init; }

    /// <summary>The contents.</summary>
    public ImmutableArray<TaskInputPart> Parts { get; init; } = [];
}

/// <summary>One blob of an input.</summary>
public sealed record TaskInputPart
{
    /// <summary>Its path below the input's folder; empty if it is the input itself.</summary>
    public string Name { get; init; } = "";

    /// <summary>What it holds; a folder's CID names a UnixFS directory.</summary>
    public string Cid { get; init; } = "";

    /// <summary>Whether the file may be executed.</summary>
    public bool Executable { get; init; }
}
