using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Yamux;

/// <summary>
/// Frames without payload that wait to be sent. A stream stands in it at most once and says all it has to in one frame; the rest has a
/// bound each: so a peer that does not read cannot make it grow.
/// </summary>
internal sealed class ControlQueue
{
    /// <summary>Pings that may wait for their answer's turn: js and go ask one at a time, so this is generous.</summary>
    private const int PongsMax = 32;

    /// <summary>Refused openings that may wait for being said: a quarter of the backlog that the specification recommends.</summary>
    private const int RefusalsMax = 64;

    private readonly Queue<uint> pongs = new(), refusals = new();
    private YamuxStream? first, last;
    private YamuxGoAway? goAway;
    private uint? ping;

    public bool HasFrames => first is not null || pongs.Count > 0 || refusals.Count > 0 || ping is not null || goAway is not null;

    public void Stream(YamuxStream stream)
    {
        if (stream.IsQueued)
            return;
        stream.IsQueued = true;
        if (last is null)
            first = stream;
        else
            last.NextQueued = stream;
        last = stream;
    }

    public void Ping(uint value) => ping = value;

    public void GoAway(YamuxGoAway reason) => goAway = reason;

    public bool TryPong(uint value) => TryAdd(pongs, value, PongsMax);

    public bool TryRefuse(uint id) => TryAdd(refusals, id, RefusalsMax);

    public bool TryTakeStream([NotNullWhen(true)] out YamuxStream? stream)
    {
        stream = first;
        if (stream is null)
            return false;
        first = stream.NextQueued;
        if (first is null)
            last = null;
        stream.NextQueued = null;
        stream.IsQueued = false;
        return true;
    }

    /// <summary>The next frame that is no standing stream's: answers first, going away last.</summary>
    public YamuxHeader TakeOther()
    {
        if (pongs.TryDequeue(out uint value))
            return new YamuxHeader(YamuxType.Ping, YamuxFlags.Ack, 0, value);
        if (refusals.TryDequeue(out uint id))
            return new YamuxHeader(YamuxType.WindowUpdate, YamuxFlags.Rst, id, 0);
        if (ping is { } asked)
        {
            ping = null;
            return new YamuxHeader(YamuxType.Ping, YamuxFlags.Syn, 0, asked);
        }
        YamuxGoAway reason = goAway!.Value;
        goAway = null;
        return new YamuxHeader(YamuxType.GoAway, YamuxFlags.None, 0, (uint)reason);
    }

    public void Clear()
    {
        while (TryTakeStream(out _))
        {
        }
        pongs.Clear();
        refusals.Clear();
        ping = null;
        goAway = null;
    }

    private static bool TryAdd(Queue<uint> queue, uint value, int max)
    {
        if (queue.Count >= max)
            return false;
        queue.Enqueue(value);
        return true;
    }
}
