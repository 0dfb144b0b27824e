namespace Drap.Node.Sandbox;

/// <summary>How each limit is kept on this machine, in words for people, with what would help where it is not.</summary>
/// <param name="Cpu">Processor time.</param>
/// <param name="Memory">Memory.</param>
/// <param name="Pids">Number of processes and threads.</param>
/// <param name="Disk">Size of the work folder.</param>
/// <param name="Family">Whether a task's processes can all be found and ended.</param>
public sealed record Enforcement(LimitEnforcement Cpu, LimitEnforcement Memory, LimitEnforcement Pids, LimitEnforcement Disk, LimitEnforcement Family);

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
