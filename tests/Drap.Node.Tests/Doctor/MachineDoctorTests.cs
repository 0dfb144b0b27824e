using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Drap.Core;
using Drap.Libp2p.Multiformats;
using Drap.Node.Config;
using Drap.Node.Doctor;
using Drap.Node.Home;
using Drap.Node.Hosting.Workers;
using Drap.Node.Tests.Storage;
using Xunit;

namespace Drap.Node.Tests.Doctor;

public sealed class MachineDoctorTests
{
    [Theory]
    [InlineData(0xEF53, null, FindingLevel.Ok, "lies on a disk of this machine")]
    [InlineData(0x01021994, null, FindingLevel.Warn, "lies in memory (tmpfs)")]
    [InlineData(0x794c7630, null, FindingLevel.Warn, "in a container's own layer")]
    [InlineData(0x6969, "NFS", FindingLevel.Fail, "lies on a network file system (NFS), where a journal is not safe")]
    public void Where_state_lies_is_judged_by_the_file_system(long kind, string? network, FindingLevel level, string words)
    {
        Finding found = HomeCheck.OfKind("/data", kind, network);
        Assert.Equal((level, level != FindingLevel.Ok), (found.Level, found.Remedy.Length > 0));
        Assert.Contains(words, found.Says, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(255L << 20, FindingLevel.Fail)]
    [InlineData(256L << 20, FindingLevel.Warn)]
    [InlineData((5L << 30) - 1, FindingLevel.Warn)]
    [InlineData(5L << 30, FindingLevel.Ok)]
    public void Little_disk_is_told_and_next_to_none_is_too_little(long free, FindingLevel level) => Assert.Equal(level, HomeCheck.Room("/data", free).Level);

    [Theory]
    [InlineData("Max open files            1024                 4095                 files     ", FindingLevel.Warn)]
    [InlineData("Max open files            1024                 4096                 files     ", FindingLevel.Ok)]
    [InlineData("Max open files            1024                 unlimited            files     ", FindingLevel.Ok)]
    [InlineData("Max cpu time              unlimited            unlimited            seconds   ", FindingLevel.Ok)]
    public void The_limit_of_open_files_that_counts_is_the_hard_one(string line, FindingLevel level) => Assert.Equal(level, LibraryCheck.Files([line]).Level);

    [Theory]
    [InlineData(1_700_000_000_000, true, 1, FindingLevel.Fail)]
    [InlineData(1_800_000_000_000, false, 1, FindingLevel.Warn)]
    [InlineData(1_800_000_000_000, true, 2001, FindingLevel.Warn)]
    [InlineData(1_800_000_000_000, true, 2000, FindingLevel.Ok)]
    [InlineData(1_800_000_000_000, null, 0, FindingLevel.Ok)]
    public void The_time_of_day_is_judged_by_what_the_kernel_knows_of_its_error(long now, bool? inStep, int errorMs, FindingLevel level) => Assert.Equal(
        level, ClockCheck.TimeOfDay(new UtcTime(now), inStep is { } known ? (known, TimeSpan.FromMilliseconds(-0.5), TimeSpan.FromMilliseconds(errorMs)) : null).Level);

    [Fact]
    public void Gpus_without_a_size_or_a_driver_without_gpus_are_told()
    {
        var none = new MachineResources();
        Assert.Equal((FindingLevel.Ok, FindingLevel.Warn), (TaskCheck.Gpus(none, hasNvidiaDriver: false).Level, TaskCheck.Gpus(none, hasNvidiaDriver: true).Level));
        Assert.Equal("0: A100, 40GiB", TaskCheck.Gpus(new MachineResources { Gpus = [new GpuDevice(0, "A100", 40L << 30)] }, false).Says);
        Assert.Equal(FindingLevel.Warn, TaskCheck.Gpus(new MachineResources { Gpus = [new GpuDevice(0, "A100", 0)] }, false).Level);
    }

    [Fact]
    public void A_port_that_is_taken_is_a_failure_unless_by_the_node_itself_or_another_can_be_had()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        Multiaddr address = Multiaddr.FromTcp(IPAddress.Loopback, ((IPEndPoint)taken.LocalEndpoint).Port);
        Assert.Equal(
            [FindingLevel.Fail, FindingLevel.Warn, FindingLevel.Ok],
            [NetworkCheck.Listen(address, isServed: false, isChosen: false).Level, NetworkCheck.Listen(address, isServed: false, isChosen: true).Level, NetworkCheck.Listen(address, isServed: true, isChosen: false).Level]);
        Assert.Equal(FindingLevel.Ok, NetworkCheck.Listen(Multiaddr.FromTcp(IPAddress.Loopback, 0), false, false).Level);
        Assert.Equal(FindingLevel.Fail, NetworkCheck.Listen(Multiaddr.Parse("/ip4/192.0.2.1/tcp/4001"), false, false).Level);
    }

    [Fact]
    public async Task Everything_is_looked_at_once_and_nothing_is_left_behind()
    {
        using var folder = new TempFolder();
        HomeFolder home = HomeFolder.At(Path.Combine(folder.Path, "not", "there"));
        ImmutableArray<Finding> found = await MachineDoctor.ExamineAsync(home, new NodeSpec { Mdns = false }, MachineResources.Detect(home.Path), isServed: false, TestContext.Current.CancellationToken);
        Assert.Equal(
            ["dotnet", "openssl", "libsodium", "files", "home", "disk", "locks", "machine", "gpus", "cgroups", "sandbox", "time", "clock", "port", "mdns"], found.Select(f => f.Name));
        Assert.All(found, f => Assert.Equal(f.Level != FindingLevel.Ok, f.Remedy.Length > 0));
        Assert.Equal(FindingLevel.Ok, found.Single(f => f.Name == "locks").Level);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public async Task A_home_that_was_copied_fails_as_its_start_would()
    {
        using var folder = new TempFolder();
        HomeFolder home = HomeFolder.At(folder.Path);
        HomeIdentity.Check(home);
        string made = File.ReadAllText(home.IdentityFile);
        File.WriteAllText(home.IdentityFile, made.Replace("\"inode\": ", "\"inode\": 9", StringComparison.Ordinal));
        ImmutableArray<Finding> found = await MachineDoctor.ExamineAsync(home, new NodeSpec { Mdns = false, Gateway = true }, new MachineResources { MilliCpus = 1000 }, isServed: false, TestContext.Current.CancellationToken);
        Finding copied = found.Single(f => f.Name == "home");
        Assert.Equal(FindingLevel.Fail, copied.Level);
        Assert.Contains("is a copy, or was moved", copied.Says, StringComparison.Ordinal);
        // A gateway has no tasks to hold.
        Assert.DoesNotContain(found, f => f.Name is "cgroups" or "sandbox" or "disk");
    }
}
