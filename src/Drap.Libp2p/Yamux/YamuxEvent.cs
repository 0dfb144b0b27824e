namespace Drap.Libp2p.Yamux;

/// <summary>What a session tells its host of what came in.</summary>
public readonly ref struct YamuxEvent
{
    internal YamuxEvent(YamuxEventKind kind, YamuxStream? stream = null, ReadOnlySpan<byte> data = default)
    {
        Kind = kind;
        Stream = stream;
        Data = data;
    }

    /// <summary>What happened.</summary>
    public YamuxEventKind Kind { get; }

    /// <summary>To which stream; null for what is of the session.</summary>
    public YamuxStream? Stream { get; }

    /// <summary>The bytes that came; they lie in what was given to <see cref="YamuxSession.Receive"/>, and are part of a frame as it may be.</summary>
    public ReadOnlySpan<byte> Data { get; }
}

/// <summary>What a session tells its host.</summary>
public enum YamuxEventKind : byte
{
    /// <summary>The peer opened a stream. It is acknowledged by the first frame that goes out on it.</summary>
    Opened,

    /// <summary>Bytes came; tell <see cref="YamuxSession.Consumed"/> when they are read.</summary>
    Data,

    /// <summary>The peer writes no more on the stream.</summary>
    RemoteClosed,

    /// <summary>The peer ended the stream both ways. What was not read yet is to be dropped.</summary>
    Reset,

    /// <summary>A stream that could not be written to can be now.</summary>
    Writable,

    /// <summary>The peer acknowledged a stream, which may have made room for another one.</summary>
    Acknowledged,

    /// <summary>The peer opens and takes no more streams (<see cref="YamuxSession.RemoteGoAway"/>); those that are open go on.</summary>
    GoAway,

    /// <summary>The session is over: see <see cref="YamuxSession.Violation"/>. Every stream of it is reset.</summary>
    Ended,
}
