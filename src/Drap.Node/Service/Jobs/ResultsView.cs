using System.Collections.Immutable;
using Drap.Api;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using CoreState = Drap.Core.Jobs.TaskState;

namespace Drap.Node.Service;

/// <summary>What a job gives back: the outputs of its finished tasks that are results, each where it is to go.</summary>
internal static class ResultsView
{
    /// <summary>On the loop's thread: only the outputs are taken along.</summary>
    public static (JobSpec Spec, List<(int Number, ImmutableArray<TaskOutput> Outputs)> Tasks) Take(JobRun job)
    {
        var tasks = new List<(int, ImmutableArray<TaskOutput>)>();
        foreach (SegmentRun segment in job.Segments)
            if (segment.Spec.Outputs.Values.Any(o => o.Result == true))
                for (int number = segment.First; number < segment.First + segment.Count; number++)
                    if (job.Tasks.State(number) == CoreState.Succeeded && job.Tasks.Outputs(number) is { IsEmpty: false } outputs)
                        tasks.Add((number, outputs));
        return (job.Spec, tasks);
    }

    public static ImmutableArray<ResultItem> Make(JobSpec spec, List<(int Number, ImmutableArray<TaskOutput> Outputs)> tasks, Func<Cid, bool> isFolder)
    {
        // Only what names the results: a task's inputs and command are of no matter here.
        bool built = JobGraph.TryBuild(spec with
        {
            Segments = [.. spec.Segments.Select(s => s with
            {
                Inputs = JobJson.EmptyMap<InputSpec>(),
                Env = JobJson.EmptyMap<string>(),
                Needs = [],
                Command = null,
                Check = null,
                Outputs = s.Outputs.Where(o => o.Value.Result == true).ToImmutableSortedDictionary(StringComparer.Ordinal),
            })],
        }, out JobGraph? graph);
        Invariant.Check(built);
        var items = ImmutableArray.CreateBuilder<ResultItem>();
        foreach ((int number, ImmutableArray<TaskOutput> outputs) in tasks)
        {
            (int segment, int index) = graph!.Locate(number);
            if (!JobTasks.TryMake(graph, segment, index, 0, NoOutputs, out TaskSpec? task, out _))
                continue;
            foreach (TaskOutput output in outputs.OrderBy(o => o.Name, StringComparer.Ordinal))
                if (task.Outputs.TryGetValue(output.Name, out OutputSpec? declared))
                    items.Add(new ResultItem
                    {
                        Path = declared.To,
                        Task = number,
                        Cid = output.Content,
                        Bytes = output.Bytes,
                        Folder = isFolder(output.Content),
                        Executable = output.Executable,
                    });
        }
        return items.DrainToImmutable();
    }

    private static bool NoOutputs(int segment, int index, string output, out string cid, out bool executable)
    {
        (cid, executable) = ("", false);
        return false;
    }
}
