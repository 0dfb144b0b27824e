using System.Net;
using System.Net.Sockets;
using Drap.Node.Drivers;
using Drap.Node.Sandbox;
using Xunit;

namespace Drap.Node.Tests.Drivers;

/// <summary>A task in the sandbox gets what an honest one needs, and a hostile one achieves nothing.</summary>
public sealed class SandboxTests : IDisposable
{
    private static readonly SandboxPlan Alone = new(Network: false, []);

    private readonly DriverRoom room = new();

    public SandboxTests() => Assert.SkipWhen(room.Driver.SandboxMissing.Length > 0, room.Driver.SandboxMissing);

    public void Dispose() => room.Dispose();

    private Ended Run(string script, Func<LaunchPlan, LaunchPlan>? change = null)
    {
        LaunchPlan plan = DriverRoom.Shell(script) with { Sandbox = Alone };
        return room.Run(change?.Invoke(plan) ?? plan);
    }

    [Fact]
    public void A_task_runs_there_as_it_does_outside()
    {
        Ended ended = Run("""
            echo "$1$(cat in/word)"; echo made > "$DRAP_OUT/file"; echo bad >&2; echo x > "$TMPDIR/t"; echo y > /tmp/u; awk 'BEGIN { print 1 + 1 }'
            ls /proc/self/fd | wc -l; id -un; cat tmp/t tmp/u; exit 7
            """, plan => plan with
        {
            Prepare = f => File.WriteAllText(f.In + "/word", "word"),
            Collect = (WorkFolder f, in AttemptExit _) => Assert.Equal("made\n", File.ReadAllText(f.Out + "/file")),
        });
        Assert.Equal("word\n2\n4\ntask\nx\ny\n", ended.Stdout);
        Assert.Equal("bad\n", ended.Stderr);
        Assert.Equal((ExitReason.Exited, 7, null), (ended.Exit.Reason, ended.Exit.ExitCode, ended.Exit.Message));
    }

    [Fact]
    public void Its_standard_input_reaches_it()
    {
        LaunchPlan plan = room.Start(DriverRoom.Plan("cat") with { Sandbox = Alone, Stdin = StdinMode.Fed });
        room.Events.WaitForStart(plan.Attempt);
        Assert.Equal(3, room.Driver.WriteStdin(plan.Attempt, "abc"u8, end: true));
        Assert.Equal("abc", room.Events.WaitForExit(plan.Attempt).Stdout);
    }

    [Fact]
    public void An_end_by_signal_is_told_as_outside()
    {
        AttemptExit exit = Run("kill -SEGV $$").Exit;
        Assert.Equal((ExitReason.Signaled, 139, 11), (exit.Reason, exit.ExitCode, exit.Signal));
    }

    [Fact]
    public void A_termination_reaches_the_task_which_may_clean_up()
    {
        LaunchPlan plan = room.Start(DriverRoom.Shell("trap 'echo cleaned; exit 5' TERM; echo ready; while :; do sleep 0.01; done") with { Sandbox = Alone });
        room.Events.WaitForOutput(plan.Attempt, "ready\n");
        room.Driver.Signal(plan.Attempt, AttemptSignal.Term);
        Ended ended = room.Events.WaitForExit(plan.Attempt);
        Assert.Equal(("ready\ncleaned\n", 5), (ended.Stdout, ended.Exit.ExitCode));
    }

    [Fact]
    public void A_task_that_ignores_termination_and_has_left_its_session_is_killed()
    {
        LaunchPlan plan = room.Start(DriverRoom.Shell("trap '' TERM; setsid sh -c 'trap \"\" TERM; echo there; sleep 1000' & sleep 1000") with { Sandbox = Alone });
        room.Events.WaitForOutput(plan.Attempt, "there\n");
        room.Driver.Signal(plan.Attempt, AttemptSignal.Term);
        room.Driver.Signal(plan.Attempt, AttemptSignal.Kill);
        Assert.Equal((ExitReason.Signaled, 9), (room.Events.WaitForExit(plan.Attempt).Exit is var exit ? exit.Reason : default, exit.Signal));
    }

    [Fact]
    public void What_it_leaves_in_the_background_ends_with_it()
    {
        Ended ended = Run("setsid sh -c 'exec -a left sleep 1000' >/dev/null 2>&1 & sleep 0.01; echo $!");
        Assert.Equal(0, ended.Exit.ExitCode);
        Assert.Empty(ProcessesNamed("left"));
    }

    [Fact]
    public void Its_use_of_the_processor_is_counted()
    {
        Ended ended = Run("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
        Assert.True(ended.Exit.Usage.Cpu > TimeSpan.FromMilliseconds(20), $"counted {ended.Exit.Usage.Cpu}");
    }

    [Fact]
    public void It_sees_neither_homes_nor_other_tasks_nor_the_nodes_folder()
    {
        string secret = Path.Combine(room.Home, "secret");
        File.WriteAllText(secret, "the owner's");
        string home = Environment.GetEnvironmentVariable("HOME") ?? "/root";
        Ended ended = Run($"cat {secret}; ls {home} /home /root /mnt /var/lib; cat /etc/shadow /etc/machine-id; ls -d {room.Home}/*; ls {room.Home}/work");
        Assert.DoesNotContain("owner", ended.Stdout);
        Assert.DoesNotContain("root:", ended.Stdout.Replace("root:x", "", StringComparison.Ordinal));
        // Of the node's folder there is the way to the task's own, and nothing else.
        Assert.Equal($"{room.Home}/work\n0\n", ended.Stdout);
    }

    [Theory]
    [InlineData("echo x > /usr/bin/sh", "Read-only")]
    [InlineData("echo x > /etc/passwd", "Read-only")]
    [InlineData("mkdir /new", "Read-only")]
    [InlineData("echo 1 > /proc/sys/kernel/core_pattern", "Read-only")]
    [InlineData("mount -t tmpfs none /tmp", "")]
    [InlineData("unshare -U true", "Operation not permitted")]
    [InlineData("unshare -n true", "Operation not permitted")]
    [InlineData("chroot / true", "")]
    [InlineData("hostname other", "")]
    [InlineData("date -s 2000-01-01", "Operation not permitted")]
    [InlineData("mknod /tmp/disk b 254 0", "")]
    public void It_can_change_nothing_of_the_machine(string command, string expected)
    {
        Ended ended = Run($"{command}");
        Assert.NotEqual(0, ended.Exit.ExitCode);
        Assert.Contains(expected, ended.Stderr);
    }

    [Fact]
    public void It_sees_no_process_but_its_own_and_can_signal_none()
    {
        Ended ended = Run($"set -- /proc/[0-9]*; echo $#; kill -0 {Environment.ProcessId} 2>/dev/null && echo reached; ls /proc/{Environment.ProcessId} 2>/dev/null | head -n 1; :");
        // Bubblewrap's init, and the shell.
        Assert.Equal("2\n", ended.Stdout);
    }

    [Fact]
    public void It_has_no_network_unless_it_is_given()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        string dial = $"(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo reached || echo alone";
        LaunchPlan plan = DriverRoom.Plan("bash", "-c", dial) with { Sandbox = Alone };
        Assert.Equal("alone\n", room.Run(plan).Stdout);
        Assert.Equal("reached\n", room.Run(plan with { Attempt = DriverRoom.NextAttempt(), Sandbox = new SandboxPlan(Network: true, []) }).Stdout);
    }

    [Fact]
    public void Only_ordinary_sockets_are_to_be_had()
    {
        // A Unix socket, an AF_ALG one, a packet one, netlink's audit.
        const string Script = """
            import socket
            for family, kind, protocol in ((1, 1, 0), (2, 1, 0), (16, 3, 0), (38, 5, 0), (17, 3, 0), (16, 3, 9)):
                try:
                    socket.socket(family, kind, protocol).close(); print("had")
                except OSError as e:
                    print(e.errno)
            """;
        Assert.SkipUnless(File.Exists("/usr/bin/python3"), "python3 is not installed");
        Assert.Equal("had\nhad\nhad\n97\n97\n97\n", room.Run(DriverRoom.Plan("python3", "-c", Script) with { Sandbox = Alone }).Stdout);
    }

    [Fact]
    public void What_grows_without_end_is_held_by_its_limits()
    {
        Assert.SkipUnless(room.Driver.LimitsMemoryByCgroup, "no cgroup limits memory here");
        Ended bomb = Run("f() { f | f & }; f; sleep 0.2", plan => plan with { Limits = plan.Limits with { Pids = 20 } });
        Assert.Contains("fork", bomb.Stderr);
        Ended eater = Run("a=x; while :; do a=$a$a; done", plan => plan with { Limits = plan.Limits with { MemoryBytes = 64 << 20 } });
        Assert.Equal(ExitReason.OutOfMemory, eater.Exit.Reason);
        Ended filler = Run("head -c 100M /dev/zero > /tmp/large", plan => plan with { Limits = plan.Limits with { DiskBytes = 10 << 20 } });
        Assert.Equal(ExitReason.Disk, filler.Exit.Reason);
        Assert.Equal("fine\n", Run("echo fine").Stdout);
    }

    [Fact]
    public void A_command_outside_of_what_is_shown_is_not_found()
    {
        string script = Path.Combine(room.Home, "tool");
        File.WriteAllText(script, "#!/bin/sh\necho here\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        AttemptExit exit = room.Run(DriverRoom.Plan(script) with { Sandbox = Alone }).Exit;
        Assert.Equal((ExitReason.NotFound, 127), (exit.Reason, exit.ExitCode));
        Assert.Contains("not seen in the sandbox", exit.Message);
    }

    [Fact]
    public void What_the_owner_shows_is_there_and_cannot_be_changed()
    {
        string shown = Directory.CreateTempSubdirectory("drap-shown").FullName;
        File.WriteAllText(shown + "/data", "shared");
        using var with = new DriverRoom(o => o with { SandboxShows = [shown] });
        Ended ended = with.Run(DriverRoom.Shell($"cat {shown}/data; echo x > {shown}/data") with { Sandbox = Alone });
        Assert.Equal("shared", ended.Stdout);
        Assert.Contains("Read-only", ended.Stderr);
        Directory.Delete(shown, recursive: true);
    }

    [Fact]
    public void Without_a_sandbox_a_task_that_needs_it_does_not_start()
    {
        using var without = new DriverRoom(o => o with { UseSandbox = false });
        AttemptExit exit = without.Run(DriverRoom.Shell("echo here") with { Sandbox = Alone }).Exit;
        Assert.Equal((ExitReason.Machine, "no sandbox: switched off"), (exit.Reason, exit.Message));
    }

    [Fact]
    public void A_sandbox_that_cannot_be_set_up_is_the_machines_fault_and_says_why()
    {
        LaunchPlan plan = DriverRoom.Shell("echo here") with { Sandbox = Alone, Prepare = f => Directory.Delete(f.Temporary) };
        AttemptExit exit = room.Run(plan).Exit;
        Assert.Equal(ExitReason.Machine, exit.Reason);
        Assert.StartsWith("the sandbox could not be set up: bwrap: ", exit.Message);
    }

    private static IEnumerable<string> ProcessesNamed(string name) =>
        Directory.GetDirectories("/proc").Where(p => File.Exists(p + "/cmdline") && ReadText(p + "/cmdline").StartsWith(name + "\0", StringComparison.Ordinal));

    private static string ReadText(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
