using Drap.Api;
using Drap.Core.Jobs;
using Xunit;

namespace Drap.Node.Tests.Hosting;

/// <summary>Blobs that are gone, or spoilt, when a task takes them as its input: real files, taken from the store's folder while the job runs.</summary>
public sealed class LostInputTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("rm -f")]
    [InlineData("spoil() { for f; do chmod u+w \"$f\"; echo spoilt > \"$f\"; done; }; spoil")]
    public async Task What_is_lost_between_two_tasks_is_made_again(string loses)
    {
        await using var room = new SwarmRoom();
        string runs = Path.Combine(room.Root, "runs"), lost = Path.Combine(room.Root, "lost");
        SegmentSpec make = SwarmRoom.Script("make", $"echo $DRAP_INDEX >> '{runs}'; head -c 2000000 /dev/zero | tr '\\0' \"$DRAP_INDEX\" > \"$DRAP_OUT/o\"") with
        {
            Count = 3,
            Outputs = JobJson.EmptyMap<OutputSpec>().Add("o", new OutputSpec { Path = "o" }),
        };
        // Of the three, the store loses that of the second: its bytes are all 1.
        SegmentSpec lose = SwarmRoom.Script("lose",
            $"cd '{Path.Combine(room.Home.Path, "blobs", "files")}'; {loses} $(grep -rl 1111 . | grep -v dag$) && touch '{lost}'") with { Needs = [new NeedSpec { Segment = "make" }] };
        SegmentSpec take = SwarmRoom.Script("take", "cat all/* | tr -d '\\n' | fold -w 1 | sort | uniq -c | sed 's/^ *//'") with
        {
            Needs = [new NeedSpec { Segment = "lose" }],
            Inputs = JobJson.EmptyMap<InputSpec>().Add("all", new InputSpec { From = "make.o" }),
        };
        SubmitRequest request = SwarmRoom.Request(make, lose, take);
        JobDocument job = await room.RunAsync(request);
        Assert.True(job.Job.State == JobState.Finished, $"{job.Job.Reason?.Message}: {await room.OutputAsync(request.Id)}");
        Assert.True(File.Exists(lost));
        Assert.Equal(["0", "1", "1", "2"], (await File.ReadAllLinesAsync(runs, Cancel)).Order());
        Assert.Equal("2000000 0\n2000000 1\n2000000 2\n", await room.OutputAsync(request.Id));
        TaskListDocument tasks = await room.Service.TasksAsync(request.Id, 1, 10, history: true, Cancel);
        Assert.Equal([AttemptState.Superseded, AttemptState.Accepted], tasks.Tasks[1].History.Select(a => a.State));
        Assert.Equal(ReasonCodes.InputMissing, tasks.Tasks[4].History[0].Reason?.Code);
    }

    [Fact]
    public async Task An_input_that_the_job_brought_and_that_is_lost_fails_it_with_the_blobs_name()
    {
        await using var room = new SwarmRoom();
        Cid brought = (await room.Service.AddBlobAsync(new MemoryStream(new byte[2_000_000]), Cancel)).Cid;
        SegmentSpec lose = SwarmRoom.Script("lose", $"find '{Path.Combine(room.Home.Path, "blobs", "files")}' -name '{brought}*' -delete");
        SegmentSpec take = SwarmRoom.Script("take", "cat i") with
        {
            Needs = [new NeedSpec { Segment = "lose" }],
            Inputs = JobJson.EmptyMap<InputSpec>().Add("i", new InputSpec { Cid = brought.ToString() }),
        };
        JobDocument job = await room.RunAsync(SwarmRoom.Request(lose, take));
        Assert.Equal(JobState.Failed, job.Job.State);
        Assert.Equal(new Reason(ReasonCodes.InputMissing, $"task 2 failed: the blob {brought} of its input i is not to be had"), job.Job.Reason);
    }
}
