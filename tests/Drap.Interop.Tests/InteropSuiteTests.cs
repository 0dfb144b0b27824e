using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>The suite with which libp2p's implementations test each other (npm: @libp2p/interop), its js slot js-libp2p's daemon.</summary>
public sealed partial class InteropSuiteTests(JsPackages packages)
{
    /// <summary>Pending are what nobody here has (webtransport, webrtc-direct: 6) and what the suite has switched off (gossipsub, hybrid: 8).</summary>
    private const int Passing = 88, Pending = 14;

    /// <summary>It takes two minutes where nothing else runs; most of it is the suite's own waiting.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(15);

    /// <summary>The control: what the suite says where no drap is.</summary>
    [Fact(Explicit = true)]
    public async Task With_js_in_both_slots_it_passes_as_it_does_for_others()
    {
        packages.Require();
        await AssertPassesAsync();
    }

    [Fact]
    public async Task With_drap_in_the_go_slot_it_passes_the_same()
    {
        packages.Require();
        await AssertPassesAsync("--", "dotnet", Path.Combine(AppContext.BaseDirectory, "drap.dll"));
    }

    private static async Task AssertPassesAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("node", [Path.Combine(JsPackages.Folder, "interop.js"), .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = JsPackages.Folder,
        };
        using var process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(patience, TestContext.Current.CancellationToken);
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        string tap = await output;
        TestContext.Current.TestOutputHelper?.WriteLine(tap);
        Match counts = Counts().Match(tap);
        Assert.True(counts.Success, $"the suite ended before it could say what it found: {tap}\n{await error}");
        string failed = string.Join('\n', Failed().Matches(tap).Select(match => match.Value));
        Assert.True(
            (counts.Groups[1].Value, counts.Groups[2].Value, counts.Groups[3].Value) == ($"{Passing}", "0", $"{Pending}") && process.ExitCode == 0,
            $"{counts.Value}, code {process.ExitCode}\n{failed}\n{await error}");
    }

    [GeneratedRegex(@"^# (\d+) passed, (\d+) failed, (\d+) pending$", RegexOptions.Multiline)]
    private static partial Regex Counts();

    // A line of TAP and what is indented below it.
    [GeneratedRegex(@"^not ok .*(\n  .*)*", RegexOptions.Multiline)]
    private static partial Regex Failed();
}
