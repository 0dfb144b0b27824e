using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Node.Overlay.Kept;

namespace Drap.Node.Overlay.Frames;

/// <summary>
/// Frames to single peers over streams, whoever carries those: a lane for each peer that is sent to, a reader for each that sends. On the stream a
/// frame is its length as an unsigned varint and its bytes; nothing is said the other way (docs/protocol/overlay.md).
/// </summary>
internal sealed class FrameDesk : IDisposable
{
    /// <summary>The protocol of these streams.</summary>
    public const string Protocol = "/drap/1.0.0/frames";

    /// <summary>Who speaks one of these takes frames: on streams of their own, or on kept ones.</summary>
    public static readonly ImmutableArray<string> Carriers = [Protocol, KeptWire.Protocol];

    private readonly ConcurrentDictionary<PeerId, FrameLane> lanes = new();
    private readonly ConcurrentDictionary<PeerId, Inbound> readers = new();
    private readonly Lock batchGate = new();
    private readonly CancellationTokenSource leaving = new();
    private HashSet<FrameLane> batch = [], spare = [];
    private int batches;
    private long lent;

    public FrameDesk(IFrameCarrier carrier, IOverlayEvents events)
    {
        Carrier = carrier;
        Events = events;
        Left = leaving.Token;
        Room = new RoomKeeper(events, Left);
    }

    public IFrameCarrier Carrier { get; }

    public IOverlayEvents Events { get; }

    public RoomKeeper Room { get; }

    /// <summary>Cancelled when the overlay is left.</summary>
    public CancellationToken Left { get; }

    public bool Send(PeerId to, ReadOnlyMemory<byte> frame) => Add(to, frame, out _, out _) == FrameFate.Taken;

    public bool SendWaiting(PeerId to, ReadOnlyMemory<byte> frame)
    {
        while (true)
        {
            switch (Add(to, frame, out FrameLane? lane, out long drainsSeen))
            {
                case FrameFate.Taken:
                    return true;
                case FrameFate.Full when lane is null:
                    Events.WaitForRoom();
                    break;
                case FrameFate.Full:
                    // What waits in a batch must not wait for whom it makes wait.
                    lane.Write();
                    lane.WaitForRoom(drainsSeen);
                    break;
                default:
                    return false;
            }
            if (Left.IsCancellationRequested)
                return false;
        }
    }

    public void BeginBatch()
    {
        lock (batchGate)
            batches++;
    }

    public void EndBatch()
    {
        HashSet<FrameLane> due;
        lock (batchGate)
        {
            Invariant.Check(batches > 0);
            if (--batches > 0 || batch.Count == 0)
                return;
            due = batch;
            (batch, spare) = (spare, []);
        }
        foreach (FrameLane lane in due)
            lane.Write();
        due.Clear();
        lock (batchGate)
            spare = due;
    }

    /// <summary>Serves a stream of <see cref="Protocol"/>. A newer one of the same peer takes the place of an older one: the peer has begun anew.</summary>
    public async Task ServeAsync(PeerId from, OverlayStream stream)
    {
        var mine = new Inbound(stream);
        Inbound? older = null;
        readers.AddOrUpdate(from, mine, (_, known) =>
        {
            older = known;
            return mine;
        });
        try
        {
            if (older is not null)
            {
                // Frames of one sender do not overtake each other: what the older one has given to the node comes first.
                older.Stream.Reset();
                await older.Ended.Task.ConfigureAwait(false);
            }
            await new FrameReader(this, from, stream).ReadAsync().ConfigureAwait(false);
        }
        finally
        {
            mine.Ended.TrySetResult();
            readers.TryRemove(KeyValuePair.Create(from, mine));
        }
    }

    /// <summary>A peer is connected, or may be reached elsewhere: frames to it are tried again.</summary>
    public void Met(PeerId peer)
    {
        if (lanes.TryGetValue(peer, out FrameLane? lane))
            lane.Retry();
    }

    /// <summary>A peer's last connection is closed.</summary>
    public void Gone(PeerId peer)
    {
        if (lanes.TryRemove(peer, out FrameLane? lane))
            lane.Close(gracefully: false);
    }

    /// <summary>Closes lanes that nobody uses.</summary>
    public void Sweep()
    {
        long now = Environment.TickCount64;
        foreach ((PeerId peer, FrameLane lane) in lanes)
            if (lane.IsIdle(now) && lanes.TryRemove(KeyValuePair.Create(peer, lane)))
                lane.Close(gracefully: true);
    }

    /// <summary>Sends no more, and takes nothing.</summary>
    public void Dispose()
    {
        leaving.Cancel();
        Room.Stop();
        foreach (PeerId peer in lanes.Keys)
            Gone(peer);
        leaving.Dispose();
    }

    public bool TryLend(long more)
    {
        if (Interlocked.Add(ref lent, more) <= FrameLimits.BytesOfAllMax)
            return true;
        Interlocked.Add(ref lent, -more);
        return false;
    }

    public void TakeBack(long back) => Interlocked.Add(ref lent, -back);

    private FrameFate Add(PeerId to, ReadOnlyMemory<byte> frame, out FrameLane? lane, out long drainsSeen)
    {
        OverlayRules.CheckLength(frame);
        lane = null;
        drainsSeen = 0;
        if (Left.IsCancellationRequested)
            return FrameFate.Unreachable;
        if (to == Carrier.Self)
            return Events.Frame(to, frame) ? FrameFate.Taken : FrameFate.Full;
        while (true)
        {
            if (!lanes.TryGetValue(to, out lane))
            {
                if (lanes.Count >= FrameLimits.LanesMax || !Carrier.MayReach(to))
                    return FrameFate.Unreachable;
                lane = lanes.GetOrAdd(to, static (peer, desk) => new FrameLane(desk, peer), this);
            }
            FrameFate fate = lane.TryAdd(frame, out drainsSeen);
            if (fate == FrameFate.Taken)
                WriteOrWait(lane);
            if (fate != FrameFate.LaneClosed)
                return fate;
            lanes.TryRemove(KeyValuePair.Create(to, lane));
        }
    }

    private void WriteOrWait(FrameLane lane)
    {
        lock (batchGate)
        {
            if (batches > 0)
            {
                batch.Add(lane);
                return;
            }
        }
        lane.Write();
    }

    /// <summary>A stream that is read, and when that has ended.</summary>
    private sealed class Inbound(OverlayStream stream)
    {
        public OverlayStream Stream => stream;

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
