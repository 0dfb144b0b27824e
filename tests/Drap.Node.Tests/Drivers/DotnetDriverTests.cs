using System.Diagnostics;
using Drap.Node.Drivers;
using Xunit;

namespace Drap.Node.Tests.Drivers;

public sealed class DotnetDriverTests : IDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("drap-test").FullName;
    private readonly HandlerRegistry handlers = new();
    private readonly Recorder events = new();
    private readonly DotnetDriver driver;

    public DotnetDriverTests() => driver = new DotnetDriver(new DotnetDriverOptions { Home = home }, handlers, events);

    public void Dispose()
    {
        driver.Dispose();
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public void A_handler_gets_its_arguments_writes_and_ends()
    {
        handlers.Register("greet", (context, _) =>
        {
            context.WriteLine($"hello {string.Join(' ', context.Arguments)}");
            return ValueTask.CompletedTask;
        });
        Ended ended = Run(DriverRoom.Plan("greet", "dear", "world"));
        Assert.Equal((ExitReason.Exited, 0, "hello dear world\n"), (ended.Exit.Reason, ended.Exit.ExitCode, ended.Stdout));
    }

    [Fact]
    public void An_exception_is_the_attempts_failure_now_or_later()
    {
        handlers.Register("now", (_, _) => throw new InvalidDataException("bad record 7"));
        handlers.Register("later", async (_, _) =>
        {
            await Task.Yield();
            throw new InvalidDataException("bad record 8");
        });
        Assert.Equal("InvalidDataException: bad record 7", Run(DriverRoom.Plan("now")).Exit.Message);
        AttemptExit later = Run(DriverRoom.Plan("later")).Exit;
        Assert.Equal((ExitReason.HandlerFailed, 1, "InvalidDataException: bad record 8"), (later.Reason, later.ExitCode, later.Message));
    }

    [Fact]
    public void An_unknown_name_lists_the_known_ones()
    {
        handlers.Register("b", (_, _) => ValueTask.CompletedTask);
        handlers.Register("a", (_, _) => ValueTask.CompletedTask);
        AttemptExit exit = Run(DriverRoom.Plan("c")).Exit;
        Assert.Equal((ExitReason.NotFound, 127, "c: no such handler in this process; there are: a, b"), (exit.Reason, exit.ExitCode, exit.Message));
    }

    [Fact]
    public void Term_cancels_and_kill_does_not_wait()
    {
        var entered = new TaskCompletionSource();
        handlers.Register("heeds", (_, token) => new ValueTask(Task.Delay(Timeout.Infinite, token)));
        handlers.Register("hangs", async (_, _) => await entered.Task);
        LaunchPlan heeds = DriverRoom.Plan("heeds"), hangs = DriverRoom.Plan("hangs");
        Assert.Equal(2, driver.Start([heeds, hangs]));
        events.WaitForStart(heeds.Attempt);
        events.WaitForStart(hangs.Attempt);
        Assert.True(driver.Signal(heeds.Attempt, AttemptSignal.Term));
        Assert.Equal(15, events.WaitForExit(heeds.Attempt).Exit.Signal);
        Assert.True(driver.Signal(hangs.Attempt, AttemptSignal.Kill));
        Assert.Equal(9, events.WaitForExit(hangs.Attempt).Exit.Signal);
        Assert.False(driver.Signal(hangs.Attempt, AttemptSignal.Kill));
        entered.SetResult();
    }

    [Fact]
    public void A_folder_is_there_for_who_asks_and_gone_afterwards()
    {
        string? path = null, output = null;
        handlers.Register("copy", (context, _) =>
        {
            path = context.Folder.Path;
            File.Copy(context.Folder.In + "/x", context.Folder.Out + "/y");
            return ValueTask.CompletedTask;
        });
        Run(DriverRoom.Plan("copy") with
        {
            Prepare = f => File.WriteAllText(f.In + "/x", "content"),
            Collect = (folder, in _) => output = File.ReadAllText(folder.Out + "/y"),
        });
        Assert.Equal("content", output);
        Assert.False(Directory.Exists(path));
    }

    [Fact]
    public void Many_short_handlers_cost_little_and_all_are_reported()
    {
        int ran = 0;
        handlers.Register("count", (_, _) =>
        {
            Interlocked.Increment(ref ran);
            return ValueTask.CompletedTask;
        });
        var counter = new Counter();
        using var fast = new DotnetDriver(new DotnetDriverOptions { Home = home, AttemptsMax = 100_000 }, handlers, counter);
        LaunchPlan[] plans = [.. Enumerable.Range(0, 100_000).Select(_ => DriverRoom.Plan("count"))];
        long before = Stopwatch.GetTimestamp();
        int taken = 0;
        while (taken < plans.Length)
            taken += fast.Start(plans.AsSpan(taken, Math.Min(1_000, plans.Length - taken)));
        Assert.True(counter.All.Wait(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken), $"missing: {100_000 - counter.Exits} exits");
        TestContext.Current.SendDiagnosticMessage("{0} ns a handler", Stopwatch.GetElapsedTime(before).TotalNanoseconds / plans.Length);
        Assert.Equal(100_000, ran);
        Assert.Equal(100_000, counter.Starts);
    }

    private Ended Run(LaunchPlan plan)
    {
        Assert.Equal(1, driver.Start([plan]));
        return events.WaitForExit(plan.Attempt);
    }

    private sealed class Counter : IDriverEvents
    {
        private int starts, exits;

        public ManualResetEventSlim All { get; } = new();

        public int Starts => starts;

        public int Exits => exits;

        public void Started(ReadOnlySpan<AttemptStart> started) => Interlocked.Add(ref starts, started.Length);

        public void Log(AttemptId attempt, LogStream stream, long offset, ReadOnlySpan<byte> bytes)
        {
        }

        public void StdinRoom(AttemptId attempt)
        {
        }

        public void Exited(ReadOnlySpan<AttemptExit> ended)
        {
            if (Interlocked.Add(ref exits, ended.Length) == 100_000)
                All.Set();
        }
    }
}
