using Drap.Core.Journal;
using Drap.Simulator.Storage;
using Xunit;

namespace Drap.Simulator.Tests;

/// <summary>The disk does all that it threatens, and nothing to what was synced.</summary>
public sealed class FaultyStorageTests
{
    [Fact]
    public void What_was_synced_survives_and_what_was_not_ends_in_many_ways()
    {
        var outcomes = new HashSet<string>();
        bool isTorn = false;
        for (ulong seed = 0; seed < 300; seed++)
        {
            var disk = new FaultyStorage(new Prng(seed));
            IJournalFile file = disk.Create("file");
            file.Write(0, Filled(1000, 1));
            file.Sync();
            disk.SyncDirectory();
            file.Write(1000, Filled(1000, 2));
            file.Write(2000, Filled(1000, 3));
            disk.LosePower();
            byte[] there = disk.Read("file");
            Assert.InRange(there.Length, 1000, 3000);
            Assert.Equal(Filled(1000, 1), there[..1000]);
            byte[] rest = there[1000..];
            isTorn |= rest.Any(b => b > 3);
            outcomes.Add($"{there.Length} {rest.Contains((byte)2)} {rest.Contains((byte)3)}");
        }
        Assert.True(isTorn);
        Assert.Contains("3000 True True", outcomes);
        Assert.Contains("3000 False True", outcomes);
        Assert.Contains("3000 True False", outcomes);
        Assert.Contains("1000 False False", outcomes);
    }

    [Fact]
    public void A_name_that_was_not_synced_may_vanish_with_all_its_synced_content()
    {
        int vanished = 0;
        for (ulong seed = 0; seed < 100; seed++)
        {
            var disk = new FaultyStorage(new Prng(seed));
            IJournalFile file = disk.Create("file");
            file.Write(0, Filled(10, 1));
            file.Sync();
            disk.LosePower();
            vanished += disk.List().Count == 0 ? 1 : 0;
        }
        Assert.InRange(vanished, 20, 80);
    }

    [Fact]
    public void After_a_failed_sync_a_second_one_says_well_and_the_data_may_be_gone()
    {
        int gone = 0;
        for (ulong seed = 0; seed < 100; seed++)
        {
            var disk = new FaultyStorage(new Prng(seed));
            IJournalFile file = disk.Create("file");
            disk.SyncDirectory();
            file.Write(0, Filled(10, 1));
            disk.FailAtCall = disk.Calls + 1;
            Assert.Throws<JournalStorageException>(file.Sync);
            file.Sync();
            Assert.Equal(Filled(10, 1), disk.Read("file"));
            disk.LosePower();
            gone += disk.Read("file").SequenceEqual(Filled(10, 1)) ? 0 : 1;
        }
        Assert.InRange(gone, 20, 95);
    }

    [Fact]
    public void A_killed_process_loses_nothing_and_its_files_are_dead()
    {
        var disk = new FaultyStorage(new Prng(1));
        IJournalFile file = disk.Create("file");
        file.Write(0, Filled(10, 1));
        disk.KillProcess();
        Assert.Equal(Filled(10, 1), disk.Read("file"));
        Assert.Throws<SimulatedCrashException>(() => file.Write(0, Filled(1, 2)));
    }

    [Fact]
    public void A_full_disk_takes_what_fits()
    {
        var disk = new FaultyStorage(new Prng(1)) { CapacityBytes = 15 };
        IJournalFile file = disk.Create("file");
        file.Write(0, Filled(10, 1));
        var error = Assert.Throws<JournalStorageException>(() => file.Write(10, Filled(10, 2)));
        Assert.Equal(JournalStorageFault.DiskFull, error.Fault);
        Assert.Equal(15, file.Length);
        file.Write(0, Filled(15, 3));
    }

    [Fact]
    public void A_journal_in_virtual_time_groups_what_comes_during_a_sync()
    {
        var simulation = new Simulation(1);
        var disk = new FaultyStorage(simulation.NewPrng(), simulation.Trace);
        var replay = new NoReplay();
        JournalLog log = JournalLog.Open(disk, new JournalOptions(1), replay);
        JournalBuffer buffer = log.CreateBuffer();
        var heard = new Heard(simulation);
        var journal = new SimulatedJournal(simulation, disk, log, heard, TimeSpan.FromMilliseconds(1));
        journal.Submit(Batch());
        simulation.After(TimeSpan.FromMilliseconds(1), () => journal.Submit(Batch()));
        simulation.After(TimeSpan.FromMilliseconds(1.5), () => journal.Submit(Batch()));
        JournalSnapshot snapshot = buffer.BeginSnapshot();
        buffer.EndSnapshot(snapshot);
        Assert.True(journal.Submit(snapshot));
        simulation.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(["1.001s committed 1", "1.001s snapshot 1", "1.002s committed 3"], heard.Lines);
        disk.FailAtCall = disk.Calls + 2;
        journal.Submit(Batch());
        simulation.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal("2.001s failed", heard.Lines[^1]);

        JournalBatch Batch()
        {
            buffer.Append(1, 1, [1, 2, 3]);
            return buffer.TakeBatch()!;
        }
    }

    private static byte[] Filled(int length, byte value)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }

    private sealed class NoReplay : IJournalReplay
    {
        public void Snapshot(long sequence, in JournalRecord record)
        {
        }

        public void Record(long sequence, in JournalRecord record)
        {
        }
    }

    private sealed class Heard(Simulation simulation) : IJournalListener
    {
        public List<string> Lines { get; } = [];

        public void Committed(long sequence) => Lines.Add($"{simulation.Now} committed {sequence}");

        public void Failed(JournalException reason) => Lines.Add($"{simulation.Now} failed");

        public void SnapshotInstalled(long sequence) => Lines.Add($"{simulation.Now} snapshot {sequence}");

        public void SnapshotFailed(long sequence, JournalException reason) => Lines.Add($"{simulation.Now} snapshot {sequence} failed");
    }
}
