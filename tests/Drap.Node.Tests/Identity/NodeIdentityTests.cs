using Drap.Libp2p.Keys;
using Drap.Node.Identity;
using Xunit;

namespace Drap.Node.Tests.Identity;

public sealed class NodeIdentityTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("drap-identity-").FullName;

    [Fact]
    public void A_key_is_made_once_and_only_an_Ed25519_one_is_taken()
    {
        string file = Path.Combine(folder, "in", "identity.key");
        PeerId peer = NodeIdentity.Open(file).Peer;
        Assert.Equal(peer, NodeIdentity.Open(file).Peer);
        Assert.StartsWith("12D3KooW", peer.ToString(), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));

        byte[] bytes = File.ReadAllBytes(file);
        Assert.Equal(68, bytes.Length);
        bytes[^1] ^= 1; // halves that do not belong together
        File.WriteAllBytes(file, bytes);
        Assert.Throws<InvalidDataException>(() => NodeIdentity.Open(file));
        using PrivateKey other = PrivateKey.FromRandom(KeyType.Secp256k1, new byte[PrivateKey.RandomBytes]);
        File.WriteAllBytes(file, other.Encode());
        Assert.Throws<InvalidDataException>(() => NodeIdentity.Open(file));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
