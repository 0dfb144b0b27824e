using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Noise;

namespace Drap.Libp2p.Host.Links;

/// <summary>
/// How plaintext lies in the frames of a link, sealed and opened in place. One thread may seal while another opens.
/// </summary>
internal abstract class Sealing : IDisposable
{
    /// <summary>Bytes before the plaintext in a frame.</summary>
    public abstract int Before { get; }

    /// <summary>Bytes around the plaintext in a frame, before and behind.</summary>
    public abstract int Around { get; }

    /// <summary>The most plaintext in a frame; with all around it, it fits a chunk.</summary>
    public abstract int PlainMax { get; }

    /// <summary>Seals the plaintext that begins <see cref="Before"/> bytes into <paramref name="frame"/>; returns the frame's length, 0 when no frame can be sealed any more.</summary>
    public abstract int Seal(Span<byte> frame, int plainLength);

    /// <summary>Opens the frame at the start of what was received.</summary>
    public abstract NoiseFrameStatus Open(Span<byte> received, out int consumed, out Span<byte> plain);

    public abstract void Dispose();
}

/// <summary>Nothing around the plaintext: the link under it seals, or nobody does.</summary>
internal sealed class NoSealing : Sealing
{
    public override int Before => 0;

    public override int Around => 0;

    public override int PlainMax => ChunkPool.ChunkBytes;

    public override int Seal(Span<byte> frame, int plainLength) => plainLength;

    public override NoiseFrameStatus Open(Span<byte> received, out int consumed, out Span<byte> plain)
    {
        consumed = received.Length;
        plain = received;
        return consumed > 0 ? NoiseFrameStatus.Done : NoiseFrameStatus.Incomplete;
    }

    public override void Dispose()
    {
    }
}

/// <summary>Noise's frames.</summary>
internal sealed class NoiseSealing(NoiseTransport transport) : Sealing
{
    public override int Before => 2;

    public override int Around => NoiseTransport.OverheadBytes;

    public override int PlainMax => NoiseTransport.PlaintextBytesMax;

    public override int Seal(Span<byte> frame, int plainLength) => transport.Encrypt(frame.Slice(Before, plainLength), frame);

    public override NoiseFrameStatus Open(Span<byte> received, out int consumed, out Span<byte> plain) =>
        transport.Decrypt(received, out consumed, out plain);

    public override void Dispose() => transport.Dispose();
}
