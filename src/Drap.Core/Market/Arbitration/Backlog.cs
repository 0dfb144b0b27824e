namespace Drap.Core.Market.Arbitration;

/// <summary>
/// How many tasks may stand in line behind those that run, so that a slot does not idle for a round trip and a disk's sync between two
/// short tasks. Only what was measured here counts: nobody's estimate fills a line.
/// </summary>
public static class Backlog
{
    /// <summary>The line of one slot lasts about this long: longer than a round trip and a sync, shorter than anyone waits for a steal.</summary>
    public static readonly TimeSpan Lasts = TimeSpan.FromMilliseconds(75);

    /// <summary>Tasks in the line of one slot.</summary>
    public const int PerSlotMax = 1024;

    /// <summary>The tasks that should stand in line behind <paramref name="slots"/> of a group whose tasks take <paramref name="mean"/>; none for longer tasks.</summary>
    public static int For(TimeSpan mean, bool isMeasured, int slots)
    {
        if (!isMeasured || mean > Lasts)
            return 0;
        long perSlot = Math.Min(Lasts.Ticks / Math.Max(mean.Ticks, 1), PerSlotMax);
        return (int)Math.Min(perSlot * slots, int.MaxValue);
    }
}
