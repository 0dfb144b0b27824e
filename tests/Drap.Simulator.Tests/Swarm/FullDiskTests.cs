using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Nodes;
using Drap.Simulator.Storage;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>The disk of the scheduler's journal is filled by others while jobs run.</summary>
public sealed class FullDiskTests
{
    private const int Tasks = 400;

    private static readonly NodeResources TwoCores = new() { MilliCpus = 2000, MemoryBytes = 4L << 30, DiskBytes = 1L << 40 };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void What_runs_ends_nothing_new_begins_and_all_goes_on_with_room(ulong seed)
    {
        (SimulatedSwarm swarm, JobId id) = Running(seed);
        FaultyStorage disk = swarm.Scheduler.Storage;
        disk.CapacityBytes = disk.UsedBytes;
        swarm.RunFor(TimeSpan.FromSeconds(5));
        int ended = AssertAllHaveEnded(swarm, id);
        JobId late = AssertRefused(swarm);
        Assert.Equal(ended, swarm.Executions.Count);
        disk.CapacityBytes = long.MaxValue;
        AssertGoesOn(swarm, late);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    public void A_start_on_a_full_disk_shows_what_there_is_refuses_and_goes_on_with_room(ulong seed, bool hasReserve)
    {
        (SimulatedSwarm swarm, JobId id) = Running(seed);
        FaultyStorage disk = swarm.Scheduler.Storage;
        swarm.Scheduler.Crash(losePower: false);
        if (!hasReserve)
            disk.Delete(ReservedStorage.FileName);
        disk.CapacityBytes = disk.UsedBytes;
        swarm.Scheduler.Start();
        Assert.DoesNotContain(ReservedStorage.FileName, disk.List());
        Assert.True(Ended(swarm, id) > 0);
        swarm.RunFor(TimeSpan.FromSeconds(5));
        // With the reserve the ends of what ran are recorded in it; without, they wait at the workers.
        int ended = swarm.Executions.Count;
        if (hasReserve)
            Assert.Equal(ended, AssertAllHaveEnded(swarm, id));
        JobId late = AssertRefused(swarm);
        Assert.Equal(ended, swarm.Executions.Count);
        disk.CapacityBytes = long.MaxValue;
        AssertGoesOn(swarm, late);
    }

    private static (SimulatedSwarm Swarm, JobId Job) Running(ulong seed)
    {
        var swarm = new SimulatedSwarm(seed, TwoCores, TwoCores) { RunsLike = (_, _) => (TimeSpan.FromMilliseconds(100), 0), ChecksInvariants = false };
        swarm.Scheduler.Crash(losePower: false);
        swarm.Scheduler.ReserveBytes = 2 << 20;
        swarm.Scheduler.Start();
        JobId id = swarm.Submit(Jobs.Of("first", Tasks));
        Assert.True(swarm.Simulation.RunUntil(() => Ended(swarm, id) >= 50, swarm.Simulation.Now + TimeSpan.FromMinutes(1)));
        return (swarm, id);
    }

    private static int AssertAllHaveEnded(SimulatedSwarm swarm, JobId id)
    {
        Assert.Equal(0, swarm.Workers.Values.Sum(w => w.Running));
        Assert.InRange(swarm.Executions.Count, 50, Tasks - 1);
        Assert.Equal(swarm.Executions.Count, Ended(swarm, id));
        return swarm.Executions.Count;
    }

    private static JobId AssertRefused(SimulatedSwarm swarm)
    {
        int before = swarm.Scheduler.Replies.Count;
        JobId late = swarm.Submit(Jobs.Of("late", 1));
        swarm.RunFor(TimeSpan.FromSeconds(20));
        Assert.Equal(before + 1, swarm.Scheduler.Replies.Count);
        Assert.Equal(RefusedBecause.NoRoom, Assert.IsType<SchedulerReply.Refused>(swarm.Scheduler.Replies[^1]).Because);
        return late;
    }

    private static void AssertGoesOn(SimulatedSwarm swarm, JobId late)
    {
        Assert.True(swarm.Simulation.RunUntil(() => swarm.Workers.Values.Sum(w => w.Running) == 4, swarm.Simulation.Now + TimeSpan.FromSeconds(3)), "nothing was placed");
        Assert.Contains(ReservedStorage.FileName, swarm.Scheduler.Storage.List());
        swarm.Resubmit(late);
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)));
        Assert.Equal(Tasks + 1, swarm.Executions.Count);
        Assert.All(swarm.Executions.Values, runs => Assert.Single(runs));
    }

    private static int Ended(SimulatedSwarm swarm, JobId id) =>
        swarm.Scheduler.State!.TryGet(id, out JobRun? job) ? job.Tasks.CountOf(TaskState.Succeeded) : 0;
}
