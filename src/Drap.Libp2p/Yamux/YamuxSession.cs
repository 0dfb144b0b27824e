namespace Drap.Libp2p.Yamux;

/// <summary>
/// One connection's streams (hashicorp/yamux spec.md; libp2p/specs, yamux): which are open, and who may send how much. It holds no
/// payload: bytes go through it by reference, in both directions, and no frame allocates. Not for several threads at once.
/// </summary>
/// <remarks>
/// Its contract:
/// 1. Bytes that came go to <see cref="Receive"/>, in pieces of any size, until it returns false; each true is one event.
/// 2. What is to be sent: first the header of <see cref="BeginData"/> with its payload, as the host has bytes and <see cref="YamuxStream.SendWindow"/>
///    allows; before each send, what <see cref="WriteControl"/> has to say.
/// 3. Commands (<see cref="TryOpen"/>, <see cref="CloseWrite"/>, <see cref="Reset"/>, <see cref="Consumed"/>, <see cref="GoAway"/>) may come at any
///    time between these; after one, look at <see cref="HasControl"/>.
/// 4. At <see cref="NextDeadline"/>, or later, call <see cref="Advance"/>.
/// After <see cref="HasEnded"/> it takes and gives nothing but its last GoAway.
/// </remarks>
public sealed class YamuxSession
{
    private readonly Dictionary<uint, YamuxStream> streams = [];
    private readonly YamuxOptions options;
    private readonly bool isDialer;
    private readonly ControlQueue control = new();
    private readonly byte[] headerBytes = new byte[YamuxHeader.Bytes];
    private FrameReading reading;
    private PingClock pings;
    private uint nextId;
    private uint highestRemoteId;
    private int inbound, outbound, unacknowledged, opened, growth;
    private bool isAnyAcknowledged;

    /// <summary>A session over a connection that this side dialed or accepted.</summary>
    public YamuxSession(bool isDialer, YamuxOptions options, Instant now)
    {
        this.isDialer = isDialer;
        this.options = options;
        nextId = isDialer ? 1u : 2u;
        pings = new PingClock(options, now);
    }

    /// <summary>Which rule the peer broke; none while the session stands or when it ended otherwise.</summary>
    public YamuxViolation Violation { get; private set; }

    /// <summary>Whether the session is over.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Whether it is over because the peer was silent for too long.</summary>
    public bool IsPeerGone { get; private set; }

    /// <summary>Why the peer goes away; null while it does not.</summary>
    public YamuxGoAway? RemoteGoAway { get; private set; }

    /// <summary>Whether this side said that it goes away.</summary>
    public bool IsGoingAway { get; private set; }

    /// <summary>Streams that stand, with those whose last frame is still to be sent.</summary>
    public int StreamCount => inbound + outbound;

    /// <summary>Streams that the peer opened and that stand.</summary>
    public int InboundCount => inbound;

    /// <summary>The smoothed round trip; null before it was measured.</summary>
    public TimeSpan? RoundTrip => pings.RoundTrip;

    /// <summary>Whether frames without payload wait to be sent.</summary>
    public bool HasControl => control.HasFrames;

    /// <summary>Whether there is more among them than acknowledgements of streams, which can wait for an answer to ride on.</summary>
    public bool IsControlUrgent { get; private set; }

    /// <summary>Whether a stream can be opened now.</summary>
    public bool CanOpen =>
        !HasEnded && !IsGoingAway && RemoteGoAway is null && outbound < options.OutboundMax && nextId < uint.MaxValue - 1
        && (isAnyAcknowledged ? unacknowledged < options.BacklogMax : opened < options.EarlyMax);

    /// <summary>When <see cref="Advance"/> has something to do at the earliest.</summary>
    public Instant NextDeadline => HasEnded ? Instant.Never : pings.Deadline;

    /// <summary>
    /// Takes bytes from the front of <paramref name="bytes"/> up to the next event. False when there is none in them: then all are taken,
    /// or the session has ended.
    /// </summary>
    public bool Receive(ref ReadOnlySpan<byte> bytes, Instant now, out YamuxEvent happened)
    {
        happened = default;
        if (HasEnded)
            return false;
        pings.Heard(now);
        while (true)
        {
            if (reading.IsHeader)
            {
                if (!reading.TryHeader(ref bytes, headerBytes, out YamuxHeader header, out YamuxViolation violation))
                    return false;
                if (violation == YamuxViolation.None)
                    violation = header.StreamId == 0 ? OfSession(header, now, ref happened) : OfStream(header);
                if (violation != YamuxViolation.None)
                    return End(violation, YamuxGoAway.ProtocolError, out happened);
                if (happened.Kind == YamuxEventKind.GoAway)
                    return true;
            }
            else if (reading.TryStep(ref bytes, out happened))
            {
                if (happened.Kind == YamuxEventKind.RemoteClosed)
                    happened.Stream!.IsRemoteClosed = true;
                else if (happened.Kind == YamuxEventKind.Reset)
                    Drop(happened.Stream!);
                if (happened.Stream is { IsLive: false } over)
                    Remove(over);
                return true;
            }
            else if (!reading.IsHeader)
            {
                return false;
            }
        }
    }

    /// <summary>Opens a stream, or null when <see cref="CanOpen"/> is false. Its first frame, of whatever kind, says so to the peer.</summary>
    public YamuxStream? TryOpen()
    {
        if (!CanOpen)
            return null;
        var stream = new YamuxStream(nextId, isInbound: false) { SynDue = true };
        nextId += 2;
        streams.Add(stream.Id, stream);
        outbound++;
        opened++;
        unacknowledged++;
        return stream;
    }

    /// <summary>Makes sure that the peer learns of the stream, or of its acceptance, with the next control frames, also before data goes out on it.</summary>
    public void Announce(YamuxStream stream)
    {
        if (!stream.IsReset && (stream.SynDue || stream.AckDue))
            Queue(stream);
    }

    /// <summary>
    /// Writes the header of a data frame with <paramref name="length"/> bytes of payload, which the caller puts behind it; at most
    /// <see cref="YamuxStream.SendWindow"/>, at least one.
    /// </summary>
    public void BeginData(YamuxStream stream, int length, Span<byte> destination)
    {
        Invariant.Check(!HasEnded && !stream.IsReset && !stream.IsLocalClosed);
        Invariant.Check(length > 0 && length <= stream.SendWindow);
        stream.SendWindow -= length;
        new YamuxHeader(YamuxType.Data, stream.TakeFlags(), stream.Id, (uint)length).Write(destination);
    }

    /// <summary>This side writes no more on the stream; the peer learns of it behind the data that went out before.</summary>
    public void CloseWrite(YamuxStream stream)
    {
        if (stream.IsReset || stream.IsLocalClosed)
            return;
        stream.IsLocalClosed = true;
        stream.FinDue = true;
        Queue(stream);
    }

    /// <summary>Ends the stream both ways; what is under way on it is lost. Nothing more is told of it.</summary>
    public void Reset(YamuxStream stream)
    {
        if (stream.IsReset || (stream.IsLocalClosed && stream.IsRemoteClosed))
            return;
        bool isKnownToPeer = !stream.SynDue;
        Drop(stream);
        stream.RstDue = isKnownToPeer && !HasEnded;
        if (stream.RstDue)
            Queue(stream);
        else
            Remove(stream);
    }

    /// <summary>The reader took <paramref name="bytes"/> off the stream, so that the peer may send more.</summary>
    public void Consumed(YamuxStream stream, int bytes, Instant now)
    {
        stream.Window.Consume(bytes);
        if (!stream.Window.IsDue || stream.IsReset || stream.IsRemoteClosed || HasEnded)
            return;
        // The first half window says that bytes flow; until then a session is not worth a ping.
        if (pings.IsMeasureDue(now))
            Ask(now);
        if (!stream.CreditDue)
        {
            stream.CreditDue = true;
            Queue(stream);
        }
    }

    /// <summary>Says that no more streams are opened or taken; those that stand go on.</summary>
    public void GoAway(YamuxGoAway reason)
    {
        if (IsGoingAway || HasEnded)
            return;
        IsGoingAway = IsControlUrgent = true;
        control.GoAway(reason);
    }

    /// <summary>Writes frames without payload while they fit; returns the bytes written.</summary>
    public int WriteControl(Span<byte> destination, Instant now)
    {
        int written = 0;
        while (control.HasFrames && destination.Length - written >= YamuxHeader.Bytes)
        {
            YamuxHeader header;
            if (control.TryTakeStream(out YamuxStream? stream))
            {
                if (!TryStreamFrame(stream, now, out header))
                    continue;
            }
            else
            {
                header = control.TakeOther();
            }
            header.Write(destination[written..]);
            written += YamuxHeader.Bytes;
        }
        IsControlUrgent &= control.HasFrames;
        return written;
    }

    /// <summary>The time is <paramref name="now"/>: asks a silent peer whether it lives; false when it is gone, and the session with it.</summary>
    public bool Advance(Instant now)
    {
        if (HasEnded)
            return true;
        if (pings.Advance(now, out bool isGone))
            Ask(now);
        if (!isGone)
            return true;
        IsPeerGone = true;
        End(YamuxViolation.None, YamuxGoAway.InternalError, out _);
        return false;
    }

    /// <summary>
    /// Asks the peer whether it lives, unless it is being asked. Where there is reason to think that it is there no more, it has less time to answer
    /// (<see cref="YamuxOptions.DoubtMax"/>).
    /// </summary>
    public void Probe(Instant now, bool isDoubted = false)
    {
        if (HasEnded)
            return;
        if (isDoubted)
            pings.Doubt(now);
        if (!pings.IsAsked)
            Ask(now);
    }

    /// <summary>Every stream that stands.</summary>
    public IEnumerable<YamuxStream> Streams => streams.Values;

    /// <summary>Ends the session from this side: every stream is reset.</summary>
    public void Abort(YamuxGoAway reason) => End(YamuxViolation.None, reason, out _);

    /// <summary>Checks what must hold between any two calls.</summary>
    public void CheckInvariants()
    {
        Invariant.Check(streams.Values.Count(s => s.IsInbound) == inbound && streams.Values.Count(s => !s.IsInbound) == outbound);
        Invariant.Check(streams.Values.All(s => s.IsLive || HasEnded) && inbound <= options.InboundMax && outbound <= options.OutboundMax);
        Invariant.Check(streams.Values.Sum(s => s.Window.Growth) == growth && growth <= options.GrowthMax);
        Invariant.Check(streams.Values.Count(s => s is { IsInbound: false, IsAcknowledged: false }) == unacknowledged);
        Invariant.Check(streams.Values.All(s => s.Window.Left >= 0 && s.Window.Left + s.Window.Owed <= s.Window.Size && s.SendWindow is >= 0 and <= uint.MaxValue));
    }

    private YamuxViolation OfSession(in YamuxHeader header, Instant now, ref YamuxEvent happened)
    {
        if (header.Type == YamuxType.GoAway)
        {
            if (RemoteGoAway is null)
            {
                RemoteGoAway = (YamuxGoAway)header.Length;
                happened = new YamuxEvent(YamuxEventKind.GoAway);
            }
        }
        else if ((header.Flags & YamuxFlags.Ack) != 0)
        {
            pings.Answered(header.Length, now);
        }
        else if ((header.Flags & YamuxFlags.Syn) != 0)
        {
            IsControlUrgent = true;
            if (!control.TryPong(header.Length))
                return YamuxViolation.PingFlood;
        }
        return YamuxViolation.None;
    }

    private YamuxViolation OfStream(in YamuxHeader header)
    {
        streams.TryGetValue(header.StreamId, out YamuxStream? stream);
        bool isOurs = (header.StreamId & 1) == (isDialer ? 1u : 0u);
        bool isNew = (header.Flags & YamuxFlags.Syn) != 0;
        if (isNew)
        {
            if (isOurs)
                return YamuxViolation.WrongStreamId;
            if (stream is not null)
                return YamuxViolation.OpenedTwice;
            if (!TryAccept(header.StreamId, out stream))
                return YamuxViolation.StreamFlood;
        }
        // Frames of a stream that is over may still be under way, and are passed over; ids may come out of order (go opens so).
        else if (stream is null && (isOurs ? header.StreamId >= nextId : header.StreamId > highestRemoteId))
        {
            return YamuxViolation.NeverOpened;
        }

        // Whatever comes on a stream of ours says that the peer knows it.
        bool isAcknowledged = stream is { IsInbound: false, IsAcknowledged: false };
        if (isAcknowledged)
            Acknowledge(stream!);

        uint payload = header.Type == YamuxType.Data ? header.Length : 0;
        bool isWritable = false;
        if (stream is { IsReset: false } && header.Type == YamuxType.WindowUpdate)
        {
            if (stream.SendWindow + header.Length > uint.MaxValue)
                return YamuxViolation.WindowOverflow;
            isWritable = stream.SendWindow == 0 && header.Length > 0;
            stream.SendWindow += header.Length;
        }
        else if (payload > 0 && stream is { IsReset: false })
        {
            if (stream.IsRemoteClosed)
                return YamuxViolation.DataAfterFin;
            if (!stream.Window.TryTake(payload))
                return YamuxViolation.WindowExceeded;
        }
        else if (payload > options.WindowMax)
        {
            return YamuxViolation.WindowExceeded;
        }
        reading.Begin(stream, header.Flags, payload, isNew, isAcknowledged, isWritable);
        return YamuxViolation.None;
    }

    /// <summary>False when so many were refused that it cannot even be said.</summary>
    private bool TryAccept(uint id, out YamuxStream? stream)
    {
        stream = null;
        highestRemoteId = Math.Max(highestRemoteId, id);
        if (inbound >= options.InboundMax || IsGoingAway)
        {
            IsControlUrgent = true;
            return control.TryRefuse(id);
        }
        stream = new YamuxStream(id, isInbound: true) { AckDue = true, IsAcknowledged = true };
        streams.Add(id, stream);
        inbound++;
        control.Stream(stream);
        return true;
    }

    private void Acknowledge(YamuxStream stream)
    {
        stream.IsAcknowledged = true;
        isAnyAcknowledged = true;
        unacknowledged--;
    }

    private bool TryStreamFrame(YamuxStream stream, Instant now, out YamuxHeader header)
    {
        int credit = 0;
        YamuxFlags flags;
        if (stream.RstDue)
        {
            flags = YamuxFlags.Rst;
            stream.RstDue = false;
        }
        else
        {
            flags = stream.TakeFlags() | (stream.FinDue ? YamuxFlags.Fin : 0);
            stream.FinDue = false;
            if (stream.CreditDue && !stream.IsRemoteClosed)
            {
                int before = stream.Window.Growth;
                credit = stream.Window.Give(now, pings.RoundTrip, options.WindowMax, options.GrowthMax - growth);
                growth += stream.Window.Growth - before;
            }
            stream.CreditDue = false;
        }
        if (!stream.IsLive)
            Remove(stream);
        header = new YamuxHeader(YamuxType.WindowUpdate, flags, stream.Id, (uint)credit);
        return flags != YamuxFlags.None || credit > 0;
    }

    private void Queue(YamuxStream stream)
    {
        if (HasEnded)
            return;
        IsControlUrgent = true;
        control.Stream(stream);
    }

    private void Ask(Instant now)
    {
        IsControlUrgent = true;
        control.Ping(pings.Ask(now));
    }

    // After this nothing is sent on it, or told of it.
    private static void Drop(YamuxStream stream)
    {
        stream.IsReset = true;
        stream.SynDue = stream.AckDue = stream.FinDue = stream.CreditDue = stream.RstDue = false;
    }

    private void Remove(YamuxStream stream)
    {
        // The peer may have used the number again.
        if (!streams.TryGetValue(stream.Id, out YamuxStream? standing) || standing != stream)
            return;
        streams.Remove(stream.Id);
        growth -= stream.Window.Growth;
        if (stream.IsInbound)
        {
            inbound--;
            return;
        }
        outbound--;
        if (!stream.IsAcknowledged)
        {
            stream.IsAcknowledged = true;
            unacknowledged--;
        }
    }

    private bool End(YamuxViolation violation, YamuxGoAway reason, out YamuxEvent happened)
    {
        happened = new YamuxEvent(YamuxEventKind.Ended);
        if (HasEnded)
            return false;
        control.Clear();
        if (!IsGoingAway || reason != YamuxGoAway.Normal)
            control.GoAway(reason);
        Violation = violation;
        HasEnded = IsGoingAway = IsControlUrgent = true;
        foreach (YamuxStream stream in streams.Values)
            Drop(stream);
        return true;
    }
}
