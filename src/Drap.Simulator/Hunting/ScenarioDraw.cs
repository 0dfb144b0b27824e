using System.Collections.Immutable;
using System.Globalization;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Simulator.Scenarios;

namespace Drap.Simulator.Hunting;

/// <summary>How large scenarios are that are drawn.</summary>
/// <param name="Workers">The least and the most workers.</param>
/// <param name="Tasks">At least so many tasks come.</param>
/// <param name="Faults">The least and the most faults; each is of another kind as long as there are more kinds.</param>
public sealed record DrawSize((int Least, int Most) Workers, int Tasks, (int Least, int Most) Faults)
{
    /// <summary>What a hunt runs: small, so that many are, and what fails is easily read.</summary>
    public static readonly DrawSize Hunt = new((2, 24), 60, (0, 6));
}

/// <summary>Draws a scenario from a seed: who is there, what comes, what breaks. The same seed draws the same.</summary>
public static class ScenarioDraw
{
    /// <summary>Less than the margin of a lease's end: only so late may a message come for exclusive tasks to be exclusive (docs/protocol/leases.md).</summary>
    private const int LatestMillis = 800;

    private static readonly string[] regions = ["east", "west"];

    /// <summary>A scenario.</summary>
    public static ScenarioSpec Draw(ulong seed, DrawSize size)
    {
        var prng = new Prng(seed * 0x9E3779B97F4A7C15 + 5);
        int workers = (int)prng.Between(size.Workers.Least, size.Workers.Most);
        int places = prng.Chance(2, 3) ? 2 : 1;
        TimeSpan duration = TimeSpan.FromSeconds(prng.Between(20, 90));
        ImmutableArray<WorkerGroupSpec> groups = [.. Shares(workers, 1 + prng.Below(Math.Min(3, workers)), prng).Select((count, i) => DrawWorkers(prng, i, count, places))];
        ImmutableArray<SchedulerGroupSpec> schedulers = [.. Enumerable.Range(0, 1 + prng.Below(2)).Select(i => DrawSchedulers(prng, i, places))];
        long cores = groups.Sum(g => g.Count * g.Cpu.Milli) / 1000;
        ImmutableArray<WorkSpec> work =
        [
            DrawBulk(prng, Math.Max(size.Tasks, workers), cores, duration),
            .. Enumerable.Range(0, 1 + prng.Below(4)).Select(i => DrawWork(prng, i, groups, duration)),
        ];
        return new ScenarioSpec
        {
            Name = string.Create(CultureInfo.InvariantCulture, $"hunt-{seed}"),
            Seed = (long)(seed & long.MaxValue),
            Duration = duration,
            Settle = TimeSpan.FromHours(6),
            Checks = true,
            Workers = groups,
            Schedulers = schedulers,
            Work = work,
            Network = DrawNetwork(prng),
            Faults = DrawFaults(prng, (int)prng.Between(size.Faults.Least, size.Faults.Most), duration, groups),
        };
    }

    private static IEnumerable<int> Shares(int all, int parts, Prng prng)
    {
        for (int left = parts; left > 1; left--)
        {
            int share = 1 + prng.Below(all - left + 1);
            all -= share;
            yield return share;
        }
        yield return all;
    }

    private static WorkerGroupSpec DrawWorkers(Prng prng, int number, int count, int places)
    {
        int cores = Of(prng, 1, 2, 4, 8);
        return new WorkerGroupSpec
        {
            Name = string.Create(CultureInfo.InvariantCulture, $"w{number + 1}-"),
            Count = count,
            Region = regions[prng.Below(places)],
            Cpu = new Cores(cores * 1000),
            Memory = new ByteSize((long)cores << 31),
            // What is kept for devices is at most half of a worker: each has room for a whole core beside it.
            Gpu = cores >= 4 && prng.Chance(1, 3) ? new GpuSpec { Count = 1 + prng.Below(2), Memory = new ByteSize(8L << 30) } : null,
            Price = new Ratio(1_000_000 * Of(prng, 1, 1, 2) / Of(prng, 1, 2)),
            Speed = new Ratio(1_000_000 * Of(prng, 1, 1, 2) / Of(prng, 1, 1, 2)),
            Churn = prng.Chance(1, 8) ? new ChurnSpec { Up = TimeSpan.FromSeconds(prng.Between(20, 120)), Down = TimeSpan.FromSeconds(prng.Between(1, 60)), Drains = new Ratio(500_000) } : null,
        };
    }

    private static SchedulerGroupSpec DrawSchedulers(Prng prng, int number, int places) => new()
    {
        Name = string.Create(CultureInfo.InvariantCulture, $"s{number + 1}"),
        Count = 1 + prng.Below(2),
        Region = regions[prng.Below(places)],
        From = prng.Chance(1, 6) ? TimeSpan.FromSeconds(prng.Below(10)) : TimeSpan.Zero,
        Sync = TimeSpan.FromMilliseconds(Of(prng, 1, 1, 5, 40)),
    };

    /// <summary>Plain tasks, as many as are wanted.</summary>
    private static WorkSpec DrawBulk(Prng prng, int tasks, long cores, TimeSpan duration)
    {
        // At most three quarters of all cores for as long as they come, or it takes hours of virtual time to end.
        double most = 0.75 * cores * duration.TotalSeconds / tasks;
        double seconds = Math.Min(Of(prng, 10, 300, 2_000, 8_000) / 1000.0, most);
        // At most about a hundred jobs.
        int size = Math.Min(Math.Max(Of(prng, 1, 5, 20), tasks / 100), tasks);
        return new WorkSpec
        {
            Name = "bulk",
            Arrivals = Arrival.Even,
            // A little more than wanted: what comes evenly may miss its last.
            Rate = new Ratio((long)(1.1e6 * tasks / size / duration.TotalSeconds) + 100_000),
            TasksMax = tasks,
            Tasks = new SizeSpec { Mean = size },
            Duration = new DurationSpec { Kind = prng.Chance(1, 2) ? DurationSpread.Exponential : DurationSpread.Fixed, Median = TimeSpan.FromSeconds(Math.Max(seconds, 0.005)), Max = TimeSpan.FromMinutes(5) },
            Fails = new Ratio(prng.Chance(1, 3) ? 50_000 : 0),
        };
    }

    private static WorkSpec DrawWork(Prng prng, int number, ImmutableArray<WorkerGroupSpec> groups, TimeSpan duration)
    {
        int workers = groups.Sum(g => g.Count);
        bool isGang = workers > 1 && prng.Chance(1, 4);
        bool wantsGpu = !isGang && groups.Any(g => g.Gpu is not null) && prng.Chance(1, 2);
        int stages = prng.Chance(1, 2) ? 1 : 2 + prng.Below(3);
        return new WorkSpec
        {
            Name = string.Create(CultureInfo.InvariantCulture, $"k{number + 1}"),
            Arrivals = prng.Chance(1, 4) ? Arrival.Bursts : Arrival.Poisson,
            Every = TimeSpan.FromSeconds(prng.Between(5, 30)),
            Rate = new Ratio((long)(1e6 * (1 + prng.Below(6)) / duration.TotalSeconds)),
            Gang = isGang ? 2 + prng.Below(Math.Min(workers - 1, 6)) : 0,
            Tasks = new SizeSpec { Kind = SizeSpread.Geometric, Mean = 1 + prng.Below(6), Max = 30 },
            Stages = stages,
            Edge = prng.Chance(1, 2) ? StageEdge.All : StageEdge.Same,
            Files = prng.Chance(1, 2),
            Exclusive = !isGang && prng.Chance(1, 2),
            Resources = wantsGpu ? new ResourcesSpec { Cpu = new Cores(500), Gpu = new GpuSpec { Count = 1 } } : new ResourcesSpec { Cpu = new Cores(Of(prng, 250, 500, 1000)) },
            Duration = new DurationSpec { Kind = DurationSpread.Exponential, Median = TimeSpan.FromMilliseconds(Of(prng, 5, 500, 4_000, 20_000)), Max = TimeSpan.FromMinutes(2) },
            Fails = new Ratio(prng.Chance(1, 3) ? 100_000 : 0),
            Retries = prng.Below(4),
            Estimated = prng.Chance(1, 3),
            Deadline = prng.Chance(1, 8) ? TimeSpan.FromSeconds(prng.Between(1, 60)) : null,
            Budget = prng.Chance(1, 8) ? new Credits(prng.Between(1, 50_000)) : null,
            Priority = prng.Below(3),
            OnSchedulerLost = prng.Chance(1, 5) ? OnSchedulerLost.Stop : OnSchedulerLost.Finish,
        };
    }

    private static NetworkSpec DrawNetwork(Prng prng) => new()
    {
        Near = TimeSpan.FromMilliseconds(Of(prng, 1, 2, 10)),
        Far = TimeSpan.FromMilliseconds(Of(prng, 20, 80, 150)),
        Loss = new Ratio(Of(prng, 0, 0, 1_000, 20_000)),
        Handshake = Of(prng, 0, 4),
    };

    private static ImmutableArray<FaultSpec> DrawFaults(Prng prng, int count, TimeSpan duration, ImmutableArray<WorkerGroupSpec> groups)
    {
        Fault[] kinds = Enum.GetValues<Fault>();
        prng.Shuffle(kinds.AsSpan());
        var faults = ImmutableArray.CreateBuilder<FaultSpec>(count);
        for (int i = 0; i < count; i++)
        {
            Fault kind = kinds[i % kinds.Length];
            bool isOfMessages = kind is Fault.MessagesLost or Fault.MessagesDoubled or Fault.MessagesLate;
            bool isOfWorkers = kind is Fault.WorkersDie or Fault.WorkersFreeze;
            faults.Add(new FaultSpec
            {
                Kind = kind,
                At = TimeSpan.FromMilliseconds(prng.Between(0, (long)duration.TotalMilliseconds)),
                // Shorter than a lease, or a little longer: what matters happens when it ends.
                For = TimeSpan.FromMilliseconds(prng.Chance(1, kind == Fault.Partition ? 3 : 2) ? prng.Between(50, Of(prng, 2_000, 30_000)) : prng.Between(30_000, 60_000)),
                To = kind == Fault.Partition ? groups[prng.Below(groups.Length)].Region : isOfWorkers && prng.Chance(1, 3) ? groups[prng.Below(groups.Length)].Name : "",
                Share = new Ratio(isOfMessages ? Of(prng, 10_000, 100_000, 300_000) : isOfWorkers ? Of(prng, 100_000, 500_000, 1_000_000) : 1_000_000),
                By = kind == Fault.ClocksJump ? TimeSpan.FromSeconds(prng.Between(1, 100_000)) : TimeSpan.FromMilliseconds(prng.Between(1, LatestMillis)),
            });
        }
        return faults.MoveToImmutable();
    }

    private static int Of(Prng prng, params ReadOnlySpan<int> of) => of[prng.Below(of.Length)];
}
