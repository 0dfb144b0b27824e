using System.Collections.Immutable;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Drap.Node.Hosting;

/// <summary>
/// A worker's process, as the process that started it sees it. One that ends by itself in order has left; any other end is a crash, and it is started
/// again, with a back-off. It holds the reading end of a pipe of ours, so that it knows at once when we are no more, however that came.
/// </summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private static readonly TimeSpan BackoffFirst = TimeSpan.FromMilliseconds(100), BackoffLongest = TimeSpan.FromSeconds(30);

    /// <summary>One that ran this long had started well: the next start is at once again.</summary>
    private static readonly TimeSpan Healthy = TimeSpan.FromSeconds(30);

    /// <summary>What it may need for an orderly end beyond what its tasks get.</summary>
    private static readonly TimeSpan StopPatience = EmbeddedSwarm.StopGrace + TimeSpan.FromSeconds(5);

    /// <summary>To kill its tasks takes a fraction of this.</summary>
    private static readonly TimeSpan AbortPatience = TimeSpan.FromSeconds(2);

    /// <summary>Characters of one line of its log: a longer one is cut into several.</summary>
    private const int LineCharsMax = 4096;

    private readonly ImmutableArray<string> command;
    private readonly Action<string> said;
    private readonly Action<WorkerProcess, WorkerReport> ready;
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock gate = new();
    private readonly Task running;
    private Process? process;

    /// <summary>Starts one.</summary>
    /// <param name="name">The worker.</param>
    /// <param name="command">The program, and its arguments.</param>
    /// <param name="ready">It is up, also after it was started again; on any thread.</param>
    /// <param name="said">A line for the person at the terminal.</param>
    public WorkerProcess(string name, ImmutableArray<string> command, Action<WorkerProcess, WorkerReport> ready, Action<string> said)
    {
        Name = name;
        this.command = command;
        this.ready = ready;
        this.said = said;
        running = Task.Run(RunAsync);
    }

    /// <summary>The worker.</summary>
    public string Name { get; }

    /// <summary>Completes when it has left by itself, in order.</summary>
    public Task Gone => gone.Task;

    /// <summary>Its process now; 0 while there is none.</summary>
    public int Pid
    {
        get
        {
            lock (gate)
                return process is { } p ? p.Id : 0;
        }
    }

    /// <summary>Ends it in order.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync().ConfigureAwait(false);
        Tell(StopPatience, p =>
        {
            p.StandardInput.WriteLine(WorkerReport.StopWord);
            p.StandardInput.Flush();
        });
        await running.ConfigureAwait(false);
        stop.Dispose();
    }

    /// <summary>It takes nothing new from now on; one that is started again after a crash takes work again.</summary>
    public void Drain()
    {
        lock (gate)
        {
            try
            {
                process?.StandardInput.WriteLine(WorkerReport.DrainWord);
                process?.StandardInput.Flush();
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                // It has ended.
            }
        }
    }

    /// <summary>Ends it now, and its tasks.</summary>
    public void Abort()
    {
        stop.Cancel();
        Tell(AbortPatience, p => p.StandardInput.Close());
        running.Wait(AbortPatience + TimeSpan.FromSeconds(1));
    }

    /// <summary>Says to the process that it is to end; kills it if it does not heed that in time.</summary>
    private void Tell(TimeSpan patience, Action<Process> how)
    {
        lock (gate)
        {
            if (process is not { } told)
                return;
            try
            {
                how(told);
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                // It has ended already, or closed its input: then its end is all that is waited for.
            }
            _ = new Timer(_ => Kill(told), null, patience, Timeout.InfiniteTimeSpan);
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has ended.
        }
    }

    private async Task RunAsync()
    {
        TimeSpan backoff = BackoffFirst;
        while (!stop.IsCancellationRequested)
        {
            long began = Stopwatch.GetTimestamp();
            string how;
            try
            {
                int code = await RunOnceAsync().ConfigureAwait(false);
                if (stop.IsCancellationRequested)
                    return;
                if (code == 0)
                {
                    said($"worker {Name} has left; it comes back with the next start");
                    gone.TrySetResult();
                    return;
                }
                how = code > 128 ? $"was ended by signal {code - 128}" : $"ended with {code}";
            }
            catch (Exception e) when (e is Win32Exception or IOException)
            {
                how = $"cannot be started: {e.Message}";
            }
            if (Stopwatch.GetElapsedTime(began) > Healthy)
                backoff = BackoffFirst;
            said(string.Create(CultureInfo.InvariantCulture, $"worker {Name} {how}; it is started again in {backoff.TotalSeconds:0.#} s"));
            await Task.Delay(backoff, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            backoff = backoff * 2 < BackoffLongest ? backoff * 2 : BackoffLongest;
        }
    }

    private async Task<int> RunOnceAsync()
    {
        var start = new ProcessStartInfo(command[0]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        // A worker runs for long, and what it does for an ad stands between the ad and its answer: code that was compiled by how it is used is some percent
        // faster there, and costs its compiler a little more while it begins. The launcher switches that off for the sake of short commands.
        start.Environment["DOTNET_TieredPGO"] = "1";
        foreach (string argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        using Process child = Process.Start(start)!;
        lock (gate)
            process = child;
        try
        {
            // Stopped as it was being started: nobody has told it.
            if (stop.IsCancellationRequested)
                Tell(StopPatience, p => p.StandardInput.Close());
            Task log = ForwardAsync(child.StandardError), reports = ReportAsync(child.StandardOutput);
            await child.WaitForExitAsync().ConfigureAwait(false);
            // A task of its own may hold its output a little longer; what it says then is of no use here.
            await Task.WhenAny(Task.WhenAll(log, reports), Task.Delay(TimeSpan.FromSeconds(1))).ConfigureAwait(false);
            return child.ExitCode;
        }
        finally
        {
            lock (gate)
                process = null;
        }
    }

    private async Task ReportAsync(StreamReader output)
    {
        while (await output.ReadLineAsync().ConfigureAwait(false) is { } line)
            if (WorkerReport.TryParse(line) is { } report)
                ready(this, report);
    }

    private async Task ForwardAsync(StreamReader log)
    {
        while (await log.ReadLineAsync().ConfigureAwait(false) is { } line)
            for (int at = 0; at == 0 || at < line.Length; at += LineCharsMax)
                said($"{Name}: {line.AsSpan(at, Math.Min(LineCharsMax, line.Length - at))}");
    }
}
