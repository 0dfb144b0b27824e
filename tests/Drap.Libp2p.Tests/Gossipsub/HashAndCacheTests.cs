using Drap.Libp2p.Gossipsub;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

public sealed class HashAndCacheTests
{
    // SipHash-2-4-128 of the bytes 0, 1, 2 … under the key 00 01 … 0f, as the reference implementation's vectors.h and `openssl mac` have it.
    [Theory]
    [InlineData(0, "a3817f04ba25a8e66df67214c7550293")]
    [InlineData(1, "da87c1d86b99af44347659119b22fc45")]
    [InlineData(2, "8177228da4a45dc7fca38bdef60affe4")]
    [InlineData(7, "a1f1ebbed8dbc153c0b84aa61ff08239")]
    [InlineData(8, "3b62a9ba6258f5610f83e264f31497b4")]
    [InlineData(15, "5493e99933b0a8117e08ec0f97cfc3d9")]
    public void SipHash_is_that_of_the_paper(int length, string expected)
    {
        var hash = new SipHash(0x0706050403020100, 0x0f0e0d0c0b0a0908);
        MessageKey key = hash.Of([.. Enumerable.Range(0, length).Select(i => (byte)i)]);
        byte[] bytes = [.. BitConverter.GetBytes(key.Low), .. BitConverter.GetBytes(key.High)];
        Assert.Equal(expected, Convert.ToHexStringLower(bytes));
    }

    /// <summary>Against a list that is searched from end to end, with few buckets so that they collide.</summary>
    [Theory]
    [InlineData(1, 8)]
    [InlineData(2, 100)]
    [InlineData(3, 1000)]
    public void Seen_is_what_a_list_would_say(ulong seed, int countMax)
    {
        var prng = new Prng(seed);
        var cache = new SeenCache(countMax);
        var model = new List<(MessageKey Key, Instant At, bool Rejected)>();
        Instant now = Instant.Zero;
        for (int step = 0; step < 20_000; step++)
        {
            // Keys that share their bucket's bits: runs that wrap round, and gaps in them.
            var key = new MessageKey(prng.Below(600UL), prng.Below(600UL) % 5 * 17);
            now += TimeSpan.FromMilliseconds(prng.Below(10));
            switch (prng.Below(10))
            {
                case < 6:
                    bool isNew = !model.Exists(m => m.Key.Equals(key));
                    Assert.Equal(isNew, cache.Add(key, now));
                    if (isNew)
                        model.Add((key, now, false));
                    if (model.Count > countMax)
                        model.RemoveAt(0);
                    break;
                case 6:
                    cache.Reject(key);
                    if (model.FindIndex(m => m.Key.Equals(key)) is >= 0 and int at)
                        model[at] = model[at] with { Rejected = true };
                    break;
                case 7 when prng.Below(50) == 0:
                    Instant since = now - TimeSpan.FromMilliseconds(prng.Below(5000));
                    cache.Expire(since);
                    model.RemoveAll(m => m.At < since);
                    break;
                default:
                    Assert.Equal(model.Exists(m => m.Key.Equals(key)), cache.Contains(key));
                    Assert.Equal(model.Exists(m => m.Key.Equals(key) && m.Rejected), cache.WasRejected(key));
                    break;
            }
            Assert.Equal(model.Count, cache.Count);
        }
    }
}
