using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;

namespace Drap.Node.Service;

/// <summary>
/// Makes a plan of what the market quotes: each segment's tasks are spread over the places offered as these are many, in rounds as long as a
/// task; a segment begins when those that it needs have ended. A forecast in the manner of a person with a pencil; it binds nobody.
/// </summary>
internal static class Planner
{
    public static PlanDocument Plan(JobSpec job, ImmutableArray<SegmentQuotes> quotes, Func<PeerId, string> nameOf)
    {
        var ends = new TimeSpan?[job.Segments.Length];
        bool built = JobGraph.TryBuild(job, out JobGraph? graph);
        Invariant.Check(built);
        foreach (int index in InOrder(graph!))
            ends[index] = EndOf(job.Segments[index], quotes[index], Start(graph!, index, ends));
        ImmutableArray<SegmentPlan> segments =
            [.. job.Segments.Select((s, i) => Plan(s, quotes[i], nameOf) with { StartSeconds = FirstStart(quotes[i]) + Start(graph!, i, ends) })];
        long cost = 0;
        foreach (SegmentPlan segment in segments)
            cost += segment.Cost?.Micro ?? 0;
        return new PlanDocument
        {
            Name = job.Name,
            Tasks = graph!.TaskCount,
            Segments = segments,
            Cost = segments.All(s => s.Cost is not null) ? new Credits(cost) : null,
            Budget = job.Budget,
            EndSeconds = ends.All(e => e is not null) ? ends.Max() : null,
        };
    }

    private static SegmentPlan Plan(SegmentSpec segment, SegmentQuotes quotes, Func<PeerId, string> nameOf)
    {
        int tasks = JobForm.TaskCount(segment);
        TimeSpan estimate = segment.Estimate ?? TimeSpan.Zero;
        return new SegmentPlan
        {
            Name = segment.Name,
            Tasks = tasks,
            Bid = segment.Bid ?? quotes.Bid,
            EstimateSeconds = segment.Estimate,
            Cost = CostOf(quotes, estimate, tasks),
            Nodes = [.. quotes.Answers.GroupBy(a => a.Worker)
                .Select(a => Verdicts.Of(nameOf(a.Key), a.Key, [.. a], estimate, quotes.Bid))
                .OrderBy(n => n.ExpectedCost?.Micro ?? long.MaxValue).ThenBy(n => n.Node, StringComparer.Ordinal)],
        };
    }

    /// <summary>One of each worker: what it says to several ways of running a task it can do but once.</summary>
    private static IEnumerable<OfferEntry> Offers(SegmentQuotes quotes) =>
        quotes.Answers.Where(a => a.Offer is { Count: > 0 }).GroupBy(a => a.Worker).Select(w => w.Select(a => a.Offer!).MinBy(o => o.Ask)!);

    private static Credits? CostOf(SegmentQuotes quotes, TimeSpan estimate, int tasks)
    {
        Int128 places = 0, micro = 0;
        foreach (OfferEntry offer in Offers(quotes))
        {
            places += offer.Count;
            micro += (Int128)offer.Ask.For(Verdicts.RunTime(offer, estimate)).Micro * offer.Count;
        }
        return places == 0 ? null : new Credits((long)Int128.Min(micro * tasks / places, Credits.LimitMax.Micro));
    }

    private static TimeSpan? FirstStart(SegmentQuotes quotes)
    {
        TimeSpan[] starts = [.. Offers(quotes).Select(o => o.Start)];
        return starts.Length == 0 ? null : starts.Min();
    }

    private static TimeSpan? EndOf(SegmentSpec segment, SegmentQuotes quotes, TimeSpan? start)
    {
        OfferEntry[] offers = [.. Offers(quotes)];
        TimeSpan run = offers.Select(o => o.Measured).Append(segment.Estimate ?? TimeSpan.Zero).Max();
        long places = offers.Sum(o => (long)o.Count);
        if (segment.Concurrency is { } most)
            places = Math.Min(places, most);
        // Without an estimate nobody can say: a minute is good enough to compare prices with, not to promise an end.
        if (places == 0 || run == TimeSpan.Zero || start is null)
            return null;
        long rounds = (JobForm.TaskCount(segment) + places - 1) / places;
        double seconds = rounds * run.TotalSeconds;
        return seconds < TimeSpan.MaxValue.TotalSeconds / 2 ? start + FirstStart(quotes) + TimeSpan.FromSeconds(seconds) : null;
    }

    private static TimeSpan? Start(JobGraph graph, int segment, TimeSpan?[] ends)
    {
        TimeSpan? start = TimeSpan.Zero;
        foreach (JobEdge edge in graph.EdgesInto(segment))
            if (edge.Producer != segment)
                start = ends[edge.Producer] is { } end && start is { } so ? (end > so ? end : so) : null;
        return start;
    }

    /// <summary>Segments, each after those that it needs; a segment that needs earlier tasks of its own is no obstacle.</summary>
    private static List<int> InOrder(JobGraph graph)
    {
        var order = new List<int>();
        var state = new byte[graph.SegmentCount];
        for (int segment = 0; segment < graph.SegmentCount; segment++)
            Visit(segment);
        return order;

        void Visit(int segment)
        {
            if (state[segment] != 0)
                return;
            state[segment] = 1;
            foreach (JobEdge edge in graph.EdgesInto(segment))
                Visit(edge.Producer);
            order.Add(segment);
        }
    }
}
