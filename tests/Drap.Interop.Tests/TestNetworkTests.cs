using System.Diagnostics;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>The tests' networks leave nothing behind.</summary>
public sealed class TestNetworkTests
{
    [Fact]
    public void What_a_killed_test_program_left_is_swept_and_what_a_living_one_has_is_not()
    {
        using var network = new TestNetwork();
        string ours = network.AddMachine();
        int dead;
        using (var process = Process.Start("true"))
        {
            process.WaitForExit();
            dead = process.Id;
        }
        string left = $"drap{dead}n1";
        TestNetwork.Ip("netns", "add", left);
        TestNetwork.Sweep();
        string[] standing = [.. TestNetwork.Run("ip", "netns", "list").Split('\n').Select(line => line.Split(' ')[0])];
        Assert.DoesNotContain(left, standing);
        Assert.Contains(ours, standing);
    }
}
