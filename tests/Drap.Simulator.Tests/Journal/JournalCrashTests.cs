using Drap.Core.Journal;
using Drap.Simulator.Storage;
using Xunit;

namespace Drap.Simulator.Tests.Journal;

/// <summary>The journal on a disk that loses, reorders and tears all that no finished sync covers, with a fault at every storage call.</summary>
public sealed class JournalCrashTests
{
    private const int Groups = 12;

    public static TheoryData<ulong> Seeds => [.. Enumerable.Range(1, 16).Select(seed => (ulong)seed)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void After_a_crash_at_any_storage_call_all_that_was_acknowledged_is_there(ulong seed)
    {
        long calls = Calls(seed);
        for (long call = 1; call <= calls; call++)
        {
            var scenario = new JournalScenario(seed);
            scenario.Disk.CrashAtCall = call;
            Assert.Throws<SimulatedCrashException>(() => Run(scenario));
            scenario.Disk.LosePower();
            Run(scenario);
            scenario.Disk.LosePower();
            scenario.Start();
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_crash_at_any_storage_call_of_recovery_changes_nothing(ulong seed)
    {
        long calls = Calls(seed);
        for (long call = 1 + (long)(seed % 5); call <= calls; call += 5)
        {
            for (long callOfRecovery = 1; ; callOfRecovery++)
            {
                var scenario = new JournalScenario(seed);
                scenario.Disk.CrashAtCall = call;
                Assert.Throws<SimulatedCrashException>(() => Run(scenario));
                scenario.Disk.LosePower();
                scenario.Disk.CrashAtCall = scenario.Disk.Calls + callOfRecovery;
                bool crashed = Crashes(scenario.Start);
                scenario.Disk.LosePower();
                Run(scenario);
                if (!crashed)
                    break;
            }
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void After_a_failure_of_any_storage_call_and_a_restart_what_is_read_is_safe(ulong seed)
    {
        // The system shows a program what it wrote, though after a failed sync that will never reach the disk. The next start must not
        // build on it before it is safe: the power that goes right after the start shows whether it did.
        long calls = Calls(seed);
        for (long call = 1; call <= calls; call++)
        {
            var scenario = new JournalScenario(seed);
            scenario.Disk.FailAtCall = call;
            Assert.ThrowsAny<JournalException>(() => Run(scenario));
            scenario.Disk.KillProcess();
            scenario.Start();
            scenario.Disk.LosePower();
            Run(scenario);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_process_killed_at_any_storage_call_loses_nothing(ulong seed)
    {
        long calls = Calls(seed);
        for (long call = 1; call <= calls; call++)
        {
            var scenario = new JournalScenario(seed);
            scenario.Disk.CrashAtCall = call;
            Assert.Throws<SimulatedCrashException>(() => Run(scenario));
            scenario.Disk.KillProcess();
            scenario.Start();
            scenario.Disk.LosePower();
            Run(scenario);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_full_disk_stops_the_journal_and_loses_nothing(ulong seed)
    {
        for (int kilobytes = 1; kilobytes <= 12; kilobytes++)
        {
            var scenario = new JournalScenario(seed);
            scenario.Disk.CapacityBytes = kilobytes * 1000;
            JournalException? error = Record.Exception(() => Run(scenario)) as JournalException;
            if (error is not null)
                Assert.Equal(JournalStorageFault.DiskFull, ((error as JournalStorageException) ?? (JournalStorageException)error.InnerException!).Fault);
            scenario.Disk.CapacityBytes = long.MaxValue;
            scenario.Disk.LosePower();
            Run(scenario);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void With_room_kept_back_a_full_disk_does_not_stop_the_journal(ulong seed)
    {
        var scenario = new JournalScenario(seed, reserve: 400_000);
        FillAndFree(scenario);
        long calls = scenario.Disk.Calls;
        scenario.Disk.LosePower();
        scenario.Start();
        // The machine may crash at any call of all that; a sample.
        for (long call = 1 + (long)(seed % 7); call < calls; call += 7)
        {
            scenario = new JournalScenario(seed, reserve: 400_000);
            scenario.Disk.CrashAtCall = call;
            Assert.IsType<SimulatedCrashException>(Record.Exception(() => FillAndFree(scenario)));
            scenario.Disk.CapacityBytes = long.MaxValue;
            scenario.Disk.LosePower();
            Run(scenario);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Room_that_is_used_up_too_stops_the_journal_and_loses_nothing(ulong seed)
    {
        var scenario = new JournalScenario(seed, reserve: 3_000);
        scenario.Start();
        scenario.Disk.CapacityBytes = scenario.Disk.UsedBytes;
        JournalFailedException error = Assert.IsType<JournalFailedException>(Record.Exception(() => scenario.Work(200)));
        Assert.Equal(JournalStorageFault.DiskFull, Assert.IsType<JournalStorageException>(error.InnerException).Fault);
        Assert.True(scenario.Room.IsShort);
        scenario.Disk.CapacityBytes = long.MaxValue;
        scenario.Disk.LosePower();
        Run(scenario);
        Assert.False(scenario.Room.IsShort);
    }

    [Fact]
    public void Room_is_taken_up_again_only_where_as_much_is_left_beside_it()
    {
        var disk = new FaultyStorage(new Prng(1));
        var told = new List<bool>();
        var room = new ReservedStorage(disk, 1000, told.Add);
        room.Look();
        using IJournalFile file = room.Create("a.log");
        disk.CapacityBytes = disk.UsedBytes;
        file.Write(0, new byte[600]);
        Assert.Equal([true], told);
        foreach ((long free, bool isShort, bool isKept) in ((long, bool, bool)[])[(600, true, false), (1000, true, true), (999, true, true), (1000, false, true)])
        {
            disk.CapacityBytes = disk.UsedBytes + free;
            room.Look();
            Assert.Equal(isShort, room.IsShort);
            Assert.Equal(isKept ? ["a.log", ReservedStorage.FileName] : (string[])["a.log"], disk.List());
        }
        Assert.Equal([true, false], told);
        // A snapshot never uses it.
        disk.CapacityBytes = disk.UsedBytes;
        using IJournalFile snapshot = room.Create("0000000000000000007.snap.new");
        Assert.Throws<JournalStorageException>(() => snapshot.Write(0, new byte[10]));
        Assert.False(room.IsShort);
        file.Write(600, new byte[10]);
        Assert.True(room.IsShort);
        Assert.Throws<JournalStorageException>(() => room.Create("0000000000000000008.snap.new"));
    }

    [Fact]
    public void That_little_is_left_is_seen_at_a_sync_before_a_write_fails()
    {
        var disk = new FaultyStorage(new Prng(1));
        var room = new ReservedStorage(disk, 8000);
        room.Look();
        using IJournalFile file = room.Create("a.log");
        disk.CapacityBytes = disk.UsedBytes + 1100;
        file.Write(0, new byte[100]);
        file.Sync();
        Assert.False(room.IsShort);
        file.Write(100, new byte[1]);
        file.Sync();
        Assert.True(room.IsShort);
        Assert.Equal(["a.log", ReservedStorage.FileName], disk.List());
    }

    [Fact]
    public void A_write_without_room_is_made_again_as_long_as_its_writer_waits()
    {
        var disk = new FaultyStorage(new Prng(1)) { CapacityBytes = 100 };
        int asked = 0;
        var room = new ReservedStorage(disk, 1000)
        {
            MayTryAgain = () =>
            {
                disk.CapacityBytes += 100;
                return ++asked < 5;
            },
        };
        using IJournalFile file = room.Create("a.log");
        file.Write(0, new byte[450]);
        Assert.Equal((4, 450), (asked, file.Length));
        Assert.Throws<JournalStorageException>(() => file.Write(450, new byte[450]));
        Assert.Equal(5, asked);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_journal_is_opened_on_a_full_disk_and_written_when_there_is_room(ulong seed)
    {
        var scenario = new JournalScenario(seed);
        scenario.Start();
        scenario.Work(20);
        scenario.Disk.LosePower();
        scenario.Disk.CapacityBytes = scenario.Disk.UsedBytes;
        for (int i = 0; i < 3; i++)
        {
            scenario.Start();
            scenario.Disk.LosePower();
        }
        scenario.Start();
        scenario.Disk.CapacityBytes = long.MaxValue;
        scenario.Work(10);
        scenario.Disk.LosePower();
        scenario.Start();
        scenario.Work(1);
    }

    private static void FillAndFree(JournalScenario scenario)
    {
        scenario.Start();
        scenario.Work(3);
        scenario.Disk.CapacityBytes = scenario.Disk.UsedBytes;
        scenario.Work(40);
        Assert.True(scenario.Room.IsShort);
        scenario.Disk.CapacityBytes = long.MaxValue;
        scenario.Room.Look();
        Assert.False(scenario.Room.IsShort);
        scenario.Work(3);
    }

    [Fact]
    public void A_machine_that_crashes_again_and_again_loses_nothing()
    {
        for (ulong seed = 1000; seed < 1030; seed++)
        {
            var scenario = new JournalScenario(seed);
            var prng = new Prng(seed);
            for (int life = 0; life < 30; life++)
            {
                long call = scenario.Disk.Calls + prng.Between(1, 60);
                if (prng.Chance(1, 4))
                    scenario.Disk.FailAtCall = call;
                else
                    scenario.Disk.CrashAtCall = call;
                _ = Record.Exception(() => Run(scenario)) is null or JournalException or SimulatedCrashException
                    ? true
                    : throw new Xunit.Sdk.XunitException($"seed {seed}, life {life}");
                if (prng.Chance(1, 3))
                    scenario.Disk.KillProcess();
                else
                    scenario.Disk.LosePower();
            }
            scenario.Start();
            Assert.True(scenario.Acknowledged > 20, $"seed {seed}: the scenario came to {scenario.Acknowledged} records only");
        }
    }

    private static void Run(JournalScenario scenario)
    {
        scenario.Start();
        scenario.Work(Groups);
    }

    /// <summary>Storage calls of a run without faults.</summary>
    private static long Calls(ulong seed)
    {
        var scenario = new JournalScenario(seed);
        Run(scenario);
        return scenario.Disk.Calls;
    }

    private static bool Crashes(Action action)
    {
        try
        {
            action();
            return false;
        }
        catch (SimulatedCrashException)
        {
            return true;
        }
    }
}
