using System.Security.Cryptography;
using Drap.Libp2p.Keys;

namespace Drap.Node.Identity;

/// <summary>
/// A node's key and the peer id that follows from it, made on first use and kept in a file that only its owner reads: the libp2p
/// protobuf form of an Ed25519 private key (libp2p/specs, peer-ids), so that other libp2p programs take it too.
/// </summary>
public sealed class NodeIdentity
{
    private NodeIdentity(PeerId peer) => Peer = peer;

    /// <summary>The name that follows from the key.</summary>
    public PeerId Peer { get; }

    /// <summary>Opens the identity in <paramref name="file"/>, or makes one there.</summary>
    /// <exception cref="InvalidDataException">The file holds no Ed25519 key in the libp2p form, or its halves do not belong together.</exception>
    public static NodeIdentity Open(string file)
    {
        if (!File.Exists(file))
            Create(file);
        byte[] bytes = File.ReadAllBytes(file);
        bool read = PrivateKey.TryDecode(bytes, out PrivateKey? key);
        CryptographicOperations.ZeroMemory(bytes);
        using (key)
        {
            if (!read || key!.Type != KeyType.Ed25519)
            {
                throw new InvalidDataException(
                    $"{file}: not an Ed25519 private key in the libp2p form (68 bytes that begin with 08 01 12 40 and end with the public half)");
            }
            return new NodeIdentity(key.PeerId);
        }
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
