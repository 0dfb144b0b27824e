namespace Drap.Libp2p.Yamux;

/// <summary>
/// What a peer may still send on one stream, and how much it is told to send more. Pure policy: it starts at 256 KiB, gives back what was
/// consumed once that is half the window, and doubles when half a window went by within two round trips: then the window, not the network
/// or the reader, was what held the sender back (the bandwidth-delay product is larger). It doubles, too, when half of it went by within 2 ms: on a
/// fast near link updates come so often that they cost as much as the data.
/// </summary>
public struct ReceiveWindow()
{
    // An update costs both sides about 30 us together, for a frame, two system calls and whom they wake.
    private static readonly TimeSpan UpdatesApart = TimeSpan.FromMilliseconds(2);

    private Instant updatedAt;

    /// <summary>The whole window, in bytes.</summary>
    public int Size { get; private set; } = YamuxOptions.InitialWindow;

    /// <summary>What the peer may still send.</summary>
    public int Left { get; private set; } = YamuxOptions.InitialWindow;

    /// <summary>What was consumed and not given back yet.</summary>
    public int Owed { get; private set; }

    /// <summary>Whether enough is owed to be worth a frame.</summary>
    public readonly bool IsDue => Owed >= Size / 2;

    /// <summary>By how much the window grew.</summary>
    public readonly int Growth => Size - YamuxOptions.InitialWindow;

    /// <summary>The peer sent <paramref name="bytes"/>; false when it may not have.</summary>
    public bool TryTake(uint bytes)
    {
        if (bytes > (uint)Left)
            return false;
        Left -= (int)bytes;
        return true;
    }

    /// <summary>The reader consumed <paramref name="bytes"/>.</summary>
    public void Consume(int bytes)
    {
        Owed += bytes;
        Invariant.Check(Owed <= Size - Left);
    }

    /// <summary>What to tell the peer to send more: what is owed, and the growth if it pays and <paramref name="room"/> allows it.</summary>
    public int Give(Instant now, TimeSpan? roundTrip, int sizeMax, int room)
    {
        int credit = Owed;
        if (updatedAt != Instant.Zero && roundTrip is { } rtt && now - updatedAt < (2 * rtt > UpdatesApart ? 2 * rtt : UpdatesApart))
        {
            int growth = Math.Min(Size, Math.Min(sizeMax - Size, room));
            if (growth > 0)
            {
                Size += growth;
                credit += growth;
            }
        }
        updatedAt = now;
        Owed = 0;
        Left += credit;
        return credit;
    }
}
