using System.Collections.Concurrent;
using Drap.Core.Journal;
using Drap.Node.Storage;
using Xunit;

namespace Drap.Node.Tests.Storage;

public sealed class JournalThreadTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly GatedStorage storage;
    private readonly Heard heard = new();
    private readonly JournalLog log;
    private readonly JournalBuffer buffer;
    private readonly JournalThread thread;

    public JournalThreadTests()
    {
        storage = new GatedStorage(FileJournalStorage.OpenDirectory(folder.Path));
        log = JournalLog.Open(storage, new JournalOptions(1), new Nothing());
        buffer = log.CreateBuffer();
        thread = new JournalThread(storage, log, heard);
    }

    public void Dispose()
    {
        storage.Open();
        thread.Dispose();
        storage.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void What_is_submitted_is_committed()
    {
        thread.Submit(Batch("one"));
        Assert.Equal("committed 1", heard.Next());
        thread.Submit(Batch("two"));
        Assert.Equal("committed 2", heard.Next());
    }

    [Fact]
    public void What_is_submitted_during_a_sync_is_one_group()
    {
        storage.Close();
        thread.Submit(Batch("one"));
        storage.AwaitSync();
        thread.Submit(Batch("two"));
        thread.Submit(Batch("three"));
        thread.Submit(Batch("four"));
        storage.Open();
        Assert.Equal("committed 1", heard.Next());
        Assert.Equal("committed 4", heard.Next());
    }

    [Fact]
    public void Nothing_is_committed_before_its_sync_is_over()
    {
        storage.Close();
        thread.Submit(Batch("one"));
        storage.AwaitSync();
        Assert.Equal(0, heard.Count);
        storage.Open();
        Assert.Equal("committed 1", heard.Next());
    }

    [Fact]
    public void A_failed_sync_is_told_once_and_ends_it()
    {
        storage.FailSyncs = true;
        thread.Submit(Batch("one"));
        Assert.Equal("failed: the journal has stopped after record 0: cannot sync: told so", heard.Next());
        storage.FailSyncs = false;
        thread.Submit(Batch("two"));
        Assert.False(thread.Submit(Snapshot()));
        thread.Dispose();
        Assert.Equal(0, heard.Count);
    }

    [Fact]
    public void Disposing_writes_what_was_submitted()
    {
        storage.Close();
        thread.Submit(Batch("one"));
        storage.AwaitSync();
        thread.Submit(Batch("two"));
        storage.Open();
        thread.Dispose();
        Assert.Equal("committed 1", heard.Next());
        Assert.Equal("committed 2", heard.Next());
    }

    [Fact]
    public void A_snapshot_waits_for_its_records_and_is_then_put_in_place()
    {
        buffer.Append(1, 1, "one"u8);
        JournalBatch batch = buffer.TakeBatch()!;
        storage.Close();
        Assert.True(thread.Submit(Snapshot()));
        storage.AwaitSync();
        Assert.False(thread.Submit(Snapshot()));
        storage.Open();
        thread.Submit(batch);
        Assert.Equal("committed 1", heard.Next());
        Assert.Equal("snapshot 1", heard.Next());
        Assert.Contains("0000000000000000001.snap", storage.List());
    }

    [Fact]
    public void A_snapshot_that_fails_is_told_and_the_log_goes_on()
    {
        thread.Submit(Batch("one"));
        Assert.Equal("committed 1", heard.Next());
        storage.FailCreates = true;
        Assert.True(thread.Submit(Snapshot()));
        Assert.Equal("snapshot 1 failed: cannot create: told so", heard.Next());
        storage.FailCreates = false;
        thread.Submit(Batch("two"));
        Assert.Equal("committed 2", heard.Next());
        Assert.True(thread.Submit(Snapshot()));
        Assert.Equal("snapshot 2", heard.Next());
    }

    private JournalBatch Batch(string text)
    {
        buffer.Append(1, 1, System.Text.Encoding.UTF8.GetBytes(text));
        return buffer.TakeBatch()!;
    }

    private JournalSnapshot Snapshot()
    {
        JournalSnapshot snapshot = buffer.BeginSnapshot();
        snapshot.Add(2, 1, "state"u8);
        buffer.EndSnapshot(snapshot);
        return snapshot;
    }

    private sealed class Heard : IJournalListener
    {
        private readonly BlockingCollection<string> lines = [];

        public int Count => lines.Count;

        public string Next() => lines.TryTake(out string? line, TimeSpan.FromSeconds(30)) ? line : "nothing within 30 s";

        public void Committed(long sequence) => lines.Add($"committed {sequence}");

        public void Failed(JournalException reason) => lines.Add($"failed: {reason.Message}");

        public void SnapshotInstalled(long sequence) => lines.Add($"snapshot {sequence}");

        public void SnapshotFailed(long sequence, JournalException reason) => lines.Add($"snapshot {sequence} failed: {reason.Message}");
    }

    private sealed class Nothing : IJournalReplay
    {
        public void Snapshot(long sequence, in JournalRecord record)
        {
        }

        public void Record(long sequence, in JournalRecord record)
        {
        }
    }
}
