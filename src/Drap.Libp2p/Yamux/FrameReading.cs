namespace Drap.Libp2p.Yamux;

/// <summary>How far the frame that comes in now was told: header, opening, acknowledgement, credit, payload, and then its end of the stream.</summary>
internal struct FrameReading
{
    private YamuxStream? stream;
    private YamuxFlags ending;
    private uint payload;
    private int headerLength;
    private bool inFrame, isOpening, isAcknowledging, isWritable;

    /// <summary>Whether the next bytes belong to a header.</summary>
    public readonly bool IsHeader => !inFrame;

    /// <summary>Takes the bytes of a header; <paramref name="kept"/> holds what came of it so far.</summary>
    public bool TryHeader(ref ReadOnlySpan<byte> bytes, byte[] kept, out YamuxHeader header, out YamuxViolation violation)
    {
        header = default;
        violation = YamuxViolation.None;
        if (headerLength == 0 && bytes.Length >= YamuxHeader.Bytes)
        {
            violation = YamuxHeader.Read(bytes, out header);
            bytes = bytes[YamuxHeader.Bytes..];
            return true;
        }
        int taken = Math.Min(YamuxHeader.Bytes - headerLength, bytes.Length);
        bytes[..taken].CopyTo(kept.AsSpan(headerLength));
        bytes = bytes[taken..];
        headerLength += taken;
        if (headerLength < YamuxHeader.Bytes)
            return false;
        headerLength = 0;
        violation = YamuxHeader.Read(kept, out header);
        return true;
    }

    /// <summary>A header was read and obeyed; this is what is to be told of its frame. A null stream's payload is passed over.</summary>
    public void Begin(YamuxStream? of, YamuxFlags flags, uint length, bool opening, bool acknowledging, bool writable)
    {
        stream = of is { IsReset: true } ? null : of;
        ending = flags & (YamuxFlags.Fin | YamuxFlags.Rst);
        payload = length;
        isOpening = opening;
        isAcknowledging = acknowledging;
        isWritable = writable;
        inFrame = true;
    }

    /// <summary>The next event of the frame; false when it has no more, or when its bytes have yet to come.</summary>
    public bool TryStep(ref ReadOnlySpan<byte> bytes, out YamuxEvent happened)
    {
        happened = default;
        // It may have been reset by this side since the header came.
        if (stream is { IsReset: true })
            stream = null;
        if (stream is not null)
        {
            if (Take(ref isOpening))
                happened = new YamuxEvent(YamuxEventKind.Opened, stream);
            else if (Take(ref isAcknowledging))
                happened = new YamuxEvent(YamuxEventKind.Acknowledged, stream);
            else if (Take(ref isWritable))
                happened = new YamuxEvent(YamuxEventKind.Writable, stream);
            if (happened.Stream is not null)
                return true;
        }
        if (payload > 0)
        {
            int taken = (int)Math.Min(payload, (uint)bytes.Length);
            ReadOnlySpan<byte> data = bytes[..taken];
            bytes = bytes[taken..];
            payload -= (uint)taken;
            if (taken == 0)
                return false;
            if (stream is not null)
            {
                happened = new YamuxEvent(YamuxEventKind.Data, stream, data);
                return true;
            }
            if (payload > 0)
                return false;
        }
        inFrame = false;
        if (stream is null || ending == YamuxFlags.None)
            return false;
        if ((ending & YamuxFlags.Rst) == 0 && stream.IsRemoteClosed)
            return false;
        happened = new YamuxEvent((ending & YamuxFlags.Rst) != 0 ? YamuxEventKind.Reset : YamuxEventKind.RemoteClosed, stream);
        stream = null;
        return true;
    }

    private static bool Take(ref bool flag)
    {
        bool was = flag;
        flag = false;
        return was;
    }
}
