using System.Diagnostics;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>
/// A program of another process that a test talks to by lines, in the test's network or in one of its own. It ends when its standard input does; one that
/// does not is killed.
/// </summary>
internal sealed class ChildProgram : IAsyncDisposable
{
    /// <summary>Far more than anything takes here on a busy machine: what hangs fails with its name.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private static readonly TimeSpan endPatience = TimeSpan.FromSeconds(20);

    private readonly Process process;

    private ChildProgram(Process process)
    {
        this.process = process;
        Errors = process.StandardError.ReadToEndAsync();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>What it says.</summary>
    public StreamReader Output => process.StandardOutput;

    /// <summary>What it is told.</summary>
    public StreamWriter Input => process.StandardInput;

    /// <summary>All that it complained of, when it has ended.</summary>
    public Task<string> Errors { get; }

    /// <summary>Starts a program: its words, the first of which is the program itself.</summary>
    public static ChildProgram Start(string? network, params string[] words)
    {
        string[] all = [.. network is null ? (string[])[] : ["ip", "netns", "exec", network], .. words];
        var start = new ProcessStartInfo(all[0], all[1..])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = JsPackages.Folder,
        };
        start.Environment["NO_COLOR"] = "1";
        return new ChildProgram(Process.Start(start)!);
    }

    /// <summary>Starts drap.</summary>
    public static ChildProgram StartDrap(string? network, params string[] arguments) =>
        Start(network, ["dotnet", Path.Combine(AppContext.BaseDirectory, "drap.dll"), .. arguments]);

    /// <summary>The first line that it says; if it ends before, what it complained of is the failure.</summary>
    public async Task<string> FirstLineAsync() =>
        await Output.ReadLineAsync(Cancel).AsTask().WaitAsync(Patience, Cancel) ?? throw new InvalidOperationException($"it ended at once: {await Errors}");

    /// <summary>Waits for its end; its exit code.</summary>
    public async Task<int> EndAsync()
    {
        await process.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience, CancellationToken.None);
        return process.ExitCode;
    }

    /// <summary>Stops it where it stands, as a machine does that sleeps; or has it go on.</summary>
    public void Freeze(bool on)
    {
        using Process kill = Process.Start("kill", [on ? "-STOP" : "-CONT", $"{process.Id}"]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    /// <summary>Ends it from one moment to the next, as a crash does.</summary>
    public void Kill() => process.Kill();

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync(CancellationToken.None).WaitAsync(endPatience, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
        }
        process.Dispose();
    }
}
