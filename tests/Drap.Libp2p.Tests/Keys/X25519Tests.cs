using Drap.Libp2p.Keys;
using Xunit;

namespace Drap.Libp2p.Tests.Keys;

public sealed class X25519Tests
{
    [Fact]
    public void The_RFC_s_exchange()
    {
        // RFC 7748, 6.1.
        using var alice = new X25519Key(Convert.FromHexString("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
        using var bob = new X25519Key(Convert.FromHexString("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        Assert.Equal("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", Convert.ToHexStringLower(alice.PublicKey));
        Assert.Equal("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", Convert.ToHexStringLower(bob.PublicKey));
        foreach ((X25519Key mine, X25519Key its) in new[] { (alice, bob), (bob, alice) })
        {
            byte[] secret = new byte[32];
            Assert.True(mine.TryAgree(its.PublicKey, secret));
            Assert.Equal("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", Convert.ToHexStringLower(secret));
        }
    }

    // u of order 4, 1, 8 (two), 2 (p - 1), and those written as p, p + 1.
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
    [InlineData("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    public void A_point_of_small_order_gives_no_secret(string hex)
    {
        using var key = new X25519Key(Enumerable.Repeat((byte)0x55, 32).ToArray());
        Assert.False(key.TryAgree(Convert.FromHexString(hex), new byte[32]));
    }
}
