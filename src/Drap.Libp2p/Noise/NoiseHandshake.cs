using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Noise;

/// <summary>
/// One side of a Noise handshake as libp2p does it (libp2p/specs noise, protocol <c>/noise</c>): bytes in, bytes out, until both know who
/// the other is. The initiator calls <see cref="Start"/>; then hand what comes to <see cref="Receive"/> and send what it writes, until
/// <see cref="Status"/> says that it is over, and take the <see cref="Transport"/>.
/// </summary>
public sealed class NoiseHandshake : IDisposable
{
    /// <summary>
    /// The longest handshake message taken, in bytes. The largest keys and signatures (RSA of 8192 bits) make 2.3 KiB with their tags; the rest is
    /// room for extensions. A longer one is refused by its length, before anything is kept of it.
    /// </summary>
    public const int MessageBytesMax = 8192;

    private readonly NoiseIdentity self;
    private readonly XxHandshake handshake;
    private readonly bool initiator;
    private readonly PeerId? expected;
    private byte[]? partial; // the length and what came of a message that comes in pieces
    private int held;

    private NoiseHandshake(NoiseIdentity self, bool initiator, ReadOnlySpan<byte> ephemeral, PeerId? expected)
    {
        Invariant.Check(ephemeral.Length == NoiseIdentity.KeyBytes);
        this.self = self;
        this.initiator = initiator;
        this.expected = expected;
        handshake = new XxHandshake(initiator, self.Key, new X25519Key(ephemeral), prologue: []);
    }

    /// <summary>How far it is.</summary>
    public NoiseStatus Status { get; private set; }

    /// <summary>Why it failed.</summary>
    public NoiseError Error { get; private set; }

    /// <summary>The other side's key, whose peer id is its name; set when the handshake is done.</summary>
    public PublicKey? RemoteKey { get; private set; }

    /// <summary>
    /// The stream multiplexer that both agreed on within the handshake (libp2p/specs connections, inlined muxer negotiation); null if one side
    /// named none, and multistream-select has to do it.
    /// </summary>
    public string? Muxer { get; private set; }

    /// <summary>What encrypts and decrypts from now on; set when the handshake is done, and then the caller's to dispose.</summary>
    public NoiseTransport? Transport { get; private set; }

    /// <summary>Whether it is done, and with it what it found.</summary>
    [MemberNotNullWhen(true, nameof(RemoteKey), nameof(Transport))]
    public bool IsDone => Status == NoiseStatus.Done;

    /// <summary>
    /// The side that dials: 32 random bytes that are used for nothing else, and the peer that must be there (null if anybody may be).
    /// </summary>
    public static NoiseHandshake Dial(NoiseIdentity self, ReadOnlySpan<byte> ephemeral, PeerId? expected) =>
        new(self, initiator: true, ephemeral, expected);

    /// <summary>The side that listens: 32 random bytes that are used for nothing else, and the peer that must come (null if anybody may).</summary>
    public static NoiseHandshake Listen(NoiseIdentity self, ReadOnlySpan<byte> ephemeral, PeerId? expected = null) =>
        new(self, initiator: false, ephemeral, expected);

    /// <summary>Writes the initiator's first message.</summary>
    public void Start(IBufferWriter<byte> output)
    {
        Invariant.Check(initiator && handshake.IsWriting);
        Write([], output);
    }

    /// <summary>
    /// Takes bytes of the other side, writes the answer, and returns how many it consumed: all of them while the handshake lasts, and none of
    /// what comes after.
    /// </summary>
    public int Receive(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> rest = input;
        while (Status == NoiseStatus.Shaking && TryTakeMessage(ref rest, out ReadOnlySpan<byte> message))
            Read(message, output);
        return input.Length - rest.Length;
    }

    /// <summary>Forgets the keys of the handshake. The <see cref="Transport"/> has its own.</summary>
    public void Dispose() => handshake.Dispose();

    private bool TryTakeMessage(ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> message)
    {
        message = default;
        if (held == 0 && input.Length >= 2)
        {
            int whole = BinaryPrimitives.ReadUInt16BigEndian(input);
            if (whole > MessageBytesMax)
                return Fail(NoiseError.TooLong);
            if (input.Length >= 2 + whole)
            {
                message = input.Slice(2, whole);
                input = input[(2 + whole)..];
                return true;
            }
        }
        partial ??= new byte[2];
        while (!input.IsEmpty)
        {
            int wanted = held < 2 ? 2 : 2 + BinaryPrimitives.ReadUInt16BigEndian(partial);
            int take = Math.Min(input.Length, wanted - held);
            input[..take].CopyTo(partial.AsSpan(held));
            input = input[take..];
            held += take;
            if (held < 2)
                continue;
            int whole = 2 + BinaryPrimitives.ReadUInt16BigEndian(partial);
            if (whole > 2 + MessageBytesMax)
                return Fail(NoiseError.TooLong);
            if (partial.Length < whole)
                Array.Resize(ref partial, whole);
            if (held < whole)
                continue;
            message = partial.AsSpan(2, whole - 2);
            held = 0;
            return true;
        }
        return false;
    }

    private void Read(ReadOnlySpan<byte> message, IBufferWriter<byte> output)
    {
        Span<byte> payload = stackalloc byte[MessageBytesMax];
        NoiseError error = handshake.Read(message, payload, out int length);
        if (error != NoiseError.None)
        {
            Fail(error);
            return;
        }
        // The first message carries nothing that counts: whoever wrote it is not known, and it may be a replay.
        if (initiator || handshake.IsDone)
        {
            error = NoisePayload.Read(payload[..length], handshake.RemoteStatic, self, initiator, out PublicKey? identity, out string? muxer);
            if (error == NoiseError.None && expected is { } wanted && identity!.PeerId != wanted)
                error = NoiseError.WrongPeer;
            if (error != NoiseError.None)
            {
                Fail(error);
                return;
            }
            RemoteKey = identity;
            Muxer = muxer;
        }
        if (handshake.IsWriting)
            Write(self.Payload, output);
        if (handshake.IsDone && Status == NoiseStatus.Shaking)
        {
            (CipherState sending, CipherState receiving) = handshake.Split();
            Transport = new NoiseTransport(sending, receiving);
            Status = NoiseStatus.Done;
            partial = null;
            handshake.Dispose();
        }
    }

    private void Write(ReadOnlySpan<byte> payload, IBufferWriter<byte> output)
    {
        Span<byte> frame = output.GetSpan(2 + payload.Length + XxHandshake.OverheadBytesMax);
        NoiseError error = handshake.Write(payload, frame[2..], out int length);
        if (error != NoiseError.None)
        {
            Fail(error);
            return;
        }
        BinaryPrimitives.WriteUInt16BigEndian(frame, (ushort)length);
        output.Advance(2 + length);
    }

    private bool Fail(NoiseError error)
    {
        Status = NoiseStatus.Failed;
        Error = error;
        RemoteKey = null;
        Muxer = null;
        partial = null;
        handshake.Dispose();
        return false;
    }
}
