using Drap.Libp2p.Keys;
using Xunit;

namespace Drap.Libp2p.Tests.Keys;

public sealed class PeerIdTests
{
    [Theory]
    [InlineData("bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")] // the specification's pair
    public void Both_text_forms_name_the_same_peer(string cid, string base58)
    {
        Assert.True(PeerId.TryParse(cid, out PeerId a));
        Assert.True(PeerId.TryParse(base58, out PeerId b));
        Assert.Equal(a, b);
        Assert.Equal(base58, a.ToString());
        Assert.Equal(cid, b.ToCidText());
        foreach (char prefix in "fbkzu")
        {
            Assert.True(PeerId.TryParse(Multibase.Encode(prefix, [0x01, 0x72, .. a.Bytes]), out PeerId c));
            Assert.Equal(a, c);
        }
        Assert.False(PublicKey.TryFromPeerId(a, out _)); // a hash holds no key
    }

    [Fact]
    public void Short_keys_are_in_the_id_itself()
    {
        foreach (string hex in new[] { KeyVectors.Ed25519Public, KeyVectors.Secp256k1Public })
        {
            Assert.True(PublicKey.TryDecode(Convert.FromHexString(hex), out PublicKey? key));
            Assert.True(PublicKey.TryFromPeerId(key.PeerId, out PublicKey? inline));
            Assert.Equal(key, inline);
        }
        foreach (string hex in new[] { KeyVectors.EcdsaPublic, KeyVectors.RsaPublic })
        {
            Assert.True(PublicKey.TryDecode(Convert.FromHexString(hex), out PublicKey? key));
            Assert.False(PublicKey.TryFromPeerId(key.PeerId, out _));
            Assert.Equal(34, key.PeerId.Bytes.Length);
        }
        Assert.True(PeerId.TryParse("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA", out PeerId ed)); // the specification's
        Assert.True(PublicKey.TryFromPeerId(ed, out PublicKey? its));
        Assert.Equal(KeyType.Ed25519, its.Type);
        Assert.Equal(PeerId.FromEd25519(its.Data), ed);
        // An id that holds a key in another than its canonical form is not that key's id.
        Assert.True(PeerId.TryFromBytes([0x00, 38, .. its.Encoded[2..], .. its.Encoded[..2], 0x18, 0x00], out PeerId odd));
        Assert.False(PublicKey.TryFromPeerId(odd, out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("Qm")]
    [InlineData("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5S0")] // no such digit
    [InlineData("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")] // a CID of a raw block
    [InlineData("bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqx")] // cut
    [InlineData("BAFZBEIE5745RPV2M6TJYUUGYWY4D5EWRQGQQHFNF445HE3OMZPJBX5XQXE")] // another base's prefix
    [InlineData("zQmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")] // a multihash that is no CID
    [InlineData("é")]
    public void What_names_nobody(string text) => Assert.False(PeerId.TryParse(text, out _));

    [Fact]
    public void Multibase_takes_back_what_it_gave_and_nothing_else()
    {
        var random = new Prng(7);
        foreach (char prefix in "fbkzu")
        {
            for (int length = 0; length < 80; length++)
            {
                byte[] bytes = new byte[length];
                foreach (ref byte b in bytes.AsSpan(length / 3))
                    b = (byte)random.NextUInt64();
                string text = Multibase.Encode(prefix, bytes);
                Assert.True(Multibase.TryDecode(text, out byte[]? back), text);
                Assert.Equal(bytes, back);
                for (int i = 0; i < text.Length; i++)
                {
                    char[] other = text.ToCharArray();
                    other[i] = (char)random.Below(i % 2 == 0 ? 128 : 65536);
                    if (Multibase.TryDecode(new string(other), out byte[]? changed))
                        Assert.Equal(new string(other), Multibase.Encode(other[0], changed));
                }
            }
        }
        // The multibase specification's example: "yes mani !".
        Assert.Equal("f796573206d616e692021", Multibase.Encode('f', "yes mani !"u8));
        Assert.Equal("bpfsxgidnmfxgsibb", Multibase.Encode('b', "yes mani !"u8));
        Assert.Equal("k2lcpzo5yikidynfl", Multibase.Encode('k', "yes mani !"u8));
        Assert.Equal("z7paNL19xttacUY", Multibase.Encode('z', "yes mani !"u8));
        Assert.Equal("ueWVzIG1hbmkgIQ", Multibase.Encode('u', "yes mani !"u8));
    }
}
