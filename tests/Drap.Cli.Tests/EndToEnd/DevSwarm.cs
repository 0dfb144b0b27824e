using System.Diagnostics;
using System.Text.Json;
using Drap.Api;
using Drap.Client;
using Drap.Node.Home;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>
/// A swarm in the foreground, as <c>drap dev --workers FILE</c> starts it in one shell; the commands of tests are typed in another. The tests of a
/// class share it, one after the other.
/// </summary>
public abstract class DevSwarm(string workers) : IAsyncLifetime
{
    /// <summary>Far more than any of this takes on a busy machine.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(90);

    private readonly DrapProgram drap = new();
    private Process? swarm;
    private Task<string>? said, rest;
    private DrapClient? client;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The folder in which commands are run, and in which tasks that are told of it meet.</summary>
    internal string Folder => drap.Folder;

    /// <summary>The file that gives the workers.</summary>
    internal string WorkersFile => Path.Combine(Folder, "workers.yaml");

    internal HomeFolder Home => drap.Home.Folder;

    internal Dictionary<string, string> Environment => drap.Environment;

    /// <summary>The node, to wait for what commands brought about.</summary>
    internal DrapClient Node => client ??= new DrapClient(HomeSocket.Find(Home)!);

    public async ValueTask InitializeAsync()
    {
        swarm = drap.Start(input: false, "dev", "--workers", File("workers.yaml", workers));
        said = swarm.StandardOutput.ReadToEndAsync(Cancel);
        string before = "";
        while (await swarm.StandardError.ReadLineAsync(Cancel).AsTask().WaitAsync(patience, Cancel) is { } line && !line.StartsWith("a swarm of", StringComparison.Ordinal))
            before += line + "\n";
        rest = swarm.StandardError.ReadToEndAsync(Cancel);
        Assert.Equal("", before);
    }

    public async ValueTask DisposeAsync()
    {
        client?.Dispose();
        // Ends the swarm in order, so that what it says at its end can be looked at.
        await drap.DisposeAsync();
        DrapProgram.Ended ended = await DrapProgram.EndAsync(swarm!, said!, rest!);
        swarm!.Dispose();
        Assert.True(ended.Code == 0, $"the swarm ended with {ended.Code}: {ended.Err}");
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes a file in <see cref="Folder"/>.</summary>
    internal string File(string name, string text) => drap.File(name, text);

    /// <summary>The text of a file in <see cref="Folder"/>.</summary>
    internal string Read(string name) => System.IO.File.ReadAllText(Path.Combine(Folder, name));

    /// <summary>Runs a command to its end, whatever that is.</summary>
    internal Task<DrapProgram.Ended> RunAsync(params string[] args) => drap.RunAsync(args);

    /// <summary>Begins a command.</summary>
    internal Process Start(params string[] args) => drap.Start(input: false, args);

    /// <summary>Runs a command that succeeds; what it wrote to standard output.</summary>
    internal Task<string> DoAsync(params string[] args) => EndAsync(0, args);

    /// <summary>Runs a command that ends with this code; what it wrote to standard output.</summary>
    internal async Task<string> EndAsync(int code, params string[] args)
    {
        DrapProgram.Ended ended = await RunAsync(args);
        Assert.True(ended.Code == code, $"drap {string.Join(' ', args)} ended with {ended.Code}, not {code}: {ended.Err}{ended.Out}");
        return ended.Out;
    }

    /// <summary>A command's document.</summary>
    internal async Task<JsonElement> JsonAsync(params string[] args) => JsonDocument.Parse(await DoAsync([.. args, "-o", "json"])).RootElement;

    /// <summary>Submits a job, from a file or a command; its id.</summary>
    internal async Task<string> SubmitAsync(params string[] args) => (await DoAsync(["submit", .. args])).Trim();

    /// <summary>The job and its tasks, with what became of each attempt.</summary>
    internal async Task<(JobSummary Job, List<TaskSummary> Tasks)> ShowAsync(string id)
    {
        JobId job = JobOf(id);
        var tasks = new List<TaskSummary>();
        await foreach (TaskSummary task in Node.AllTasksAsync(job, history: true, Cancel))
            tasks.Add(task);
        return ((await Node.JobAsync(job, Cancel)).Job, tasks);
    }

    /// <summary>Looks until this holds.</summary>
    internal static async Task SoonAsync(string what, Func<Task<bool>> holds)
    {
        var since = Stopwatch.StartNew();
        while (!await holds())
        {
            Assert.True(since.Elapsed < patience, $"what was waited for did not come about: {what}");
            await Task.Delay(5, Cancel);
        }
    }

    internal static JobId JobOf(string id) => JobId.TryParse(id, out JobId job) ? job : throw new ArgumentException($"'{id}' is no job's id", nameof(id));

    /// <summary>Waits until this holds for the job, by its events.</summary>
    internal async Task UntilAsync(string id, Func<JobSummary, bool> holds)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        late.CancelAfter(patience);
        JobSummary? last = null;
        try
        {
            await foreach (JobEvent e in Node.EventsAsync(JobOf(id), tasks: false, late.Token))
                if ((last = e.Job ?? last) is { } job && holds(job))
                    return;
        }
        catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
        {
            // Said below.
        }
        Assert.Fail($"what was waited for did not come about; the job was last {last}");
    }
}
