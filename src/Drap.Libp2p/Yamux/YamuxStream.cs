namespace Drap.Libp2p.Yamux;

/// <summary>
/// One stream as its session sees it: windows and which halves are open. The bytes themselves lie with the host, which hangs what it has
/// for the stream on <see cref="Owner"/>. Read it only where the session is stepped.
/// </summary>
public sealed class YamuxStream
{
    internal YamuxStream(uint id, bool isInbound)
    {
        Id = id;
        IsInbound = isInbound;
    }

    /// <summary>Its number: odd for streams that the dialer of the connection opened, even for the others.</summary>
    public uint Id { get; }

    /// <summary>Whether the peer opened it.</summary>
    public bool IsInbound { get; }

    /// <summary>What the host has for this stream.</summary>
    public object? Owner { get; set; }

    /// <summary>Bytes that may be sent now.</summary>
    public long SendWindow { get; internal set; } = YamuxOptions.InitialWindow;

    /// <summary>Whether the peer writes no more.</summary>
    public bool IsRemoteClosed { get; internal set; }

    /// <summary>Whether this side writes no more.</summary>
    public bool IsLocalClosed { get; internal set; }

    /// <summary>Whether it was reset, by either side or with its session.</summary>
    public bool IsReset { get; internal set; }

    /// <summary>The receive window's size now, in bytes.</summary>
    public int ReceiveWindowSize => Window.Size;

    // Owned by the session.
    internal ReceiveWindow Window = new();
    internal bool IsAcknowledged;
    internal bool SynDue, AckDue, FinDue, RstDue, CreditDue;
    internal bool IsQueued;
    internal YamuxStream? NextQueued;

    /// <summary>Whether the session must keep it: a half is open or a frame is due.</summary>
    internal bool IsLive => IsReset ? RstDue : !IsLocalClosed || !IsRemoteClosed || FinDue;

    /// <summary>The flags that its next frame carries, and which it need not say again.</summary>
    internal YamuxFlags TakeFlags()
    {
        YamuxFlags flags = (SynDue ? YamuxFlags.Syn : 0) | (AckDue ? YamuxFlags.Ack : 0);
        SynDue = AckDue = false;
        return flags;
    }
}
