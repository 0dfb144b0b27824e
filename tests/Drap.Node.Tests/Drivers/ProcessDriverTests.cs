using System.Text;
using Drap.Node.Drivers;
using Drap.Node.Sandbox;
using Xunit;

namespace Drap.Node.Tests.Drivers;

/// <summary>What a command gets, and what is reported of it.</summary>
public sealed class ProcessDriverTests : IDisposable
{
    private readonly DriverRoom room = new();

    public void Dispose() => room.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(125)]
    [InlineData(255)]
    public void An_exit_code_is_reported_as_it_is(int code)
    {
        AttemptExit exit = room.Run(DriverRoom.Shell($"exit {code}")).Exit;
        Assert.Equal((ExitReason.Exited, code, 0), (exit.Reason, exit.ExitCode, exit.Signal));
        Assert.Null(exit.Message);
    }

    [Fact]
    public void An_end_by_signal_is_reported_as_the_shell_has_it()
    {
        AttemptExit exit = room.Run(DriverRoom.Shell("kill -SEGV $$")).Exit;
        Assert.Equal((ExitReason.Signaled, 139, 11), (exit.Reason, exit.ExitCode, exit.Signal));
    }

    [Theory]
    [InlineData("no-such-command", ExitReason.NotFound, 127)]
    [InlineData("./no-such-file", ExitReason.NotFound, 127)]
    [InlineData("/etc/passwd", ExitReason.NotExecutable, 126)]
    [InlineData("/etc", ExitReason.NotExecutable, 126)]
    [InlineData("", ExitReason.NotFound, 127)]
    public void A_command_that_cannot_run_says_so_with_the_shells_code(string command, ExitReason reason, int code)
    {
        AttemptExit exit = room.Run(DriverRoom.Plan(command)).Exit;
        Assert.Equal((reason, code), (exit.Reason, exit.ExitCode));
        Assert.StartsWith($"{command}: ", exit.Message);
    }

    [Fact]
    public void A_missing_interpreter_is_named()
    {
        LaunchPlan plan = DriverRoom.Plan("in/script") with { Prepare = f => WriteScript(f.In + "/script", "#!/no/such/shell\n") };
        AttemptExit exit = room.Run(plan).Exit;
        Assert.Equal((ExitReason.NotExecutable, 126), (exit.Reason, exit.ExitCode));
        Assert.Contains("interpreter", exit.Message);
    }

    [Fact]
    public void A_script_without_a_first_line_runs_in_the_shell()
    {
        LaunchPlan plan = DriverRoom.Plan("in/script", "a b") with { Prepare = f => WriteScript(f.In + "/script", "echo \"$1\"; exit 3\n") };
        Ended ended = room.Run(plan);
        Assert.Equal((3, "a b\n"), (ended.Exit.ExitCode, ended.Stdout));
    }

    [Fact]
    public void A_task_sees_its_environment_and_nothing_of_the_nodes()
    {
        Environment.SetEnvironmentVariable("DRAP_TEST_SECRET_OF_THE_NODE", "1");
        Ended ended = room.Run(DriverRoom.Plan("env") with { Environment = [.. DriverRoom.Environment, new("GREETING", "grüß = dich")] });
        string[] names = [.. ended.Stdout.TrimEnd().Split('\n').Select(l => l[..l.IndexOf('=', StringComparison.Ordinal)]).Order(StringComparer.Ordinal)];
        Assert.Equal(["DRAP_IN", "DRAP_MARK", "DRAP_OUT", "DRAP_WORK", "GREETING", "LANG", "PATH", "PWD", "TMPDIR"], names);
        Assert.Contains("GREETING=grüß = dich\n", ended.Stdout);
    }

    [Fact]
    public void A_task_begins_without_blocked_or_ignored_signals_in_a_session_of_its_own_with_three_descriptors()
    {
        Ended ended = room.Run(DriverRoom.Shell("grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l; [ $(cut -d' ' -f6 /proc/self/stat) = $$ ] && echo own"));
        // ls has a fourth descriptor: the folder that it lists.
        Assert.Equal("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n4\nown\n", ended.Stdout);
    }

    [Fact]
    public void Inputs_come_before_the_start_and_outputs_are_taken_after_the_end()
    {
        string? output = null;
        LaunchPlan plan = DriverRoom.Shell("tr a-z A-Z < in/text > out/text; pwd") with
        {
            Prepare = f => File.WriteAllText(f.In + "/text", "words"),
            Collect = (folder, in exit) => output = $"{exit.ExitCode} {File.ReadAllText(folder.Out + "/text")} {folder.Path}",
        };
        Ended ended = room.Run(plan);
        Assert.Equal($"0 WORDS {ended.Stdout.TrimEnd()}", output);
    }

    [Fact]
    public void What_hooks_throw_ends_the_attempt_and_nothing_else()
    {
        AttemptExit prepare = room.Run(DriverRoom.Plan("true") with { Prepare = _ => throw new InvalidOperationException("no such blob") }).Exit;
        Assert.Equal((ExitReason.PrepareFailed, "no such blob"), (prepare.Reason, prepare.Message));
        AttemptExit collect = room.Run(DriverRoom.Plan("true") with { Collect = (_, in _) => throw new InvalidOperationException("no output 'x'") }).Exit;
        Assert.Equal((ExitReason.CollectFailed, "no output 'x'"), (collect.Reason, collect.Message));
        Assert.Equal(0, room.Run(DriverRoom.Plan("true")).Exit.ExitCode);
    }

    [Fact]
    public void A_folder_is_empty_again_whatever_the_last_task_made_of_it()
    {
        const string look = "find . | sort | tr '\\n' ' '; stat -c '%a %F' in out tmp . | tr '\\n' ' '";
        string clean = room.Run(DriverRoom.Shell(look)).Stdout;
        Assert.StartsWith(". ./in ./out ./tmp 700 directory", clean);
        string[] messes =
        [
            "touch a .b out/c; mkdir -p in/d/e; ln -s /etc in/etc",
            "chmod 000 in; chmod 777 out",
            "rm -r out; ln -s /tmp out",
            "mv in x; mkdir in; touch in/y; chmod 0 in .",
            "rm -rf in out tmp; cd /; rmdir $DRAP_WORK",
            "mkdir -p d/e; touch d/e/f; chmod 500 d/e d; chmod 111 out",
            "i=0; while [ $i -lt 1500 ]; do mkdir d 2>/dev/null; cd -P d; i=$((i+1)); done; touch end",
            "i=0; while [ $i -lt 3000 ]; do : > out/$i; i=$((i+1)); done",
            "printf x > \"$(printf 'tmp/\\377\\n')\"",
        ];
        foreach (string mess in messes)
        {
            AttemptExit exit = room.Run(DriverRoom.Shell(mess)).Exit;
            Assert.Null(exit.Message);
            Assert.Equal(clean, room.Run(DriverRoom.Shell(look)).Stdout);
        }
        Assert.True(Directory.Exists("/etc") && Directory.Exists("/tmp"));
    }

    [Fact]
    public void A_small_disk_request_lies_in_memory_and_others_under_the_home()
    {
        LaunchPlan small = DriverRoom.Plan("pwd") with { Limits = new LaunchLimits(0, 0, 0, 1 << 20) };
        Assert.StartsWith($"/dev/shm/drap-", room.Run(small).Stdout);
        Assert.StartsWith(room.Home, room.Run(DriverRoom.Plan("pwd")).Stdout);
        Assert.StartsWith(room.Home, room.Run(small with { Attempt = DriverRoom.NextAttempt(), InputBytes = 2 << 20 }).Stdout);
        Assert.StartsWith(room.Home, room.Run(small with { Attempt = DriverRoom.NextAttempt(), Limits = new LaunchLimits(0, 0, 0, 1L << 40) }).Stdout);
    }

    [Fact]
    public void Logs_stream_in_order_and_keep_beginning_and_end()
    {
        using var bounded = new DriverRoom(o => o with { LogBytesMax = 1000 });
        LaunchPlan plan = DriverRoom.Shell("i=10000; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo oops >&2");
        Ended ended = bounded.Run(plan);
        string all = string.Concat(Enumerable.Range(10000, 10000).Select(i => $"{i}\n"));
        Assert.Equal(all, bounded.Events.Streamed(plan.Attempt));
        Assert.Equal(all[..500] + all[^500..], ended.Stdout);
        Assert.Equal(all.Length - 1000, ended.StdoutDropped);
        Assert.Equal("oops\n", ended.Stderr);
    }

    [Fact]
    public void The_first_words_come_while_the_task_still_runs()
    {
        LaunchPlan plan = room.Start(DriverRoom.Shell("echo hello; exec cat") with { Stdin = StdinMode.Fed });
        Assert.Equal("hello\n", room.Events.WaitForOutput(plan.Attempt, "hello\n"));
        Assert.Equal(0, room.Events.Exits);
        Assert.Equal(0, room.Driver.WriteStdin(plan.Attempt, default, end: true));
        Assert.Equal(0, room.Events.WaitForExit(plan.Attempt).Exit.ExitCode);
    }

    [Fact]
    public void A_task_without_stdin_reads_an_end_at_once() => Assert.Equal("", room.Run(DriverRoom.Plan("cat")).Stdout);

    [Fact]
    public void Stdin_holds_a_writer_back_and_ends_after_the_last_byte()
    {
        LaunchPlan plan = room.Start(DriverRoom.Plan("sha256sum") with { Stdin = StdinMode.Fed });
        var bytes = new byte[3_000_000];
        var prng = new Prng(5);
        foreach (ref byte b in bytes.AsSpan())
            b = (byte)prng.Below(256);
        room.Events.WaitForRooms(1);
        int sent = 0, rooms = 1;
        while (sent < bytes.Length)
        {
            int taken = room.Driver.WriteStdin(plan.Attempt, bytes.AsSpan(sent), end: true);
            Assert.InRange(taken, 0, 64 * 1024);
            sent += taken;
            if (sent < bytes.Length)
                room.Events.WaitForRooms(++rooms);
        }
        Assert.Equal(-1, room.Driver.WriteStdin(plan.Attempt, "more"u8, end: false));
        string sum = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));
        Assert.Equal($"{sum}  -\n", room.Events.WaitForExit(plan.Attempt).Stdout);
    }

    [Fact]
    public void A_task_that_closes_its_stdin_is_not_written_to()
    {
        LaunchPlan plan = room.Start(DriverRoom.Shell("exec 0<&-; echo closed; sleep 1000") with { Stdin = StdinMode.Fed });
        room.Events.WaitForOutput(plan.Attempt, "closed");
        int rooms = 1;
        while (room.Driver.WriteStdin(plan.Attempt, new byte[100_000], end: false) >= 0)
            room.Events.WaitForRooms(++rooms);
        Assert.True(room.Driver.Signal(plan.Attempt, AttemptSignal.Kill));
        Assert.Equal(9, room.Events.WaitForExit(plan.Attempt).Exit.Signal);
        Assert.False(room.Driver.Signal(plan.Attempt, AttemptSignal.Kill));
    }

    [Fact]
    public void Usage_tells_processor_time_and_memory()
    {
        LaunchPlan plan = DriverRoom.Shell("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; head -c 40000000 /dev/zero | tail -c 40000000 | wc -c");
        AttemptExit exit = room.Run(plan).Exit;
        Assert.InRange(exit.Usage.Cpu, TimeSpan.FromMilliseconds(50), exit.Usage.Wall * Environment.ProcessorCount + TimeSpan.FromMilliseconds(50));
        Assert.InRange(exit.Usage.PeakMemoryBytes, 30_000_000, 1_000_000_000);
    }

    [Fact]
    public void A_full_queue_refuses_and_an_attempt_in_it_can_be_ended()
    {
        using var narrow = new DriverRoom(o => o with { SlotsMax = 1, QueueMax = 1 });
        LaunchPlan first = DriverRoom.Plan("sleep", "1000"), second = DriverRoom.Plan("true"), third = DriverRoom.Plan("true");
        Assert.Equal(2, narrow.Driver.Start([first, second, third]));
        narrow.Driver.Signal(second.Attempt, AttemptSignal.Term);
        AttemptExit never = narrow.Events.WaitForExit(second.Attempt).Exit;
        Assert.Equal((ExitReason.Signaled, 15, "ended before it began"), (never.Reason, never.Signal, never.Message));
        Assert.Equal(1, narrow.Driver.Start([third]));
        narrow.Driver.Signal(first.Attempt, AttemptSignal.Kill);
        Assert.Equal(0, narrow.Events.WaitForExit(third.Attempt).Exit.ExitCode);
    }

    private static void WriteScript(string path, string text)
    {
        File.WriteAllText(path, text, new UTF8Encoding(false));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }
}
