using Drap.Api;
using Drap.Core.Jobs;
using Xunit;

namespace Drap.Node.Tests.Hosting;

public sealed class OutputTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_program_that_one_task_makes_runs_in_the_next_and_is_delivered_executable()
    {
        await using var room = new SwarmRoom();
        SegmentSpec make = SwarmRoom.Script("make", """
            printf '#!/bin/sh\necho made\n' > "$DRAP_OUT/tool"; chmod +x "$DRAP_OUT/tool"
            mkdir -p "$DRAP_OUT/kit/bin"; cp "$DRAP_OUT/tool" "$DRAP_OUT/kit/bin/tool"; echo plain > "$DRAP_OUT/kit/readme"
            mkdir "$DRAP_OUT/like"; mkdir "$DRAP_OUT/like/files"; echo no > "$DRAP_OUT/like/executables"
            """) with
        {
            Outputs = JobJson.EmptyMap<OutputSpec>()
                .Add("tool", new OutputSpec { Path = "tool", Result = true })
                .Add("kit", new OutputSpec { Path = "kit", Result = true })
                .Add("like", new OutputSpec { Path = "like", Result = true }),
        };
        SegmentSpec use = SwarmRoom.Script("use", "./tool && ./kit/bin/tool && [ ! -x kit/readme ] && [ -f like/executables ]") with
        {
            Inputs = JobJson.EmptyMap<InputSpec>()
                .Add("tool", new InputSpec { From = "make.tool", Tasks = "0" })
                .Add("kit", new InputSpec { From = "make.kit", Tasks = "0" })
                .Add("like", new InputSpec { From = "make.like", Tasks = "0" }),
        };
        SubmitRequest request = SwarmRoom.Request(make, use);
        JobDocument job = await room.RunAsync(request);
        Assert.True(job.Job.State == JobState.Finished, $"{job.Job.Reason?.Message}: {await room.OutputAsync(request.Id)}");
        Assert.Equal("made\nmade\n", await room.OutputAsync(request.Id));

        ResultsDocument results = await room.Service.ResultsAsync(request.Id, Cancel);
        Assert.Equal(["kit", "like", "tool"], results.Items.Select(i => i.Path));
        string folder = Path.Combine(room.Root, "results");
        foreach (ResultItem item in results.Items)
            await room.Service.ExportBlobAsync(item.Cid, new PathRequest { Path = Path.Combine(folder, item.Path), Executable = item.Executable }, Cancel);
        Assert.True(IsExecutable("tool") && IsExecutable("kit/bin/tool"));
        Assert.False(IsExecutable("kit/readme"));
        Assert.Equal("no\n", await File.ReadAllTextAsync(Path.Combine(folder, "like/executables"), Cancel));

        bool IsExecutable(string path) => (File.GetUnixFileMode(Path.Combine(folder, path)) & UnixFileMode.UserExecute) != 0;
    }

    [Theory]
    [InlineData("ln -s /etc/passwd \"$DRAP_OUT/made\"", "made")]
    [InlineData("ln -s /etc \"$DRAP_OUT/made\"", "made/passwd")]
    [InlineData("ln -s /etc \"$DRAP_OUT/made\"", "made/*.conf")]
    [InlineData("rmdir \"$DRAP_OUT\"; ln -s /etc \"$DRAP_OUT\"", "passwd")]
    [InlineData("mkdir \"$DRAP_OUT/made\"; ln -s /etc/passwd \"$DRAP_OUT/made/inner\"", "made")]
    [InlineData("mkdir \"$DRAP_OUT/made\"; ln -s ../../../../etc/passwd \"$DRAP_OUT/made/inner\"", "made")]
    [InlineData("mkfifo \"$DRAP_OUT/made\"", "made")]
    public async Task An_output_that_is_not_the_tasks_own_fails_it_and_is_not_taken(string script, string output)
    {
        await using var room = new SwarmRoom();
        SegmentSpec make = SwarmRoom.Script("make", script) with
        {
            Outputs = JobJson.EmptyMap<OutputSpec>().Add("made", new OutputSpec { Path = output, Result = true }),
            Retries = 0,
        };
        SubmitRequest request = SwarmRoom.Request(make);
        JobDocument job = await room.RunAsync(request);
        Assert.Equal(JobState.Failed, job.Job.State);
        Assert.Empty((await room.Service.ResultsAsync(request.Id, Cancel)).Items);
    }

    /// <summary>Numbered lines, 23 MB of them: a job keeps the beginning and the end, a command at the terminal all.</summary>
    [Theory]
    [InlineData(JobLimits.LogDefault, 8 << 20)]
    [InlineData(JobLimits.LogMax, 22_888_896)]
    [InlineData(1000, 1000)]
    public async Task Of_a_long_log_as_much_is_kept_as_the_job_says(long max, int kept)
    {
        await using var room = new SwarmRoom();
        SubmitRequest request = SwarmRoom.Request(SwarmRoom.Script("main", "seq 1 3000000") with { MaxLog = new ByteSize(max) });
        Assert.Equal(JobState.Finished, (await room.RunAsync(request)).Job.State);
        string log = await room.OutputAsync(request.Id);
        Assert.Equal(kept, log.Length);
        Assert.StartsWith("1\n2\n3\n", log, StringComparison.Ordinal);
        Assert.EndsWith("\n2999999\n3000000\n", log, StringComparison.Ordinal);
    }
}
