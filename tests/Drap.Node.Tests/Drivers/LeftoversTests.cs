using System.Diagnostics;
using System.Globalization;
using Drap.Node.Drivers;
using Drap.Node.Sandbox;
using Xunit;

namespace Drap.Node.Tests.Drivers;

/// <summary>A node dies without a word, and the next one of its home cleans up after it.</summary>
public sealed class LeftoversTests
{
    private const string StandIn = "DRAP_TEST_STAND_IN_HOME";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_a_killed_node_left_is_ended_and_anothers_is_not(bool useCgroups)
    {
        using var neighbour = new DriverRoom();
        LaunchPlan theirs = neighbour.Start(DriverRoom.Shell("echo up; exec sleep 1000"));
        int theirPid = neighbour.Events.WaitForStart(theirs.Attempt).ProcessId;
        neighbour.Events.WaitForOutput(theirs.Attempt, "up");

        string home = Directory.CreateTempSubdirectory("drap-test").FullName;
        int[] left = RunAndKillNode(home, useCgroups);
        Assert.Equal(3, left.Length);
        Assert.All(left, pid => Assert.True(DriverRoom.IsAlive(pid)));
        string memoryRoot = WorkFolders.MemoryRoots(HomeMark.Of(home)).First();
        Assert.True(Directory.Exists(memoryRoot) && Directory.Exists(home + "/work/0"));

        Leftovers reaped = Leftovers.Reap(home);
        Assert.Empty(reaped.Problems);
        Assert.InRange(reaped.Processes, 3, 20);
        Assert.Equal(2, reaped.Folders);
        Assert.All(left, pid => Assert.False(DriverRoom.IsAlive(pid)));
        Assert.False(Directory.Exists(memoryRoot) || Directory.Exists(home + "/work"));
        Assert.All(File.ReadAllLines(home + "/cgroups"), at => Assert.False(Directory.Exists(at)));
        Assert.Equal(0, Leftovers.Reap(home).Processes);
        Assert.True(DriverRoom.IsAlive(theirPid));
        Directory.Delete(home, recursive: true);
    }

    /// <summary>The stand-in for a node: this test assembly started again with this test, which then runs tasks until it is killed.</summary>
    [Fact]
    public void Stand_in()
    {
        if (Environment.GetEnvironmentVariable(StandIn) is not { } home)
            return;
        var events = new Recorder();
        var driver = new ProcessDriver(new ProcessDriverOptions { Home = home, UseCgroups = Environment.GetEnvironmentVariable("DRAP_TEST_CGROUPS") == "1" }, events);
        LaunchPlan onDisk = DriverRoom.Shell("echo $$; mkfifo f; setsid sh -c 'echo $$; echo > f; exec sleep 1000' & read x < f; echo both up; exec sleep 1000");
        LaunchPlan inMemory = DriverRoom.Shell("echo $$; exec sleep 1000") with { Limits = new LaunchLimits(1000, 1 << 26, 10, 1 << 20) };
        driver.Start([onDisk, inMemory]);
        string[] pids =
        [
            .. events.WaitForOutput(inMemory.Attempt, "\n").Split('\n'),
            .. events.WaitForOutput(onDisk.Attempt, "both up").Replace("both up", "", StringComparison.Ordinal).Split('\n'),
        ];
        File.WriteAllText(home + "/pids.tmp", string.Join(' ', pids.Where(p => p.Length > 0)));
        File.Move(home + "/pids.tmp", home + "/pids");
        Process.GetCurrentProcess().Kill();
    }

    private static int[] RunAndKillNode(string home, bool useCgroups)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet")
            start.ArgumentList.Add(typeof(LeftoversTests).Assembly.Location);
        start.ArgumentList.Add("-method");
        start.ArgumentList.Add($"{typeof(LeftoversTests).FullName}.{nameof(Stand_in)}");
        start.Environment[StandIn] = home;
        start.Environment["DRAP_TEST_CGROUPS"] = useCgroups ? "1" : "0";
        using Process node = Process.Start(start)!;
        string output = node.StandardOutput.ReadToEnd();
        node.WaitForExit();
        Assert.True(File.Exists(home + "/pids"), output);
        return [.. File.ReadAllText(home + "/pids").Split(' ').Select(p => int.Parse(p, CultureInfo.InvariantCulture))];
    }
}
