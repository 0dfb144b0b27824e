using System.Globalization;
using Drap.Node.Guarding;
using Drap.Node.Sandbox;

namespace Drap.Node.Drivers;

/// <summary>
/// Runs commands, each in a session, a work folder and, where the machine lets us, a cgroup of its own. Slots do the work: a slot has its
/// thread, its cgroup and its folder, and takes one attempt after the other. One driver per home; making it ends what an earlier, killed
/// one of that home left.
/// </summary>
public sealed class ProcessDriver : IDriver
{
    private readonly Lock gate = new();
    private readonly Dictionary<AttemptId, ProcessSlot?> attempts = []; // null: in the queue
    private readonly List<ProcessSlot> slots = [];
    private readonly Stack<ProcessSlot> idle = [];
    private readonly LinkedList<LaunchPlan> queue = [];
    private readonly CgroupTree? cgroups;
    private long lastSerial;
    private int lastCgroup;
    private bool disposed;

    /// <summary>Ends leftovers, then looks at what the machine can enforce. Throws <see cref="IOException"/> when the home cannot be used.</summary>
    public ProcessDriver(ProcessDriverOptions options, IDriverEvents events)
        : this(options, events, static mark => CgroupTree.TryCreate(mark, out string why) is { } tree ? (tree, "") : (null, why))
    {
    }

    internal ProcessDriver(ProcessDriverOptions options, IDriverEvents events, Func<HomeMark, (CgroupTree? Tree, string Why)> findCgroups)
    {
        Options = options;
        Events = events;
        Mark = HomeMark.Of(options.Home);
        Orphans.Adopt();
        Leftovers = Leftovers.Reap(options.Home);
        string why = "switched off";
        if (options.UseCgroups)
            (cgroups, why) = findCgroups(Mark);
        Leftovers.RememberBases(options.Home, cgroups?.Bases ?? []);
        Folders = new WorkFolders(options.Home, Mark);
        string missing = "switched off";
        if (options.UseSandbox)
            Sandbox = Bubblewrap.TryFind(options.Home, options.SandboxShows, out missing);
        SandboxMissing = missing;
        if (!options.Guard.IsEmpty)
            Guard = new GuardKeeper(options.Guard, options.Home, Mark, cgroups?.Bases ?? [], options.SlotsMax, options.Warn);
        Enforcement = Describe(cgroups, why, Folders.MemoryRoot);
    }

    public string Name => "process";

    /// <summary>What is and what is not enforced here, and why.</summary>
    public Enforcement Enforcement { get; }

    /// <summary>What an earlier node of this home had left.</summary>
    public Leftovers Leftovers { get; }

    /// <summary>Who ends what this process cannot end any more; null where nobody does.</summary>
    internal GuardKeeper? Guard { get; }

    internal ProcessDriverOptions Options { get; }

    internal IDriverEvents Events { get; }

    internal HomeMark Mark { get; }

    internal WorkFolders Folders { get; }

    /// <summary>Why there is no sandbox here, and what would help; empty if there is one.</summary>
    public string SandboxMissing { get; }

    /// <summary>The sandbox of this machine; null where there is none, or none is wanted.</summary>
    internal Bubblewrap? Sandbox { get; }

    internal bool LimitsMemoryByCgroup => cgroups is not null && !cgroups.Missing.ContainsKey("memory");

    /// <inheritdoc/>
    public int Start(ReadOnlySpan<LaunchPlan> plans)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            for (int i = 0; i < plans.Length; i++)
            {
                LaunchPlan plan = plans[i];
                Invariant.Check(!plan.Arguments.IsDefaultOrEmpty && !attempts.ContainsKey(plan.Attempt));
                if (TakeSlot() is { } slot)
                {
                    attempts.Add(plan.Attempt, slot);
                    slot.Assign(plan);
                }
                else if (queue.Count < Options.QueueMax)
                {
                    attempts.Add(plan.Attempt, null);
                    queue.AddLast(plan);
                }
                else
                    return i;
            }
            return plans.Length;
        }
    }

    /// <inheritdoc/>
    public bool Signal(AttemptId attempt, AttemptSignal signal)
    {
        LaunchPlan? queued;
        lock (gate)
        {
            if (!attempts.TryGetValue(attempt, out ProcessSlot? slot))
                return false;
            if (slot is not null)
            {
                slot.Signal(attempt, signal);
                return true;
            }
            queued = queue.First(p => p.Attempt == attempt);
            queue.Remove(queued);
            attempts.Remove(attempt);
        }
        Events.Exited([NeverStarted(attempt, signal)]);
        return true;
    }

    /// <inheritdoc/>
    public int WriteStdin(AttemptId attempt, ReadOnlySpan<byte> bytes, bool end)
    {
        lock (gate)
        {
            if (!attempts.TryGetValue(attempt, out ProcessSlot? slot))
                return -1;
            return slot is null ? 0 : slot.WriteStdin(bytes, end);
        }
    }

    /// <summary>Ends all attempts, reports them, and gives everything back. Blocks until that is done.</summary>
    public void Dispose()
    {
        List<AttemptId> running;
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            running = [.. attempts.Keys];
        }
        foreach (AttemptId attempt in running)
            Signal(attempt, AttemptSignal.Kill);
        foreach (ProcessSlot slot in slots)
            slot.Dispose();
        Guard?.Dispose();
        Folders.Dispose();
        Sandbox?.Dispose();
        cgroups?.Remove();
    }

    internal static AttemptExit NeverStarted(AttemptId attempt, AttemptSignal signal) => new()
    {
        Attempt = attempt,
        Reason = ExitReason.Signaled,
        Signal = NumberOf(signal),
        ExitCode = 128 + NumberOf(signal),
        Message = "ended before it began",
    };

    internal static int NumberOf(AttemptSignal signal) => signal == AttemptSignal.Term ? Libc.SIGTERM : Libc.SIGKILL;

    internal long NextSerial() => Interlocked.Increment(ref lastSerial);

    /// <summary>A new cgroup for a slot, and its number; null where there are none.</summary>
    internal SlotCgroup? CreateCgroup(out int number)
    {
        number = cgroups is null ? 0 : Interlocked.Increment(ref lastCgroup);
        return cgroups?.CreateSlot(string.Create(CultureInfo.InvariantCulture, $"s{number}"));
    }

    /// <summary>The slot's attempt has ended and is about to be reported; the slot gets the next attempt, which waits for the report, or rests.</summary>
    internal void Release(ProcessSlot slot, AttemptId ended)
    {
        lock (gate)
        {
            attempts.Remove(ended);
            if (queue.First is { } first && !disposed)
            {
                queue.RemoveFirst();
                attempts[first.Value.Attempt] = slot;
                slot.Assign(first.Value);
            }
            else
                idle.Push(slot);
        }
    }

    /// <summary>The slot that rested last, since its memory is warm; a new one up to the limit; or null.</summary>
    private ProcessSlot? TakeSlot()
    {
        if (idle.TryPop(out ProcessSlot? slot))
            return slot;
        if (slots.Count == Options.SlotsMax)
            return null;
        slot = new ProcessSlot(this, slots.Count);
        slots.Add(slot);
        return slot;
    }

    private static Enforcement Describe(CgroupTree? cgroups, string why, string? memoryRoot)
    {
        LimitEnforcement Of(string controller, EnforcementLevel otherwise, string instead)
        {
            if (cgroups is not null && !cgroups.Missing.ContainsKey(controller))
                return new LimitEnforcement(EnforcementLevel.Fully, $"cgroup v{cgroups.Version}");
            return new LimitEnforcement(otherwise, $"{instead}; no cgroup: {(cgroups is null ? why : cgroups.Missing[controller])}");
        }

        string memoryNote = memoryRoot is null ? "; no tmpfs for small folders" : "";
        return new Enforcement(
            Cpu: Of("cpu", EnforcementLevel.None, "a task may use more cores than it asked for"),
            Memory: Of("memory", EnforcementLevel.Partly, "rlimit on the data of each single process"),
            Pids: Of("pids", EnforcementLevel.None, "a task may start any number of processes"),
            Disk: new LimitEnforcement(EnforcementLevel.Partly, $"each file by rlimit, the whole folder by looking several times a second{memoryNote}"),
            Family: cgroups is not null
                ? new LimitEnforcement(EnforcementLevel.Fully, $"cgroup v{cgroups.Version}")
                : new LimitEnforcement(EnforcementLevel.Partly, $"process group and {HomeMark.Variable}: what leaves both outlives its task; no cgroup: {why}"));
    }
}
