using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Drap.Core.Execution;
using Drap.Node.Drivers;
using Drap.Node.Sandbox;
using Drap.Node.Time;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>
/// A node is killed or frozen, and its guard ends what must not outlive its lease, and nothing else. The node is this test program, started again
/// with one test of its own, the guard is the built program.
/// </summary>
public sealed partial class GuardTests
{
    private const string StandIn = "DRAP_TEST_GUARDED_HOME", Cgroups = "DRAP_TEST_GUARDED_CGROUPS";
    private const int SigKill = 9, SigStop = 19, SigContinue = 18;

    /// <summary>Far more than anything takes here on a busy machine.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(60), look = TimeSpan.FromMilliseconds(10);

    private static readonly PeerId scheduler = PeerId.FromPublicKey(new byte[32]);

    // Renewed all the time, while the node can.
    private static readonly TimeSpan lease = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(true, SigKill)]
    [InlineData(true, SigStop)]
    [InlineData(false, SigKill)]
    [InlineData(false, SigStop)]
    public void What_must_not_outlive_its_lease_is_ended_with_it(bool useCgroups, int signal)
    {
        using var node = new Node(useCgroups);
        node.Signal(signal);
        AssertEnded(node);
        Assert.True(IsAlive(node.Finishing), "the guard ended what may outlive its lease");
        if (signal == SigKill)
        {
            // The guard stays as long as anything that it guards, and no longer.
            Assert.True(IsAlive(node.Guard));
            Assert.Equal(0, Kill(node.Finishing, SigKill));
            Until(() => !IsAlive(node.Guard), "the guard stays though nothing is left");
            return;
        }
        // The node wakes: it learns of the end, and the slot runs the next one.
        node.Signal(SigContinue);
        Assert.Equal("Signaled 137", node.Read("stopped"));
        Assert.Equal("Exited 0", node.Read("next"));
        Assert.True(IsAlive(node.Finishing) && IsAlive(node.Guard));
        // A guard without a node, and with nothing to guard, goes.
        Assert.Equal(0, Kill(node.Finishing, SigKill));
        Assert.Equal("Signaled 137", node.Read("finished"));
        node.Signal(SigKill);
        Until(() => !IsAlive(node.Guard), "the guard stays though its node is dead and nothing runs");
    }

    [Fact]
    public void A_guard_that_was_killed_or_stands_still_is_replaced_and_the_next_one_knows_all()
    {
        using var node = new Node(useCgroups: true);
        Assert.Equal(0, Kill(node.Guard, SigKill));
        int second = node.NextGuard(node.Guard);
        node.Signal(SigKill);
        AssertEnded(node);
        Assert.True(IsAlive(node.Finishing) && IsAlive(second));
        // The next node of the home ends what is left, and the guard before it could take another's for what it guards.
        Assert.Empty(Leftovers.Reap(node.Home).Problems);
        Assert.False(IsAlive(node.Finishing));
        Until(() => !IsAlive(second), "the guard of the dead node is left");
    }

    /// <summary>The stand-in for a node: it runs a task that stops with its lease, escapes included, and one that does not.</summary>
    [Fact]
    public void Stand_in()
    {
        if (Environment.GetEnvironmentVariable(StandIn) is not { } home)
            return;
        var events = new Events(home);
        using var driver = new ProcessDriver(new ProcessDriverOptions
        {
            Home = home, UseCgroups = Environment.GetEnvironmentVariable(Cgroups) == "1", UseSandbox = false, SlotsMax = 2,
            Guard = [DotnetPath, Path.Combine(AppContext.BaseDirectory, "drap.dll"), "guard"],
        }, events);
        Instant now = BootClock.Now;
        string escape = $"echo $$ > {home}/leader.pid; (setsid sh -c 'echo $$ > {home}/escaped.pid; exec sleep 1000' &) ; exec sleep 1000";
        LaunchPlan stopping = Plan(1, escape) with { Guard = new GuardTerms(scheduler, true, now + lease, TimeSpan.FromDays(7)) };
        LaunchPlan finishing = Plan(2, $"echo $$ > {home}/finishing.pid; exec sleep 1000") with { Guard = new GuardTerms(scheduler, false, now + lease, TimeSpan.FromDays(7)) };
        // It waits for the first one's slot.
        LaunchPlan next = Plan(3, "exit 0") with { Guard = finishing.Guard };
        Assert.Equal(3, driver.Start([stopping, finishing, next]));
        while (true)
        {
            // First what holds, then what is read: killed between the two, it reads an earlier one.
            Instant until = BootClock.Now + lease;
            driver.Guard!.Extend(scheduler, until);
            Write(home, "lease.end", until.Nanoseconds.ToString(CultureInfo.InvariantCulture));
            Write(home, "guard.pid", driver.Guard.ProcessId.ToString(CultureInfo.InvariantCulture));
            Thread.Sleep(look);
        }
    }

    private static void AssertEnded(Node node)
    {
        Until(() => node.Stopping.All(pid => !IsAlive(pid)), "what must not outlive its lease does");
        var leaseEnd = new Instant(long.Parse(node.Read("lease.end"), CultureInfo.InvariantCulture));
        Assert.True(BootClock.Now >= leaseEnd, $"it was ended {leaseEnd - BootClock.Now} before its lease");
    }

    private static LaunchPlan Plan(int number, string script) => new()
    {
        Attempt = new AttemptId(new TaskId(new JobId(Guid.Empty), number), new Fence(new Epoch(7), 1)), Arguments = ["sh", "-c", script],
        Environment = [new("PATH", "/usr/local/bin:/usr/bin:/bin")],
    };

    private static string DotnetPath => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    private static void Write(string home, string name, string text)
    {
        File.WriteAllText($"{home}/{name}.new", text);
        File.Move($"{home}/{name}.new", $"{home}/{name}", overwrite: true);
    }

    private static bool IsAlive(int pid)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static void Until(Func<bool> holds, string lacking)
    {
        var clock = Stopwatch.StartNew();
        for (; !holds(); Thread.Sleep(look))
            Assert.True(clock.Elapsed < patience, lacking);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    /// <summary>The stand-in's process and what it started; disposing ends all of it.</summary>
    private sealed class Node : IDisposable
    {
        private readonly Process process;

        public Node(bool useCgroups)
        {
            var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
            if (Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet")
                start.ArgumentList.Add(typeof(GuardTests).Assembly.Location);
            start.ArgumentList.Add("-method");
            start.ArgumentList.Add($"{typeof(GuardTests).FullName}.{nameof(Stand_in)}");
            start.Environment[StandIn] = Home;
            start.Environment[Cgroups] = useCgroups ? "1" : "0";
            process = Process.Start(start)!;
            Stopping = [Number("leader.pid"), Number("escaped.pid")];
            Finishing = Number("finishing.pid");
            Guard = NextGuard(0);
        }

        public string Home { get; } = Directory.CreateTempSubdirectory("drap-test").FullName;

        public ImmutableArray<int> Stopping { get; }

        public int Finishing { get; }

        public int Guard { get; }

        public void Signal(int signal) => Assert.Equal(0, Kill(process.Id, signal));

        /// <summary>What the node, or a task, has written.</summary>
        public string Read(string name)
        {
            string text = "";
            Until(() => File.Exists($"{Home}/{name}") && (text = File.ReadAllText($"{Home}/{name}").Trim()).Length > 0, $"there is no {name}");
            return text;
        }

        public int NextGuard(int before)
        {
            int guard = 0;
            Until(() => (guard = Number("guard.pid")) != before && guard != 0, "there is no guard");
            return guard;
        }

        public void Dispose()
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
            Leftovers.Reap(Home);
            Directory.Delete(Home, recursive: true);
        }

        private int Number(string name) => int.Parse(Read(name), CultureInfo.InvariantCulture);
    }

    private sealed class Events(string home) : IDriverEvents
    {
        public void Started(ReadOnlySpan<AttemptStart> starts)
        {
        }

        public void Log(AttemptId attempt, LogStream stream, long offset, ReadOnlySpan<byte> bytes)
        {
        }

        public void StdinRoom(AttemptId attempt)
        {
        }

        public void Exited(ReadOnlySpan<AttemptExit> exits)
        {
            foreach (ref readonly AttemptExit exit in exits)
                Write(home, exit.Attempt.Task.Number switch { 1 => "stopped", 2 => "finished", _ => "next" }, $"{exit.Reason} {exit.ExitCode}");
        }
    }
}
