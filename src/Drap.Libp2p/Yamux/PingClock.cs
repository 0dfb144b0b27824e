namespace Drap.Libp2p.Yamux;

/// <summary>
/// Whether the peer lives, and how long a round trip to it takes: one ping at a time, when nothing came for long, or when bytes flow and
/// the round trip is not known or old. Pure: it says when, and the session sends.
/// </summary>
public struct PingClock(YamuxOptions options, Instant now)
{
    /// <summary>Who looks so much later than it meant to has stood still itself: a process that was stopped, a machine that was suspended.</summary>
    private static readonly TimeSpan StoodStill = TimeSpan.FromSeconds(2);

    private Instant heardAt = now;
    private Instant sentAt = Instant.Never;
    private Instant measuredAt = Instant.Zero;
    private Instant doubtedAt = Instant.Never;
    private bool isAsked;
    private uint value;

    /// <summary>The smoothed round trip (an eighth of each new one, as RFC 6298 has it); null before the first answer.</summary>
    public TimeSpan? RoundTrip { get; private set; }

    /// <summary>Whether an answer is awaited.</summary>
    public readonly bool IsAsked => isAsked;

    /// <summary>When <see cref="Advance"/> has something to do at the earliest.</summary>
    public readonly Instant Deadline =>
        !isAsked ? heardAt + options.KeepAliveAfter
        : doubtedAt != Instant.Never ? doubtedAt + options.DoubtMax
        : Instant.Max(sentAt, heardAt) + options.SilenceMax;

    /// <summary>Something came.</summary>
    public void Heard(Instant at)
    {
        heardAt = at;
        doubtedAt = Instant.Never;
    }

    /// <summary>There is reason to think that nothing comes any more. Once something does, it is as if there had been none.</summary>
    public void Doubt(Instant at)
    {
        if (doubtedAt == Instant.Never)
            doubtedAt = at;
    }

    /// <summary>The time is <paramref name="at"/>; true when a ping is to be sent. <paramref name="isGone"/> says that the peer was silent for too long.</summary>
    public bool Advance(Instant at, out bool isGone)
    {
        if (isAsked && at > Deadline + StoodStill)
        {
            // What the peer answered meanwhile may lie unread: it has its time once more.
            sentAt = at;
            doubtedAt = doubtedAt == Instant.Never ? doubtedAt : at;
        }
        isGone = isAsked && at >= Deadline;
        return !isAsked && at >= Deadline;
    }

    /// <summary>Bytes flow; true when the round trip should be measured now.</summary>
    public readonly bool IsMeasureDue(Instant at) => !isAsked && (RoundTrip is null || at - measuredAt >= options.MeasureEvery);

    /// <summary>A ping goes out; its value.</summary>
    public uint Ask(Instant at)
    {
        isAsked = true;
        sentAt = at;
        return ++value;
    }

    /// <summary>An answer came. One that nobody asked for means nothing.</summary>
    public void Answered(uint answer, Instant at)
    {
        if (!isAsked || answer != value)
            return;
        isAsked = false;
        measuredAt = at;
        TimeSpan sample = at - sentAt;
        RoundTrip = RoundTrip is { } smooth ? smooth + (sample - smooth) / 8 : sample;
    }
}
