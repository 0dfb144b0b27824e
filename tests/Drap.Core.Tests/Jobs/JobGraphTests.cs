using Drap.Core.Jobs;
using Xunit;

namespace Drap.Core.Tests.Jobs;

public sealed class JobGraphTests
{
    private const string tree = """
        segments:
          - {name: a, count: 10, command: [x], outputs: {o: o}}
          - {name: b, count: 3, command: [x], inputs: {i: {from: a.o, tasks: "${{ 4 * index }}..${{ 4 * index + 3 }}"}}, outputs: {o: o}}
          - {name: c, count: 3, command: [x], needs: [{segment: b, tasks: same}]}
          - {name: d, command: [x], inputs: {i: {from: b.o}}, needs: [c]}
        """;

    [Fact]
    public void Tasks_are_numbered_through_the_segments()
    {
        JobGraph graph = Graph(tree);
        Assert.Equal(17, graph.TaskCount);
        Assert.Equal([(0, 0), (0, 9), (1, 0), (2, 2), (3, 0)], new[] { 1, 10, 11, 16, 17 }.Select(graph.Locate));
        for (int number = 1; number <= graph.TaskCount; number++)
        {
            (int segment, int index) = graph.Locate(number);
            Assert.Equal(number, graph.NumberOf(segment, index));
        }
    }

    [Fact]
    public void A_task_needs_what_its_edges_say()
    {
        JobGraph graph = Graph(tree);
        Assert.Equal([new TaskRange(0, 8, 9)], Needs(graph, 1, 2));
        Assert.Equal([new TaskRange(1, 1, 1)], Needs(graph, 2, 1));
        Assert.Equal([new TaskRange(2, 0, 2), new TaskRange(1, 0, 2)], Needs(graph, 3, 0));
        Assert.Empty(Needs(graph, 0, 5));
    }

    [Fact]
    public void Tasks_become_ready_when_all_that_they_need_is_complete()
    {
        var readiness = new TaskReadiness(Graph(tree));
        var ready = new List<int>();
        readiness.Start(ready);
        Assert.Equal(Enumerable.Range(1, 10), ready);
        Assert.Equal([11], Complete(readiness, 4, 3, 2, 1));
        Assert.Equal([13, 12], Complete(readiness, 10, 9, 8, 7, 6, 5));
        Assert.Equal([14], Complete(readiness, 11));
        var stopped = new List<int>();
        readiness.Reopen(11, stopped);
        Assert.Equal([14], stopped);
        Assert.False(readiness.IsReady(14));
        Assert.Equal([14], Complete(readiness, 11));
        Assert.Equal([15, 16], Complete(readiness, 12, 13));
        Assert.Equal([17], Complete(readiness, 14, 16, 15));
        Assert.Empty(Complete(readiness, 17));
        Assert.Equal(17, readiness.CompleteCount);
    }

    [Fact]
    public void A_failure_dooms_what_depends_on_it_and_nothing_else()
    {
        var readiness = new TaskReadiness(Graph(tree));
        var doomed = new List<int>();
        readiness.Doomed(5, doomed);
        Assert.Equal([12, 15, 17], doomed);
    }

    [Fact]
    public void Readiness_agrees_with_a_plain_model_on_random_graphs()
    {
        for (ulong seed = 1; seed <= 200; seed++)
        {
            var random = new Prng(seed);
            JobGraph graph = Graph(RandomJob(random));
            var readiness = new TaskReadiness(graph);
            var complete = new HashSet<int>();
            var ready = new SortedSet<int>();
            var found = new List<int>();
            readiness.Start(found);
            ready.UnionWith(found);
            while (ready.Count > 0)
            {
                Assert.True(Model(graph, complete).SequenceEqual(ready), $"seed {seed}");
                int next = ready.ElementAt((int)(random.NextUInt64() % (ulong)ready.Count));
                ready.Remove(next);
                complete.Add(next);
                found.Clear();
                readiness.Complete(next, found);
                ready.UnionWith(found);
            }
            Assert.True(complete.Count == graph.TaskCount, $"seed {seed}");
        }
    }

    [Fact]
    public void An_edge_from_all_to_all_of_100_000_tasks_costs_as_much_as_one()
    {
        JobGraph graph = Graph("""
            segments:
              - {name: a, count: 100000, command: [x]}
              - {name: b, count: 100000, command: [x], needs: [a]}
            """);
        var readiness = new TaskReadiness(graph);
        var ready = new List<int>();
        readiness.Start(ready);
        Assert.Equal(100_000, ready.Count);
        foreach (int number in ready.ToArray())
            readiness.Complete(number, ready);
        Assert.Equal(200_000, ready.Count);
    }

    private static IEnumerable<int> Model(JobGraph graph, HashSet<int> complete)
    {
        for (int number = 1; number <= graph.TaskCount; number++)
        {
            (int segment, int index) = graph.Locate(number);
            bool open = Needs(graph, segment, index)
                .SelectMany(r => Enumerable.Range(graph.NumberOf(r.Segment, r.First), r.Last - r.First + 1)).Any(n => !complete.Contains(n));
            if (!open && !complete.Contains(number))
                yield return number;
        }
    }

    private static string RandomJob(Prng random)
    {
        int segments = 1 + Draw(5);
        int width = 1 + Draw(6);
        string yaml = "segments:\n";
        for (int i = 0; i < segments; i++)
        {
            IEnumerable<string> needs = Enumerable.Range(0, i).Where(_ => Draw(2) == 0).Select(p => Draw(3) switch
            {
                0 => $"s{p}",
                1 => $"{{segment: s{p}, tasks: same}}",
                _ => $"{{segment: s{p}, tasks: \"${{{{ index - 1 }}}}..${{{{ index + {Draw(3)} }}}}\"}}",
            });
            yaml += $"  - {{name: s{i}, count: {width}, command: [x], needs: [{string.Join(", ", needs)}]}}\n";
        }
        return yaml;

        int Draw(int below) => (int)(random.NextUInt64() % (ulong)below);
    }

    private static List<TaskRange> Needs(JobGraph graph, int segment, int index)
    {
        var needs = new List<TaskRange>();
        graph.Needs(segment, index, needs);
        return needs;
    }

    private static List<int> Complete(TaskReadiness readiness, params int[] numbers)
    {
        var ready = new List<int>();
        foreach (int number in numbers)
            readiness.Complete(number, ready);
        return ready;
    }

    private static JobGraph Graph(string yaml)
    {
        JobFileResult result = JobFile.Read(yaml, new JobFileOptions());
        Assert.Empty(result.Errors);
        Assert.True(JobGraph.TryBuild(result.Job!, out JobGraph? graph));
        return graph;
    }
}
