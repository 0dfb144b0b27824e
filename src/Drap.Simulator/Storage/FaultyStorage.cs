using Drap.Core.Journal;

namespace Drap.Simulator.Storage;

/// <summary>
/// A directory on a simulated disk which does all that a real one may do to a program that did not sync. Each call that changes or syncs
/// anything has a number, counted from 1 over the disk's whole life, at which it can be made to fail or the machine to crash; so a
/// scenario runs once without faults to learn <see cref="Calls"/>, and then once for each number.
/// </summary>
public sealed class FaultyStorage(Prng prng, TraceHash? trace = null) : IJournalStorage
{
    private readonly Prng prng = prng;
    private readonly TraceHash? trace = trace;
    private readonly Dictionary<string, SimulatedInode> visible = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SimulatedInode> durable = new(StringComparer.Ordinal);
    private readonly List<NameChange> pending = [];
    private bool isDown;
    private int generation;

    /// <summary>A name that came, went, or (both set) moved, in one step.</summary>
    private readonly record struct NameChange(string? Removed, string? Added, SimulatedInode? Inode);

    /// <summary>Whether the machine crashed within a call, and has not been started again.</summary>
    public bool IsDown => isDown;

    /// <summary>Calls so far that change or sync anything.</summary>
    public long Calls { get; private set; }

    /// <summary>The machine crashes within this call; 0 for never.</summary>
    public long CrashAtCall { get; set; }

    /// <summary>This call fails, and may have done a part of its work; 0 for none.</summary>
    public long FailAtCall { get; set; }

    /// <summary>Bytes that fit on the disk; default without limit. A write that would exceed it writes what fits and fails.</summary>
    public long CapacityBytes { get; set; } = long.MaxValue;

    /// <summary>Bytes that lie on the disk.</summary>
    public long UsedBytes => visible.Values.Sum(inode => (long)inode.Length);

    /// <inheritdoc/>
    public long FreeBytes => Math.Max(0, CapacityBytes - UsedBytes);

    /// <summary>
    /// The machine starts again after a crash, or after the power was taken from it now: all that no finished sync covered is lost, kept
    /// or mangled, piece by piece. Files that were open stay dead.
    /// </summary>
    public void LosePower()
    {
        SurviveNames();
        visible.Clear();
        foreach ((string name, SimulatedInode inode) in Sorted(durable))
        {
            inode.LosePower(prng);
            visible.Add(name, inode);
        }
        Restart();
    }

    /// <summary>The process starts again after it was killed: the system still holds all that was written.</summary>
    public void KillProcess() => Restart();

    /// <summary>What a program reads from a file now.</summary>
    public byte[] Read(string name) => visible[name].Visible.ToArray();

    /// <summary>Damages a file, or puts one there, durably and uncounted.</summary>
    public void Overwrite(string name, ReadOnlySpan<byte> content)
    {
        if (!visible.TryGetValue(name, out SimulatedInode? inode))
            visible[name] = durable[name] = inode = new SimulatedInode();
        inode.Overwrite(content);
    }

    public IReadOnlyList<string> List()
    {
        RefuseWhenDown();
        return [.. Sorted(visible).Select(entry => entry.Key)];
    }

    public IJournalFile Open(string name)
    {
        RefuseWhenDown();
        return visible.TryGetValue(name, out SimulatedInode? inode)
            ? new File(this, name, inode)
            : throw new JournalStorageException(JournalStorageFault.Missing, name, $"cannot open {name}: there is no such file");
    }

    public IJournalFile Create(string name)
    {
        var inode = new SimulatedInode();
        Change("create", name, new NameChange(null, name, inode));
        return new File(this, name, inode);
    }

    public void Rename(string from, string to) => Change("rename", from, new NameChange(from, to, visible[from]));

    public void Delete(string name) => Change("delete", name, new NameChange(name, null, null));

    public void SyncDirectory()
    {
        // Unlike a file's data, names that could not be synced stay to be synced: file systems with a journal keep the transaction, or go
        // read-only for good.
        Enter("sync directory", "");
        foreach (NameChange change in pending)
            Apply(durable, change);
        pending.Clear();
    }

    private void Change(string what, string name, NameChange change)
    {
        Enter(what, name, onCrash: () => Make(change));
        Make(change);
    }

    private void Make(NameChange change)
    {
        pending.Add(change);
        Apply(visible, change);
    }

    /// <summary>
    /// Counts a call. At a crash in it, <paramref name="onCrash"/> does what of it may have been done; at a failure of it,
    /// <paramref name="onFailure"/> does.
    /// </summary>
    private void Enter(string what, string name, Action? onCrash = null, Action? onFailure = null)
    {
        RefuseWhenDown();
        Calls++;
        trace?.Add(what);
        trace?.Add(name);
        if (Calls == CrashAtCall)
        {
            onCrash?.Invoke();
            isDown = true;
            throw new SimulatedCrashException(Calls);
        }
        if (Calls == FailAtCall)
        {
            onFailure?.Invoke();
            throw new JournalStorageException(JournalStorageFault.Failed, name, $"cannot {what} {name}: simulated input/output error");
        }
    }

    private void RefuseWhenDown()
    {
        if (isDown)
            throw new SimulatedCrashException(Calls);
    }

    private void Restart()
    {
        isDown = false;
        CrashAtCall = 0;
        FailAtCall = 0;
        generation++;
    }

    private void SurviveNames()
    {
        int keptOf4 = prng.Below(5);
        foreach (NameChange change in pending)
        {
            if (prng.Chance(keptOf4, 4))
                Apply(durable, change);
        }
        pending.Clear();
    }

    private static void Apply(Dictionary<string, SimulatedInode> names, NameChange change)
    {
        if (change.Removed is not null)
            names.Remove(change.Removed);
        if (change.Added is not null)
            names[change.Added] = change.Inode!;
    }

    private static KeyValuePair<string, SimulatedInode>[] Sorted(Dictionary<string, SimulatedInode> names) =>
        [.. names.OrderBy(entry => entry.Key, StringComparer.Ordinal)];

    private sealed class File(FaultyStorage disk, string name, SimulatedInode inode) : IJournalFile
    {
        private readonly int generation = disk.generation;
        private bool isClosed;

        public string Path => name;

        public long Length
        {
            get
            {
                RefuseWhenDead();
                return inode.Length;
            }
        }

        public int Read(long offset, Span<byte> buffer)
        {
            RefuseWhenDead();
            ReadOnlySpan<byte> rest = offset < inode.Length ? inode.Visible[(int)offset..] : default;
            rest = rest[..Math.Min(rest.Length, buffer.Length)];
            rest.CopyTo(buffer);
            return rest.Length;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            RefuseWhenDead();
            byte[] copy = bytes.ToArray();
            Action part = () => inode.Write(offset, copy[..disk.prng.Below(copy.Length + 1)]);
            disk.Enter("write", name, onCrash: () => inode.Write(offset, copy), onFailure: part);
            disk.trace?.Add(offset);
            disk.trace?.Add(bytes);
            long grows = Math.Max(0, offset + copy.Length - inode.Length);
            long excess = Math.Max(0, disk.UsedBytes + grows - disk.CapacityBytes);
            int fits = (int)Math.Max(0, copy.Length - excess);
            inode.Write(offset, copy[..fits]);
            if (fits < copy.Length)
                throw new JournalStorageException(JournalStorageFault.DiskFull, name, $"cannot write {name}: no space left on device");
        }

        public void Sync()
        {
            RefuseWhenDead();
            disk.Enter("sync", name, onFailure: () => inode.FailSync(disk.prng));
            inode.Sync();
        }

        public void Dispose() => isClosed = true;

        private void RefuseWhenDead()
        {
            if (disk.isDown || generation != disk.generation)
                throw new SimulatedCrashException(disk.Calls);
            ObjectDisposedException.ThrowIf(isClosed, this);
        }
    }
}
