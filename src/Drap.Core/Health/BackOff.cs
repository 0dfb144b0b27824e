namespace Drap.Core.Health;

/// <summary>
/// Keeps work away from a node that fails it: each fault of the node in a row doubles the time, each success ends it. Faults of the
/// task itself do not count here.
/// </summary>
public sealed class BackOff
{
    /// <summary>After the first fault.</summary>
    public static readonly TimeSpan First = TimeSpan.FromSeconds(1);

    /// <summary>The longest: a mended node is tried again within five minutes.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private int faults;

    /// <summary>Until when nothing is given to the node.</summary>
    public Instant Until { get; private set; } = Instant.Zero;

    /// <summary>What it did last, for <c>explain</c>; empty if nothing.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Faults in a row.</summary>
    public int Faults => faults;

    /// <summary>The node failed an attempt, or is gone.</summary>
    public void Fault(Instant now, string reason)
    {
        // Attempts that fail together are one fault: a node that loses twelve leases at once is not twelve times as bad.
        if (now < Until)
            return;
        faults = Math.Min(faults + 1, 16);
        long ticks = Math.Min(First.Ticks << (faults - 1), Longest.Ticks);
        Until = now + TimeSpan.FromTicks(ticks);
        Reason = reason;
    }

    /// <summary>The node finished an attempt.</summary>
    public void Success()
    {
        faults = 0;
        Until = Instant.Zero;
        Reason = "";
    }

    /// <summary>Whether work is kept away from the node now.</summary>
    public bool IsActive(Instant now) => now < Until;
}
