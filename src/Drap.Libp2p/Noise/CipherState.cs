using System.Buffers.Binary;
using System.Security.Cryptography;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Noise;

/// <summary>
/// A key and the number of the next message under it (Noise, 5.1): ChaCha20-Poly1305 with a nonce of four zero bytes and the number,
/// little-endian. For one thread at a time.
/// </summary>
internal sealed class CipherState : IDisposable
{
    public const int KeyBytes = 32, TagBytes = 16;

    /// <summary>
    /// Up to this length libsodium encrypts where it is present, beyond it OpenSSL. Short messages cost it a microsecond less, and 20 less on a processor that
    /// has slept and forgotten their code; from a few KiB on OpenSSL is up to twice as fast.
    /// </summary>
    public const int ShortBytesMax = 2048;

    // Pinned, so that the collector leaves no copies behind.
    private readonly byte[] key;
    private ChaCha20Poly1305? cipher; // OpenSSL's, from the first message on that it encrypts
    private ulong next;
    private bool isDisposed;

    public CipherState(ReadOnlySpan<byte> key, ulong next = 0)
    {
        this.key = GC.AllocateUninitializedArray<byte>(KeyBytes, pinned: true);
        key.CopyTo(this.key);
        this.next = next;
    }

    /// <summary>Whether all numbers are used: the last of the 64-bit ones is kept out of use (Noise, 5.1), so that none comes twice.</summary>
    public bool IsExhausted => next == ulong.MaxValue;

    /// <summary>Writes as many bytes as the plaintext has, and the tag behind them. The two may be the same memory.</summary>
    public void Encrypt(ReadOnlySpan<byte> associated, ReadOnlySpan<byte> plaintext, Span<byte> ciphertext)
    {
        Invariant.Check(!IsExhausted);
        Span<byte> nonce = stackalloc byte[12];
        nonce.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(nonce[4..], next++);
        if (IsSodiums(plaintext.Length))
        {
            Sodium.Encrypt(key, nonce, associated, plaintext, ciphertext[..(plaintext.Length + TagBytes)]);
            return;
        }
        cipher ??= new ChaCha20Poly1305(key);
        cipher.Encrypt(nonce, plaintext, ciphertext[..plaintext.Length], ciphertext.Slice(plaintext.Length, TagBytes), associated);
    }

    /// <summary>Writes the plaintext, 16 bytes shorter than the ciphertext; the two may be the same memory. False if it is not authentic.</summary>
    public bool TryDecrypt(ReadOnlySpan<byte> associated, ReadOnlySpan<byte> ciphertext, Span<byte> plaintext)
    {
        Invariant.Check(!IsExhausted && ciphertext.Length >= TagBytes);
        Span<byte> nonce = stackalloc byte[12];
        nonce.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(nonce[4..], next);
        int length = ciphertext.Length - TagBytes;
        if (IsSodiums(length))
        {
            if (!Sodium.TryDecrypt(key, nonce, associated, ciphertext, plaintext[..length]))
                return false;
            next++;
            return true;
        }
        cipher ??= new ChaCha20Poly1305(key);
        try
        {
            cipher.Decrypt(nonce, ciphertext[..length], ciphertext[length..], plaintext[..length], associated);
        }
        catch (AuthenticationTagMismatchException)
        {
            // The framework has no other way to say it. It ends the connection, so a peer makes us pay for it once.
            return false;
        }
        next++;
        return true;
    }

    public void Dispose()
    {
        isDisposed = true;
        CryptographicOperations.ZeroMemory(key);
        cipher?.Dispose();
    }

    private bool IsSodiums(int length)
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        return length <= ShortBytesMax && Sodium.IsPresent;
    }
}
