using System.Buffers;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Noise;

namespace Drap.Libp2p.Host.Upgrade;

/// <summary>
/// A link while its two sides shake hands: what came and was not used, and what is to be sent. Counts what comes until the peer has proved who it is.
/// </summary>
internal sealed class HandshakeBuffer(Link link, int strangerBytesMax) : IDisposable
{
    // Most messages of a handshake are shorter; it grows for those that are not.
    private const int FirstBytes = 2048;

    private byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
    private int start, end;
    private int taken;

    public Link Link { get; private set; } = link;

    /// <summary>What is to be sent with the next a send.</summary>
    public ArrayBufferWriter<byte> Output { get; } = new(512);

    /// <summary>Whether the peer has proved who it is, so that what it sends need not be counted.</summary>
    public bool IsPeerKnown { get; set; }

    /// <summary>What came and was not used.</summary>
    public Span<byte> Unread => buffer.AsSpan(start, end - start);

    public void Use(int bytes) => start += bytes;

    /// <summary>Puts another link in the place of this one, which it uses underneath.</summary>
    public void Over(Link upper)
    {
        Invariant.Check(Unread.IsEmpty);
        Link = upper;
    }

    /// <summary>Reads more.</summary>
    public async ValueTask FillAsync()
    {
        if (start == end)
            start = end = 0;
        if (end == buffer.Length)
            MakeRoom();
        int received;
        while ((received = await Link.ReceiveAsync(buffer.AsMemory(end)).ConfigureAwait(false)) < 0)
            await Link.WaitAsync().ConfigureAwait(false);
        if (received == 0)
            throw new Libp2pException("the peer closed the connection during the handshake");
        end += received;
        Count(received);
    }

    /// <summary>So much came.</summary>
    public void Count(int bytes)
    {
        taken += bytes;
        if (!IsPeerKnown && taken > strangerBytesMax)
            throw new Libp2pException("the peer sent too much before it proved who it is");
    }

    /// <summary>Sends <see cref="Output"/>.</summary>
    public async ValueTask SendAsync()
    {
        if (Output.WrittenCount == 0)
            return;
        await Link.SendAsync(Output.WrittenMemory).ConfigureAwait(false);
        Output.Clear();
    }

    /// <summary>Sends <see cref="Output"/> sealed.</summary>
    public async ValueTask SendAsync(Sealing sealing)
    {
        if (Output.WrittenCount == 0)
            return;
        byte[] frame = new byte[Output.WrittenCount + NoiseTransport.OverheadBytes];
        Output.WrittenSpan.CopyTo(frame.AsSpan(sealing.Before));
        int length = sealing.Seal(frame, Output.WrittenCount);
        Output.Clear();
        await Link.SendAsync(frame.AsMemory(0, length)).ConfigureAwait(false);
    }

    /// <summary>Opens the next frame, and reads until it is whole; the plaintext lies here until the next call.</summary>
    public async ValueTask<Memory<byte>> OpenAsync(Sealing sealing)
    {
        while (true)
        {
            NoiseFrameStatus status = sealing.Open(Unread, out int consumed, out Span<byte> plain);
            if (status == NoiseFrameStatus.Done)
            {
                int offset = start + sealing.Before;
                start += consumed;
                return buffer.AsMemory(offset, plain.Length);
            }
            if (status == NoiseFrameStatus.Broken)
                throw new Libp2pException("what came was not what the peer encrypted");
            await FillAsync().ConfigureAwait(false);
        }
    }

    /// <summary>A copy of what was not used; the connection takes it from here.</summary>
    public ReadOnlyMemory<byte> TakeRest() => Unread.ToArray();

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
    }

    private void MakeRoom()
    {
        Span<byte> unread = Unread;
        if (start > 0)
        {
            unread.CopyTo(buffer);
        }
        else
        {
            if (buffer.Length >= ChunkPool.ChunkBytes)
                throw new Libp2pException("the peer's frame is too long");
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Min(buffer.Length * 4, ChunkPool.ChunkBytes));
            unread.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }
        end -= start;
        start = 0;
    }
}
