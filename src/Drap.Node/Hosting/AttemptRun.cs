using System.Collections.Immutable;
using System.Text;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Node.Blobs;
using Drap.Node.Drivers;
using Drap.Node.Sandbox;
using Drap.Node.Time;

namespace Drap.Node.Hosting;

/// <summary>
/// One attempt on its way through a driver: makes its plan from the worker's order, lays its inputs out, takes its outputs in, and turns
/// the driver's end into the machine's. Its parts run on the driver's slot thread.
/// </summary>
internal sealed class AttemptRun(LaunchOrder order, BlobStore blobs)
{
    private const string CheckFailedFile = ".drap-check-failed";

    /// <summary>So long its outputs wait for room on a full disk, a night and half a day; then the attempt has failed, and its task runs again.</summary>
    private static readonly TimeSpan RoomWait = TimeSpan.FromHours(24), RoomLook = TimeSpan.FromSeconds(1);

    private readonly List<Materialised> inputs = [];
    private readonly List<BlobHold> holds = [];
    private ImmutableArray<TaskOutput> outputs = [];
    private ImmutableArray<Cid> missing = [];
    private AttemptEnd? end;
    private volatile bool isWanted = true;

    public LaunchOrder Order { get; } = order;

    /// <summary>The task as it differs from its template.</summary>
    public TaskSpec Task { get; } = order.Template.Index == order.Assignment.Index && order.Template.Number == order.Assignment.ArrayNumber
        ? order.Template
        : order.Template with { Index = order.Assignment.Index, Number = order.Assignment.ArrayNumber };

    /// <summary>What of each of its output streams goes to its scheduler; all where a client reads along, whom the task then waits for.</summary>
    public LogWindow Kept => new(Task.Stdin ? long.MaxValue : Task.MaxLog.Bytes);

    /// <summary>Whether the store is also the one where outputs must lie before its result counts; else they are fetched from it. Default: yes.</summary>
    public bool KeepsOutputs { get; init; } = true;

    /// <summary>Called with why, each time that its outputs have no room on the disk; on the driver's thread.</summary>
    public Action<string>? NoRoom { get; init; }

    /// <summary>It is to end: what waits for room waits no longer.</summary>
    public void WaitNoLonger() => isWanted = false;

    public LaunchPlan Plan()
    {
        TaskSpec task = Task;
        bool isHandler = task.Driver == Driver.Dotnet;
        var plan = new LaunchPlan
        {
            Attempt = Order.Attempt,
            Arguments = isHandler ? [task.Handler!] : ["-"],
            Limits = isHandler ? LaunchLimits.None
                : new LaunchLimits(Order.Grant.Request.MilliCpus, Order.Grant.Request.MemoryBytes, 0, Order.Grant.Request.DiskBytes),
            InputBytes = InputBytes(),
            Guard = Order.Guard,
            Stdin = task.Stdin ? StdinMode.Fed : StdinMode.None,
            Sandbox = Order.Sandbox is { } terms && !isHandler ? new SandboxPlan(terms.Network, Order.Grant.Devices) : null,
            Collect = task.Outputs.Count > 0 || !task.Inputs.IsEmpty || task.Check is not null ? Collect : null,
        };
        // A handler that names neither files nor expressions needs no folder, and its whole start costs a few microseconds.
        if (isHandler && task.Inputs.IsEmpty && task.Outputs.Count == 0)
            return TryBind("", "", out BoundTask? bound, out _)
                ? plan with { Arguments = [task.Handler!, .. bound.Argv], Environment = [.. bound.Env, .. Secrets] }
                : plan;
        return plan with { Prepare = Prepare, Resolve = Resolve };
    }

    /// <summary>Keeps its inputs from collection until <see cref="Release"/>, in a store where no job pins them; they need not be there yet.</summary>
    public void HoldInputs()
    {
        foreach (TaskInput input in Task.Inputs)
            foreach (TaskInputPart part in input.Parts)
                if (Cid.TryParse(part.Cid, out Cid cid))
                    holds.Add(blobs.Hold(cid));
    }

    /// <summary>It is over.</summary>
    public void Release() => holds.ForEach(h => h.Dispose());

    /// <summary>What the driver's end means.</summary>
    public AttemptEnd EndOf(in AttemptExit exit)
    {
        if (end is { } decided)
            return decided;
        string detail = Short(exit.Message);
        return exit.Reason switch
        {
            ExitReason.Exited => new AttemptEnd(EndKind.Exited, exit.ExitCode, detail),
            ExitReason.Signaled => new AttemptEnd(EndKind.Signalled, exit.Signal, detail),
            ExitReason.NotFound or ExitReason.NotExecutable => new AttemptEnd(EndKind.NotStarted, exit.ExitCode, detail),
            ExitReason.OutOfMemory or ExitReason.Disk => new AttemptEnd(EndKind.OverLimit, exit.ExitCode, detail),
            ExitReason.HandlerFailed => new AttemptEnd(EndKind.Exited, Math.Max(exit.ExitCode, 1), detail),
            _ => new AttemptEnd(EndKind.NodeFault, 0, detail),
        };
    }

    /// <summary>What it left, ordered by name.</summary>
    public ImmutableArray<TaskOutput> Outputs => outputs;

    /// <summary>The inputs that could not be had, in their order.</summary>
    public ImmutableArray<Cid> Missing => missing;

    private void Prepare(WorkFolder folder)
    {
        var lost = ImmutableArray.CreateBuilder<Cid>();
        string first = "";
        foreach (TaskInput input in Task.Inputs)
        {
            string to = Path.Combine(folder.Path, input.To);
            if (input.IsFolder)
                Directory.CreateDirectory(to);
            foreach (TaskInputPart part in input.Parts)
            {
                string place = part.Name.Length == 0 ? input.To : Path.Combine(input.To, part.Name);
                if (TryLayOut(part, Path.Combine(folder.Path, place), out Cid cid) || lost.Count == AttemptResult.MissingMax)
                    continue;
                // The others are looked at too, so that all that is lost is made again at once.
                if (lost.Count == 0)
                    first = $"the blob {cid} of its input {place} is not to be had";
                lost.Add(cid);
            }
        }
        if (lost.Count == 0)
            return;
        foreach (Materialised input in inputs)
            blobs.Release(input);
        missing = lost.ToImmutable();
        end = new AttemptEnd(EndKind.InputMissing, 0, Short(lost.Count == 1 ? first : $"{first}, nor are {lost.Count - 1} more of its inputs"));
        throw new IOException(first);
    }

    private (ImmutableArray<string>, ImmutableArray<KeyValuePair<string, string>>) Resolve(WorkFolder folder)
    {
        if (!TryBind(folder.Path, folder.Out, out BoundTask? bound, out string? error))
        {
            end = new AttemptEnd(EndKind.NotStarted, 127, Short(error));
            throw new IOException(error);
        }
        ImmutableArray<string> argv = bound.Argv;
        if (Task.Driver == Driver.Dotnet)
            argv = [Task.Handler!, .. argv];
        else if (!bound.Check.IsEmpty)
            argv = ["/bin/sh", "-c", $"{Quoted(argv)}; c=$?; [ $c -eq 0 ] || exit $c; {Quoted(bound.Check)} || {{ c=$?; : > {CheckFailedFile}; exit $c; }}"];
        return (argv, [.. Order.Sandbox is null ? TaskEnvironment.Defaults : TaskEnvironment.InSandbox, .. bound.Env, .. Secrets]);
    }

    private IEnumerable<KeyValuePair<string, string>> Secrets => Order.Secrets.Select(s => KeyValuePair.Create(s.Name, s.Value));

    /// <summary>Puts one input into place; false if its blob is not to be had, or was found to be spoilt, which comes to the same.</summary>
    private bool TryLayOut(TaskInputPart part, string target, out Cid cid)
    {
        if (!Cid.TryParse(part.Cid, out cid))
        {
            end = new AttemptEnd(EndKind.NotStarted, 127, $"the input {part.Name} has no content");
            throw new IOException($"'{part.Cid}' is no CID");
        }
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var options = new MaterialiseOptions { Executable = part.Executable };
        try
        {
            inputs.Add(blobs.IsParcel(cid) ? blobs.MaterialiseParcel(cid, target, options) : blobs.Materialise(cid, target, options));
            return true;
        }
        catch (BlobStoreException e) when (e is BlobMissingException or BlobCorruptException)
        {
            return false;
        }
    }

    private void Collect(WorkFolder folder, in AttemptExit exit)
    {
        foreach (Materialised input in inputs)
            blobs.Release(input);
        if (File.Exists(Path.Combine(folder.Path, CheckFailedFile)))
        {
            end = new AttemptEnd(EndKind.CheckFailed, exit.ExitCode, $"its check exited with {exit.ExitCode}");
            return;
        }
        if (exit.Reason != ExitReason.Exited || exit.ExitCode != 0)
            return;
        try
        {
            // What it made is not thrown away because others filled the disk.
            Instant until = BootClock.Now + RoomWait;
            while (!TryTakeOutputs(folder, mayWait: isWanted && BootClock.Now < until))
                Thread.Sleep(RoomLook);
        }
        catch (BlobRefusedException e)
        {
            // What a task leaves is its own fault: another node would refuse it too.
            end = new AttemptEnd(EndKind.OutputMissing, 0, Short(e.Message));
        }
    }

    /// <summary>False where there was no room and there may be some later; what is taken a second time is there already.</summary>
    private bool TryTakeOutputs(WorkFolder folder, bool mayWait)
    {
        try
        {
            TakeOutputs(folder);
            return true;
        }
        catch (Exception e) when (mayWait && (e is BlobStoreFullException || (e is IOException io && FileCalls.IsFull(io))))
        {
            NoRoom?.Invoke($"no room for the outputs of task .{Order.Attempt.Task.Number}: {e.Message}");
            return false;
        }
    }

    private void TakeOutputs(WorkFolder folder)
    {
        var made = ImmutableArray.CreateBuilder<TaskOutput>(Task.Outputs.Count);
        var collector = new OutputCollector(blobs, folder.Out, Order.Job, isOnly: Task.Outputs.Count == 1, isLast: KeepsOutputs);
        foreach ((string name, OutputSpec output) in Task.Outputs)
        {
            if (collector.Take(output) is { } taken)
            {
                made.Add(new TaskOutput(name, taken.Content, taken.Bytes, taken.Executable));
            }
            else if (!output.Optional)
            {
                end = new AttemptEnd(EndKind.OutputMissing, 0, Short(
                    $"nothing in $DRAP_OUT {(Glob.HasMagic(output.Path) ? "matches" : "is")} its output '{output.Path}'"));
                return;
            }
        }
        outputs = made.ToImmutable();
    }

    private bool TryBind(string folder, string outFolder, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out BoundTask? bound, out string error)
    {
        var context = new TaskContext
        {
            Attempt = Order.Attempt,
            WorkFolder = folder,
            OutFolder = outFolder,
            Devices = Order.Grant.Devices,
            Hosts = Order.Assignment.Hosts,
        };
        bool ok = TaskBinding.TryBind(Task, context, out bound, out string? message);
        error = message ?? "";
        return ok;
    }

    private long InputBytes()
    {
        long bytes = 0;
        foreach (TaskInput input in Task.Inputs)
            foreach (TaskInputPart part in input.Parts)
                if (Cid.TryParse(part.Cid, out Cid cid) && blobs.TryGetSize(cid, out long size))
                    bytes += size;
        return bytes;
    }

    private static string Quoted(ImmutableArray<string> argv)
    {
        var text = new StringBuilder();
        foreach (string word in argv)
            text.Append(text.Length > 0 ? " " : "").Append('\'').Append(word.Replace("'", "'\\''", StringComparison.Ordinal)).Append('\'');
        return text.ToString();
    }

    private static string Short(string? message) =>
        message is null ? "" : message.Length <= AttemptEnd.DetailCharsMax ? message : string.Concat(message.AsSpan(0, AttemptEnd.DetailCharsMax - 1), "…");
}
