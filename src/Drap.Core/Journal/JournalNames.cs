using System.Globalization;

namespace Drap.Core.Journal;

/// <summary>
/// File names: nineteen digits and a suffix. A segment bears the number of its first record, a snapshot that of the last record it
/// covers; what is still being made has <c>.new</c> after it.
/// </summary>
internal static class JournalNames
{
    private const int Digits = 19;
    private const string SegmentSuffix = ".log";
    private const string SnapshotSuffix = ".snap";
    private const string NewSuffix = ".new";

    public static string Segment(long firstSequence) => Number(firstSequence) + SegmentSuffix;

    public static string Snapshot(long sequence) => Number(sequence) + SnapshotSuffix;

    public static string New(string name) => name + NewSuffix;

    public static bool TryParseSegment(string name, out long firstSequence) => TryParse(name, SegmentSuffix, out firstSequence);

    public static bool TryParseSnapshot(string name, out long sequence) => TryParse(name, SnapshotSuffix, out sequence);

    /// <summary>Whether this is a file of ours that was never finished.</summary>
    public static bool IsNew(string name) =>
        TryParse(name, SegmentSuffix + NewSuffix, out _) || TryParse(name, SnapshotSuffix + NewSuffix, out _);

    /// <summary>Whether this is a snapshot that is being made.</summary>
    public static bool IsNewSnapshot(string name) => TryParse(name, SnapshotSuffix + NewSuffix, out _);

    private static string Number(long number) => number.ToString("d19", CultureInfo.InvariantCulture);

    private static bool TryParse(string name, string suffix, out long number)
    {
        number = 0;
        return name.Length == Digits + suffix.Length
            && name.EndsWith(suffix, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan(0, Digits), NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
