using System.Text;
using Drap.Core.Journal;

namespace Drap.Core.Tests.Journal;

/// <summary>A journal that is opened, filled and read in words.</summary>
internal sealed class TestJournal
{
    // No zeros ahead unless a test asks: files are then as long as what is in them.
    public static readonly JournalOptions Options = new(0x0123456789abcdef) { SegmentBytes = 256, ReserveBytes = 0 };

    private TestJournal(JournalLog log, Replayed replayed)
    {
        Log = log;
        Buffer = log.CreateBuffer();
        Replayed = replayed.Lines;
    }

    public JournalLog Log { get; }

    public JournalBuffer Buffer { get; }

    public List<string> Replayed { get; }

    public static TestJournal Open(MemoryStorage storage, JournalOptions? options = null)
    {
        var replayed = new Replayed();
        return new TestJournal(JournalLog.Open(storage, options ?? Options, replayed), replayed);
    }

    public long Append(string text) => Buffer.Append(7, 1, Encoding.Latin1.GetBytes(text));

    public long Commit() => Log.Write(Buffer.TakeBatch()!);

    public long Commit(string text)
    {
        Append(text);
        return Commit();
    }

    public JournalSnapshot Snapshot(params string[] state)
    {
        JournalSnapshot snapshot = Buffer.BeginSnapshot();
        foreach (string text in state)
            snapshot.Add(9, 2, Encoding.Latin1.GetBytes(text));
        Buffer.EndSnapshot(snapshot);
        return snapshot;
    }

    public void Install(MemoryStorage storage, params string[] state)
    {
        JournalSnapshot snapshot = Snapshot(state);
        snapshot.WriteTo(storage);
        Log.Install(snapshot);
    }
}
