using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>
/// Machines of a test's own as network namespaces, and cables between them. Where that is not to be had (it takes root and the programs <c>ip</c> and
/// <c>tc</c>) the test says so and is skipped.
/// </summary>
internal sealed class TestNetwork : IDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(30), lookEvery = TimeSpan.FromMilliseconds(20);
    private static int made;

    // Namespaces outlive their process: what a test program that was killed left is swept once by the next.
    private static readonly Lazy<int> swept = new(Sweep);

    private readonly List<string> machines = [];
    private int cables;

    public TestNetwork()
    {
        if (Environment.UserName != "root")
            Assert.Skip("network namespaces need root");
        string? missing = new[] { "ip", "tc" }.FirstOrDefault(program => !Has(program));
        if (missing is not null)
            Assert.Skip($"there is no {missing} on the PATH (Debian: iproute2)");
        if (Try("ip", "netns", "list") is { } failure)
            Assert.Skip($"network namespaces cannot be made here: {failure}");
        _ = swept.Value;
    }

    /// <summary>Ends the machines of test programs that are no more; returns how many.</summary>
    public static int Sweep()
    {
        int ended = 0;
        foreach (Match name in Regex.Matches(Run("ip", "netns", "list"), @"^drap([0-9]+)n[0-9]+\b", RegexOptions.Multiline))
        {
            if (!Directory.Exists($"/proc/{name.Groups[1].Value}") && Try("ip", "netns", "del", name.Value) is null)
                ended++;
        }
        return ended;
    }

    /// <summary>A machine that reaches nobody yet; its loopback is up.</summary>
    public string AddMachine()
    {
        string name = $"drap{Environment.ProcessId}n{Interlocked.Increment(ref made)}";
        if (Try("ip", "netns", "add", name) is { } failure)
            Assert.Skip($"network namespaces cannot be made here: {failure}");
        machines.Add(name);
        Ip("-n", name, "link", "set", "lo", "up");
        return name;
    }

    /// <summary>A cable between two machines, each with an address of a network of 24 bits; returns its ends' names.</summary>
    public (string A, string B) Connect(string a, string addressA, string b, string addressB)
    {
        int number = ++cables;
        (string endA, string endB) = ($"eth{number}", $"eth{number}");
        Ip("link", "add", endA, "netns", a, "type", "veth", "peer", "name", endB, "netns", b);
        foreach ((string machine, string end, string address) in new[] { (a, endA, addressA), (b, endB, addressB) })
        {
            Ip("-n", machine, "addr", "add", $"{address}/24", "dev", end);
            Ip("-n", machine, "link", "set", end, "up");
        }
        AwaitUp(a, endA);
        AwaitUp(b, endB);
        return (endA, endB);
    }

    /// <summary>Runs <c>ip</c>.</summary>
    public static void Ip(params string[] args) => Run("ip", args);

    public void Dispose()
    {
        foreach (string machine in machines)
            Try("ip", "netns", "del", machine);
    }

    /// <summary>Runs a program, which must succeed; returns what it wrote.</summary>
    public static string Run(string program, params string[] args)
    {
        (int code, string output, string error) = Perform(program, args);
        Assert.True(code == 0, $"{program} {string.Join(' ', args)}: {error.Trim()} (code {code})");
        return output;
    }

    /// <summary>Runs a program, and says what went wrong.</summary>
    public static string? Try(string program, params string[] args)
    {
        (int code, _, string error) = Perform(program, args);
        return code == 0 ? null : $"{error.Trim()} (code {code})";
    }

    // The system takes up to a second until it says of a device that its cable is plugged in, and no program takes it for usable before.
    private static void AwaitUp(string machine, string end)
    {
        var clock = Stopwatch.StartNew();
        while (!Run("ip", "-n", machine, "-o", "link", "show", end).Contains("state UP", StringComparison.Ordinal))
        {
            Assert.True(clock.Elapsed < patience, $"the end {end} of a cable does not come up within {patience.TotalSeconds} s");
            Thread.Sleep(lookEvery);
        }
    }

    private static bool Has(string program)
    {
        try
        {
            Perform(program, "-V");
            return true;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    private static (int Code, string Output, string Error) Perform(string program, params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error);
    }
}
