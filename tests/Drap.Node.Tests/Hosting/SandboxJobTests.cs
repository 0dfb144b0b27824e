using Drap.Api;
using Drap.Core.Jobs;
using Drap.Node.Tests.Drivers;
using Xunit;

namespace Drap.Node.Tests.Hosting;

/// <summary>Jobs on workers whose owner puts everybody's tasks in a sandbox.</summary>
public sealed class SandboxJobTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public SandboxJobTests()
    {
        using var room = new DriverRoom();
        Assert.SkipWhen(room.Driver.SandboxMissing.Length > 0, room.Driver.SandboxMissing);
    }

    [Fact]
    public async Task A_job_of_two_segments_passes_its_files_through_sandboxes()
    {
        await using var room = new SwarmRoom("workers: [{name: w1, cpu: 2, sandbox: {tasks: always}}]");
        SegmentSpec make = SwarmRoom.Script("make", "echo from $USER at $HOME > \"$DRAP_OUT/word\"") with
        {
            Outputs = JobJson.EmptyMap<OutputSpec>().Add("word", new OutputSpec { Path = "word" }),
        };
        SegmentSpec use = SwarmRoom.Script("use", "cat word; ls /root /home 2>/dev/null; :") with
        {
            Inputs = JobJson.EmptyMap<InputSpec>().Add("word", new InputSpec { From = "make.word", Tasks = "0" }),
        };
        SubmitRequest request = SwarmRoom.Request(make, use);
        JobDocument job = await room.RunAsync(request);
        string output = await room.OutputAsync(request.Id);
        Assert.True(job.Job.State == JobState.Finished, $"{job.Job.Reason?.Message}: {output}");
        Assert.Equal("from task at /tmp\n", output);
    }

    [Fact]
    public async Task A_task_that_wants_network_is_told_who_does_not_give_it()
    {
        await using var room = new SwarmRoom("workers: [{name: w1, cpu: 2, network: 100, sandbox: {tasks: always}}]");
        SubmitRequest request = SwarmRoom.Request(SwarmRoom.Script("main", "true") with { Resources = new ResourcesSpec { Network = 10 } });
        PlanDocument plan = await room.Service.PlanAsync(request, Cancel);
        Assert.Equal([new Refusal(ReasonCodes.Constraint, "network in the sandbox")], plan.Segments.Single().Nodes.Single().Refusals);
    }

    [Fact]
    public async Task A_task_that_wants_network_has_it_where_the_owner_gives_it()
    {
        await using var room = new SwarmRoom("workers: [{name: w1, cpu: 2, network: 100, sandbox: {tasks: always, network: true}}]");
        SegmentSpec look = SwarmRoom.Script("main", "grep -c : /proc/net/dev; ls -l /proc/self/ns/net | sed 's/.*net:/net:/'") with { Resources = new ResourcesSpec { Network = 10 } };
        SubmitRequest request = SwarmRoom.Request(look);
        Assert.Equal(JobState.Finished, (await room.RunAsync(request)).Job.State);
        Assert.EndsWith($"{new FileInfo("/proc/self/ns/net").LinkTarget}\n", await room.OutputAsync(request.Id));
    }
}
