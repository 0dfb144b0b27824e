using System.Security.Cryptography;

namespace Drap.Node.Identity;

/// <summary>
/// A node's key and the peer id that follows from it, made on first use and kept in a file that only its owner reads: the libp2p
/// protobuf form of an Ed25519 private key (libp2p/specs, peer-ids), so that other libp2p programs take it too.
/// </summary>
public sealed class NodeIdentity
{
    private static readonly byte[] Header = [0x08, 0x01, 0x12, 0x40];

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
        if (bytes.Length != Header.Length + Ed25519.SeedBytes + Ed25519.PublicKeyBytes || !bytes.AsSpan().StartsWith(Header))
            throw new InvalidDataException($"{file}: not an Ed25519 private key in the libp2p form (68 bytes that begin with 08 01 12 40)");
        byte[] publicKey = Ed25519.PublicKeyOf(bytes.AsSpan(Header.Length, Ed25519.SeedBytes));
        if (!bytes.AsSpan(Header.Length + Ed25519.SeedBytes).SequenceEqual(publicKey))
            throw new InvalidDataException($"{file}: the public half of the key does not belong to its private half");
        return new NodeIdentity(PeerId.FromEd25519(publicKey));
    }

    private static void Create(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        byte[] seed = RandomNumberGenerator.GetBytes(Ed25519.SeedBytes);
        byte[] bytes = [.. Header, .. seed, .. Ed25519.PublicKeyOf(seed)];
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
