using Drap.Node.Drivers;
using Xunit;

namespace Drap.Node.Tests.Drivers;

/// <summary>Counts what belongs to the whole process, and so runs while nothing else does.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

[Collection("alone")]
public sealed class LeakTests : IDisposable
{
    private readonly DriverRoom room = new();

    public void Dispose() => room.Dispose();

    [Fact]
    public void A_thousand_tasks_leave_no_descriptor_no_child_and_no_folder()
    {
        room.Run(DriverRoom.Plan("true"));
        room.Run(DriverRoom.Plan("true"));
        int before = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        LaunchPlan[] plans = [.. Enumerable.Range(0, 1000).Select(_ => DriverRoom.Shell("(sleep 0 & )"))];
        using (var busy = new DriverRoom(o => o with { SlotsMax = 4 }))
        {
            Assert.Equal(1000, busy.Driver.Start(plans));
            foreach (LaunchPlan plan in plans)
                Assert.Equal(0, busy.Events.WaitForExit(plan.Attempt).Exit.ExitCode);
            busy.Driver.Dispose();
            Assert.False(Directory.Exists(busy.Home + "/work"));
        }
        Assert.Equal("", File.ReadAllText($"/proc/self/task/{Environment.ProcessId}/children"));
        Assert.InRange(Directory.GetFileSystemEntries("/proc/self/fd").Length, 0, before + 3);
    }
}
