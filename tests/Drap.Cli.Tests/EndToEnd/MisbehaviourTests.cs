using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>Tasks that do what they should not: each is ended, said why, and leaves nothing behind.</summary>
public sealed class MisbehaviourTests
{
    /// <summary>Between TERM and KILL of a task that ran too long.</summary>
    private static readonly TimeSpan grace = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(127, "no-such-command: command not found", "no-such-command")]
    [InlineData(127, "./no-such-file: command not found", "./no-such-file")]
    [InlineData(126, "/etc/passwd: permission denied, or not a file", "/etc/passwd")]
    [InlineData(126, "/tmp: permission denied, or not a file", "/tmp")]
    [InlineData(139, "it was ended by signal 11 (SIGSEGV)", "sh", "-c", "kill -SEGV $$")]
    [InlineData(137, "it was ended by signal 9 (SIGKILL)", "sh", "-c", "kill -KILL $$")]
    [InlineData(200, "", "sh", "-c", "exit 200")]
    public async Task What_ends_it_is_said_in_one_line(int code, string said, params string[] command)
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended ended = await drap.RunAsync(["run", "--", .. command]);
        Assert.Equal((code, said.Length == 0 ? "" : $"drap: {said}\n  drap job explain 1\n", ""), (ended.Code, ended.Err, ended.Out));
        Traces.AssertNone(drap.Home.Folder.Path);
    }

    [Theory]
    [InlineData("--output", "o*", "nothing in $DRAP_OUT matches its output 'o*'")]
    [InlineData("--output", "a b", "nothing in $DRAP_OUT is its output 'a b'")]
    [InlineData("--budget", "0.000001", "the budget of 0.000001 credits is too small: 0 are spent, and 0.0")]
    public async Task What_a_flag_wanted_is_said_in_the_flags_own_words(string flag, string value, string said)
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended ended = await drap.RunAsync("run", flag, value, "--", "sleep", "0.01");
        Assert.Equal(125, ended.Code);
        Assert.StartsWith("drap: " + said, ended.Err, StringComparison.Ordinal);
        Assert.EndsWith("\n  drap job explain 1\n", ended.Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Children_in_sessions_of_their_own_end_with_their_task()
    {
        await using var drap = new DrapProgram();
        // Those that are ended before they have forked all they wanted may complain of it.
        const string command = "setsid sleep 1000 2>/dev/null & (setsid setsid sh -c 'trap \"\" HUP TERM; sleep 1000' 2>/dev/null &); nohup sleep 1000 >/dev/null 2>&1 & echo done";
        DrapProgram.Ended ended = await drap.RunAsync("run", "--", "sh", "-c", command);
        Assert.Equal((0, "done\n", ""), (ended.Code, ended.Out, ended.Err));
        Traces.AssertNone(drap.Home.Folder.Path);
    }

    [Fact]
    public async Task What_ignores_TERM_is_killed_after_the_grace_and_says_by_its_code_that_it_ran_too_long()
    {
        const string deaf = "trap '' TERM HUP INT; sleep 1000; sleep 1000";
        await using DrapProgram adHoc = new(), file = new();
        string job = file.File("job.yaml", $"segments: [{{name: deaf, command: \"{deaf}\", timeout: 1s, retries: 0}}]\n");
        long start = Stopwatch.GetTimestamp();
        Task<DrapProgram.Ended> first = adHoc.RunAsync("run", "--timeout", "1s", "--", "sh", "-c", deaf), second = file.RunAsync("run", job);
        DrapProgram.Ended one = await first, two = await second;
        Assert.True(Stopwatch.GetElapsedTime(start) >= grace, "it was killed before its grace was over");
        Assert.Equal((125, "drap: it ran longer than its timeout of 1s\n  drap job explain 1\n"), (one.Code, one.Err));
        Assert.Equal(5, two.Code);
        Assert.Contains("task 1 failed: it ran longer than its timeout of 1s", two.Err, StringComparison.Ordinal);
        Traces.AssertNone(adHoc.Home.Folder.Path);
        Traces.AssertNone(file.Home.Folder.Path);
    }

    [Fact]
    public async Task A_task_that_takes_more_memory_than_it_asked_for_is_ended()
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended where = await drap.RunAsync("run", "--memory", "64MB", "--", "cat", "/proc/self/cgroup");
        Assert.SkipUnless(where.Out.Split('\n').Any(l => l.Contains("memory:", StringComparison.Ordinal) && l.Contains("/drap-", StringComparison.Ordinal)
            || l.StartsWith("0::", StringComparison.Ordinal) && l.Contains("/drap-", StringComparison.Ordinal)), "no memory cgroup is writable here");
        // The shell's own variable is the hog: nothing else need be installed.
        DrapProgram.Ended ended = await drap.RunAsync("run", "--memory", "64MB", "--", "sh", "-c", "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done");
        Assert.Equal((125, "drap: it went over the 64MB of memory that it had asked for\n  drap job explain 2\n"), (ended.Code, ended.Err));
        Traces.AssertNone(drap.Home.Folder.Path);
    }

    [Theory]
    [InlineData("head -c 10G /dev/zero > ${{ outputs.o }}", "its work folder filled the 20MB of disk that it had asked for")]
    [InlineData("exec head -c 10G /dev/zero > ${{ outputs.o }}", "its work folder filled the 20MB of disk that it had asked for")]
    [InlineData("mkdir ${{ outputs.o }}; i=0; while :; do i=$((i + 1)); head -c 1M /dev/zero > ${{ outputs.o }}/$i; done", "its work folder filled the 20MB of disk that it had asked for")]
    [InlineData("i=0; while :; do i=$((i + 1)); head -c 1M /dev/zero > $TMPDIR/$i; done", "its work folder filled the 20MB of disk that it had asked for")]
    public async Task A_task_that_takes_more_disk_than_it_asked_for_is_ended(string command, string said)
    {
        await using var drap = new DrapProgram();
        string job = drap.File("job.yaml", $"segments: [{{name: hog, command: '{command}', resources: {{disk: 20MB}}, outputs: {{o: o}}, retries: 0}}]\n");
        DrapProgram.Ended ended = await drap.RunAsync("run", job);
        Assert.Equal(3, ended.Code);
        Assert.Contains("task 1 failed: " + said, ended.Err, StringComparison.Ordinal);
        Traces.AssertNone(drap.Home.Folder.Path);
    }

    /// <summary>Takes a quarter of a minute.</summary>
    [Fact(Explicit = true)]
    public async Task Ten_gigabytes_of_output_neither_fill_the_disk_nor_hold_the_task()
    {
        const long wrote = 10L << 30, kept = 8L << 20;
        await using var drap = new DrapProgram();
        string job = drap.File("job.yaml", "segments: [{name: loud, command: head -c 10G /dev/zero; echo end >&2}]\n");
        DrapProgram.Ended ended = await drap.RunAsync("run", job);
        Assert.True(ended.Code == 0, ended.Err);
        // Counted by a program: it is more than a text of ours could hold.
        drap.Environment["DRAP_COUNT"] = Path.Combine(AppContext.BaseDirectory, "drap");
        using Process count = Process.Start(new ProcessStartInfo("sh")
        {
            ArgumentList = { "-c", "DRAP_HOME=\"$1\" \"$2\" job logs last 2>\"$3\" | wc -c", "sh", drap.Home.Folder.Path, drap.Environment["DRAP_COUNT"], drap.File("talk", "") },
            RedirectStandardOutput = true, Environment = { ["DOTNET_ROOT"] = drap.Environment["DOTNET_ROOT"], ["NO_COLOR"] = "1" },
        })!;
        Assert.Equal(kept, long.Parse(await count.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), CultureInfo.InvariantCulture));
        string talk = await File.ReadAllTextAsync(Path.Combine(drap.Folder, "talk"), TestContext.Current.CancellationToken);
        Assert.Contains($"[{wrote - kept} bytes of stdout are missing here: ", talk, StringComparison.Ordinal);
        Assert.Contains("end\n", talk, StringComparison.Ordinal);
        Assert.InRange(new DirectoryInfo(drap.Home.Folder.Path).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length), kept, kept + (64 << 20));
    }
}
