using Drap.Core.Journal;
using Xunit;

namespace Drap.Core.Tests.Journal;

/// <summary>Random use of a journal against a list that does the same.</summary>
public sealed class JournalModelTests
{
    [Fact]
    public void A_journal_does_what_a_list_does()
    {
        for (ulong seed = 1; seed <= 300; seed++)
            Run(seed);
    }

    private static void Run(ulong seed)
    {
        var prng = new Prng(seed);
        var options = new JournalOptions(prng.NextUInt64())
        {
            SegmentBytes = prng.Between(64, 2000),
            ReserveBytes = prng.Below(4) * 256,
        };
        var storage = new MemoryStorage();
        TestJournal journal = TestJournal.Open(storage, options);
        List<string> snapshot = [];
        List<string> written = [];
        List<string> pending = [];
        for (int step = 0; step < 60; step++)
        {
            switch (prng.Below(10))
            {
                case < 5:
                    string text = new((char)('a' + prng.Below(26)), prng.Below(200));
                    pending.Add($"{journal.Append(text)} 7.1 {text}");
                    break;
                case < 8 when pending.Count > 0:
                    journal.Commit();
                    written.AddRange(pending);
                    pending.Clear();
                    break;
                case 8 when pending.Count == 0 && journal.Buffer.LastSequence > 0:
                    string[] state = [.. Enumerable.Range(0, prng.Below(5)).Select(i => $"{step}.{i}")];
                    journal.Install(storage, state);
                    snapshot = [.. state.Select(s => $"s{journal.Buffer.LastSequence} 9.2 {s}")];
                    written.Clear();
                    break;
                case 9:
                    journal = TestJournal.Open(storage, options with { Salt = prng.NextUInt64() });
                    pending.Clear();
                    Assert.True(snapshot.Concat(written).SequenceEqual(journal.Replayed), $"seed {seed}, step {step}");
                    break;
            }
        }
    }
}
