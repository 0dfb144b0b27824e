using Drap.Core.Journal;
using Xunit;

namespace Drap.Core.Tests.Journal;

/// <summary>The bytes on disk are a promise to later versions: these vectors never change within a format's version.</summary>
public sealed class JournalFormatTests
{
    [Fact]
    public void A_segment_is_its_header_and_a_frame_per_batch()
    {
        var storage = new MemoryStorage();
        TestJournal journal = TestJournal.Open(storage);
        journal.Append("a");
        journal.Append("bc");
        journal.Commit();
        journal.Commit("");
        Assert.Equal(
            "647261706C6F6701" + "0100000000000000" + "EFCDAB8967452301" + "20000000" + "6FD773B8"
            + "CDA4F8BE" + "E5D85341" + "0100000000000000" + "02000000" + "09000000" + "20000000" + "00000000"
            + "010701" + "61" + "020701" + "6263" + "00000000000000"
            + "1A6153AB" + "DD9190BF" + "0300000000000000" + "01000000" + "03000000" + "50000000" + "00000000"
            + "000701" + "0000000000",
            Convert.ToHexString(storage.Files["0000000000000000001.log"]));
    }

    [Fact]
    public void A_snapshot_is_its_header_its_frames_and_an_empty_frame()
    {
        var storage = new MemoryStorage();
        TestJournal journal = TestJournal.Open(storage);
        journal.Commit("a");
        journal.Install(storage, "state");
        Assert.Equal(
            "64726170736E7001" + "0100000000000000" + "EFCDAB8967452301" + "68000000" + "59C997BE"
            + "C645CB90" + "88019D99" + "0100000000000000" + "01000000" + "08000000" + "00000000" + "00000000"
            + "050902" + "7374617465"
            + "8434BA86" + "690EA5F2" + "0200000000000000" + "00000000" + "00000000" + "00000000" + "00000000",
            Convert.ToHexString(storage.Files["0000000000000000001.snap"]));
    }

    [Theory]
    [InlineData(0, "00")]
    [InlineData(127, "7F")]
    [InlineData(128, "8001")]
    [InlineData(16_383, "FF7F")]
    [InlineData(16_384, "808001")]
    [InlineData(JournalLimits.RecordBytesMax, "80808008")]
    public void A_record_of_any_length_comes_back(int length, string expectedPrefix)
    {
        var storage = new MemoryStorage();
        TestJournal journal = TestJournal.Open(storage);
        byte[] body = new byte[length];
        body.AsSpan().Fill(0xa5);
        journal.Buffer.Append(1, 2, body);
        journal.Commit();
        string bytes = Convert.ToHexString(storage.Files["0000000000000000001.log"].AsSpan(64, 6));
        Assert.StartsWith(expectedPrefix + "0102", bytes, StringComparison.Ordinal);
        Assert.Equal(Replayed.Line(1, 1, 2, body), Assert.Single(TestJournal.Open(storage).Replayed));
    }

    [Fact]
    public void A_longer_record_is_the_callers_bug()
    {
        JournalBuffer buffer = TestJournal.Open(new MemoryStorage()).Buffer;
        Assert.Throws<InvariantException>(() => buffer.Append(1, 1, new byte[JournalLimits.RecordBytesMax + 1]));
    }
}
