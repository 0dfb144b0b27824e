using Drap.Core.Journal;
using Drap.Node.Storage;
using Xunit;

namespace Drap.Node.Tests.Storage;

/// <summary>A journal on a real file system of 4 MiB that something else fills.</summary>
public sealed class ReservedStorageTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task On_a_full_disk_the_journal_goes_on_in_its_room_and_takes_it_up_again()
    {
        string mount = Path.Combine(folder.Path, "small");
        using var small = new SmallDisk(mount, mebibytes: 4);
        var listener = new Listener();
        using FileJournalStorage disk = FileJournalStorage.OpenDirectory(Path.Combine(mount, "journal"));
        var room = new ReservedStorage(disk, 1 << 20, listener.Changed);
        room.Look();
        JournalLog log = JournalLog.Open(room, new JournalOptions(1), new Nothing());
        JournalBuffer buffer = log.CreateBuffer();
        using (var journal = new JournalThread(room, log, listener))
        {
            small.Fill();
            long last = 0;
            for (int i = 0; i < 20; i++)
            {
                last = buffer.Append(1, 1, new byte[20_000]);
                journal.Submit(buffer.TakeBatch()!);
                await listener.UntilCommitted(last);
            }
            Assert.True(room.IsShort);
            Assert.False(File.Exists(Path.Combine(mount, "journal", ReservedStorage.FileName)));
            small.Free();
            await listener.RoomAgain.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            Assert.Equal(1 << 20, new FileInfo(Path.Combine(mount, "journal", ReservedStorage.FileName)).Length);
        }
        var replay = new Nothing();
        JournalLog.Open(disk, new JournalOptions(2), replay).Dispose();
        Assert.Equal(20, replay.Records);
    }

    private sealed class Listener : IJournalListener
    {
        private readonly Lock gate = new();
        private long committed;
        private (long Sequence, TaskCompletionSource Done) waiting = (long.MaxValue, new TaskCompletionSource());

        public TaskCompletionSource RoomAgain { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Changed(bool isShort)
        {
            if (!isShort)
                RoomAgain.TrySetResult();
        }

        public Task UntilCommitted(long sequence)
        {
            lock (gate)
            {
                waiting = (sequence, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                if (committed >= sequence)
                    waiting.Done.SetResult();
                return waiting.Done.Task.WaitAsync(TimeSpan.FromSeconds(60));
            }
        }

        public void Committed(long sequence)
        {
            lock (gate)
            {
                committed = sequence;
                if (sequence >= waiting.Sequence)
                    waiting.Done.TrySetResult();
            }
        }

        public void Failed(JournalException reason)
        {
            lock (gate)
                waiting.Done.TrySetException(reason);
        }

        public void SnapshotInstalled(long sequence)
        {
        }

        public void SnapshotFailed(long sequence, JournalException reason)
        {
        }
    }

    private sealed class Nothing : IJournalReplay
    {
        public int Records { get; private set; }

        public void Snapshot(long sequence, in JournalRecord record)
        {
        }

        public void Record(long sequence, in JournalRecord record) => Records++;
    }
}
