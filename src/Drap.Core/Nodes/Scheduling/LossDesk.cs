using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Outputs that a task needs and that are nowhere to be had any more: who made them runs again, and then the task. What the job brought
/// itself nobody can make again; such a task fails.
/// </summary>
internal sealed class LossDesk(SchedulerContext context, PlacementDesk placement)
{
    /// <summary>
    /// How often a task runs again since its outputs were lost. A disk that dies, a machine that is taken away: once; what is lost more often
    /// than this lies where nothing stays.
    /// </summary>
    public const int LossesMax = 3;

    /// <summary>Whether the job brought one of these itself, as an input of this task.</summary>
    public static bool IsBrought(JobRun job, int number, ImmutableArray<MissingInput> missing)
    {
        (int segment, int index) = job.Graph.Locate(number);
        SegmentSpec spec = job.Graph.Job.Segments[segment];
        IEnumerable<string?> brought = spec.Inputs.Values.Where(i => i.From is null).Select(i => i.Cid);
        if (spec.Files is { } files)
            brought = brought.Concat(files.Sets[index].Files.Select(f => f.Cid));
        HashSet<string> names = [.. missing.Select(m => m.Content.ToString())];
        return brought.Any(cid => cid is not null && names.Contains(cid));
    }

    /// <summary>A task could not have some of its inputs: whoever made them runs again, or has lost them too often and fails.</summary>
    public void Reopen(JobRun job, int number, ImmutableArray<MissingInput> missing)
    {
        SortedSet<int> lost = ProducersOf(job, number, [.. missing.Select(m => m.Content)]);
        if (lost.Count == 0)
            return;
        context.Record(new SchedulerRecord.OutputsLost(job.Id, context.Utc, [.. lost]));
        context.Emit(new SchedulerEffect.Observe(new SchedulerObservation.OutputsLost(job.Id, [.. lost], number)));
        placement.ForgetTemplates(job);
        placement.Block(job, job.OnOutputsLost(lost));
        foreach (int producer in lost)
            context.Touch(job, producer);
        ImmutableArray<int> hopeless = [.. lost.Where(n => job.Tasks.Losses(n) > LossesMax)];
        if (!hopeless.IsEmpty)
            context.Record(new SchedulerRecord.Closed(job.Id, context.Utc, TaskState.Failed,
                $"its outputs were lost {LossesMax + 1} times: where they are kept nothing stays", hopeless));
        foreach (int producer in lost)
            job.Reopen(producer, placement.Ready);
    }

    /// <summary>Those that the task needs and that made one of these; of a gang all ranks, since it runs as a whole.</summary>
    private static SortedSet<int> ProducersOf(JobRun job, int number, HashSet<Cid> missing)
    {
        (int segment, int index) = job.Graph.Locate(number);
        var needs = new List<TaskRange>();
        job.Graph.Needs(segment, index, needs);
        var found = new SortedSet<int>();
        foreach (TaskRange range in needs)
            for (int producer = job.Graph.NumberOf(range.Segment, range.First); producer <= job.Graph.NumberOf(range.Segment, range.Last); producer++)
                if (job.Tasks.Outputs(producer).Any(o => missing.Contains(o.Content)))
                    found.UnionWith(job.SegmentOf(producer) is { Spec.Nodes: not null } gang ? Enumerable.Range(gang.First, gang.Count) : [producer]);
        found.RemoveWhere(n => job.Tasks.State(n) != TaskState.Succeeded);
        return found;
    }
}
