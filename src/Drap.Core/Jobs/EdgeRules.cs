namespace Drap.Core.Jobs;

/// <summary>What must hold of the edges between segments.</summary>
internal static class EdgeRules
{
    // Chosen producers are kept one by one (4 bytes each): 64 MiB for a job.
    private const int chosenMax = 16 * 1024 * 1024;

    public static void Check(SegmentSpec segment, string path, Dictionary<string, SegmentSpec> segments, RuleChecker problems)
    {
        problems.Require(segment.Needs.Length <= JobLimits.EntriesMax, $"{path}.needs", $"{segment.Needs.Length} of them", $"at most {JobLimits.EntriesMax}");
        for (int i = 0; i < segment.Needs.Length; i++)
        {
            NeedSpec need = segment.Needs[i];
            string at = $"{path}.needs[{i}]";
            if (Known(need.Segment, $"{at}.segment"))
                CheckPick(segment, segments[need.Segment], need.Tasks, $"{at}.tasks", problems);
        }
        foreach ((string name, InputSpec input) in segment.Inputs)
        {
            if (input.From is null)
                continue;
            string at = $"{path}.inputs.{name}.from";
            bool reads = OutputRef.TryParse(input.From, out OutputRef? from);
            problems.Require(reads, at, $"found '{input.From}'", OutputRef.Form);
            if (!reads || !Known(from!.Segment, at))
                continue;
            SegmentSpec producer = segments[from.Segment];
            CheckOutput(segment, producer, from, at, problems);
            CheckPick(segment, producer, input.Tasks, $"{path}.inputs.{name}.tasks", problems);
        }

        bool Known(string name, string at)
        {
            bool known = segments.ContainsKey(name);
            problems.Require(known, at, $"no segment '{name}'", FieldWords.Instead(name, segments.Keys.Where(s => s != segment.Name).Order(StringComparer.Ordinal)));
            return known;
        }
    }

    /// <summary>The output must be there; where its name depends on the task, for each task.</summary>
    private static void CheckOutput(SegmentSpec segment, SegmentSpec producer, OutputRef from, string at, RuleChecker problems)
    {
        int tasks = from.Output is not null ? 1 : Math.Min(JobForm.TaskCount(segment), JobLimits.TasksMax);
        for (int index = 0; index < tasks; index++)
        {
            bool resolves = from.TryResolve(index, JobForm.Number(segment, index), out string? output, out string? error);
            if (resolves && producer.Outputs.ContainsKey(output!))
                continue;
            problems.Require(
                false, at, error ?? $"'{producer.Name}' has no output '{output}'",
                producer.Outputs.Count == 0 ? "an output; it has none" : FieldWords.Instead(output ?? "", producer.Outputs.Keys));
            return;
        }
    }

    /// <summary>Names one cycle, if there is any: a → b → a.</summary>
    public static void CheckCycles(JobSpec job, RuleChecker problems)
    {
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < job.Segments.Length; i++)
            places.TryAdd(job.Segments[i].Name, i);
        int[] state = new int[job.Segments.Length];
        for (int start = 0; start < state.Length; start++)
        {
            // Depth first without recursion: on the path 1, done 2.
            var path = new List<(int Segment, int[] Producers, int Next)>();
            Enter(start);
            while (path.Count > 0)
            {
                (int segment, int[] producers, int next) = path[^1];
                if (next == producers.Length)
                {
                    state[segment] = 2;
                    path.RemoveAt(path.Count - 1);
                    continue;
                }
                path[^1] = (segment, producers, next + 1);
                if (state[producers[next]] == 1)
                {
                    IEnumerable<int> cycle = path.Select(p => p.Segment).SkipWhile(s => s != producers[next]).Append(producers[next]);
                    problems.Require(
                        false, $"segments[{producers[next]}]", "a cycle: " + string.Join(" → ", cycle.Select(s => job.Segments[s].Name)),
                        "segments that need each other in one direction");
                    return;
                }
                Enter(producers[next]);
            }

            void Enter(int segment)
            {
                if (state[segment] != 0)
                    return;
                state[segment] = 1;
                path.Add((segment, [.. JobGraph.Edges(job.Segments[segment]).Where(e => places.ContainsKey(e.Producer)).Select(e => places[e.Producer])], 0));
            }
        }
    }

    /// <summary>Evaluates every expression that chooses tasks, so that none fails when the job runs.</summary>
    public static void CheckChosen(JobSpec job, RuleChecker problems)
    {
        if (!JobGraph.TryBuild(job, out JobGraph? graph))
            return;
        long chosen = 0;
        var ranges = new List<(int First, int Last)>();
        for (int segment = 0; segment < graph.SegmentCount; segment++)
        {
            foreach (JobEdge edge in graph.EdgesInto(segment).Where(e => e.Pick.Kind == PickKind.Chosen))
            {
                for (int index = 0; index < graph.CountOf(segment); index++)
                {
                    string at = $"segments[{segment}]", producer = job.Segments[edge.Producer].Name;
                    ranges.Clear();
                    if (!edge.Pick.TryChoose(index, JobForm.Number(job.Segments[segment], index), graph.CountOf(edge.Producer), ranges, out string? error))
                    {
                        problems.Require(false, at, $"task {index} of '{producer}': {error}", TaskPick.Form);
                        return;
                    }
                    long own = ranges.Sum(r => (long)r.Last - r.First + 1);
                    chosen += own;
                    problems.Require(own > 0, at, $"the task with index {index} chooses none of the {graph.CountOf(edge.Producer)} tasks of '{producer}'", "indices that there are");
                    problems.Require(own <= JobLimits.PickedMax, at, $"the task with index {index} chooses {own} tasks of '{producer}'", $"at most {JobLimits.PickedMax}; or all");
                    if (own == 0 || own > JobLimits.PickedMax || chosen > chosenMax)
                        break;
                }
            }
        }
        problems.Require(chosen <= chosenMax, "segments", $"more than {chosenMax} chosen tasks in all", "fewer; or all");
    }

    private static void CheckPick(SegmentSpec segment, SegmentSpec producer, string tasks, string path, RuleChecker problems)
    {
        if (!TaskPick.TryParse(tasks, out TaskPick? pick, out string? error))
            problems.Require(false, path, error, TaskPick.Form);
        else if (pick.Kind == PickKind.Same)
            problems.Require(
                JobForm.TaskCount(segment) == JobForm.TaskCount(producer), path,
                $"same, where '{segment.Name}' has {JobForm.TaskCount(segment)} tasks and '{producer.Name}' has {JobForm.TaskCount(producer)}",
                "same between segments of one size");
    }
}
