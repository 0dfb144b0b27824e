using Drap.Core.Journal;

namespace Drap.Core.Tests.Journal;

/// <summary>What a journal handed over, as lines: <c>s5 7.1 hello</c> from a snapshot of record 5, <c>6 7.1 hello</c> from the log.</summary>
internal sealed class Replayed : IJournalReplay
{
    public List<string> Lines { get; } = [];

    public static string Line(long sequence, byte kind, byte version, ReadOnlySpan<byte> body) =>
        $"{sequence} {kind}.{version} {System.Text.Encoding.Latin1.GetString(body)}";

    public void Snapshot(long sequence, in JournalRecord record) =>
        Lines.Add("s" + Line(sequence, record.Kind, record.Version, record.Body.Span));

    public void Record(long sequence, in JournalRecord record) =>
        Lines.Add(Line(sequence, record.Kind, record.Version, record.Body.Span));
}
