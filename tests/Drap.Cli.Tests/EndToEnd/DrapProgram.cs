using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Drap.Client;
using Drap.Node.Home;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>The built program, run as a user's shell runs it, in a home and a folder of the test's own. Disposing ends the home's node.</summary>
internal sealed partial class DrapProgram : IAsyncDisposable
{
    /// <summary>Far more than any of these takes on a busy machine: one that hangs fails with its name.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(90);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public DrapProgram(string? home = null) => Environment["DRAP_HOME"] = home ?? Home.Folder.Path;

    public TemporaryHome Home { get; } = new();

    /// <summary>Variables that differ from this process's own.</summary>
    public Dictionary<string, string> Environment { get; } = new()
    {
        ["NO_COLOR"] = "1",
        // The program is the one that a build leaves, which looks for the runtime where it is installed; this process knows where its own is.
        ["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")),
    };

    /// <summary>The folder in which commands are run.</summary>
    public string Folder => Home.Root;

    public Task<Ended> RunAsync(params string[] args) => PipeAsync("", args);

    /// <summary>Runs a command to its end, with this on its standard input; without any it has the null device.</summary>
    public async Task<Ended> PipeAsync(string stdin, params string[] args)
    {
        using Process process = Start(stdin.Length > 0, args);
        Task<string> output = process.StandardOutput.ReadToEndAsync(Cancel), error = process.StandardError.ReadToEndAsync(Cancel);
        if (stdin.Length > 0)
        {
            await process.StandardInput.WriteAsync(stdin.AsMemory(), Cancel);
            process.StandardInput.Close();
        }
        return await EndAsync(process, output, error);
    }

    /// <summary>Runs a shell's line in which <c>drap</c> is the program.</summary>
    public async Task<Ended> ShellAsync(string line)
    {
        using Process process = Launch("exec </dev/null; drap() { \"$0\" \"$@\"; }; " + line, []);
        return await EndAsync(process, process.StandardOutput.ReadToEndAsync(Cancel), process.StandardError.ReadToEndAsync(Cancel));
    }

    /// <summary>Waits for the end of a command that <see cref="Start"/> began.</summary>
    public static async Task<Ended> EndAsync(Process process, Task<string> output, Task<string> error)
    {
        try
        {
            await process.WaitForExitAsync(Cancel).WaitAsync(patience, Cancel);
        }
        catch (TimeoutException)
        {
            process.Kill();
            Assert.Fail($"{string.Join(' ', process.StartInfo.ArgumentList)} did not end; it wrote: {await error}");
        }
        return new Ended(process.ExitCode, await output, await error);
    }

    /// <summary>Begins a command; with an input its standard input is a pipe, else the null device.</summary>
    public Process Start(bool input, params string[] args) =>
        // The shell gives the null device; .NET itself can only leave its own or make a pipe. What a shell runs in its background ignores
        // interrupts, and so do all below it, unless they are told otherwise.
        Launch("exec env --default-signal=INT \"$0\" \"$@\"" + (input ? "" : " </dev/null"), args, input);

    /// <summary>A shell with the program as its $0.</summary>
    private Process Launch(string script, string[] args, bool input = false)
    {
        var start = new ProcessStartInfo("/bin/sh")
        {
            RedirectStandardInput = input, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = Folder,
        };
        foreach (string arg in (IEnumerable<string>)["-c", script, Path.Combine(AppContext.BaseDirectory, "drap"), .. args])
            start.ArgumentList.Add(arg);
        foreach ((string name, string value) in Environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Writes a file in <see cref="Folder"/>.</summary>
    public string File(string name, string text)
    {
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Who holds the home's lock, or held it last; null when nobody ever did.</summary>
    public int? Holder => HomeLock.HolderOf(Home.Folder);

    /// <summary>The next process that takes the home's lock.</summary>
    public async Task<int> NewHolderAsync(int? before)
    {
        int? holder = null;
        await UntilAsync(() => (holder = Holder) is not null && holder != before, "nobody took the home's lock");
        return holder!.Value;
    }

    /// <summary>The node that serves the home, once there is one.</summary>
    public async Task<DrapClient> ConnectAsync()
    {
        string? socket = null;
        await UntilAsync(() => (socket = HomeSocket.Find(Home.Folder)) is not null && HomeSocket.AnswersAsync(socket, Cancel).Result, "no node listens on the home's socket");
        return new DrapClient(socket!);
    }

    /// <summary>Ends the home's node in order.</summary>
    public async Task StopAsync()
    {
        Ended ended = await RunAsync("stop");
        Assert.True(ended.Code == 0, ended.Err);
    }

    /// <summary>kill -9.</summary>
    public static void Kill(int process) => Assert.Equal(0, Signal(process, 9));

    /// <summary>Sends a signal to a process, or with a negative number to a process group.</summary>
    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Signal(int process, int signal);

    /// <summary>Looks again and again until something holds.</summary>
    public static async Task UntilAsync(Func<bool> holds, string orElse)
    {
        for (long start = Stopwatch.GetTimestamp(); !holds();)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < patience, orElse);
            await Task.Delay(5, Cancel);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("stop");
        Home.Dispose();
    }

    internal sealed record Ended(int Code, string Out, string Err)
    {
        /// <summary>Standard output, which is one document.</summary>
        public JsonElement Document => JsonDocument.Parse(Out).RootElement;
    }
}
