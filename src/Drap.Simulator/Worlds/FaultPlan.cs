using Drap.Simulator.Scenarios;

namespace Drap.Simulator.Worlds;

/// <summary>Lets happen what breaks in a world, and mends it.</summary>
internal static class FaultPlan
{
    /// <summary>How long a worker that says goodbye lets run what runs.</summary>
    private static readonly TimeSpan DrainTime = TimeSpan.FromMinutes(1);

    /// <summary>A scheduler that dies writing does so within so many calls to its disk.</summary>
    private const int CallsMax = 12;

    /// <summary>Plans one fault.</summary>
    public static void Arm(World world, FaultSpec fault, Prng prng) => world.Simulation.At(world.Start + fault.At, () =>
    {
        switch (fault.Kind)
        {
            case Fault.Partition:
                Partition(world, fault);
                break;
            case Fault.WorkersDie:
                foreach (WorldWorker worker in Drawn(WorkersOf(world, fault.To).Where(w => w.IsUp), fault.Share, prng))
                {
                    worker.Crash();
                    world.Simulation.After(fault.For, worker.Start);
                }
                break;
            case Fault.WorkersFreeze:
                foreach (WorldWorker worker in Drawn(WorkersOf(world, fault.To).Where(w => w.IsUp), fault.Share, prng))
                    worker.Freeze(fault.For);
                break;
            case Fault.SchedulersDieWriting:
                foreach (WorldScheduler scheduler in Drawn(SchedulersOf(world, fault.To).Where(s => s.State is not null), fault.Share, prng))
                    scheduler.CrashWriting(1 + prng.Below(CallsMax), fault.For);
                break;
            case Fault.MessagesLost or Fault.MessagesDoubled or Fault.MessagesLate:
                int share = (int)fault.Share.Millionths;
                world.Network.SetTrouble(
                    fault.Kind == Fault.MessagesLost ? share : 0, fault.Kind == Fault.MessagesDoubled ? share : 0, fault.Kind == Fault.MessagesLate ? share : 0, fault.By);
                world.Simulation.After(fault.For, () => world.Network.SetTrouble(0, 0, 0, TimeSpan.Zero));
                break;
            case Fault.ClocksJump:
                foreach (WorldWorker worker in Drawn(WorkersOf(world, fault.To), fault.Share, prng))
                    Jump(worker.SetClock);
                foreach (WorldScheduler scheduler in Drawn(SchedulersOf(world, fault.To), fault.Share, prng))
                    Jump(scheduler.SetClock);
                break;
            case Fault.SchedulersDie:
                foreach (WorldScheduler scheduler in Drawn(SchedulersOf(world, fault.To).Where(s => s.State is not null), fault.Share, prng))
                {
                    scheduler.Crash();
                    world.Simulation.After(fault.For, scheduler.Start);
                }
                break;
        }

        void Jump(Action<TimeSpan> set)
        {
            TimeSpan by = prng.Chance(1, 2) ? fault.By : -fault.By;
            set(by);
            world.Simulation.After(fault.For, () => set(-by));
        }
    });

    /// <summary>Lets a worker come and go as long as jobs come; then it stays.</summary>
    public static void Arm(World world, WorldWorker worker, ChurnSpec churn, Prng prng)
    {
        Instant end = world.Start + world.Scenario.Duration;
        world.Simulation.At(world.Start + Exponential(churn.Up), Leave);

        void Leave()
        {
            if (world.Now >= end || !worker.IsUp)
                return;
            TimeSpan away = Exponential(churn.Down);
            if (prng.Below(1_000_000) >= churn.Drains.Millionths)
            {
                Go(away);
                return;
            }
            worker.Drain(DrainTime);
            world.Simulation.After(DrainTime + TimeSpan.FromSeconds(1), () => Go(away));
        }

        void Go(TimeSpan away)
        {
            if (worker.IsUp)
                worker.Crash();
            world.Simulation.After(away, () =>
            {
                if (!worker.IsUp)
                    worker.Start();
                world.Simulation.After(Exponential(churn.Up), Leave);
            });
        }

        TimeSpan Exponential(TimeSpan mean)
        {
            double unit = ((prng.NextUInt64() >> 11) + 1) * (1.0 / (1UL << 53));
            return TimeSpan.FromSeconds(Math.Min(-Math.Log(unit) * mean.TotalSeconds, 1e7));
        }
    }

    private static void Partition(World world, FaultSpec fault)
    {
        // Where nobody is named, each region is alone.
        for (int i = 0; i < world.Regions.Length; i++)
            if (fault.To.Length == 0 || world.Regions[i] == fault.To)
                world.Network.SetSide(i, i + 1);
        world.Simulation.After(fault.For, () =>
        {
            for (int i = 0; i < world.Regions.Length; i++)
                world.Network.SetSide(i, 0);
        });
    }

    private static IEnumerable<WorldWorker> WorkersOf(World world, string to)
    {
        int first = world.Workers.Count == 0 ? 0 : world.Workers[0].Index;
        var groups = world.Scenario.Workers.SelectMany(g => Enumerable.Repeat(g, g.Count)).ToArray();
        return world.Workers.Where(w => to.Length == 0 || world.Regions[w.Region] == to || groups[w.Index - first].Name == to);
    }

    private static IEnumerable<WorldScheduler> SchedulersOf(World world, string to) =>
        world.Schedulers.Where(s => to.Length == 0 || s.Group == to || world.Regions[s.Region] == to);

    private static IEnumerable<T> Drawn<T>(IEnumerable<T> all, Ratio share, Prng prng)
    {
        T[] drawn = [.. all];
        prng.Shuffle(drawn.AsSpan());
        return drawn.Take((int)Math.Ceiling(drawn.Length * share.Value));
    }
}
