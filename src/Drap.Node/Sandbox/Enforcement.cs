namespace Drap.Node.Sandbox;

/// <summary>How each limit is kept on this machine, in words for people, with what would help where it is not.</summary>
/// <param name="Cpu">Processor time.</param>
/// <param name="Memory">Memory.</param>
/// <param name="Pids">Number of processes and threads.</param>
/// <param name="Disk">Size of the work folder.</param>
/// <param name="Family">Whether a task's processes can all be found and ended.</param>
public sealed record Enforcement(LimitEnforcement Cpu, LimitEnforcement Memory, LimitEnforcement Pids, LimitEnforcement Disk, LimitEnforcement Family)
{
    /// <summary>A line for each limit that is not kept by the kernel for the whole family; none where all are.</summary>
    public System.Collections.Immutable.ImmutableArray<string> Weaknesses()
    {
        return [.. new[] { ("cpu", Cpu), ("memory", Memory), ("processes", Pids), ("disk", Disk), ("family", Family) }
            .Where(l => l.Item2.Level != EnforcementLevel.Fully)
            .Select(l => $"{l.Item1}: {(l.Item2.Level == EnforcementLevel.None ? "not kept" : "kept in part")}, {l.Item2.How}")];
    }
}

/// <summary>How one limit is kept.</summary>
/// <param name="Level">How well.</param>
/// <param name="How">By what, or why not.</param>
public readonly record struct LimitEnforcement(EnforcementLevel Level, string How);

/// <summary>How well a limit is kept.</summary>
public enum EnforcementLevel
{
    /// <summary>Not at all: the number is only booked.</summary>
    None,

    /// <summary>For honest tasks: per process only, or found out late.</summary>
    Partly,

    /// <summary>By the kernel, for the whole family.</summary>
    Fully,
}
