using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Simulator.Scenarios;

namespace Drap.Simulator.Hunting;

/// <summary>Smaller scenarios than one, each by one step: without a part, or with less of it. What fails still is shrunk further.</summary>
internal static class Shrinker
{
    /// <summary>One step smaller each, the largest steps first.</summary>
    public static IEnumerable<ScenarioSpec> Smaller(ScenarioSpec s)
    {
        foreach (ImmutableArray<FaultSpec> faults in Fewer(s.Faults))
            yield return s with { Faults = faults };
        if (s.Work.Length > 1)
            foreach (ImmutableArray<WorkSpec> work in Fewer(s.Work))
                if (!work.IsEmpty)
                    yield return s with { Work = work };
        if (s.Workers.Length > 1)
            foreach (ImmutableArray<WorkerGroupSpec> workers in Fewer(s.Workers))
                if (!workers.IsEmpty && Named(s, workers, s.Schedulers))
                    yield return s with { Workers = workers };
        if (s.Schedulers.Length > 1)
            foreach (ImmutableArray<SchedulerGroupSpec> schedulers in Fewer(s.Schedulers))
                if (!schedulers.IsEmpty && Named(s, s.Workers, schedulers))
                    yield return s with { Schedulers = schedulers };
        if (s.Duration > TimeSpan.FromSeconds(2))
            yield return s with { Duration = s.Duration / 2 };
        foreach (ImmutableArray<WorkerGroupSpec> workers in Changed(s.Workers, Smaller))
            yield return s with { Workers = workers };
        foreach (ImmutableArray<SchedulerGroupSpec> schedulers in Changed(s.Schedulers, Smaller))
            yield return s with { Schedulers = schedulers };
        foreach (ImmutableArray<WorkSpec> work in Changed(s.Work, Smaller))
            yield return s with { Work = work };
        foreach (ImmutableArray<FaultSpec> faults in Changed(s.Faults, Smaller))
            yield return s with { Faults = faults };
        var plain = new NetworkSpec();
        if (s.Network != plain)
            yield return s with { Network = plain };
        if (s.Network.Loss.Millionths > 0)
            yield return s with { Network = s.Network with { Loss = default } };
    }

    private static IEnumerable<ImmutableArray<T>> Fewer<T>(ImmutableArray<T> all)
    {
        if (all.Length > 3)
        {
            yield return all[..(all.Length / 2)];
            yield return all[(all.Length / 2)..];
        }
        for (int i = 0; i < all.Length; i++)
            yield return all.RemoveAt(i);
    }

    private static IEnumerable<ImmutableArray<T>> Changed<T>(ImmutableArray<T> all, Func<T, IEnumerable<T>> smaller)
    {
        for (int i = 0; i < all.Length; i++)
            foreach (T one in smaller(all[i]))
                yield return all.SetItem(i, one);
    }

    /// <summary>Whether what the faults name is still there.</summary>
    private static bool Named(ScenarioSpec s, ImmutableArray<WorkerGroupSpec> workers, ImmutableArray<SchedulerGroupSpec> schedulers) => s.Faults.All(f =>
        f.To.Length == 0 || workers.Any(w => w.Name == f.To || w.Region == f.To) || schedulers.Any(c => c.Name == f.To || c.Region == f.To));

    private static IEnumerable<WorkerGroupSpec> Smaller(WorkerGroupSpec w)
    {
        if (w.Count > 1)
            yield return w with { Count = w.Count / 2 };
        if (w.Count > 2)
            yield return w with { Count = w.Count - 1 };
        if (w.Churn is not null)
            yield return w with { Churn = null };
        if (w.Gpu is not null)
            yield return w with { Gpu = null };
        if (w.Speed != Ratio.One || w.Price != Ratio.One)
            yield return w with { Speed = Ratio.One, Price = Ratio.One };
    }

    private static IEnumerable<SchedulerGroupSpec> Smaller(SchedulerGroupSpec s)
    {
        if (s.Count > 1)
            yield return s with { Count = 1 };
        if (s.From > TimeSpan.Zero)
            yield return s with { From = TimeSpan.Zero };
    }

    private static IEnumerable<WorkSpec> Smaller(WorkSpec w)
    {
        int most = w.TasksMax ?? 256;
        if (most > 1)
            yield return w with { TasksMax = most / 2 };
        if (most is > 2 and <= 16)
            yield return w with { TasksMax = most - 1 };
        if (w.Tasks.Mean > 1)
            yield return w with { Tasks = new SizeSpec { Mean = w.Tasks.Mean / 2 } };
        if (w.Stages > 1)
            yield return w with { Stages = w.Stages - 1 };
        if (w.Gang > 2)
            yield return w with { Gang = w.Gang / 2 };
        if (w.Gang > 0)
            yield return w with { Gang = 0 };
        if (w.Exclusive)
            yield return w with { Exclusive = false };
        if (w.Files)
            yield return w with { Files = false };
        if (w.Fails.Millionths > 0)
            yield return w with { Fails = default };
        if (w.Deadline is not null || w.Budget is not null)
            yield return w with { Deadline = null, Budget = null };
        if (w.OnSchedulerLost != OnSchedulerLost.Finish || w.Priority != 0 || w.Estimated)
            yield return w with { OnSchedulerLost = OnSchedulerLost.Finish, Priority = 0, Estimated = false };
        if (w.Duration.Kind != DurationSpread.Fixed)
            yield return w with { Duration = w.Duration with { Kind = DurationSpread.Fixed } };
        if (w.Arrivals == Arrival.Bursts)
            yield return w with { Arrivals = Arrival.Even };
    }

    private static IEnumerable<FaultSpec> Smaller(FaultSpec f)
    {
        if (f.For > TimeSpan.FromMilliseconds(200))
            yield return f with { For = f.For / 2 };
        if (f.At > TimeSpan.FromSeconds(1))
            yield return f with { At = f.At / 2 };
    }
}
