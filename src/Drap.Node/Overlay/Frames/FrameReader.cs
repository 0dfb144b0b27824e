using System.Runtime.InteropServices;
using Drap.Libp2p.Multiformats;

namespace Drap.Node.Overlay.Frames;

/// <summary>
/// Reads the frames of one stream and gives them to the node in order. Frames that come together share one piece of memory, which lives as long as
/// one of them is used; while nothing comes none is held. When the node has no room the stream is not read on, which holds its sender back.
/// </summary>
internal sealed class FrameReader(FrameDesk desk, PeerId from, OverlayStream stream)
{
    private readonly List<ReadOnlyMemory<byte>> together = [];
    private byte[] piece = [];
    private int start, end;

    /// <summary>Reads to the stream's end, or until the peer breaks the rules; then it throws.</summary>
    public async Task ReadAsync()
    {
        while (true)
        {
            if (start == end)
            {
                await stream.ReadAsync(Memory<byte>.Empty).ConfigureAwait(false);
                MakeRoom(0);
            }
            int read = await stream.ReadAsync(piece.AsMemory(end)).ConfigureAwait(false);
            if (read == 0)
                return;
            end += read;
            while (TryTake(out ReadOnlyMemory<byte> frame))
                together.Add(frame);
            if (together.Count == 0)
                continue;
            // Those that find no room now are given one by one as it comes.
            for (int i = desk.Events.Frames(from, CollectionsMarshal.AsSpan(together)); i < together.Count; i++)
                await desk.Room.DeliverAsync(from, together[i]).ConfigureAwait(false);
            together.Clear();
        }
    }

    /// <summary>The next whole frame; if there is none, room for what lacks is made.</summary>
    private bool TryTake(out ReadOnlyMemory<byte> frame)
    {
        frame = default;
        VarintStatus status = UnsignedVarint.TryRead(piece.AsSpan(start, end - start), out ulong length, out int prefix);
        if (status == VarintStatus.Malformed || length > IOverlay.FrameBytesMax)
            throw new InvalidDataException($"a frame of {length} bytes; the longest is {IOverlay.FrameBytesMax}");
        int whole = status == VarintStatus.Done ? prefix + (int)length : UnsignedVarint.BytesMax;
        if (status == VarintStatus.Done && whole <= end - start)
        {
            frame = piece.AsMemory(start + prefix, (int)length);
            start += whole;
            return true;
        }
        if (start < end)
            MakeRoom(whole);
        return false;
    }

    /// <summary>Another piece when this one does not hold what is begun, or has little room left: earlier frames go on lying in the old one.</summary>
    private void MakeRoom(int whole)
    {
        if (piece.Length - start >= whole && piece.Length - end >= FrameLimits.PieceBytes / 8)
            return;
        byte[] next = GC.AllocateUninitializedArray<byte>(Math.Max(whole, FrameLimits.PieceBytes));
        piece.AsSpan(start, end - start).CopyTo(next);
        end -= start;
        start = 0;
        piece = next;
    }
}
