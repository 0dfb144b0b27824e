using System.Collections.Concurrent;
using Drap.Node.Sandbox;
using Drap.Node.Time;

namespace Drap.Node.Drivers;

/// <summary>Options of <see cref="DotnetDriver"/>.</summary>
public sealed record DotnetDriverOptions
{
    /// <summary>Work folders lie under its <c>handlers/</c>, for the handlers that ask for one.</summary>
    public required string Home { get; init; }

    /// <summary>Attempts taken on and not ended at most; further ones are refused. Default 65 536: two seconds of the fastest handlers.</summary>
    public int AttemptsMax { get; init; } = 65_536;

    /// <summary>Threads of the pool that begin handlers at the same time. Default: one per core; how many tasks run is the worker's to decide.</summary>
    public int LanesMax { get; init; } = Environment.ProcessorCount;

    /// <summary>Bytes kept of what a handler writes. Default 1 MiB.</summary>
    public int LogBytesMax { get; init; } = 1 << 20;
}

/// <summary>
/// Runs handlers that are registered in this process. Attempts wait in one queue; a few lanes on the thread pool take them in batches and
/// report them in batches, so a short handler costs a microsecond or two. Handlers share the process: no limit is enforced on them, and
/// a kill is a cancelled token, after which the attempt is reported as ended while a handler that does not heed it runs on unheard.
/// </summary>
public sealed class DotnetDriver(DotnetDriverOptions options, HandlerRegistry handlers, IDriverEvents events) : IDriver
{
    /// <summary>Attempts that a lane begins before it reports: enough to make the report's cost small, few enough not to delay it.</summary>
    private const int BatchMax = 64;

    /// <summary>Whose lane this thread is: it looks at the queue again before it ends, so one attempt fewer needs a lane.</summary>
    [ThreadStatic]
    private static DotnetDriver? laneOf;

    private readonly ConcurrentQueue<Running> queue = new();
    private readonly ConcurrentDictionary<AttemptId, Running> attempts = new();
    private int lanes, count, lastFolder;
    private volatile bool disposed;

    public string Name => "dotnet";

    internal IDriverEvents Events => events;

    internal int LogBytesMax => options.LogBytesMax;

    private string FolderRoot => Path.GetFullPath(Path.Combine(options.Home, "handlers"));

    /// <inheritdoc/>
    public int Start(ReadOnlySpan<LaunchPlan> plans)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        int taken = 0;
        foreach (LaunchPlan plan in plans)
        {
            if (Interlocked.Increment(ref count) > options.AttemptsMax)
            {
                Interlocked.Decrement(ref count);
                break;
            }
            var running = new Running(plan);
            Invariant.Check(attempts.TryAdd(plan.Attempt, running));
            queue.Enqueue(running);
            taken++;
        }
        for (int i = laneOf == this ? 1 : 0; i < Math.Min(taken, options.LanesMax); i++)
            OpenLane();
        return taken;
    }

    /// <inheritdoc/>
    public bool Signal(AttemptId attempt, AttemptSignal signal)
    {
        if (!attempts.TryGetValue(attempt, out Running? running))
            return false;
        bool kill = signal == AttemptSignal.Kill;
        running.Cancel();
        // A handler that does not heed its token cannot be stopped; whoever waits for the attempt must not wait for it too.
        if (kill && running.TryEnd())
            Report([Describe(running, ExitReason.Signaled, 137, "ended", Libc.SIGKILL)]);
        return true;
    }

    /// <summary>A handler has no stdin: always -1.</summary>
    public int WriteStdin(AttemptId attempt, ReadOnlySpan<byte> bytes, bool end) => -1;

    /// <summary>Cancels and reports all.</summary>
    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        foreach (AttemptId attempt in attempts.Keys)
            Signal(attempt, AttemptSignal.Kill);
        FolderTree.Remove(FolderRoot, out _);
    }

    internal WorkFolder RentFolder(LaunchPlan plan)
    {
        Directory.CreateDirectory(FolderRoot);
        return WorkFolder.Create($"{FolderRoot}/{Interlocked.Increment(ref lastFolder)}", inMemory: false);
    }

    private void OpenLane()
    {
        if (Interlocked.Increment(ref lanes) <= options.LanesMax)
            ThreadPool.UnsafeQueueUserWorkItem(static driver => driver.RunLane(), this, preferLocal: false);
        else
            Interlocked.Decrement(ref lanes);
    }

    private void RunLane()
    {
        laneOf = this;
        TakeAll();
        laneOf = null;
    }

    private void TakeAll()
    {
        var starts = new List<AttemptStart>(BatchMax);
        var batch = new List<Running>(BatchMax);
        var ended = new List<AttemptExit>(BatchMax);
        while (true)
        {
            while (batch.Count < BatchMax && queue.TryDequeue(out Running? running))
            {
                if (running.HasEnded)
                    continue;
                running.StartedAt = BootClock.Now;
                batch.Add(running);
                starts.Add(new AttemptStart(running.Plan.Attempt, running.StartedAt, 0));
            }
            if (batch.Count == 0)
            {
                Interlocked.Decrement(ref lanes);
                // Whoever enqueued between our last look and the decrement may have found all lanes open.
                if (queue.IsEmpty || Interlocked.Increment(ref lanes) > options.LanesMax && Interlocked.Decrement(ref lanes) >= 0)
                    return;
                continue;
            }
            events.Started(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(starts));
            foreach (Running running in batch)
                if (Begin(running) is { } exit)
                    ended.Add(exit);
            if (ended.Count > 0)
                Report(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ended));
            starts.Clear();
            batch.Clear();
            ended.Clear();
        }
    }

    /// <summary>Calls the handler; its end if it has ended at once.</summary>
    private AttemptExit? Begin(Running running)
    {
        LaunchPlan plan = running.Plan;
        if (handlers.Find(plan.Arguments[0]) is not { } handler)
            return End(running, null, ExitReason.NotFound, 127, $"{plan.Arguments[0]}: no such handler in this process; there are: {string.Join(", ", handlers.Names)}");
        var context = new HandlerContext(this, plan);
        try
        {
            plan.Prepare?.Invoke(context.Folder);
            if (plan.Resolve?.Invoke(context.Folder) is var (arguments, environment))
                context.Plan = plan with { Arguments = arguments, Environment = environment };
        }
        catch (Exception e)
        {
            return End(running, context, ExitReason.PrepareFailed, 125, e.Message);
        }
        try
        {
            ValueTask task = handler(context, running.Token);
            if (!task.IsCompleted)
            {
                running.Completion = Await(running, context, task);
                return null;
            }
            task.GetAwaiter().GetResult();
            return End(running, context, ExitReason.Exited, 0, null);
        }
        catch (Exception e)
        {
            return Fail(running, context, e);
        }
    }

    private async Task Await(Running running, HandlerContext context, ValueTask task)
    {
        AttemptExit? exit;
        try
        {
            await task.ConfigureAwait(false);
            exit = End(running, context, ExitReason.Exited, 0, null);
        }
        catch (Exception e)
        {
            exit = Fail(running, context, e);
        }
        if (exit is { } ended)
            Report([ended]);
    }

    private static AttemptExit? Fail(Running running, HandlerContext context, Exception e) =>
        e is OperationCanceledException && running.Token.IsCancellationRequested
            ? End(running, context, ExitReason.Signaled, 143, "ended", Libc.SIGTERM)
            : End(running, context, ExitReason.HandlerFailed, 1, $"{e.GetType().Name}: {e.Message}");

    /// <summary>The end, with outputs collected and the folder removed; null if the attempt was reported as ended before.</summary>
    private static AttemptExit? End(Running running, HandlerContext? context, ExitReason reason, int code, string? message, int signal = 0)
    {
        AttemptExit exit = Describe(running, reason, code, message, signal) with { Stdout = context?.Captured ?? default };
        bool first = running.TryEnd();
        try
        {
            if (first && context is not null && running.Plan.Collect is { } collect)
                collect(context.Folder, exit);
        }
        catch (Exception e)
        {
            exit = exit with { Reason = ExitReason.CollectFailed, Message = e.Message };
        }
        if (context?.MadeFolder?.Remove() is { } left)
            exit = exit with { Message = $"{(exit.Message is null ? "" : exit.Message + "; ")}work folder not removed: {left}" };
        return first ? exit : null;
    }

    private static AttemptExit Describe(Running running, ExitReason reason, int code, string? message, int signal) => new()
    {
        Attempt = running.Plan.Attempt,
        Reason = reason,
        ExitCode = code,
        Signal = signal,
        Message = message,
        Usage = new Usage(running.StartedAt == Instant.Zero ? TimeSpan.Zero : BootClock.Now - running.StartedAt, TimeSpan.Zero, 0, 0),
    };

    private void Report(ReadOnlySpan<AttemptExit> exits)
    {
        foreach (ref readonly AttemptExit exit in exits)
            attempts.TryRemove(exit.Attempt, out _);
        Interlocked.Add(ref count, -exits.Length);
        events.Exited(exits);
    }

    /// <summary>One attempt on its way.</summary>
    private sealed class Running(LaunchPlan plan)
    {
        private CancellationTokenSource? source;
        private int ended;

        public LaunchPlan Plan { get; } = plan;

        public Instant StartedAt { get; set; }

        /// <summary>The rest of an asynchronous handler; it reports by itself and does not fail.</summary>
        public Task? Completion { get; set; }

        public bool HasEnded => Volatile.Read(ref ended) != 0;

        public CancellationToken Token => Source.Token;

        private CancellationTokenSource Source => LazyInitializer.EnsureInitialized(ref source, static () => new CancellationTokenSource());

        public void Cancel() => Source.Cancel();

        /// <summary>True for the one who ends it.</summary>
        public bool TryEnd() => Interlocked.Exchange(ref ended, 1) == 0;
    }
}
