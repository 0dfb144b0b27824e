using System.Buffers.Binary;
using Drap.Core.Journal;
using Xunit;

namespace Drap.Core.Tests.Journal;

/// <summary>
/// Hostile bytes: whatever stands on the disk, opening gives a prefix of what was written or an error that names file and offset, never a
/// record that was not written, and never less than what was written before the last group.
/// </summary>
public sealed class JournalDamageTests
{
    private readonly MemoryStorage storage = new();

    [Theory]
    [InlineData(0)]
    [InlineData(64)]
    public void A_log_cut_at_any_byte_gives_a_prefix_or_an_error(int reserve)
    {
        (MemoryStorage whole, List<string> written) = SmallJournal(TestJournal.Options with { ReserveBytes = reserve });
        foreach (string name in whole.Files.Keys)
        {
            for (int length = 0; length < whole.Files[name].Length; length++)
            {
                MemoryStorage cut = whole.Copy();
                cut.Files[name] = cut.Files[name][..length];
                AssertPrefixOrError(cut, written);
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(64)]
    public void A_changed_byte_anywhere_gives_a_prefix_or_an_error(int reserve)
    {
        (MemoryStorage whole, List<string> written) = SmallJournal(TestJournal.Options with { ReserveBytes = reserve });
        int errors = 0;
        foreach (string name in whole.Files.Keys)
        {
            for (int at = 0; at < whole.Files[name].Length; at++)
            {
                foreach (byte change in (byte[])[0x01, 0x80, 0xff])
                {
                    MemoryStorage damaged = whole.Copy();
                    damaged.Files[name][at] ^= change;
                    errors += AssertPrefixOrError(damaged, written) ? 0 : 1;
                }
            }
        }
        Assert.True(errors > 1000, $"only {errors} changes were noticed as damage");
    }

    [Fact]
    public void Only_the_last_group_can_be_lost_to_a_changed_byte()
    {
        TestJournal journal = TestJournal.Open(storage, TestJournal.Options with { SegmentBytes = 4096 });
        journal.Commit("one");
        journal.Commit("two");
        journal.Append("three");
        journal.Append("four");
        int lastGroup = storage.Files["0000000000000000001.log"].Length;
        journal.Commit();
        for (int at = 32; at < lastGroup; at++)
        {
            MemoryStorage damaged = storage.Copy();
            damaged.Files["0000000000000000001.log"][at] ^= 0x10;
            var error = Assert.Throws<JournalCorruptException>(() => TestJournal.Open(damaged));
            Assert.Equal("0000000000000000001.log", error.Path);
            Assert.InRange(at, error.Offset, error.Offset + 39);
        }
        for (int at = lastGroup; at < storage.Files["0000000000000000001.log"].Length; at++)
        {
            MemoryStorage damaged = storage.Copy();
            damaged.Files["0000000000000000001.log"][at] ^= 0x10;
            TestJournal again = TestJournal.Open(damaged);
            Assert.Equal(["1 7.1 one", "2 7.1 two"], again.Replayed);
            Assert.Equal(storage.Files["0000000000000000001.log"].Length - lastGroup, again.Log.Report.CutBytes);
        }
    }

    [Fact]
    public void Zeros_in_the_middle_are_damage()
    {
        TestJournal journal = TestJournal.Open(storage, TestJournal.Options with { SegmentBytes = 4096 });
        journal.Commit("one");
        journal.Commit("two");
        journal.Commit("three");
        storage.Files["0000000000000000001.log"].AsSpan(32, 40).Clear();
        var error = Assert.Throws<JournalCorruptException>(() => TestJournal.Open(storage));
        Assert.Equal(
            "the journal is damaged: 0000000000000000001.log at byte 32: zeros stand where records were", error.Message);
    }

    [Fact]
    public void A_torn_tail_stays_where_it_is_and_is_never_read_again()
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Commit("one");
        journal.Commit("two");
        byte[] torn = [.. storage.Files["0000000000000000001.log"], .. new byte[64], 1, 2, 3];
        storage.Files["0000000000000000001.log"] = torn;
        journal = TestJournal.Open(storage);
        Assert.Equal(67, journal.Log.Report.CutBytes);
        Assert.Equal(torn, storage.Files["0000000000000000001.log"]);
        journal.Commit("three");
        journal = TestJournal.Open(storage);
        Assert.Equal(0, journal.Log.Report.CutBytes);
        Assert.Equal(["1 7.1 one", "2 7.1 two", "3 7.1 three"], journal.Replayed);
    }

    [Fact]
    public void A_record_that_holds_a_journal_cannot_pass_for_one()
    {
        // A user's file may be a segment of a journal. Torn in front, it must not be taken for frames that prove damage.
        var other = new MemoryStorage();
        TestJournal inner = TestJournal.Open(other, new JournalOptions(42) { ReserveBytes = 0 });
        for (int i = 0; i < 20; i++)
            inner.Commit("inner");
        TestJournal journal = TestJournal.Open(storage, new JournalOptions(43) { ReserveBytes = 0 });
        journal.Commit("one");
        int end = storage.Files["0000000000000000001.log"].Length;
        journal.Buffer.Append(1, 1, [.. new byte[5], .. other.Files["0000000000000000001.log"]]);
        journal.Commit();
        storage.Files["0000000000000000001.log"][end] ^= 1;
        Assert.Equal(["1 7.1 one"], TestJournal.Open(storage).Replayed);
    }

    [Theory]
    [InlineData("0000000000000000001.log", "0000000000000000003.log", "record 1 is missing: the oldest segment begins at 3")]
    [InlineData("0000000000000000003.log", "0000000000000000001.log", "the segment ends at record 2, but the next one begins at 5")]
    public void A_missing_segment_is_named(string missing, string named, string what)
    {
        TestJournal journal = TestJournal.Open(storage);
        for (int i = 0; i < 6; i++)
            journal.Commit(new string('x', 100));
        storage.Files.Remove(missing);
        var error = Assert.Throws<JournalCorruptException>(() => TestJournal.Open(storage));
        Assert.Equal(named, error.Path);
        Assert.EndsWith(what, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_snapshot_without_its_log_is_damage()
    {
        TestJournal journal = TestJournal.Open(storage);
        journal.Commit("one");
        MemoryStorage before = storage.Copy();
        journal.Commit("two");
        journal.Install(storage, "state");
        before.Files["0000000000000000002.snap"] = storage.Files["0000000000000000002.snap"];
        storage.Files.Remove("0000000000000000001.log");
        Assert.Throws<JournalCorruptException>(() => TestJournal.Open(storage));
        var error = Assert.Throws<JournalCorruptException>(() => TestJournal.Open(before));
        Assert.EndsWith("the log ends at record 1, before its snapshot of record 2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_renamed_file_is_noticed()
    {
        TestJournal.Open(storage).Commit("one");
        storage.Files["0000000000000000002.log"] = storage.Files["0000000000000000001.log"];
        storage.Files.Remove("0000000000000000001.log");
        storage.Files["0000000000000000001.snap"] = [];
        Assert.Throws<JournalCorruptException>(() => TestJournal.Open(storage));
        storage.Files.Remove("0000000000000000001.snap");
        Assert.Throws<JournalCorruptException>(() => TestJournal.Open(storage));
    }

    [Fact]
    public void A_later_format_is_refused_by_its_number()
    {
        TestJournal.Open(storage);
        storage.Files["0000000000000000001.log"][7] = 2;
        var error = Assert.Throws<JournalCorruptException>(() => TestJournal.Open(storage));
        Assert.Equal(
            "the journal is damaged: 0000000000000000001.log at byte 7: the format's version is 2; this drap reads version 1", error.Message);
    }

    [Fact]
    public void Right_checksums_over_wrong_records_are_damage()
    {
        foreach (byte[] body in (byte[][])[[0x80], [5, 1, 1, 0], [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1], [0, 1, 1, 0], [0x80, 0x80, 0x80, 0x80, 0x80, 0]])
        {
            var forged = new MemoryStorage();
            TestJournal.Open(forged);
            byte[] frame = new byte[FrameSize(body.Length)];
            body.CopyTo(frame.AsSpan(32));
            Seal(frame, body.Length);
            forged.Files["0000000000000000001.log"] = [.. forged.Files["0000000000000000001.log"], .. frame];
            Assert.Throws<JournalCorruptException>(() => TestJournal.Open(forged));
        }
    }

    [Fact]
    public void Random_bytes_behind_the_header_never_throw_anything_else()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            var prng = new Prng(seed);
            var random = new MemoryStorage();
            TestJournal.Open(random);
            byte[] rubbish = new byte[prng.Below(300)];
            for (int i = 0; i < rubbish.Length; i++)
                rubbish[i] = (byte)prng.NextUInt64();
            random.Files["0000000000000000001.log"] = [.. random.Files["0000000000000000001.log"], .. rubbish];
            Assert.Empty(TestJournal.Open(random).Replayed);
        }
    }

    /// <summary>Three segments, a snapshot that covers the first two records of the oldest, groups of one and of several batches.</summary>
    private static (MemoryStorage Storage, List<string> Written) SmallJournal(JournalOptions options)
    {
        var storage = new MemoryStorage();
        TestJournal journal = TestJournal.Open(storage, options);
        journal.Commit("covered");
        journal.Commit("covered too");
        journal.Install(storage, "the state", "after two");
        List<string> written = ["s2 9.2 the state", "s2 9.2 after two"];
        for (int i = 3; i <= 14; i++)
        {
            string text = new((char)('a' + i), i * 3);
            journal.Append(text);
            written.Add($"{i} 7.1 {text}");
            if (i % 2 == 0)
                journal.Commit();
        }
        Assert.Equal(4, storage.Files.Count);
        Assert.Equal(written, TestJournal.Open(storage.Copy(), options).Replayed);
        return (storage, written);
    }

    private static bool AssertPrefixOrError(MemoryStorage storage, List<string> written)
    {
        TestJournal journal;
        try
        {
            journal = TestJournal.Open(storage);
        }
        catch (JournalCorruptException error)
        {
            Assert.Contains(error.Path, storage.Files.Keys);
            Assert.InRange(error.Offset, 0, storage.Files[error.Path].Length);
            return false;
        }
        // Not less than all but the last group, which has two records.
        Assert.InRange(journal.Replayed.Count, written.Count - 2, written.Count);
        Assert.Equal(written.Take(journal.Replayed.Count), journal.Replayed);
        return true;
    }

    private static int FrameSize(int bodyLength) => 32 + ((bodyLength + 7) & -8);

    /// <summary>Makes both checksums right, as docs/protocol/journal.md has them.</summary>
    private static void Seal(byte[] frame, int bodyLength)
    {
        uint start = Crc32C.Append(Crc32C.Append(Crc32C.Start, TestJournal.Options.Salt), 32ul);
        BinaryPrimitives.WriteInt64LittleEndian(frame.AsSpan(8), 1);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(16), 1);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(20), bodyLength);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(24), 32);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(4), Crc32C.Finish(Crc32C.Append(start, frame.AsSpan(32))));
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Crc32C.Finish(Crc32C.Append(start, frame.AsSpan(4, 28))));
    }
}
