using Drap.Node.Sandbox;

namespace Drap.Node.Drivers;

/// <summary>
/// One place to run: a thread that takes one attempt at a time through limits, folder, inputs, start, watch, outputs and report. It keeps
/// its cgroup, folders and buffers between attempts.
/// </summary>
internal sealed unsafe class ProcessSlot : IDisposable
{
    private readonly Lock gate = new();
    private readonly ProcessDriver driver;
    private readonly int number, bell;
    private readonly Thread thread;
    private readonly TaskLauncher launcher;
    private readonly TaskWatcher watcher;
    private readonly Func<(bool Term, bool Kill)> takeSignals;
    private SlotCgroup? cgroup;
    private int cgroupNumber;
    private SpawnThread? spawnThread;

    // Set by other threads, under the gate.
    private LaunchPlan? assigned;
    private bool termWanted, killWanted, stopping;

    public ProcessSlot(ProcessDriver driver, int number)
    {
        this.driver = driver;
        this.number = number;
        bell = Libc.eventfd(0, Libc.O_CLOEXEC | Libc.O_NONBLOCK);
        if (bell < 0)
            throw new IOException($"eventfd: {Libc.ErrorText(Libc.LastError)}");
        launcher = new TaskLauncher(driver);
        watcher = new TaskWatcher(driver, bell);
        takeSignals = TakeSignals;
        thread = new Thread(Run, 512 * 1024) { IsBackground = true, Name = $"drap slot {number}" };
        thread.Start();
    }

    /// <summary>Gives the resting slot its next attempt.</summary>
    public void Assign(LaunchPlan plan)
    {
        lock (gate)
        {
            Invariant.Check(assigned is null);
            assigned = plan;
            termWanted = killWanted = false;
        }
        Libc.Ring(bell);
    }

    public void Signal(AttemptId attempt, AttemptSignal signal)
    {
        lock (gate)
        {
            if (assigned?.Attempt != attempt)
                return; // it has just ended
            termWanted |= signal == AttemptSignal.Term;
            killWanted |= signal == AttemptSignal.Kill;
        }
        Libc.Ring(bell);
    }

    public int WriteStdin(ReadOnlySpan<byte> bytes, bool end)
    {
        int taken = watcher.Stdin.Offer(bytes, end);
        if (taken >= 0)
            Libc.Ring(bell);
        return taken;
    }

    /// <summary>Waits for the attempt's end and gives back what the slot keeps.</summary>
    public void Dispose()
    {
        lock (gate)
            stopping = true;
        Libc.Ring(bell);
        thread.Join();
        spawnThread?.Dispose();
        cgroup?.Remove();
        launcher.Dispose();
        _ = Libc.close(bell);
    }

    private void Run()
    {
        while (WaitForPlan() is { } plan)
        {
            AttemptExit exit = Perform(plan);
            lock (gate)
                assigned = null;
            // Free before the report: whoever hears of the end and has a next attempt finds this slot first, whose thread is awake.
            driver.Release(this, plan.Attempt);
            driver.Events.Exited([exit]);
            watcher.Clear();
        }
    }

    private LaunchPlan? WaitForPlan()
    {
        while (true)
        {
            // Empty the bell before looking: what rings after is heard, here or by the watcher.
            ulong count;
            _ = Libc.read(bell, &count, 8);
            lock (gate)
            {
                if (assigned is not null)
                    return assigned;
                if (stopping)
                    return null;
            }
            var poll = new Libc.PollFd { Fd = bell, Events = Libc.POLLIN };
            _ = Libc.poll(&poll, 1, -1);
        }
    }

    private AttemptExit Perform(LaunchPlan plan)
    {
        long diskBytes = plan.Limits.DiskBytes;
        WorkFolder folder;
        try
        {
            MakeReady(plan.Limits);
            folder = driver.Folders.Rent(number, diskBytes, plan.InputBytes);
        }
        catch (IOException e)
        {
            return TaskLauncher.Failed(plan, ExitReason.Machine, e.Message);
        }
        AttemptExit exit = Prepare(ref plan, folder) ?? RunTask(plan, folder);
        if (driver.Folders.Return(folder, number, diskBytes) is { } left)
            exit = exit with { Message = $"{(exit.Message is null ? "" : exit.Message + "; ")}work folder not removed: {left}" };
        return exit;
    }

    private AttemptExit RunTask(LaunchPlan plan, WorkFolder folder)
    {
        lock (gate)
        {
            if (termWanted || killWanted)
                return ProcessDriver.NeverStarted(plan.Attempt, killWanted ? AttemptSignal.Kill : AttemptSignal.Term);
        }
        long serial = driver.NextSerial();
        if (plan.Guard is { } terms)
            driver.Guard?.Arm(number, serial, cgroup is null ? 0 : cgroupNumber, terms);
        AttemptExit exit;
        bool isOurs = true;
        try
        {
            if (launcher.Launch(plan, folder, cgroup, spawnThread, serial, out LaunchedTask task) is { } refused)
                return refused;
            driver.Guard?.Started(number, task.ProcessId);
            exit = watcher.Watch(plan, folder, cgroup, task, takeSignals);
        }
        finally
        {
            isOurs = plan.Guard is null || driver.Guard?.Disarm(number) != false;
        }
        if (!watcher.FamilyEnded || !isOurs)
            Retire();
        try
        {
            plan.Collect?.Invoke(folder, exit);
            return exit;
        }
        catch (Exception e)
        {
            // As in Prepare.
            return exit with { Reason = ExitReason.CollectFailed, Message = e.Message };
        }
    }

    private static AttemptExit? Prepare(ref LaunchPlan plan, WorkFolder folder)
    {
        try
        {
            plan.Prepare?.Invoke(folder);
            if (plan.Resolve?.Invoke(folder) is var (arguments, environment))
                plan = plan with { Arguments = arguments, Environment = environment };
            return null;
        }
        catch (Exception e)
        {
            // Whatever the hook throws is this attempt's end, not the slot's.
            return TaskLauncher.Failed(plan, ExitReason.PrepareFailed, e.Message);
        }
    }

    /// <summary>The slot's cgroup with the attempt's limits on it. Throws <see cref="IOException"/> with the reason.</summary>
    private void MakeReady(in LaunchLimits limits)
    {
        for (bool isFresh = cgroup is null; ; isFresh = true)
        {
            cgroup ??= CreateCgroup();
            if (cgroup?.Apply(limits, driver.Options.PidsDefault) is not { } error)
                return;
            if (isFresh)
                throw new IOException($"limits cannot be set: {error}");
            Retire(); // what earlier attempts left charged here does not go
        }
    }

    private SlotCgroup? CreateCgroup()
    {
        SlotCgroup? created = driver.CreateCgroup(out cgroupNumber);
        if (created is not { JoinFile: null })
            return created;
        spawnThread ??= new SpawnThread($"drap spawn {number}");
        created.Seat(spawnThread.ThreadId);
        return created;
    }

    /// <summary>Leaves a cgroup that cannot be emptied or limited; the next node of this home removes it.</summary>
    private void Retire()
    {
        if (cgroup is null)
            return;
        if (spawnThread is not null)
            cgroup.Unseat(spawnThread.ThreadId);
        cgroup.Dispose();
        cgroup = null;
    }

    private (bool Term, bool Kill) TakeSignals()
    {
        lock (gate)
        {
            (bool Term, bool Kill) taken = (termWanted, killWanted);
            termWanted = false;
            return taken;
        }
    }
}
