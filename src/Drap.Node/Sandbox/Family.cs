namespace Drap.Node.Sandbox;

/// <summary>
/// All processes of one attempt: its process group, the members of its cgroup, and orphans that carry its mark. A process that left
/// its group is still in the cgroup; without a cgroup only its mark tells.
/// </summary>
/// <param name="leader">The main process; its number is its group's.</param>
/// <param name="cgroup">The slot's cgroup; null where there is none.</param>
/// <param name="mark">The attempt's mark, ending in its serial number; null without one.</param>
/// <param name="sandbox">Its sandbox, whose own processes are signalled only to be killed; null for a plain process.</param>
internal readonly struct Family(int leader, SlotCgroup? cgroup, HomeMark mark, long serial, SandboxInit? sandbox = null)
{
    /// <summary>A process that SIGKILL does not end within this hangs in the kernel (a dead network disk): we go on without it.</summary>
    private static readonly TimeSpan EndMax = TimeSpan.FromSeconds(10);

    /// <summary>Sends a signal to all, once. The leader must not have been waited for yet.</summary>
    public void Signal(int signal)
    {
        if (sandbox is not null && signal != Libc.SIGKILL)
        {
            // Bubblewrap would die of it and leave the task's own end untold.
            sandbox.Signal(signal, cgroup, leader);
            return;
        }
        sandbox?.Kill();
        _ = Libc.kill(-leader, signal);
        SignalOthers(signal, outsideGroup: true);
    }

    /// <summary>After the leader's end and before it is waited for, so that its number is still its own.</summary>
    public void EndGroup()
    {
        if (cgroup is null)
            _ = Libc.kill(-leader, Libc.SIGKILL);
    }

    /// <summary>After the leader was waited for: ends all that is left, and waits until nothing is. False if something would not end.</summary>
    public bool EndRest()
    {
        if (IsEmpty())
            return true;
        cgroup?.Seal();
        long deadline = Environment.TickCount64 + (long)EndMax.TotalMilliseconds;
        // A process that dies has no mark any more before it can be waited for, and its children are ours only then: whom we killed we wait
        // for by number, and look at what is left after that.
        HashSet<int> killed = [];
        for (int pause = 0; ; pause = Math.Min(pause + 1, 10))
        {
            killed.UnionWith(SignalOthers(Libc.SIGKILL));
            bool gone = !Orphans.Reap().Any(killed.Contains);
            if ((gone || cgroup is not null) && IsEmpty())
                return true;
            if (Environment.TickCount64 > deadline)
                return false;
            Thread.Sleep(pause);
        }
    }

    private bool IsEmpty()
    {
        if (cgroup is not null)
            return cgroup.CountMembers() <= 0;
        if (Libc.kill(-leader, Libc.SIGKILL) == 0)
        {
            Orphans.Reap();
            return false;
        }
        byte[]? text = null;
        foreach (int pid in Orphans.Reap())
            if (Orphans.LookForMark(pid, text ??= MarkText()) != MarkState.No)
                return false;
        return true;
    }

    /// <summary>Signals those beyond the leader; whom it signalled.</summary>
    private List<int> SignalOthers(int signal, bool outsideGroup = false)
    {
        List<int> signalled = [];
        if (cgroup is not null)
        {
            foreach (int pid in cgroup.Members())
                if (!outsideGroup || Libc.getpgid(pid) != leader)
                    signalled.Add(pid);
        }
        else
        {
            byte[] text = MarkText();
            foreach (int pid in Orphans.Reap())
                if (Orphans.LookForMark(pid, text) == MarkState.Yes)
                    signalled.Add(pid);
        }
        foreach (int pid in signalled)
            _ = Libc.kill(pid, signal);
        return signalled;
    }

    private byte[] MarkText() => Orphans.MarkBytes(mark, serial);
}
