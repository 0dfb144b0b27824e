using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using Drap.Core.Execution;
using Drap.Node.Sandbox;
using Drap.Node.Time;

namespace Drap.Node.Guarding;

/// <summary>
/// The node's side of its guard: tells it what runs, and keeps one alive. One that ends, or stands still, is replaced by another, which finds
/// in the table all that is running. Safe from any thread.
/// </summary>
internal sealed unsafe class GuardKeeper : IDisposable
{
    /// <summary>One that should have looked this long ago stands still: ten times what a busy machine makes it wait.</summary>
    private static readonly TimeSpan stillAfter = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan backoffFirst = TimeSpan.FromMilliseconds(100), backoffLongest = TimeSpan.FromSeconds(30), endPatience = TimeSpan.FromSeconds(2);

    private readonly Lock gate = new();
    private readonly GuardTable table;
    private readonly GuardTerms?[] terms;
    private readonly Instant[] startedAt;
    private readonly Dictionary<PeerId, Instant> leasesUntil = [];
    private readonly ImmutableArray<string> command;
    private readonly string log, mark;
    private readonly bool usesCgroups;
    private readonly Action<string> warn;
    private readonly Thread thread;
    private readonly int bell;
    private int pipe = -1, process;
    private volatile bool isStopping;

    /// <summary>Starts a guard.</summary>
    /// <param name="program">The program, and what makes it a guard.</param>
    /// <param name="home">The home; what the guard complains of goes to <c>guard.log</c> there.</param>
    /// <param name="mark">The home's mark.</param>
    /// <param name="bases">The folders of cgroups.</param>
    /// <param name="places">Slots of the driver.</param>
    /// <param name="warn">What the owner must know.</param>
    public GuardKeeper(ImmutableArray<string> program, string home, HomeMark mark, IEnumerable<string> bases, int places, Action<string> warn)
    {
        string[] folders = [.. bases];
        usesCgroups = folders.Length > 0;
        command = [.. program, mark.Value, Environment.ProcessId.ToString(CultureInfo.InvariantCulture), .. folders];
        log = Path.Combine(home, "guard.log");
        this.mark = $"{mark}-{HomeMark.Guard}";
        this.warn = warn;
        table = GuardTable.Create(places);
        (terms, startedAt) = (new GuardTerms?[places], new Instant[places]);
        bell = Libc.eventfd(0, Libc.O_CLOEXEC);
        thread = new Thread(Keep, 128 * 1024) { IsBackground = true, Name = "drap guard keeper" };
        thread.Start();
    }

    /// <summary>The guard's process now; 0 while there is none.</summary>
    public int ProcessId => Volatile.Read(ref process);

    /// <summary>An attempt is about to be started in a slot.</summary>
    public void Arm(int place, long serial, int cgroup, in GuardTerms what)
    {
        lock (gate)
        {
            Instant now = BootClock.Now;
            (terms[place], startedAt[place]) = (what, now);
            table.Arm(place, serial, cgroup, what.DueAt(now, leasesUntil.GetValueOrDefault(what.Scheduler)));
        }
        if (table.Wake())
            Ring();
    }

    /// <summary>It has been.</summary>
    public void Started(int place, int processId)
    {
        // Its cgroup tells of all of it; without one this costs a look at the process.
        if (!usesCgroups && GuardedFamily.ReadStat(processId) is var (_, startTime))
            table.Started(place, processId, startTime);
    }

    /// <summary>It has ended. False if the guard ends it: the slot's cgroup is not to be used again.</summary>
    public bool Disarm(int place)
    {
        lock (gate)
        {
            terms[place] = null;
            return table.Disarm(place);
        }
    }

    /// <summary>The leases of a scheduler were renewed.</summary>
    public void Extend(PeerId scheduler, Instant until)
    {
        lock (gate)
        {
            // As many as there are schedulers; of those that went their last word stays, which is in the past.
            if (leasesUntil.Count >= Core.Nodes.WorkerOptions.SchedulersMax && !leasesUntil.ContainsKey(scheduler))
                leasesUntil.Remove(leasesUntil.MinBy(u => u.Value).Key);
            leasesUntil[scheduler] = Instant.Max(until, leasesUntil.GetValueOrDefault(scheduler));
            for (int i = 0; i < terms.Length; i++)
                if (terms[i] is { StopsAtLeaseEnd: true } armed && armed.Scheduler == scheduler)
                    table.Extend(i, armed.DueAt(startedAt[i], leasesUntil[scheduler]));
        }
    }

    /// <summary>Lets the guard go; what it still guards it goes on with.</summary>
    public void Dispose()
    {
        isStopping = true;
        Libc.Ring(bell);
        thread.Join();
        _ = Libc.close(bell);
        table.Dispose();
    }

    private void Ring()
    {
        // A guard that is frozen does not say when it looks; from now on it should.
        table.NextLook = BootClock.Now;
        lock (gate)
        {
            byte one = 1;
            if (pipe >= 0)
                _ = Libc.write(pipe, &one, 1);
        }
    }

    private void Keep()
    {
        TimeSpan backoff = backoffFirst;
        while (!isStopping)
        {
            Instant began = BootClock.Now;
            string how = Start() ?? Watch();
            Let();
            if (isStopping)
                return;
            if (BootClock.Now - began > backoffLongest)
                backoff = backoffFirst;
            warn(string.Create(CultureInfo.InvariantCulture, $"the guard {how}; another is started in {backoff.TotalSeconds:0.#} s ({log} has what it said)"));
            WaitForBell(backoff);
            backoff = backoff * 2 < backoffLongest ? backoff * 2 : backoffLongest;
        }
    }

    /// <summary>Null, or why not.</summary>
    private string? Start()
    {
        const int create = 0x40, truncate = 0x200, ownerReadsAndWrites = 0x180;
        int* ends = stackalloc int[2];
        if (Libc.pipe2(ends, Libc.O_CLOEXEC | Libc.O_NONBLOCK) != 0)
            return $"has no pipe: {Libc.ErrorText(Libc.LastError)}";
        int file = Libc.openat(Libc.AT_FDCWD, log, Libc.O_WRONLY | create | truncate | Libc.O_CLOEXEC, ownerReadsAndWrites);
        (string Name, string Value)[] environment =
        [
            // First, where whoever cleans up after a dead node looks for it.
            (HomeMark.Variable, mark),
            // It computes next to nothing: neither its heap nor its code need room to grow.
            ("DOTNET_GCHeapHardLimit", "0x1000000"), ("DOTNET_GCgen0size", "0x40000"), ("DOTNET_TieredPGO", "0"), ("DOTNET_EnableDiagnostics", "0"),
            .. Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(v => ((string)v.Key, (string)v.Value!))
                .Where(v => v.Item1 != HomeMark.Variable && !(v.Item1.StartsWith("DOTNET_", StringComparison.Ordinal) && v.Item1 != "DOTNET_ROOT")),
        ];
        using var arena = new SpawnArena();
        arena.Reset(command.Length + environment.Length + 4, command.Sum(a => (long)a.Length) + environment.Sum(v => (long)v.Name.Length + v.Value.Length + 2) + 4);
        SpawnRequest* request = arena.Request;
        byte** argv = arena.Vector(command.Length);
        byte** envp = arena.Vector(environment.Length);
        for (int i = 0; i < command.Length; i++)
            argv[i] = arena.Text(command[i]);
        for (int i = 0; i < environment.Length; i++)
            envp[i] = arena.Pair(environment[i].Name, environment[i].Value);
        *request = new SpawnRequest { Path = argv[0], Arguments = argv, Environment = envp, Directory = arena.Text("/"), Stdin = ends[0], Stdout = table.File, Stderr = file };
        table.NextLook = BootClock.Now + backoffLongest;
        Spawner.Perform(request);
        _ = Libc.close(ends[0]);
        if (file >= 0)
            _ = Libc.close(file);
        if (request->Error != 0)
        {
            _ = Libc.close(ends[1]);
            return $"cannot be started: {Libc.ErrorText(request->Error)}";
        }
        lock (gate)
            pipe = ends[1];
        Volatile.Write(ref process, request->ProcessId);
        return null;
    }

    /// <summary>Until it ends, stands still, or we end; in words how.</summary>
    private string Watch()
    {
        int handle = (int)Libc.syscall(Libc.SYS_pidfd_open, process, 0, 0);
        if (handle < 0)
            return "ended at once";
        try
        {
            Libc.PollFd* fds = stackalloc Libc.PollFd[2];
            fds[0] = new Libc.PollFd { Fd = handle, Events = Libc.POLLIN };
            fds[1] = new Libc.PollFd { Fd = bell, Events = Libc.POLLIN };
            while (true)
            {
                fds[0].Revents = fds[1].Revents = 0;
                _ = Libc.poll(fds, 2, (int)stillAfter.TotalMilliseconds);
                if (isStopping)
                    return "";
                if (fds[0].Revents != 0)
                    return "has ended";
                Instant next = table.NextLook;
                if (next != Instant.Never && BootClock.Now > next + stillAfter && table.HasAny())
                {
                    _ = Libc.syscall(Libc.SYS_pidfd_send_signal, handle, Libc.SIGKILL, 0);
                    return "stood still";
                }
            }
        }
        finally
        {
            _ = Libc.close(handle);
        }
    }

    /// <summary>Closes what we hold of it. One that may end does so, and is waited for.</summary>
    private void Let()
    {
        lock (gate)
        {
            if (pipe >= 0)
                _ = Libc.close(pipe);
            pipe = -1;
        }
        int status, ended = process;
        Volatile.Write(ref process, 0);
        // Whoever looks for orphans may have waited for it before us.
        for (Instant until = BootClock.Now + endPatience; ended > 0 && Libc.wait4(ended, &status, Libc.WNOHANG, null) == 0 && BootClock.Now < until;)
            Thread.Sleep(1);
    }

    private void WaitForBell(TimeSpan time)
    {
        var wait = new Libc.PollFd { Fd = bell, Events = Libc.POLLIN };
        _ = Libc.poll(&wait, 1, (int)time.TotalMilliseconds);
    }
}
