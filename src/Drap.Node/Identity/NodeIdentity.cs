using System.Security.Cryptography;
using Drap.Libp2p.Keys;

namespace Drap.Node.Identity;

/// <summary>
/// A node's key and the peer id that follows from it, made on first use and kept in a file that only its owner reads: the libp2p
/// protobuf form of an Ed25519 private key (libp2p/specs, peer-ids), so that other libp2p programs take it too.
/// </summary>
public sealed class NodeIdentity
{
    private readonly string file;

    private NodeIdentity(string file, PeerId peer)
    {
        this.file = file;
        Peer = peer;
    }

    /// <summary>The name that follows from the key.</summary>
    public PeerId Peer { get; }

    /// <summary>Opens the identity in <paramref name="file"/>, or makes one there.</summary>
    /// <exception cref="InvalidDataException">The file holds no Ed25519 key in the libp2p form, or its halves do not belong together.</exception>
    public static NodeIdentity Open(string file)
    {
        if (!File.Exists(file))
            Create(file);
        using PrivateKey key = Read(file);
        return new NodeIdentity(file, key.PeerId);
    }

    /// <summary>Reads the key itself, for who proves to others who this node is; the caller disposes it.</summary>
    /// <exception cref="InvalidDataException">The file holds no such key any more.</exception>
    public PrivateKey OpenKey() => Read(file);

    private static PrivateKey Read(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        bool read = PrivateKey.TryDecode(bytes, out PrivateKey? key);
        CryptographicOperations.ZeroMemory(bytes);
        if (read && key!.Type == KeyType.Ed25519)
            return key;
        key?.Dispose();
        throw new InvalidDataException(
            $"{file}: not an Ed25519 private key in the libp2p form (68 bytes that begin with 08 01 12 40 and end with the public half)");
    }

    private static void Create(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        byte[] seed = RandomNumberGenerator.GetBytes(PrivateKey.SeedBytes);
        using var key = PrivateKey.FromSeed(seed);
        byte[] bytes = key.Encode();
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
        // Another process may have been first: its key is then the node's.
        File.Move(fresh, file, overwrite: !File.Exists(file));
        CryptographicOperations.ZeroMemory(seed);
        CryptographicOperations.ZeroMemory(bytes);
    }
}
