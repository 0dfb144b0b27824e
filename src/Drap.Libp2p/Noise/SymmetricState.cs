using System.Security.Cryptography;

namespace Drap.Libp2p.Noise;

/// <summary>What both sides of a handshake have hashed and agreed on so far (Noise, 5.2), with SHA-256.</summary>
internal sealed class SymmetricState : IDisposable
{
    private const int HashBytes = 32;

    private readonly byte[] chainingKey = new byte[HashBytes];
    private readonly byte[] hash = new byte[HashBytes];
    private CipherState? cipher;

    public SymmetricState(ReadOnlySpan<byte> protocolName)
    {
        // A name as long as a hash is the first hash itself.
        Invariant.Check(protocolName.Length == HashBytes);
        protocolName.CopyTo(hash);
        protocolName.CopyTo(chainingKey);
    }

    public ReadOnlySpan<byte> HandshakeHash => hash;

    /// <summary>Bytes that encryption adds now: none before the first key.</summary>
    public int TagBytes => cipher is null ? 0 : CipherState.TagBytes;

    public void MixHash(ReadOnlySpan<byte> data)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(hash);
        sha.AppendData(data);
        sha.GetHashAndReset(hash);
    }

    public void MixKey(ReadOnlySpan<byte> input)
    {
        Span<byte> output = stackalloc byte[2 * HashBytes];
        Derive(input, output);
        output[..HashBytes].CopyTo(chainingKey);
        cipher?.Dispose();
        cipher = new CipherState(output[HashBytes..]);
        CryptographicOperations.ZeroMemory(output);
    }

    /// <summary>Encrypts, once there is a key, and hashes what goes out. Returns the bytes written.</summary>
    public int EncryptAndHash(ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        int length = plaintext.Length + TagBytes;
        if (cipher is null)
            plaintext.CopyTo(destination);
        else
            cipher.Encrypt(hash, plaintext, destination[..length]);
        MixHash(destination[..length]);
        return length;
    }

    /// <summary>Hashes what came in and decrypts it, once there is a key. False if it is not authentic.</summary>
    public bool TryDecryptAndHash(ReadOnlySpan<byte> received, Span<byte> plaintext)
    {
        if (cipher is null)
            received.CopyTo(plaintext);
        else if (!cipher.TryDecrypt(hash, received, plaintext))
            return false;
        MixHash(received);
        return true;
    }

    /// <summary>The keys of the two directions: what the initiator sends with, and what the responder does.</summary>
    public (CipherState Initiator, CipherState Responder) Split()
    {
        Span<byte> output = stackalloc byte[2 * HashBytes];
        Derive([], output);
        var keys = (new CipherState(output[..HashBytes]), new CipherState(output[HashBytes..]));
        CryptographicOperations.ZeroMemory(output);
        return keys;
    }

    public void Dispose()
    {
        cipher?.Dispose();
        CryptographicOperations.ZeroMemory(chainingKey);
    }
    // HKDF of two outputs (Noise, 4.3). Not the framework's: on OpenSSL 3.0 that refuses the empty input of the last one.
    private void Derive(ReadOnlySpan<byte> input, Span<byte> output)
    {
        Span<byte> temporary = stackalloc byte[HashBytes], second = stackalloc byte[HashBytes + 1];
        HMACSHA256.HashData(chainingKey, input, temporary);
        HMACSHA256.HashData(temporary, [1], output);
        output[..HashBytes].CopyTo(second);
        second[HashBytes] = 2;
        HMACSHA256.HashData(temporary, second, output[HashBytes..]);
        CryptographicOperations.ZeroMemory(temporary);
        CryptographicOperations.ZeroMemory(second);
    }
}
