using System.Text;
using Drap.Core.Jobs;
using Xunit;

namespace Drap.Core.Tests.Jobs;

public sealed class TaskBindingTests
{
    private static readonly TaskContext context = new()
    {
        Attempt = new AttemptId(new TaskId(new JobId(Guid.Parse("0123456789abcdef0123456789abcdef")), 17), new Fence(new Epoch(1_000), 2)),
        WorkFolder = "/w",
        OutFolder = "/o",
        Devices = [1, 3],
    };

    [Fact]
    public void A_task_is_bound_in_two_phases()
    {
        JobGraph graph = Graph("""
            segments:
              - name: a
                count: 6
                command: [x]
                outputs: {o0: o0.dat, o1: {path: o1.dat, optional: true}}
              - name: b
                items: [{n: one}, {n: two}]
                command: [run, "${{ item.n }}", "${{ index }}", "${{ inputs.one }}", "${{ inputs.few }}", "${{ outputs.res }}", "${{ job.id }}", "$${{ x }}"]
                check: "test -s ${{ quote(outputs.res) }}"
                env: {OWN: "${{ segment.name }}-${{ number }}/${{ segment.count }}"}
                resources: {cpu: 1.5, memory: 1KiB}
                inputs:
                  one: {from: "a.o${{ index % 2 }}", tasks: "${{ index }}"}
                  few: {from: a.o0, tasks: "${{ 3 * index }}..${{ 3 * index + 2 }}", to: "parts/${{ item.n }}"}
                  maybe: {from: a.o1, optional: true}
                outputs: {res: "${{ item.n }}.txt"}
            """);
        Assert.True(JobTasks.TryMake(graph, 1, 1, 0, Outputs, out TaskSpec? task, out string? error), error);
        Assert.True(JobJson.TryRead(JobJson.Write(task), out TaskSpec? read, out error), error);
        Assert.Equal(JobJson.Write(task), JobJson.Write(read));
        Assert.Equal(["few parts/two True 000003=a3o0,000004=a4o0,000005=a5o0", "maybe maybe True 000001=a1o1", "one one False =a1o1"], read.Inputs.Select(Show));
        Assert.True(TaskBinding.TryBind(read, context, out BoundTask? bound, out error), error);
        Assert.Equal(["run", "two", "1", "/w/one", "/w/parts/two", "/o/two.txt", "0123456789abcdef0123456789abcdef", "${{ x }}"], bound.Argv);
        Assert.Equal(["/bin/sh", "-ec", "test -s '/o/two.txt'"], bound.Check);
        Assert.Equal(
            "CUDA_VISIBLE_DEVICES=1,3 DRAP_ATTEMPT=2 DRAP_CPUS=1.5 DRAP_FENCE=1048576002 DRAP_INDEX=1 DRAP_JOB=0123456789abcdef0123456789abcdef "
            + "DRAP_MEMORY=1024 DRAP_OUT=/o DRAP_SEGMENT=b DRAP_TASK=17 DRAP_WORK=/w OMP_NUM_THREADS=2 OWN=b-1/2",
            string.Join(' ', bound.Env.Select(e => $"{e.Key}={e.Value}")));
    }

    [Fact]
    public void A_missing_output_and_a_path_that_leaves_its_folder_fail_the_task_with_a_word()
    {
        JobGraph graph = Graph("""
            segments:
              - {name: a, count: 6, command: [x], outputs: {o1: {path: o, optional: true}}}
              - {name: b, command: [x], inputs: {i: {from: a.o1}}}
              - {name: c, items: [../../etc], command: [x], outputs: {o: "${{ item }}/x"}}
            """);
        Assert.False(JobTasks.TryMake(graph, 1, 0, 0, Outputs, out _, out string? error));
        Assert.Equal("the task with index 0 of 'a' left no output 'o1'", error);
        Assert.False(JobTasks.TryMake(graph, 2, 0, 0, Outputs, out _, out error));
        Assert.Equal("the path '../../etc/x' leaves its folder; allowed: a relative path without '..', at most 4095 characters", error);
    }

    [Fact]
    public void A_gang_knows_its_ranks_and_hosts()
    {
        JobGraph graph = Graph("segments: [{name: g, nodes: 3, command: [mpi, \"${{ rank }}/${{ nodes }}\", \"${{ hosts }}\"]}]");
        Assert.Equal(3, graph.TaskCount);
        Assert.True(JobTasks.TryMake(graph, 0, 2, 0, Outputs, out TaskSpec? task, out _));
        Assert.True(TaskBinding.TryBind(task, context with { Hosts = ["h0", "h1", "h2"] }, out BoundTask? bound, out _));
        Assert.Equal(["mpi", "2/3", "h0,h1,h2"], bound.Argv);
        Assert.Equal(("2", "3", "h0,h1,h2"), (bound.Env["DRAP_RANK"], bound.Env["DRAP_NODES"], bound.Env["DRAP_HOSTS"]));
    }

    [Fact]
    public void A_no_op_task_is_small_on_the_wire()
    {
        JobGraph graph = Graph("segments: [{name: noop, count: 2, command: [\"true\"]}]");
        Assert.True(JobTasks.TryMake(graph, 0, 1, 0, Outputs, out TaskSpec? task, out _));
        Assert.Equal(
            """{"job_name":"job","segment":"noop","index":1,"number":1,"command":["true"],"timeout":"7d"}""",
            Encoding.UTF8.GetString(JobJson.Write(task)));
    }

    private static bool Outputs(int segment, int index, string output, out string cid, out bool executable)
    {
        cid = $"a{index}{output}";
        executable = false;
        return output == "o0" || index % 2 == 1 && index < 3;
    }

    private static string Show(TaskInput input) =>
        $"{input.Name} {input.To} {input.IsFolder} {string.Join(',', input.Parts.Select(p => $"{p.Name}={p.Cid}"))}";

    private static JobGraph Graph(string yaml)
    {
        JobFileResult result = JobFile.Read(yaml, new JobFileOptions());
        Assert.Empty(result.Errors);
        Assert.True(JobGraph.TryBuild(result.Job!, out JobGraph? graph));
        return graph;
    }
}
