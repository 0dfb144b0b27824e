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
