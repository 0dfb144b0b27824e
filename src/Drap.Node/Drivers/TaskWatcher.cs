using Drap.Core.Jobs;
using Drap.Node.Sandbox;
using Drap.Node.Time;

namespace Drap.Node.Drivers;

/// <summary>
/// Stays with one task from its start until nothing of its family is left: reads its output, feeds its stdin, passes signals on, sets
/// the processor quota, looks at its folder, and waits for it.
/// </summary>
internal sealed unsafe class TaskWatcher(ProcessDriver driver, int bell)
{
    /// <summary>A period of the kernel's quota: to shorter tasks a quota means nothing, and they are spared its cost.</summary>
    private static readonly TimeSpan CpuLimitAfter = TimeSpan.FromMilliseconds(100);

    /// <summary>How often the folder is looked at, at most; and rarer where looking takes longer than a twentieth of that.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>The highest number of a signal.</summary>
    private const int SignalMax = 64;

    private readonly OutputStream stdout = new(LogStream.Stdout, driver.Options.LogBytesMax), stderr = new(LogStream.Stderr, driver.Options.LogBytesMax);
    private LaunchPlan plan = null!;
    private WorkFolder folder = null!;
    private SlotCgroup? cgroup;
    private SandboxInit? sandbox;
    private Family family;
    private Instant startedAt, cpuLimitAt, lookAt;
    private long diskUsed;
    private string? overDisk;

    /// <summary>Whom other threads write to.</summary>
    public StdinFeed Stdin { get; } = new();

    /// <summary>Whether the last task's family ended whole.</summary>
    public bool FamilyEnded { get; private set; }

    /// <summary>Watches the task to its end. <paramref name="takeSignals"/> answers what other threads asked for since the last call.</summary>
    public AttemptExit Watch(LaunchPlan plan, WorkFolder folder, SlotCgroup? cgroup, in LaunchedTask task, Func<(bool Term, bool Kill)> takeSignals)
    {
        (this.plan, this.folder, this.cgroup) = (plan, folder, cgroup);
        sandbox = task.Sandbox;
        family = new Family(task.ProcessId, cgroup, driver.Mark, task.Serial, sandbox);
        startedAt = task.At;
        cpuLimitAt = plan.Limits.MilliCpus > 0 && cgroup is not null ? startedAt + CpuLimitAfter : Instant.Never;
        lookAt = startedAt + LookInterval;
        diskUsed = 0;
        overDisk = null;
        stdout.Open(task.Stdout);
        stderr.Open(task.Stderr);
        if (task.Stdin >= 0)
            Stdin.Open(task.Stdin);
        driver.Events.Started([new AttemptStart(plan.Attempt, task.At, task.ProcessId)]);
        if (task.Stdin >= 0)
            driver.Events.StdinRoom(plan.Attempt);

        int pidFd = (int)Libc.syscall(Libc.SYS_pidfd_open, task.ProcessId, 0, 0);
        string? lost = null;
        if (pidFd < 0)
        {
            // Nothing to watch it by (no descriptors left): better no task than an unwatched one.
            lost = $"pidfd_open: {Libc.ErrorText(Libc.LastError)}";
            family.Signal(Libc.SIGKILL);
        }
        else
        {
            WatchUntilExit(pidFd, takeSignals);
            _ = Libc.close(pidFd);
        }
        family.EndGroup();
        Libc.RUsage usage;
        int status = WaitFor(task.ProcessId, &usage);
        Instant endedAt = BootClock.Now;
        bool begun = sandbox?.Finish(&usage) ?? true;
        FamilyEnded = family.EndRest();
        cgroup?.ReleaseCpu();
        // A file that may not grow any more ends whoever writes it; what that one's parent makes of it is an exit code like any other.
        if (status != 0 && overDisk is null && MeasureDisk() >= DiskLimitBytes)
            overDisk = $"its work folder filled the {DiskLimit}";
        Stdin.Close();
        stdout.Drain(plan.Attempt, driver.Events, endedAt);
        stderr.Drain(plan.Attempt, driver.Events, endedAt);
        if (!begun && lost is null && (status & 0x7f) == 0)
            lost = $"the sandbox could not be set up: {FirstLine(stderr.Snapshot())}";
        return Describe(status, usage, endedAt - startedAt, lost);
    }

    /// <summary>Forgets the last task's output; after its report.</summary>
    public void Clear()
    {
        stdout.Clear();
        stderr.Clear();
    }

    private void WatchUntilExit(int pidFd, Func<(bool Term, bool Kill)> takeSignals)
    {
        Libc.PollFd* fds = stackalloc Libc.PollFd[5];
        fds[0] = new Libc.PollFd { Fd = pidFd, Events = Libc.POLLIN };
        fds[1] = new Libc.PollFd { Fd = bell, Events = Libc.POLLIN };
        fds[2].Events = fds[3].Events = Libc.POLLIN;
        fds[4].Events = Libc.POLLOUT;
        while (true)
        {
            // A negative descriptor is passed over.
            (fds[2].Fd, fds[3].Fd, fds[4].Fd) = (stdout.Pipe, stderr.Pipe, Stdin.WaitingPipe);
            int ready = Libc.poll(fds, 5, MillisecondsUntil(NextDeadline()));
            Instant now = BootClock.Now;
            if (ready > 0)
            {
                if (fds[2].Revents != 0)
                    stdout.Read(plan.Attempt, driver.Events, now);
                if (fds[3].Revents != 0)
                    stderr.Read(plan.Attempt, driver.Events, now);
                if (fds[1].Revents != 0)
                    Obey(takeSignals);
                if ((fds[1].Revents | fds[4].Revents) != 0 && Stdin.Write())
                    driver.Events.StdinRoom(plan.Attempt);
                if (fds[0].Revents != 0)
                    return;
            }
            AtDeadlines(now);
        }
    }

    private void Obey(Func<(bool Term, bool Kill)> takeSignals)
    {
        ulong count;
        _ = Libc.read(bell, &count, 8);
        (bool term, bool kill) = takeSignals();
        if (kill)
        {
            cgroup?.Seal();
            family.Signal(Libc.SIGKILL);
        }
        else if (term)
            family.Signal(Libc.SIGTERM);
    }

    private Instant NextDeadline() =>
        Instant.Min(Instant.Min(stdout.FlushAt, stderr.FlushAt), Instant.Min(cpuLimitAt, lookAt));

    private static int MillisecondsUntil(Instant at)
    {
        if (at == Instant.Never)
            return -1;
        // Rounded up: waking too early would spin.
        long nanoseconds = at.Nanoseconds - BootClock.Now.Nanoseconds;
        return (int)Math.Clamp((nanoseconds + 999_999) / 1_000_000, 0, int.MaxValue);
    }

    private void AtDeadlines(Instant now)
    {
        if (stdout.FlushAt <= now)
            stdout.Flush(plan.Attempt, driver.Events, now);
        if (stderr.FlushAt <= now)
            stderr.Flush(plan.Attempt, driver.Events, now);
        if (cpuLimitAt <= now)
        {
            cpuLimitAt = Instant.Never;
            cgroup!.LimitCpu(plan.Limits.MilliCpus);
        }
        if (lookAt <= now)
            Look(now);
    }

    private long DiskLimitBytes => plan.Limits.DiskBytes > 0 ? plan.Limits.DiskBytes : driver.Options.DiskDefault;

    private string DiskLimit => plan.Limits.DiskBytes > 0
        ? $"{new ByteSize(plan.Limits.DiskBytes).ToWords()} of disk that it had asked for" : $"{new ByteSize(driver.Options.DiskDefault).ToWords()} of disk that a task has which asks for none";

    private void Look(Instant now)
    {
        Orphans.ReapSometimes();
        if (MeasureDisk() > DiskLimitBytes && overDisk is null)
        {
            overDisk = diskUsed == long.MaxValue
                ? "its work folder cannot be measured: more than a million folders, or paths over 4 095 bytes"
                : $"its work folder filled the {DiskLimit}";
            cgroup?.Seal();
            family.Signal(Libc.SIGKILL);
        }
        Instant after = BootClock.Now;
        TimeSpan rest = (after - now) * 20;
        lookAt = after + (rest > LookInterval ? rest : LookInterval);
    }

    private long MeasureDisk() => diskUsed = FolderTree.Measure(folder.Path, DiskLimitBytes);

    private static int WaitFor(int pid, Libc.RUsage* usage)
    {
        int status;
        while (Libc.wait4(pid, &status, 0, usage) != pid)
            Invariant.Check(Libc.LastError == Libc.EINTR, "a child of ours was waited for by somebody else");
        return status;
    }

    private AttemptExit Describe(int status, in Libc.RUsage usage, TimeSpan wall, string? lost)
    {
        int signal = status & 0x7f;
        int code = signal != 0 ? 128 + signal : (status >> 8) & 0xff;
        // Bubblewrap tells of a signal as a shell does.
        if (sandbox is not null && code is > 128 and <= 128 + SignalMax)
            signal = code - 128;
        (ExitReason reason, string? message) = (signal, code) switch
        {
            _ when lost is not null => (ExitReason.Machine, lost),
            _ when overDisk is not null => (ExitReason.Disk, overDisk),
            (Libc.SIGXFSZ, _) => (ExitReason.Disk, $"it wrote a file larger than the {DiskLimit}"),
            (_, not 0) when cgroup is { HasOomKilled: true } =>
                (ExitReason.OutOfMemory, $"it went over the {new ByteSize(plan.Limits.MemoryBytes).ToWords()} of memory that it had asked for"),
            (not 0, _) => (ExitReason.Signaled, null),
            _ => (ExitReason.Exited, (string?)null),
        };
        if (!FamilyEnded)
            message = (message is null ? "" : message + "; ") + "some of its processes hang in the kernel and could not be ended";
        return new AttemptExit
        {
            Attempt = plan.Attempt,
            Reason = reason,
            ExitCode = code,
            Signal = signal,
            Message = message,
            Usage = new Usage(wall, CpuTime(usage), PeakMemory(usage), diskUsed == long.MaxValue ? 0 : diskUsed),
            Stdout = stdout.Snapshot(),
            Stderr = stderr.Snapshot(),
        };
    }

    private static string FirstLine(in CapturedLog log)
    {
        ReadOnlySpan<byte> text = log.Head.Span;
        int end = text.IndexOf((byte)'\n');
        return System.Text.Encoding.UTF8.GetString(end < 0 ? text : text[..end]);
    }

    private static TimeSpan CpuTime(in Libc.RUsage usage) =>
        TimeSpan.FromMicroseconds((usage.UserSeconds + usage.SystemSeconds) * 1_000_000 + usage.UserMicroseconds + usage.SystemMicroseconds);

    /// <summary>
    /// Until it executes its command, a spawned process shares our memory, and the kernel counts that as its peak. So what it reports
    /// tells something only above our own peak; the cgroup's peak, which counts cached files too, bounds it from the other side.
    /// </summary>
    private long PeakMemory(in Libc.RUsage usage)
    {
        long reported = usage.MaxRssKib * 1024;
        if (cgroup?.PeakMemory() is > 0 and long peak)
            return Math.Min(peak, reported);
        Libc.RUsage own;
        return Libc.getrusage(0, &own) == 0 && own.MaxRssKib < usage.MaxRssKib ? reported : 0;
    }
}
