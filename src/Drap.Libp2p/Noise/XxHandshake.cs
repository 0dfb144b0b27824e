using System.Security.Cryptography;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Noise;

/// <summary>
/// Noise_XX_25519_ChaChaPoly_SHA256 (Noise, 7.5): three messages, of which the initiator writes the first and the third. Knows nothing of
/// libp2p; what the messages carry is the caller's.
/// </summary>
/// <remarks>
/// <code>
/// -> e
/// &lt;- e, ee, s, es
/// -> s, se
/// </code>
/// </remarks>
internal sealed class XxHandshake : IDisposable
{
    /// <summary>The most that a message has besides its payload: two keys, two tags.</summary>
    public const int OverheadBytesMax = (2 * X25519Key.Bytes) + (2 * CipherState.TagBytes);

    private readonly SymmetricState state = new("Noise_XX_25519_ChaChaPoly_SHA256"u8);
    private readonly bool initiator;
    private readonly X25519Key fixedKey, ephemeral;
    private readonly byte[] remoteFixed = new byte[X25519Key.Bytes], remoteEphemeral = new byte[X25519Key.Bytes];
    private int messages;

    /// <summary>A side with its static key, which stays the caller's, and its ephemeral one, which must not be used twice.</summary>
    public XxHandshake(bool initiator, X25519Key fixedKey, X25519Key ephemeral, ReadOnlySpan<byte> prologue)
    {
        this.initiator = initiator;
        this.fixedKey = fixedKey;
        this.ephemeral = ephemeral;
        state.MixHash(prologue);
    }

    /// <summary>Whether it is this side's turn to write.</summary>
    public bool IsWriting => messages < 3 && (messages % 2 == 0) == initiator;

    /// <summary>Whether all three messages have passed.</summary>
    public bool IsDone => messages == 3;

    /// <summary>The other side's static key, once its message was read.</summary>
    public ReadOnlySpan<byte> RemoteStatic => remoteFixed;

    /// <summary>The hash over all that was said: the same on both sides at the end.</summary>
    public ReadOnlySpan<byte> HandshakeHash => state.HandshakeHash;

    /// <summary>Writes the next message; the destination has room for the payload and <see cref="OverheadBytesMax"/>.</summary>
    public NoiseError Write(ReadOnlySpan<byte> payload, Span<byte> message, out int length)
    {
        Invariant.Check(IsWriting);
        length = 0;
        if (messages < 2)
        {
            ephemeral.PublicKey.CopyTo(message);
            state.MixHash(ephemeral.PublicKey);
            length = X25519Key.Bytes;
        }
        if (messages == 1 && !TryMix(ephemeral, remoteEphemeral)) // ee
            return NoiseError.BadPoint;
        if (messages > 0)
        {
            length += state.EncryptAndHash(fixedKey.PublicKey, message[length..]);
            if (!TryMix(fixedKey, remoteEphemeral)) // the responder's es, the initiator's se
                return NoiseError.BadPoint;
        }
        length += state.EncryptAndHash(payload, message[length..]);
        messages++;
        return NoiseError.None;
    }

    /// <summary>Reads the next message; the payload's room is as large as the message.</summary>
    public NoiseError Read(ReadOnlySpan<byte> message, Span<byte> payload, out int length)
    {
        Invariant.Check(!IsWriting && !IsDone);
        length = 0;
        int ephemeralBytes = messages < 2 ? X25519Key.Bytes : 0;
        int fixedBytes = messages > 0 ? X25519Key.Bytes + CipherState.TagBytes : 0;
        if (message.Length < ephemeralBytes + fixedBytes + (messages > 0 ? CipherState.TagBytes : 0))
            return NoiseError.TooShort;
        if (messages < 2)
        {
            message[..ephemeralBytes].CopyTo(remoteEphemeral);
            state.MixHash(remoteEphemeral);
        }
        if (messages == 1 && !TryMix(ephemeral, remoteEphemeral)) // ee
            return NoiseError.BadPoint;
        if (messages > 0)
        {
            if (!state.TryDecryptAndHash(message.Slice(ephemeralBytes, fixedBytes), remoteFixed))
                return NoiseError.Undecryptable;
            if (!TryMix(ephemeral, remoteFixed)) // the initiator's es, the responder's se
                return NoiseError.BadPoint;
        }
        ReadOnlySpan<byte> rest = message[(ephemeralBytes + fixedBytes)..];
        length = rest.Length - state.TagBytes;
        if (!state.TryDecryptAndHash(rest, payload))
            return NoiseError.Undecryptable;
        messages++;
        return NoiseError.None;
    }

    /// <summary>The keys of the two directions, after the third message.</summary>
    public (CipherState Sending, CipherState Receiving) Split()
    {
        Invariant.Check(IsDone);
        (CipherState ofInitiator, CipherState ofResponder) = state.Split();
        return initiator ? (ofInitiator, ofResponder) : (ofResponder, ofInitiator);
    }

    public void Dispose()
    {
        state.Dispose();
        ephemeral.Dispose();
    }

    private bool TryMix(X25519Key mine, ReadOnlySpan<byte> its)
    {
        Span<byte> secret = stackalloc byte[X25519Key.Bytes];
        if (!mine.TryAgree(its, secret))
            return false;
        state.MixKey(secret);
        CryptographicOperations.ZeroMemory(secret);
        return true;
    }
}
