using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Drap.Node.Identity;

/// <summary>
/// The key with which a node seals its jobs' secrets before they are journaled, in a file of its own that only its owner reads, made on
/// first use. AES-256-GCM, bound to the job's id, so that what is sealed for one job opens for no other.
/// </summary>
/// <remarks>Sealed: a version byte of 1, a nonce of 12 bytes, the ciphertext of the values as a JSON object, a tag of 16 bytes.</remarks>
public sealed class SecretKey
{
    private const int KeyBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const byte Version = 1;

    private readonly byte[] key;

    private SecretKey(byte[] key) => this.key = key;

    /// <summary>Opens the key in <paramref name="file"/>, or makes one there.</summary>
    /// <exception cref="InvalidDataException">The file holds no key.</exception>
    public static SecretKey Open(string file) => new(Read(file));

    /// <summary>The bytes of the key in <paramref name="file"/>, for a node that may stand in for this one; made if there is none.</summary>
    /// <exception cref="InvalidDataException">The file holds no key.</exception>
    public static byte[] Read(string file)
    {
        if (!File.Exists(file))
            Create(file);
        byte[] bytes = File.ReadAllBytes(file);
        return bytes.Length == KeyBytes ? bytes
            : throw new InvalidDataException($"{file}: {bytes.Length} bytes, which is no key of {KeyBytes}; without the right one the secrets of open jobs are lost");
    }

    /// <summary>Seals the values of a job's secrets.</summary>
    public ImmutableArray<byte> Seal(JobId job, ImmutableSortedDictionary<string, string> values)
    {
        byte[] clear = JsonSerializer.SerializeToUtf8Bytes(values);
        byte[] box = new byte[1 + NonceBytes + clear.Length + TagBytes];
        box[0] = Version;
        Span<byte> nonce = box.AsSpan(1, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(nonce, clear, box.AsSpan(1 + NonceBytes, clear.Length), box.AsSpan(^TagBytes..), job.Value.ToByteArray(bigEndian: true));
        CryptographicOperations.ZeroMemory(clear);
        return ImmutableCollectionsMarshal.AsImmutableArray(box);
    }

    /// <summary>Opens what <see cref="Seal"/> made for the same job; null if another key or another job's was it, or bytes have changed.</summary>
    public ImmutableSortedDictionary<string, string>? Unseal(JobId job, ImmutableArray<byte> bytes)
    {
        if (bytes.Length < 1 + NonceBytes + TagBytes || bytes[0] != Version)
            return null;
        ReadOnlySpan<byte> all = bytes.AsSpan();
        byte[] clear = new byte[all.Length - 1 - NonceBytes - TagBytes];
        try
        {
            using var aes = new AesGcm(key, TagBytes);
            aes.Decrypt(all.Slice(1, NonceBytes), all.Slice(1 + NonceBytes, clear.Length), all[^TagBytes..], clear, job.Value.ToByteArray(bigEndian: true));
            return JsonSerializer.Deserialize<ImmutableSortedDictionary<string, string>>(clear)?.WithComparers(StringComparer.Ordinal);
        }
        catch (Exception e) when (e is CryptographicException or JsonException)
        {
            return null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(clear);
        }
    }

    private static void Create(string file)
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(KeyBytes);
        string fresh = file + ".new";
        var options = new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var stream = new FileStream(fresh, options))
        {
            stream.Write(bytes);
            stream.Flush(flushToDisk: true);
        }
        File.Move(fresh, file);
        CryptographicOperations.ZeroMemory(bytes);
    }
}
