using System.Buffers.Binary;

namespace Drap.Libp2p.Noise;

/// <summary>
/// A connection's frames after the handshake (libp2p/specs noise, "Wire Format"): two bytes of length, big-endian, the ciphertext, a tag of
/// 16 bytes. Allocates nothing per frame. One thread may encrypt while another decrypts, but not two at the same.
/// </summary>
public sealed class NoiseTransport : IDisposable
{
    /// <summary>Bytes that a frame has besides its plaintext: its length and its tag.</summary>
    public const int OverheadBytes = LengthBytes + CipherState.TagBytes;

    /// <summary>The most plaintext in a frame: 65535 bytes is the most that Noise allows a message, tag included.</summary>
    public const int PlaintextBytesMax = ushort.MaxValue - CipherState.TagBytes;

    /// <summary>The longest frame.</summary>
    public const int FrameBytesMax = PlaintextBytesMax + OverheadBytes;

    private const int LengthBytes = 2;

    private readonly CipherState sending, receiving;
    private bool broken;

    internal NoiseTransport(CipherState sending, CipherState receiving)
    {
        this.sending = sending;
        this.receiving = receiving;
    }

    /// <summary>
    /// Writes <paramref name="plaintext"/> (at most <see cref="PlaintextBytesMax"/>) as a frame and returns the frame's length, which is
    /// <see cref="OverheadBytes"/> more. The plaintext may lie in the frame already, two bytes behind its start. Returns 0 after 2^64 - 1 frames: then
    /// the connection must end, since a number would come twice.
    /// </summary>
    public int Encrypt(ReadOnlySpan<byte> plaintext, Span<byte> frame)
    {
        Invariant.Check(plaintext.Length <= PlaintextBytesMax && frame.Length >= plaintext.Length + OverheadBytes);
        if (sending.IsExhausted)
            return 0;
        int length = plaintext.Length + CipherState.TagBytes;
        BinaryPrimitives.WriteUInt16BigEndian(frame, (ushort)length);
        sending.Encrypt([], plaintext, frame.Slice(LengthBytes, length));
        return LengthBytes + length;
    }

    /// <summary>
    /// Looks for a frame at the start of what was received and decrypts it where it lies. On <see cref="NoiseFrameStatus.Done"/> the first
    /// <paramref name="consumed"/> bytes are used up, and <paramref name="plaintext"/> lies in them.
    /// </summary>
    public NoiseFrameStatus Decrypt(Span<byte> received, out int consumed, out Span<byte> plaintext)
    {
        consumed = 0;
        plaintext = default;
        if (broken)
            return NoiseFrameStatus.Broken;
        if (received.Length < LengthBytes)
            return NoiseFrameStatus.Incomplete;
        int length = BinaryPrimitives.ReadUInt16BigEndian(received);
        if (length < CipherState.TagBytes || receiving.IsExhausted)
        {
            broken = true;
            return NoiseFrameStatus.Broken;
        }
        if (received.Length < LengthBytes + length)
            return NoiseFrameStatus.Incomplete;
        Span<byte> message = received.Slice(LengthBytes, length);
        if (!receiving.TryDecrypt([], message, message))
        {
            broken = true;
            return NoiseFrameStatus.Broken;
        }
        consumed = LengthBytes + length;
        plaintext = message[..^CipherState.TagBytes];
        return NoiseFrameStatus.Done;
    }

    /// <summary>The bytes that the frame at the start of <paramref name="received"/> has in all, or 2 while its length is not there: how many to read.</summary>
    public static int FrameBytes(ReadOnlySpan<byte> received) =>
        received.Length < LengthBytes ? LengthBytes : LengthBytes + BinaryPrimitives.ReadUInt16BigEndian(received);

    /// <summary>Forgets the keys.</summary>
    public void Dispose()
    {
        sending.Dispose();
        receiving.Dispose();
    }
}

/// <summary>What was found at the start of received bytes.</summary>
public enum NoiseFrameStatus
{
    /// <summary>A whole frame, now decrypted.</summary>
    Done,

    /// <summary>A part of one.</summary>
    Incomplete,

    /// <summary>Nothing that the other side encrypted, or one frame too many: close the connection. It stays so.</summary>
    Broken,
}
