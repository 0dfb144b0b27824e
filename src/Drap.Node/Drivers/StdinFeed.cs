using Drap.Node.Sandbox;

namespace Drap.Node.Drivers;

/// <summary>
/// What waits to be written to one task's stdin: a ring that <see cref="Offer"/> fills from any thread and the slot's thread empties
/// into the pipe. Full, it refuses; when it then has room for half again, that is said once.
/// </summary>
internal sealed unsafe class StdinFeed
{
    /// <summary>As much as a pipe holds: one more round in flight.</summary>
    private const int BytesMax = 64 * 1024;

    private readonly Lock gate = new();
    private readonly byte[] ring = new byte[BytesMax];
    private int start, length, pipe = -1;
    private bool open, ending, refused;

    /// <summary>The pipe, while something waits for it; -1 otherwise. For poll.</summary>
    public int WaitingPipe
    {
        get
        {
            lock (gate)
                return length > 0 ? pipe : -1;
        }
    }

    public void Open(int pipeFd)
    {
        _ = Libc.fcntl(pipeFd, Libc.F_SETFL, Libc.O_NONBLOCK | Libc.O_WRONLY);
        lock (gate)
        {
            (pipe, open, ending, refused, start, length) = (pipeFd, true, false, false, 0, 0);
        }
    }

    /// <summary>As <see cref="IDriver.WriteStdin"/>; the slot's bell must ring after it.</summary>
    public int Offer(ReadOnlySpan<byte> bytes, bool end)
    {
        lock (gate)
        {
            if (!open || ending)
                return -1;
            int taken = Math.Min(bytes.Length, BytesMax - length);
            int at = (start + length) % BytesMax;
            int first = Math.Min(taken, BytesMax - at);
            bytes[..first].CopyTo(ring.AsSpan(at));
            bytes[first..taken].CopyTo(ring);
            length += taken;
            refused |= taken < bytes.Length;
            ending = end && taken == bytes.Length;
            return taken;
        }
    }

    /// <summary>Writes what the pipe takes, and closes it behind the last byte. True when a writer who was refused should hear of room.</summary>
    public bool Write()
    {
        lock (gate)
        {
            while (open && length > 0)
            {
                nint written;
                fixed (byte* bytes = ring)
                    written = Libc.write(pipe, bytes + start, (nuint)Math.Min(length, BytesMax - start));
                if (written < 0)
                {
                    int errno = Libc.LastError;
                    if (errno == Libc.EINTR)
                        continue;
                    if (errno != Libc.EAGAIN)
                        CloseLocked(); // the task closed it
                    break;
                }
                start = (start + (int)written) % BytesMax;
                length -= (int)written;
            }
            if (ending && length == 0)
                CloseLocked();
            bool tell = refused && (length <= BytesMax / 2 || !open);
            refused &= !tell;
            return tell;
        }
    }

    public void Close()
    {
        lock (gate)
            CloseLocked();
    }

    private void CloseLocked()
    {
        if (!open)
            return;
        _ = Libc.close(pipe);
        open = false;
        pipe = -1;
        length = 0;
    }
}
