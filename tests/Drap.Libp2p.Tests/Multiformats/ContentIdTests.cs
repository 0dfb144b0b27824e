using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Multiformats;

public sealed class ContentIdTests
{
    [Theory]
    // The examples of the CID specification and of IPFS' documentation: version 0, its version 1 in base32 and base58btc.
    [InlineData("QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", 0, 0x70, "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR")]
    [InlineData("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", 1, 0x70, "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi")]
    [InlineData("zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz", 1, 0x70, "bafybeifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")]
    [InlineData("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", 1, 0x55, "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")]
    [InlineData("bafkqaaa", 1, 0x55, "bafkqaaa")] // no bytes, by identity
    public void Text_and_bytes(string text, int version, int codec, string canonical)
    {
        Assert.True(ContentId.TryParse(text, out ContentId? id));
        Assert.Equal((version, (ulong)codec, canonical), (id.Version, id.Codec, id.ToString()));
        Assert.True(ContentId.TryFromBytes(id.Bytes, out ContentId? same));
        Assert.Equal(id, same);
        Assert.True(Multihash.TryRead(id.Multihash, out _, out _));
        for (int i = 0; i < id.Bytes.Length; i++)
            Assert.False(ContentId.TryFromBytes(id.Bytes[..i], out _));
        Assert.False(ContentId.TryFromBytes([.. id.Bytes, 0], out _));
    }

    [Fact]
    public void Both_versions_of_one_block_have_one_multihash()
    {
        Assert.True(ContentId.TryParse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", out ContentId? zero));
        Assert.True(ContentId.TryParse("bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", out ContentId? one));
        Assert.Equal(zero.Multihash, one.Multihash);
        Assert.NotEqual(zero, one);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Qm")]
    [InlineData("QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMn0")]
    [InlineData("zQmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR")] // version 0 has no prefix
    [InlineData("bafkqaab")] // not what the bytes encode to
    [InlineData("bajkqaaa")] // version 2
    public void What_is_none(string text) => Assert.False(ContentId.TryParse(text, out _));
}
