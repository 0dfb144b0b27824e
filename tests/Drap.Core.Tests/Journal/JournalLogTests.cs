using Drap.Core.Journal;
using Xunit;

namespace Drap.Core.Tests.Journal;

public sealed class JournalLogTests
{
    private readonly MemoryStorage storage = new();

    [Fact]
    public void An_empty_directory_becomes_an_empty_journal()
    {
        TestJournal journal = TestJournal.Open(storage);
        Assert.Empty(journal.Replayed);
        Assert.Equal(0, journal.Log.DurableSequence);
        Assert.Equal(new JournalReport(0, 0, 0, 0, 0), journal.Log.Report);
        Assert.Equal(1, journal.Commit("first"));
    }

    [Fact]
    public void A_new_segment_has_its_name_only_when_it_is_safe()
    {
        TestJournal.Open(storage);
        Assert.Equal(
            [
                "sync directory", "create 0000000000000000001.log.new", "write 0000000000000000001.log.new",
                "sync 0000000000000000001.log.new", "rename 0000000000000000001.log.new", "sync directory",
            ],
            storage.Calls);
    }

    [Fact]
    public void Records_come_back_in_order_with_continuous_numbers()
    {
        TestJournal journal = TestJournal.Open(storage);
        Assert.Equal(1, journal.Append("a"));
        Assert.Equal(2, journal.Append("b"));
        Assert.Equal(2, journal.Commit());
        Assert.Equal(3, journal.Commit("c"));
        TestJournal again = TestJournal.Open(storage);
        Assert.Equal(["1 7.1 a", "2 7.1 b", "3 7.1 c"], again.Replayed);
        Assert.Equal(4, again.Commit("d"));
        Assert.Equal(["1 7.1 a", "2 7.1 b", "3 7.1 c", "4 7.1 d"], TestJournal.Open(storage).Replayed);
    }

    [Fact]
    public void A_group_of_batches_is_one_write_and_one_sync()
    {
        TestJournal journal = TestJournal.Open(storage);
        JournalBatch[] group = [Batch("a"), Batch("b"), Batch("c")];
        storage.Calls.Clear();
        Assert.Equal(3, journal.Log.Write(group));
        Assert.Equal(["write 0000000000000000001.log", "sync 0000000000000000001.log"], storage.Calls);
        Assert.Equal(3, TestJournal.Open(storage).Replayed.Count);

        JournalBatch Batch(string text)
        {
            journal.Append(text);
            return journal.Buffer.TakeBatch()!;
        }
    }

    [Fact]
    public void What_was_appended_and_not_written_is_not_there()
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Commit("a");
        journal.Append("b");
        Assert.Equal(["1 7.1 a"], TestJournal.Open(storage).Replayed);
    }

    [Fact]
    public void Nothing_pending_is_no_batch() => Assert.Null(TestJournal.Open(storage).Buffer.TakeBatch());

    [Fact]
    public void Batches_out_of_order_are_a_bug()
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Append("a");
        journal.Buffer.TakeBatch();
        journal.Append("b");
        Assert.Throws<InvariantException>(() => journal.Commit());
        Assert.Throws<JournalFailedException>(() => journal.Commit("c"));
    }

    [Fact]
    public void The_buffer_says_when_it_has_no_room()
    {
        JournalBuffer buffer = TestJournal.Open(storage).Buffer;
        buffer.Append(1, 1, new byte[JournalLimits.RecordBytesMax]);
        Assert.True(buffer.HasRoom);
        buffer.Append(1, 1, new byte[JournalLimits.RecordBytesMax]);
        Assert.False(buffer.HasRoom);
        buffer.TakeBatch();
        Assert.True(buffer.HasRoom);
    }

    [Fact]
    public void A_long_log_has_many_segments()
    {
        TestJournal journal = TestJournal.Open(storage);
        for (int i = 1; i <= 20; i++)
            journal.Commit(new string('x', 100));
        Assert.Equal(
            ["0000000000000000001.log", "0000000000000000003.log", "0000000000000000005.log"],
            storage.Files.Keys.Take(3));
        Assert.Equal(20, TestJournal.Open(storage).Replayed.Count);
    }

    [Fact]
    public void A_snapshot_stands_for_the_records_it_covers()
    {
        TestJournal journal = TestJournal.Open(storage);
        for (int i = 1; i <= 9; i++)
            journal.Commit(new string('x', 100));
        journal.Install(storage, "state", "of nine");
        Assert.Equal(["0000000000000000009.log", "0000000000000000009.snap"], storage.Files.Keys);
        journal.Commit("ten");
        TestJournal again = TestJournal.Open(storage);
        Assert.Equal(["s9 9.2 state", "s9 9.2 of nine", "10 7.1 ten"], again.Replayed);
        Assert.Equal(9, again.Log.SnapshotSequence);
        Assert.Equal(11, again.Commit("eleven"));
    }

    [Fact]
    public void A_second_snapshot_replaces_the_first()
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Commit("one");
        journal.Install(storage, "state 1");
        journal.Commit("two");
        journal.Install(storage, "state 2");
        Assert.Equal(["0000000000000000001.log", "0000000000000000002.snap"], storage.Files.Keys);
        Assert.Equal(["s2 9.2 state 2"], TestJournal.Open(storage).Replayed);
    }

    [Fact]
    public void A_snapshot_may_be_empty_or_of_many_frames()
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Commit("one");
        journal.Install(storage);
        Assert.Empty(TestJournal.Open(storage).Replayed);
        string[] state = [.. Enumerable.Range(0, 40).Select(i => new string((char)('a' + i % 26), 100_000))];
        journal.Commit("two");
        journal.Install(storage, state);
        Assert.Equal(state.Select(text => "s2 9.2 " + text), TestJournal.Open(storage).Replayed);
    }

    [Fact]
    public void A_snapshot_is_not_put_in_place_before_its_records_are_safe()
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Append("one");
        JournalSnapshot snapshot = journal.Snapshot("state");
        snapshot.WriteTo(storage);
        Assert.Throws<InvariantException>(() => journal.Log.Install(snapshot));
        journal.Commit();
        journal.Log.Install(snapshot);
        Assert.Equal(["s1 9.2 state"], TestJournal.Open(storage).Replayed);
    }

    [Fact]
    public void A_snapshot_is_due_by_bytes_and_by_its_own_size()
    {
        TestJournal journal = TestJournal.Open(storage, TestJournal.Options with { SnapshotAfterBytes = 200 });
        journal.Commit(new string('x', 100));
        Assert.False(journal.Buffer.SnapshotDue);
        journal.Commit(new string('x', 100));
        Assert.True(journal.Buffer.SnapshotDue);
        journal.Install(storage, new string('s', 300));
        Assert.False(journal.Buffer.SnapshotDue);
        journal.Commit(new string('x', 500));
        Assert.False(journal.Buffer.SnapshotDue);
        journal.Commit(new string('x', 300));
        Assert.True(journal.Buffer.SnapshotDue);
    }

    [Fact]
    public void A_snapshot_that_cannot_be_written_leaves_the_log_alone()
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Commit("one");
        storage.Fail = "sync 0000000000000000001.snap.new";
        JournalSnapshot snapshot = journal.Snapshot("state");
        Assert.Throws<JournalStorageException>(() => snapshot.WriteTo(storage));
        storage.Fail = null;
        Assert.Equal(["0000000000000000001.log"], storage.Files.Keys);
        Assert.Equal(2, journal.Commit("two"));
        Assert.Equal(["1 7.1 one", "2 7.1 two"], TestJournal.Open(storage).Replayed);
    }

    [Theory]
    [InlineData("write 0000000000000000001.log")]
    [InlineData("sync 0000000000000000001.log")]
    public void After_a_failure_nothing_is_acknowledged_any_more(string call)
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Commit("one");
        JournalSnapshot snapshot = journal.Snapshot("state");
        snapshot.WriteTo(storage);
        journal.Append("two");
        storage.Fail = call;
        var first = Assert.Throws<JournalFailedException>(() => journal.Commit());
        storage.Fail = null;
        int calls = storage.Calls.Count;
        var second = Assert.Throws<JournalFailedException>(() => journal.Commit("three"));
        Assert.Throws<JournalFailedException>(() => journal.Log.Install(snapshot));
        Assert.Equal(calls, storage.Calls.Count);
        Assert.Equal(1, second.DurableSequence);
        Assert.Equal($"the journal has stopped after record 1: cannot {call}: told so", first.Message);
        Assert.Equal(first.Message, second.Message);
    }

    [Fact]
    public void Opening_carries_the_last_group_over_to_a_new_segment()
    {
        TestJournal journal = TestJournal.Open(storage, TestJournal.Options with { SegmentBytes = 4096 });
        journal.Commit("one");
        journal.Commit("two");
        byte[] before = storage.Files["0000000000000000001.log"];
        storage.Calls.Clear();
        Assert.Equal(["1 7.1 one", "2 7.1 two"], TestJournal.Open(storage).Replayed);
        Assert.Equal(
            [
                "sync directory", "create 0000000000000000002.log.new", "write 0000000000000000002.log.new",
                "write 0000000000000000002.log.new", "sync 0000000000000000002.log.new", "rename 0000000000000000002.log.new",
                "sync directory",
            ],
            storage.Calls);
        Assert.Equal(before, storage.Files["0000000000000000001.log"]);
    }

    [Fact]
    public void Opening_again_without_a_write_between_writes_nothing()
    {
        TestJournal.Open(storage).Commit("one");
        TestJournal.Open(storage);
        storage.Calls.Clear();
        TestJournal journal = TestJournal.Open(storage);
        Assert.Equal(["sync directory"], storage.Calls);
        Assert.Equal(["1 7.1 one"], journal.Replayed);
        journal.Commit("two");
        Assert.Equal(["1 7.1 one", "2 7.1 two"], TestJournal.Open(storage).Replayed);
    }

    [Fact]
    public void Many_starts_make_a_snapshot_due()
    {
        TestJournal journal = TestJournal.Open(storage);
        for (int start = 0; storage.Files.Count < JournalLimits.SegmentsMax; start++)
        {
            Assert.False(journal.Buffer.SnapshotDue);
            journal.Commit("a");
            journal.Commit("b");
            journal = TestJournal.Open(storage);
        }
        Assert.True(journal.Buffer.SnapshotDue);
        journal.Install(storage, "state");
        Assert.False(journal.Buffer.SnapshotDue);
        Assert.Equal(2, storage.Files.Count);
    }

    [Fact]
    public void Zeros_ahead_are_no_tail_to_cut()
    {
        JournalOptions options = TestJournal.Options with { ReserveBytes = 512 };
        TestJournal journal = TestJournal.Open(storage, options);
        for (int i = 0; i < 30; i++)
        {
            journal.Commit("record");
            Assert.True(storage.Files.Values.Last().Length % 8 == 0 && storage.Files.Values.Last()[^1] == 0);
        }
        journal = TestJournal.Open(storage, options);
        Assert.Equal(0, journal.Log.Report.CutBytes);
        Assert.Equal(30, journal.Replayed.Count);
        Assert.Equal(31, journal.Commit("more"));
        Assert.Equal(31, TestJournal.Open(storage, options).Replayed.Count);
    }

    [Fact]
    public void Files_of_others_are_left_alone_and_own_unfinished_ones_are_removed()
    {
        TestJournal.Open(storage).Commit("one");
        string[] foreign = ["README", "1.log", "0000000000000000002.log.bak", "-000000000000000002.log", "0000000000000000002.LOG", ".log"];
        foreach (string name in foreign)
            storage.Files[name] = [1, 2, 3];
        storage.Files["0000000000000000002.log.new"] = [];
        storage.Files["0000000000000000002.snap.new"] = [1];
        Assert.Equal(["1 7.1 one"], TestJournal.Open(storage).Replayed);
        Assert.Equal([.. foreign.Append("0000000000000000001.log").Order(StringComparer.Ordinal)], storage.Files.Keys);
    }

    [Fact]
    public void One_hundred_thousand_small_records_are_read_in_a_moment()
    {
        JournalOptions options = new(1);
        TestJournal journal = TestJournal.Open(storage, options);
        byte[] body = new byte[100];
        for (int i = 1; i <= 100_000; i++)
        {
            journal.Buffer.Append(1, 1, body);
            if (i % 50 == 0)
                journal.Commit();
        }
        var counter = new Counter();
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        JournalLog.Open(storage, options, counter);
        TimeSpan taken = System.Diagnostics.Stopwatch.GetElapsedTime(start);
        Assert.Equal(100_000, counter.Records);
        // A few milliseconds in truth; the bound is what the node promises for all of its start.
        Assert.True(taken < TimeSpan.FromSeconds(0.5), $"reading took {taken.TotalMilliseconds} ms");
    }

    private sealed class Counter : IJournalReplay
    {
        public int Records { get; private set; }

        public void Snapshot(long sequence, in JournalRecord record)
        {
        }

        public void Record(long sequence, in JournalRecord record) => Records++;
    }
}
