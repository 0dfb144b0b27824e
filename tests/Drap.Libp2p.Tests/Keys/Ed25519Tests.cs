using System.Numerics;
using Drap.Libp2p.Keys;
using Xunit;

namespace Drap.Libp2p.Tests.Keys;

public sealed class Ed25519Tests
{
    // RFC 8032, 7.1: seed, public key, message, signature.
    public static TheoryData<string, string, string, string> Vectors => new()
    {
        {
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        },
        {
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        },
        {
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        },
    };

    [Theory, MemberData(nameof(Vectors))]
    public void The_RFC_s_vectors_by_both_libraries(string seedHex, string publicHex, string messageHex, string signatureHex)
    {
        byte[] seed = Convert.FromHexString(seedHex), message = Convert.FromHexString(messageHex), signature = Convert.FromHexString(signatureHex);
        using PrivateKey key = PrivateKey.FromSeed(seed);
        Assert.Equal(publicHex, Convert.ToHexStringLower(key.PublicKey.Data));
        Assert.Equal(signature, key.Sign(message));

        byte[] made = new byte[64];
        using var openSsl = EvpKey.FromRawPrivate(EvpKey.Ed25519Type, seed);
        Assert.Equal(64, openSsl.Sign(EvpHash.None, message, made));
        Assert.Equal(signature, made);
        Assert.True(openSsl.Verify(EvpHash.None, message, signature));
        Assert.SkipUnless(Sodium.IsPresent, "libsodium.so.23 is not on this machine");
        made.AsSpan().Clear();
        Sodium.Sign([.. seed, .. key.PublicKey.Data], message, made);
        Assert.Equal(signature, made);
        Assert.True(Sodium.Verify(key.PublicKey.Data, message, signature));
    }

    // The cases of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020), in its order, each with what is right here.
    public static TheoryData<string, string, string, bool> Cases => new()
    {
        { "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000", false },
        { "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04", false },
        { "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab", "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e", false },
        { "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79", "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d", "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009", true },
        { "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c", "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d", "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09", false },
        { "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c", "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d", "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405", false },
        { "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40", "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623", "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514", false },
        { "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40", "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623", "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22", false },
        { "fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a", "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607", false },
        { "84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1", "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09", false },
    };

    [Theory, MemberData(nameof(Cases))]
    public void What_a_machine_accepts_does_not_depend_on_its_library(string messageHex, string publicHex, string signatureHex, bool right)
    {
        byte[] message = Convert.FromHexString(messageHex), publicKey = Convert.FromHexString(publicHex), signature = Convert.FromHexString(signatureHex);
        Assert.Equal(right, ByOpenSsl(publicKey, message, signature));
        Assert.Equal(right, PublicKey.TryCreate(KeyType.Ed25519, publicKey, out PublicKey? key) && key.Verify(message, signature));
        Assert.SkipUnless(Sodium.IsPresent, "libsodium.so.23 is not on this machine");
        Assert.Equal(right, BySodium(publicKey, message, signature));
    }

    [Fact]
    public void The_libraries_agree_on_keys_and_signatures_bent_in_every_way()
    {
        Assert.SkipUnless(Sodium.IsPresent, "libsodium.so.23 is not on this machine");
        const ulong Seed = 20;
        var random = new Prng(Seed);
        var order = BigInteger.Parse("7237005577332262213973186563042994240857116359379907606001950938285454250989");
        // y from 0 to 40 and from p - 20 to 2^255 - 1, both signs: small orders, points off the curve, and what is not canonical.
        var points = new List<byte[]>();
        BigInteger p = BigInteger.Pow(2, 255) - 19;
        foreach (BigInteger y in Enumerable.Range(0, 40).Select(i => (BigInteger)i).Concat(Enumerable.Range(-20, 39).Select(i => p + i)))
        {
            byte[] point = new byte[32];
            y.TryWriteBytes(point, out _, isUnsigned: true);
            points.Add(point);
            points.Add([.. point[..31], (byte)(point[31] | 0x80)]);
        }
        int accepted = 0;
        for (int i = 0; i < 400; i++)
        {
            byte[] seed = new byte[32], message = new byte[random.Below(64)];
            foreach (ref byte b in seed.AsSpan())
                b = (byte)random.NextUInt64();
            using PrivateKey key = PrivateKey.FromSeed(seed);
            byte[] publicKey = key.PublicKey.Data.ToArray(), signature = key.Sign(message);
            switch (random.Below(6))
            {
                case 0:
                    break;
                case 1:
                    publicKey = points[random.Below(points.Count)];
                    break;
                case 2:
                    points[random.Below(points.Count)].CopyTo(signature, 0);
                    break;
                case 3: // S plus the order once or more: the same number modulo the order
                    BigInteger s = new BigInteger(signature.AsSpan(32), isUnsigned: true) + (order * (1 + random.Below(14)));
                    s.TryWriteBytes(signature.AsSpan(32), out _, isUnsigned: true);
                    break;
                case 4:
                    signature[random.Below(64)] ^= (byte)(1 << random.Below(8));
                    break;
                case 5: // a key of small order, an R of small order, S of zero: all that is left is the points
                    publicKey = points[random.Below(points.Count)];
                    signature = [.. points[random.Below(points.Count)], .. new byte[32]];
                    break;
            }
            bool right = ByOpenSsl(publicKey, message, signature);
            accepted += right ? 1 : 0;
            Assert.True(right == BySodium(publicKey, message, signature), $"seed {Seed}, step {i}: {Convert.ToHexString(publicKey)} {Convert.ToHexString(signature)}");
        }
        Assert.InRange(accepted, 40, 120); // the untouched ones
    }

    [Fact]
    public void Signing_and_verifying_allocate_nothing_with_libsodium()
    {
        Assert.SkipUnless(Sodium.IsPresent, "libsodium.so.23 is not on this machine");
        using PrivateKey key = PrivateKey.FromSeed(new byte[32]);
        byte[] message = new byte[600], signature = new byte[64];
        key.Sign(message, signature);
        key.PublicKey.Verify(message, signature);
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool good = true;
        for (int i = 0; i < 50; i++)
            good &= key.Sign(message, signature) == 64 && key.PublicKey.Verify(message, signature);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(good);
    }

    private static bool ByOpenSsl(byte[] publicKey, byte[] message, byte[] signature)
    {
        using var key = EvpKey.FromRawPublic(EvpKey.Ed25519Type, publicKey);
        return Ed25519.IsPublicKey(publicKey) && Ed25519.IsSignature(signature) && key.Verify(EvpHash.None, message, signature);
    }

    private static bool BySodium(byte[] publicKey, byte[] message, byte[] signature) =>
        Ed25519.IsPublicKey(publicKey) && Ed25519.IsSignature(signature) && Sodium.Verify(publicKey, message, signature);
}
