using System.Globalization;
using Drap.Node.Drivers;
using Drap.Node.Sandbox;
using Xunit;

namespace Drap.Node.Tests.Drivers;

/// <summary>How attempts end, with all that they started; the same by each means that a machine may have.</summary>
public abstract class FamilyTests : IDisposable
{
    private readonly DriverRoom room;

    private protected FamilyTests(DriverRoom room) => this.room = room;

    private protected DriverRoom Room => room;

    public void Dispose()
    {
        room.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void Children_that_outlive_their_parent_are_ended_with_it()
    {
        Ended ended = room.Run(DriverRoom.Shell("for i in 1 2 3; do sleep 1000 & echo $!; done; exit 4"));
        Assert.Equal(4, ended.Exit.ExitCode);
        AssertAllEnded(ended.Stdout, 3);
    }

    [Fact]
    public void What_fled_into_another_session_is_ended_too()
    {
        Ended ended = room.Run(DriverRoom.Shell("mkfifo f; (setsid sh -c 'echo $$; setsid sh -c \"echo \\$\\$; echo go > f; exec sleep 1000\" & exec sleep 1000' &) ; cat f"));
        Assert.EndsWith("go\n", ended.Stdout);
        AssertAllEnded(ended.Stdout.Replace("go\n", "", StringComparison.Ordinal), 2);
    }

    [Fact]
    public void A_term_may_be_answered_with_a_clean_end()
    {
        LaunchPlan plan = room.Start(DriverRoom.Shell("trap 'echo cleaned; kill $!; exit 7' TERM; sleep 1000 & echo ready; wait"));
        room.Events.WaitForOutput(plan.Attempt, "ready");
        Assert.True(room.Driver.Signal(plan.Attempt, AttemptSignal.Term));
        Ended ended = room.Events.WaitForExit(plan.Attempt);
        Assert.Equal((7, "ready\ncleaned\n"), (ended.Exit.ExitCode, ended.Stdout));
    }

    [Fact]
    public void Who_ignores_term_is_killed_with_all_that_hangs_on_it()
    {
        // The shell of the first line handles TERM and not ignores it: what is ignored at a shell's start stays ignored.
        LaunchPlan plan = room.Start(DriverRoom.Shell(
            "trap : TERM; sh -c 'trap \"echo ignored\" TERM; echo $$; while :; do sleep 0.01; done' & while :; do wait; sleep 0.01; done"));
        string child = room.Events.WaitForOutput(plan.Attempt, "\n").Trim();
        room.Driver.Signal(plan.Attempt, AttemptSignal.Term);
        room.Events.WaitForOutput(plan.Attempt, "ignored");
        Assert.Equal(0, room.Events.Exits);
        room.Driver.Signal(plan.Attempt, AttemptSignal.Kill);
        AttemptExit exit = room.Events.WaitForExit(plan.Attempt).Exit;
        Assert.Equal((ExitReason.Signaled, 9, 137), (exit.Reason, exit.Signal, exit.ExitCode));
        AssertAllEnded(child, 1);
    }

    [Fact]
    public void A_folder_that_grows_over_its_limit_ends_the_attempt()
    {
        LaunchPlan many = DriverRoom.Shell("i=0; while :; do head -c 1000000 /dev/zero > out/$i; i=$((i+1)); done") with
        {
            Limits = new LaunchLimits(0, 0, 0, 20_000_000),
        };
        AttemptExit exit = room.Run(many).Exit;
        Assert.Equal(ExitReason.Disk, exit.Reason);
        Assert.InRange(exit.Usage.DiskBytes, 20_000_000, long.MaxValue);
        LaunchPlan one = DriverRoom.Plan("dd", "if=/dev/zero", "of=out/x", "bs=1M", "count=10000") with { Limits = many.Limits };
        Assert.Equal(ExitReason.Disk, room.Run(one).Exit.Reason);
    }

    [Fact]
    public void Ending_the_driver_ends_and_reports_all()
    {
        LaunchPlan[] plans = [.. Enumerable.Range(0, 5).Select(_ => room.Start(DriverRoom.Shell("echo $$; sleep 1000 & sleep 1000")))];
        string[] pids = [.. plans.Select(p => room.Events.WaitForOutput(p.Attempt, "\n").Trim())];
        room.Driver.Dispose();
        Assert.All(plans, p => Assert.Equal(9, room.Events.WaitForExit(p.Attempt).Exit.Signal));
        AssertAllEnded(string.Join('\n', pids), 5);
    }

    private protected static void AssertAllEnded(string pids, int atLeast)
    {
        string[] numbers = pids.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(numbers.Length >= atLeast, pids);
        foreach (string number in numbers)
            Assert.False(DriverRoom.IsAlive(int.Parse(number, CultureInfo.InvariantCulture)), $"process {number} still runs");
    }
}

/// <summary>By what this machine lets us have, which is cgroups of version 1 on the machines of our tests.</summary>
public sealed class FamilyInCgroupTests() : FamilyTests(new DriverRoom())
{
    [Fact]
    public void Memory_over_the_limit_is_told_from_other_ends()
    {
        if (Room.Driver.Enforcement.Memory.Level != EnforcementLevel.Fully)
            Assert.Skip(Room.Driver.Enforcement.Memory.How);
        LaunchPlan greedy = DriverRoom.Shell("head -c 200000000 /dev/zero | tail -c 200000000 | wc -c; exit 1") with { Limits = new LaunchLimits(0, 64 << 20, 0, 0) };
        AttemptExit exit = Room.Run(greedy).Exit;
        Assert.Equal(ExitReason.OutOfMemory, exit.Reason);
        Assert.Equal("it went over the 64MiB of memory that it had asked for", exit.Message);
        // The same slot, other limits: neither the old limit nor the old verdict stays.
        Assert.Equal(ExitReason.Exited, Room.Run(DriverRoom.Shell("exit 1") with { Limits = greedy.Limits }).Exit.Reason);
        Ended free = Room.Run(DriverRoom.Shell("head -c 200000000 /dev/zero | tail -c 200000000 | wc -c"));
        Assert.Equal((0, "200000000\n"), (free.Exit.ExitCode, free.Stdout));
        Assert.Equal(ExitReason.OutOfMemory, Room.Run(greedy with { Attempt = DriverRoom.NextAttempt() }).Exit.Reason);
    }

    [Fact]
    public void A_memory_limit_that_no_program_fits_in_ends_the_task_and_not_the_node()
    {
        if (Room.Driver.Enforcement.Memory.Level != EnforcementLevel.Fully)
            Assert.Skip(Room.Driver.Enforcement.Memory.How);
        AttemptExit exit = Room.Run(DriverRoom.Plan("cat", "/proc/self/status") with { Limits = new LaunchLimits(0, 4096, 0, 0) }).Exit;
        Assert.Contains(exit.Reason, new[] { ExitReason.OutOfMemory, ExitReason.Machine });
        Assert.Equal(0, Room.Run(DriverRoom.Plan("true")).Exit.ExitCode);
    }

    [Fact]
    public void A_fork_bomb_is_bounded_and_ended()
    {
        if (Room.Driver.Enforcement.Pids.Level != EnforcementLevel.Fully)
            Assert.Skip(Room.Driver.Enforcement.Pids.How);
        LaunchPlan bomb = Room.Start(DriverRoom.Plan("bash", "-c", "echo $$; bomb() { bomb | bomb & }; while :; do bomb; done") with
        {
            Limits = new LaunchLimits(500, 0, 50, 0),
        });
        string main = Room.Events.WaitForOutput(bomb.Attempt, "\n").Trim();
        Room.Driver.Signal(bomb.Attempt, AttemptSignal.Kill);
        Ended ended = Room.Events.WaitForExit(bomb.Attempt);
        Assert.Null(ended.Exit.Message);
        AssertAllEnded(main, 1);
        Ended counted = Room.Run(DriverRoom.Shell("i=0; while [ $i -lt 100 ]; do sleep 1000 & echo $i; i=$((i+1)); done") with
        {
            Limits = new LaunchLimits(0, 0, 50, 0),
        });
        Assert.EndsWith("\n48\n", counted.Stdout);
        Assert.Contains("Cannot fork", counted.Stderr);
    }

    [Fact]
    public void A_task_is_born_in_its_cgroup_and_the_node_stays_out_of_it()
    {
        if (Room.Driver.Enforcement.Pids.Level != EnforcementLevel.Fully)
            Assert.Skip(Room.Driver.Enforcement.Pids.How);
        Ended ended = Room.Run(DriverRoom.Shell("cat /proc/self/cgroup"));
        Assert.Contains($"/drap-{Room.Driver.Mark}/s", ended.Stdout);
        Assert.DoesNotContain("drap-", File.ReadAllText("/proc/self/cgroup"));
    }

    [Fact]
    public void A_processor_quota_is_kept_by_what_lives_longer_than_its_period()
    {
        if (Room.Driver.Enforcement.Cpu.Level != EnforcementLevel.Fully)
            Assert.Skip(Room.Driver.Enforcement.Cpu.How);
        LaunchPlan busy = DriverRoom.Shell("i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done") with { Limits = new LaunchLimits(100, 0, 0, 0) };
        AttemptExit exit = Room.Run(busy).Exit;
        // A tenth of a core, after a first tenth of a second that may be unbound.
        TimeSpan unbound = TimeSpan.FromMilliseconds(150);
        Assert.True(exit.Usage.Cpu < unbound || exit.Usage.Wall > (exit.Usage.Cpu - unbound) * 5, exit.Usage.ToString());
    }
}

/// <summary>Where no cgroup is to be had.</summary>
public sealed class FamilyWithoutCgroupTests() : FamilyTests(new DriverRoom(o => o with { UseCgroups = false }))
{
    [Fact]
    public void It_says_what_it_does_not_enforce()
    {
        Enforcement enforcement = Room.Driver.Enforcement;
        Assert.Equal(EnforcementLevel.None, enforcement.Cpu.Level);
        Assert.Equal(EnforcementLevel.Partly, enforcement.Memory.Level);
        Assert.Equal(EnforcementLevel.Partly, enforcement.Family.Level);
        Assert.Contains("no cgroup: switched off", enforcement.Pids.How);
    }

    [Fact]
    public void Memory_is_bounded_per_process()
    {
        Ended ended = Room.Run(DriverRoom.Shell("ulimit -d; head -c 200000000 /dev/zero | tail -c 200000000 | wc -c") with { Limits = new LaunchLimits(0, 64 << 20, 0, 0) });
        Assert.Equal("65536\n0\n", ended.Stdout);
        Assert.Contains("memory exhausted", ended.Stderr);
    }
}

/// <summary>Version 2, without controllers where the machine has version 1: joining and ending are what differs.</summary>
public sealed class FamilyInUnifiedCgroupTests() : FamilyTests(CreateRoom())
{
    private static DriverRoom CreateRoom()
    {
        string? mount = File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' ')).FirstOrDefault(f => f.Contains("cgroup2"))?[4];
        if (mount is null)
            Assert.Skip("no cgroup of version 2 is mounted");
        return new DriverRoom(null, mark => CgroupTree.TryCreateUnified(mark, mount, out string why) is { } tree ? (tree, "") : (null, why));
    }

    [Fact]
    public void A_task_joins_before_it_becomes_its_command()
    {
        Assert.StartsWith("cgroup v2", Room.Driver.Enforcement.Family.How);
        Ended ended = Room.Run(DriverRoom.Plan("grep", "^0:", "/proc/self/cgroup"));
        Assert.Contains($"/drap-{Room.Driver.Mark}/s1", ended.Stdout);
        Assert.Equal("a  b|c\n", Room.Run(DriverRoom.Plan("printf", "%s|%s\\n", "a  b", "c")).Stdout);
    }
}
