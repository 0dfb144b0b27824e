using Drap.Core.Execution;
using Drap.Node.Sandbox;

namespace Drap.Node.Guarding;

/// <summary>What the guard needs to find one attempt's processes.</summary>
/// <param name="ProcessId">The main process; 0 while it is being started.</param>
/// <param name="StartTime">When that was started, in the kernel's ticks, so that its number is not taken for another's; 0 where its cgroup tells.</param>
/// <param name="Cgroup">The number of its slot's cgroup; 0 without one.</param>
internal readonly record struct GuardedProcess(int ProcessId, ulong StartTime, int Cgroup);

/// <summary>
/// The memory that a node shares with its guard: a line for each slot of the driver, that says what runs there and until when it may. The node
/// writes it and the guard reads it, so that starting a task costs no system call, a guard that begins anew knows all at once, and what the node
/// knew outlives it. The guard writes one thing: that it ends an attempt, by exchange against the node's own end of it, so that never
/// two of them hold a slot's cgroup for different attempts.
/// </summary>
internal sealed unsafe class GuardTable : IDisposable
{
    private const int HeaderBytes = 64, PlaceBytes = 64;
    private const long Version = 1;

    /// <summary>In a state's low bits; above them is the serial number.</summary>
    private const long Armed = 1, Ending = 2, Gone = 3, PhaseMask = 3;

    private readonly byte* start;
    private readonly nuint bytes;

    private GuardTable(int file, nuint bytes)
    {
        File = file;
        this.bytes = bytes;
        start = (byte*)Libc.mmap(null, bytes, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, file, 0);
        if ((nint)start == -1)
            throw new IOException($"mmap: {Libc.ErrorText(Libc.LastError)}");
    }

    /// <summary>The memory's file, for the guard's process.</summary>
    public int File { get; }

    /// <summary>Slots.</summary>
    public int Places => *(int*)(start + 8);

    /// <summary>How many attempts were started.</summary>
    public long Starts => Volatile.Read(ref *(long*)(start + 16));

    /// <summary>When the guard looks next; <see cref="Instant.Never"/> if it waits to be rung.</summary>
    public Instant NextLook
    {
        get => new(Volatile.Read(ref *(long*)(start + 32)));
        set => Volatile.Write(ref *(long*)(start + 32), value.Nanoseconds);
    }

    /// <summary>The guard may sleep longer than a start may go unseen: whoever starts something wakes it.</summary>
    public void FallAsleep()
    {
        Volatile.Write(ref *(int*)(start + 24), 1);
        // Either the guard sees that something was started, or whoever did sees that it sleeps.
        Interlocked.MemoryBarrier();
    }

    /// <summary>Whether it slept, and must be rung.</summary>
    public bool Wake() => Volatile.Read(ref *(int*)(start + 24)) != 0 && Interlocked.Exchange(ref *(int*)(start + 24), 0) != 0;

    /// <summary>Makes one. Throws <see cref="IOException"/>.</summary>
    public static GuardTable Create(int places)
    {
        nuint bytes = HeaderBytes + (nuint)places * PlaceBytes;
        int file = Libc.memfd_create("drap guard", Libc.MFD_CLOEXEC);
        if (file < 0 || Libc.ftruncate(file, (long)bytes) != 0)
            throw new IOException($"memory for the guard: {Libc.ErrorText(Libc.LastError)}");
        var table = new GuardTable(file, bytes);
        *(long*)table.start = Version;
        *(int*)(table.start + 8) = places;
        return table;
    }

    /// <summary>Opens the one that a node made; null for anything else.</summary>
    public static GuardTable? TryOpen(int file)
    {
        long size = Libc.lseek(file, 0, 2);
        if (size < HeaderBytes)
            return null;
        var table = new GuardTable(file, (nuint)size);
        return *(long*)table.start == Version && table.Places >= 0 && HeaderBytes + (long)table.Places * PlaceBytes <= size ? table : null;
    }

    /// <summary>Whether anything runs.</summary>
    public bool HasAny()
    {
        for (int i = 0; i < Places; i++)
            if (State(i) != 0)
                return true;
        return false;
    }

    /// <summary>An attempt is about to be started in a slot, and must be over by then.</summary>
    public void Arm(int place, long serial, int cgroup, Instant dueAt)
    {
        byte* line = Line(place);
        Volatile.Write(ref *(long*)(line + 8), dueAt.Nanoseconds);
        *(int*)(line + 24) = 0;
        *(int*)(line + 28) = cgroup;
        Volatile.Write(ref State(place), (serial << 2) | Armed);
        Interlocked.Increment(ref *(long*)(start + 16));
    }

    /// <summary>It may run until then, by a lease that was renewed.</summary>
    public void Extend(int place, Instant dueAt) => Volatile.Write(ref *(long*)(Line(place) + 8), dueAt.Nanoseconds);

    /// <summary>Its main process is there.</summary>
    public void Started(int place, int processId, ulong startTime)
    {
        *(ulong*)(Line(place) + 16) = startTime;
        Volatile.Write(ref *(int*)(Line(place) + 24), processId);
    }

    /// <summary>It is over. False if the guard ends it, or has: what it holds of the slot is then not to be used again.</summary>
    public bool Disarm(int place) => (Interlocked.Exchange(ref State(place), 0) & PhaseMask) == Armed;

    /// <summary>What is in a slot, for the guard's decisions.</summary>
    public GuardedPlace Read(int place)
    {
        long state = Volatile.Read(ref State(place));
        return (state & PhaseMask) is Armed or Ending ? new GuardedPlace(state >> 2, new Instant(Volatile.Read(ref *(long*)(Line(place) + 8)))) : default;
    }

    /// <summary>How an attempt's processes are found; null if it is not there any more.</summary>
    public GuardedProcess? Find(int place, long serial)
    {
        byte* line = Line(place);
        int process = Volatile.Read(ref *(int*)(line + 24));
        var found = new GuardedProcess(process, process == 0 ? 0 : *(ulong*)(line + 16), *(int*)(line + 28));
        return Volatile.Read(ref State(place)) >> 2 == serial ? found : null;
    }

    /// <summary>The guard ends it from now on; false if it has ended by itself.</summary>
    public bool TryClaim(int place, long serial)
    {
        long claimed = (serial << 2) | Ending;
        long before = Interlocked.CompareExchange(ref State(place), claimed, (serial << 2) | Armed);
        return before == claimed || before == ((serial << 2) | Armed);
    }

    /// <summary>Nothing is left of what the guard ended.</summary>
    public void SetGone(int place, long serial) => Interlocked.CompareExchange(ref State(place), (serial << 2) | Gone, (serial << 2) | Ending);

    public void Dispose()
    {
        _ = Libc.munmap(start, bytes);
        _ = Libc.close(File);
    }

    private byte* Line(int place)
    {
        Invariant.Check((uint)place < (uint)Places);
        return start + HeaderBytes + place * PlaceBytes;
    }

    private ref long State(int place) => ref *(long*)Line(place);
}
