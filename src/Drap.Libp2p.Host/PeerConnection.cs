using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Protocols;
using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host;

/// <summary>A connection with a peer that has proved who it is. Thread-safe.</summary>
public sealed class PeerConnection
{
    // While the gate has not spoken: as many streams as an honest peer opens before its first acknowledgement.
    private const int HeldMax = 16;

    private readonly ConnectionHub hub;
    private readonly Multiplexer mux;
    private readonly CallAt deadline;
    private readonly TaskCompletionSource closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource identified = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<P2pStream>? held;
    private TaskCompletionSource<P2pStream>? gateStream;
    private Task reading = Task.CompletedTask;
    private int handlers;
    private bool isSpare;
    private Instant usedAt;

    internal PeerConnection(ConnectionHub hub, Link link, Sealing sealing, ConnectionFacts facts)
    {
        this.hub = hub;
        Remote = facts.RemoteKey.PeerId;
        RemoteKey = facts.RemoteKey;
        RemoteAddress = facts.RemoteAddress;
        LocalAddress = facts.LocalAddress;
        IsInbound = facts.IsInbound;
        Security = facts.Security;
        mux = new Multiplexer(this, link, sealing, isDialer: !facts.IsInbound, hub.Parts());
        usedAt = OpenedAt = mux.BatchTime;
        if (hub.Gate is not null)
        {
            held = [];
            gateStream = new TaskCompletionSource<P2pStream>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        deadline = new CallAt(Look);
    }

    /// <summary>The peer at the other end.</summary>
    public PeerId Remote { get; }

    /// <summary>Its public key.</summary>
    public PublicKey RemoteKey { get; }

    /// <summary>Where it is, as this side sees it, without the peer's name.</summary>
    public Multiaddr RemoteAddress { get; }

    /// <summary>This side's end.</summary>
    public Multiaddr LocalAddress { get; }

    /// <summary>Whether the peer dialed.</summary>
    public bool IsInbound { get; }

    /// <summary>What protects it.</summary>
    public ConnectionSecurity Security { get; }

    /// <summary>When it came to be, on the host's clock.</summary>
    public Instant OpenedAt { get; }

    /// <summary>Whether streams can be opened.</summary>
    public bool IsOpen => Reason == CloseReason.None && !IsPeerLeaving && !mux.IsClosed;

    /// <summary>Why it closed; <see cref="CloseReason.None"/> while it stands.</summary>
    public CloseReason Reason { get; private set; }

    /// <summary>What failed, if something did.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Ends when the connection has closed.</summary>
    public Task Closed => closed.Task;

    /// <summary>Streams that stand.</summary>
    public int StreamCount
    {
        get
        {
            lock (mux.Gate)
                return mux.Session.StreamCount;
        }
    }

    /// <summary>The smoothed round trip; null as long as it was not measured, which it is while bytes flow, and by keep-alive.</summary>
    public TimeSpan? RoundTrip
    {
        get
        {
            lock (mux.Gate)
                return mux.Session.RoundTrip;
        }
    }

    /// <summary>Opens a stream on this connection; see <see cref="Libp2pHost.OpenStreamAsync"/>.</summary>
    public Task<P2pStream> OpenStreamAsync(IReadOnlyList<string> protocols, CancellationToken ct = default) =>
        hub.Negotiator.OpenAsync(this, protocols, ct);

    /// <summary>Sends what waits, says that the connection ends, and closes it; every stream of it ends.</summary>
    public Task CloseAsync()
    {
        Close(CloseReason.ClosedHere);
        return Closed;
    }

    /// <summary>The peer and where it is.</summary>
    public override string ToString() => $"{Remote.Short} {(IsInbound ? "from" : "at")} {RemoteAddress}";

    /// <summary>
    /// Ends when the peer has said what it is and every observer was told, or could not be brought to within 10 s. One that is late is heard all the same, for a
    /// minute.
    /// </summary>
    public Task Identified => identified.Task;

    /// <summary>Where the peer says that it sees this side; null if it does not say.</summary>
    public Multiaddr? ObservedAddress { get; internal set; }

    internal Multiplexer Mux => mux;

    /// <summary>The protocols that the peer speaks, as it said on this connection or showed.</summary>
    internal ProtocolSet Spoken { get; set; } = ProtocolSet.Empty;

    internal void MarkIdentified() => identified.TrySetResult();

    /// <summary>Whether the peer said that it goes away.</summary>
    internal bool IsPeerLeaving { get; private set; }

    /// <summary>Whether another connection with the peer is used for new streams.</summary>
    internal bool IsSpare
    {
        get => isSpare;
        set
        {
            if (value && !isSpare)
                LookWithin(hub.Limits.SpareAfter);
            isSpare = value;
        }
    }

    /// <summary>Whether its gate has been passed and everybody told.</summary>
    internal bool IsAnnounced { get; set; }

    /// <summary>When a stream of it was last used.</summary>
    internal Instant UsedAt => Instant.Max(usedAt, mux.UsedAt);

    /// <summary>Starts to read. <paramref name="sealedBytes"/> and <paramref name="plain"/> came behind the handshake, the latter opened already.</summary>
    internal void Start(ReadOnlyMemory<byte> plain, ReadOnlyMemory<byte> sealedBytes)
    {
        // Who dialed is not the context in which streams are served.
        using (ExecutionContext.SuppressFlow())
            reading = mux.ReadAsync(plain, sealedBytes);
        LookWithin(IsSpare ? hub.Limits.SpareAfter : hub.Limits.IdleAfter);
    }

    /// <summary>The loop that reads; ends with the connection.</summary>
    internal Task Reading => reading;

    /// <summary>Closes for the given reason, after what waits was sent.</summary>
    internal void Close(CloseReason reason)
    {
        if (Reason == CloseReason.None)
            Reason = reason;
        mux.CloseGracefully();
        // A peer that takes nothing does not keep it open.
        hub.Deadlines.Set(deadline, hub.Clock.Now + TimeSpan.FromSeconds(1));
    }

    /// <summary>A stream of the peer, from the pool.</summary>
    internal void Serve(P2pStream stream)
    {
        if (held is not null)
        {
            lock (mux.Gate)
            {
                if (held is not null)
                {
                    if (gateStream is not null && IsInbound)
                    {
                        // The dialer's first stream is the gate's.
                        if (gateStream.TrySetResult(stream))
                            return;
                    }
                    if (held.Count < HeldMax)
                    {
                        held.Add(stream);
                        return;
                    }
                }
            }
            if (held is not null)
            {
                stream.Reset();
                return;
            }
        }
        if (Interlocked.Increment(ref handlers) > hub.Limits.HandlersPerConnectionMax)
        {
            Interlocked.Decrement(ref handlers);
            stream.Reset();
            return;
        }
        hub.Negotiator.Serve(stream);
    }

    /// <summary>A handler of this connection is done.</summary>
    internal void Served() => Interlocked.Decrement(ref handlers);

    /// <summary>The stream over which the gate speaks: the listener's, when it has come.</summary>
    internal Task<P2pStream> GateStream => gateStream!.Task;

    /// <summary>The gate said yes: what waited is served.</summary>
    internal void Admit()
    {
        List<P2pStream>? waiting;
        lock (mux.Gate)
        {
            waiting = held;
            held = null;
            gateStream = null;
        }
        foreach (P2pStream stream in waiting ?? [])
            Serve(stream);
    }

    /// <summary>The multiplexer is through.</summary>
    internal void Ended(CloseReason reason, Exception? failure)
    {
        if (Reason == CloseReason.None)
        {
            Reason = IsPeerLeaving && reason == CloseReason.Failed ? CloseReason.ClosedByPeer : reason;
            Failure = failure;
        }
        hub.Deadlines.Clear(deadline);
        gateStream?.TrySetException(new ConnectionClosedException("the connection closed"));
        closed.TrySetResult();
        identified.TrySetResult();
        hub.Closed(this);
    }

    /// <summary>The peer broke a rule; the end is near.</summary>
    internal void Broke(Exception failure)
    {
        if (Reason == CloseReason.None)
            (Reason, Failure) = (CloseReason.Violation, failure);
    }

    internal void PeerGoesAway()
    {
        IsPeerLeaving = true;
        LookWithin(hub.Limits.SpareAfter);
    }

    /// <summary>The peer has come again over another connection, as it does when this one is dead at its side: it is asked whether it lives.</summary>
    internal void Doubt()
    {
        if (Reason == CloseReason.None)
            hub.Deadlines.Set(deadline, mux.Probe(hub.Clock.Now, isDoubted: true));
    }

    // Looking too early does no harm: whatever is to be done later is then put off.
    private void LookWithin(TimeSpan time)
    {
        // Once it closes, its end is near and not to be put off: both sides often close at the same time.
        if (Reason != CloseReason.None)
            return;
        Instant next = mux.Session.NextDeadline;
        hub.Deadlines.Set(deadline, time == Timeout.InfiniteTimeSpan ? next : Instant.Min(next, hub.Clock.Now + time));
    }

    // On the timer's thread: keep-alive, idleness, and the end of a close that the peer does not let through.
    private void Look()
    {
        Instant now = hub.Clock.Now;
        if (Reason != CloseReason.None)
        {
            mux.Close(Reason, null);
            return;
        }
        Instant next = mux.Advance(now);
        bool isIdle = StreamCount == 0 && Volatile.Read(ref handlers) == 0;
        if (!isIdle)
            usedAt = now;
        TimeSpan allowed = IsSpare || IsPeerLeaving ? hub.Limits.SpareAfter : hub.Limits.IdleAfter;
        if (allowed != Timeout.InfiniteTimeSpan && !hub.IsProtected(Remote))
        {
            if (isIdle && now - UsedAt >= allowed)
            {
                Close(CloseReason.Idle);
                return;
            }
            next = Instant.Min(next, (isIdle ? UsedAt : now) + allowed);
        }
        if (!mux.IsClosed)
            hub.Deadlines.Set(deadline, next);
    }
}

/// <summary>What is known of a connection when its handshake is done.</summary>
internal sealed record ConnectionFacts(
    PublicKey RemoteKey, Multiaddr RemoteAddress, Multiaddr LocalAddress, bool IsInbound, ConnectionSecurity Security);
