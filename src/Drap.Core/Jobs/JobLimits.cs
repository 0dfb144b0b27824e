namespace Drap.Core.Jobs;

/// <summary>The bounds of a job. What exceeds one is refused at submit, with the bound's value in the message.</summary>
public static class JobLimits
{
    /// <summary>Tasks in a job: the scheduler keeps about 1 KiB per open task, so a job stays below 1 GiB.</summary>
    public const int TasksMax = 1_000_000;

    /// <summary>Segments in a job.</summary>
    public const int SegmentsMax = 1_000;

    /// <summary>Parameters of a job.</summary>
    public const int ParamsMax = 256;

    /// <summary>Entries of a map or a list in a segment (inputs, outputs, environment, labels, needs, arguments).</summary>
    public const int EntriesMax = 1_024;

    /// <summary>Alternatives of a segment.</summary>
    public const int AlternativesMax = 16;

    /// <summary>Characters of a name.</summary>
    public const int NameLengthMax = 64;

    /// <summary>Characters of any other text, a shell script included: Linux takes no longer argument (MAX_ARG_STRLEN, 128 KiB).</summary>
    public const int TextLengthMax = 128 * 1024 - 1;

    /// <summary>Characters of a path.</summary>
    public const int PathLengthMax = 4_095;

    /// <summary>Files that the globs of one job may find.</summary>
    public const int FilesMax = 100_000;

    /// <summary>Bytes of a job file, and of a job's JSON as it is submitted: a million items of 64 characters fit.</summary>
    public const int DocumentBytesMax = 64 * 1024 * 1024;

    /// <summary>Levels of nesting in a job file; the deepest field that there is stands at level 7.</summary>
    public const int DepthMax = 32;

    /// <summary>Nodes of a job file after its aliases are expanded: what stops a "billion laughs".</summary>
    public const int NodesMax = 4_000_000;

    /// <summary>Producers that one task may name through <c>tasks</c> expressions; <c>all</c> is not counted.</summary>
    public const int PickedMax = 65_536;

    /// <summary>
    /// Bytes of one task as it travels in its confirmation, which takes 256 KiB: command, environment, names, and the CID of each input.
    /// About 2 500 inputs; more are merged in levels.
    /// </summary>
    public const int TaskBytesMax = 240 * 1024;

    /// <summary>Members of a gang.</summary>
    public const int NodesPerGangMax = 1_024;

    /// <summary>Attempts after failures that count.</summary>
    public const int RetriesMax = 1_000;

    /// <summary>Bytes kept of each output stream of an attempt if nothing is said: what people look at, and 100 000 tasks at it fill a disk of a terabyte.</summary>
    public const long LogDefault = 8L << 20;

    /// <summary>And at most: a command at a terminal, whose output a person wants all of.</summary>
    public const long LogMax = 1L << 30;

    /// <summary>Copies of a result besides the one on the worker that made it.</summary>
    public const int DurabilityMax = 3;

    /// <summary>Runs of one task that are compared.</summary>
    public const int AcceptOfMax = 16;

    /// <summary>Priorities go from minus this to this.</summary>
    public const int PriorityMax = 100;

    /// <summary>The longest time that a job may name: ten years.</summary>
    public static readonly TimeSpan DurationMax = TimeSpan.FromDays(3_650);
}
