using Drap.Api;
using Drap.Api.Json;
using Drap.Core.Jobs;
using Drap.Node.Drivers;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Drap.Node.Tests.Hosting;

/// <summary>An embedded swarm in a home of its own, which can be stopped and started again.</summary>
internal sealed class SwarmRoom : IAsyncDisposable
{
    private readonly TemporaryHome home;
    private readonly bool ownsHome;
    private HomeLock? taken;
    private EmbeddedSwarm? swarm;

    private readonly string? workers;

    /// <param name="workers">A workers' file's text; null for two that share the machine.</param>
    /// <param name="home">Where it lives, which stays its owner's. Default: a home of its own.</param>
    public SwarmRoom(string? workers = null, TemporaryHome? home = null)
    {
        this.home = home ?? new TemporaryHome();
        ownsHome = home is null;
        this.workers = workers;
        Start();
    }

    public HomeFolder Home => home.Folder;

    public string Root => home.Root;

    public EmbeddedSwarm Swarm => swarm!;

    public INodeService Service => Swarm.Service;

    /// <summary>Far beyond what any of these jobs takes: it stands for evidence that is missing.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Ends the swarm and starts it anew over what it left.</summary>
    public async Task RestartAsync(Action? between = null, bool isStopped = false)
    {
        if (!isStopped)
            await StopAsync();
        between?.Invoke();
        Start();
    }

    public async Task StopAsync()
    {
        await Swarm.DisposeAsync();
        taken!.Dispose();
    }

    /// <summary>A request for a job of these segments.</summary>
    public static SubmitRequest Request(params SegmentSpec[] segments) =>
        new() { Id = new JobId(Guid.NewGuid()), Job = new JobSpec { Name = "test", Segments = [.. segments] } };

    /// <summary>One task that runs a script.</summary>
    public static SegmentSpec Script(string name, string script) => new() { Name = name, Command = new CommandSpec(["/bin/sh", "-c", script], null), Retries = 0 };

    /// <summary>Submits, and waits for the job's end.</summary>
    public async Task<JobDocument> RunAsync(SubmitRequest request)
    {
        await Service.SubmitAsync(request, Cancel);
        return await EndAsync(request.Id);
    }

    public async Task<JobDocument> EndAsync(JobId job)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(Patience);
        try
        {
            await foreach (JobEvent _ in Service.EventsAsync(job, tasks: false, patience.Token))
            {
            }
        }
        catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
        {
            Assert.Fail($"the job did not end: {Json(await Service.TasksAsync(job, 1, 10, true, Cancel))} {Json(await Service.ExplainAsync(job, 1, Cancel))}");
        }
        return await Service.JobAsync(job, Cancel);
    }

    public static string Json<T>(T document) => System.Text.Json.JsonSerializer.Serialize(document, typeof(T), ApiJson.Line);

    /// <summary>What the job's tasks wrote on their standard output, all of it.</summary>
    public async Task<string> OutputAsync(JobId job)
    {
        var text = new MemoryStream();
        await foreach (LogChunk chunk in Service.LogsAsync(job, new LogQuery(), Cancel))
            text.Write(chunk.Data.Span);
        return System.Text.Encoding.UTF8.GetString(text.ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (ownsHome)
            home.Dispose();
    }

    private void Start()
    {
        Home.Create();
        taken = HomeLock.TryTake(Home) ?? throw new InvalidOperationException($"{Home} is taken");
        var options = new NodeHostOptions { Mode = "dev", Workers = 2 };
        if (workers is not null)
        {
            options = options with { WorkersFile = Path.Combine(Root, "workers.yaml") };
            File.WriteAllText(options.WorkersFile, workers);
        }
        swarm = EmbeddedSwarm.Start(Home, options, new HandlerRegistry(), NullLoggerFactory.Instance, _ => { }, TestContext.Current.CancellationToken);
    }
}
