using System.Security.Cryptography;
using Drap.Libp2p.Keys;
using Xunit;

namespace Drap.Libp2p.Tests.Keys;

public sealed class KeyTests
{
    public static TheoryData<KeyType, string, string> Vectors => new()
    {
        { KeyType.Ecdsa, KeyVectors.EcdsaPrivate, KeyVectors.EcdsaPublic },
        { KeyType.Ed25519, KeyVectors.Ed25519Private, KeyVectors.Ed25519Public },
        { KeyType.Secp256k1, KeyVectors.Secp256k1Private, KeyVectors.Secp256k1Public },
        { KeyType.Rsa, KeyVectors.RsaPrivate, KeyVectors.RsaPublic },
    };

    [Theory, MemberData(nameof(Vectors))]
    public void The_specification_s_keys(KeyType type, string privateHex, string publicHex)
    {
        Assert.True(PrivateKey.TryDecode(Convert.FromHexString(privateHex), out PrivateKey? key));
        Assert.Equal(type, key.Type);
        Assert.Equal(publicHex, Convert.ToHexStringLower(key.PublicKey.Encoded));
        Assert.Equal(privateHex, Convert.ToHexStringLower(key.Encode()));

        Assert.True(PublicKey.TryDecode(Convert.FromHexString(publicHex), out PublicKey? known));
        Assert.Equal(key.PublicKey, known);
        Assert.Equal(key.PeerId, known.PeerId);
        foreach (int length in new[] { 0, 1, 600, 100_000 })
        {
            byte[] message = new byte[length];
            byte[] signature = key.Sign(message);
            Assert.True(known.Verify(message, signature));
            Assert.False(known.Verify([.. message, 0], signature));
            signature[^5] ^= 1;
            Assert.False(known.Verify(message, signature));
        }
        Assert.False(known.Verify("x"u8, default));
        key.Dispose();
    }

    // Made by js-libp2p (@libp2p/crypto) with the specification's keys over "signed by js".
    [Theory]
    [InlineData(KeyVectors.Ed25519Public, 
        "82167eadc26b4ffa22d39848cbce380f5fdb08a312d36c0100aedbae1ece85b1d1a0f8712f14c4a243ae83d828122844495ec1f8d316dd4e0dab844db91bdf07")]
    [InlineData(KeyVectors.Secp256k1Public, 
        "3045022100e6a50986264d6ea285daec9646a0fa587bc7b817e971a8db93780828a8c0371b022007027afe1182f77918db2e9e3a9f13f8c475d6f69e2dcd1172"
        + "114cab2284f728")]
    [InlineData(KeyVectors.RsaPublic, 
        "d9b94165006c075584176b79ec51c5102e1e58d016822ee3bb54e82e942149200df516e3af3bec32ed77f0969a35b89f82127a913fc213a908cf369ea8a508f1"
        + "77607d3173b6cedc3e9275b0a8dd784a50119aa378df668d0eaa6a787099af801f3975d538991b1987c3ec7bc15ca7ebd5a37c2b12e52fb48cb627c3b93a5675"
        + "cbab777289146818c4c3129ad97efee5b515426d15121a339eaf450ec6506ebf9149d9abb4222e465bd83bfac62daa134e6a1cb0a69250ca7ee80de5f41ff8a4"
        + "08a3471f0ec9e34181398f36f2d6b8e4c6544ccd1029acd9b54d307f4f395ce7d88e3c9657fe81dbe5fea846e1d4c9291c382ff94982c670413fb7f525e62f6c"
        + "575854d242a7745dbd8d6ac943ca9bc1fa27f89a71248cf0f43f576a479b40413c87121b9425600b8fceefb51b63ba6c1c80e7d3e6ac7728081f67bc9c6cae27"
        + "d3fc9182192d7ea5ec89bc0571bb9014a28118976bc7f744d27e29402ba51d30eed404e97398b165a3a6c60b09a88f6e56853b9adaab6d66c42e60c8311fdf63"
        + "2a5e49583416308da91f575e40988e2ab87d64ee1af7e1e1c3c4cf99bb2348abd041651e9c9a89d1027a4f3c524f59a607e2ea827769d21df5e74649e5fe7fa1"
        + "fc4712f51cb141aa0982556a3dfd981efb118538b8e2c5ee53accb3b720e858972d67f05895db47577d9cb2a3ed13ad7a2a4f571f2530e30819a28b07c6cc568")]
    public void Signatures_of_js(string publicHex, string signatureHex)
    {
        Assert.True(PublicKey.TryDecode(Convert.FromHexString(publicHex), out PublicKey? key));
        Assert.True(key.Verify("signed by js"u8, Convert.FromHexString(signatureHex)));
        Assert.False(key.Verify("signed by go"u8, Convert.FromHexString(signatureHex)));
    }

    [Theory, MemberData(nameof(Vectors))]
    public void A_key_cut_at_any_offset_or_with_a_byte_too_many_is_none(KeyType type, string privateHex, string publicHex)
    {
        _ = type;
        byte[] secret = Convert.FromHexString(privateHex), open = Convert.FromHexString(publicHex);
        int step = secret.Length > 1000 ? 61 : 1;
        for (int i = 0; i < secret.Length; i += step)
            Assert.False(PrivateKey.TryDecode(secret.AsSpan(0, i), out _));
        for (int i = 0; i < open.Length; i++)
            Assert.False(PublicKey.TryDecode(open.AsSpan(0, i), out _));
        Assert.False(PublicKey.TryDecode([.. open, 0x1a], out _));
        // The same inside: a longer Data field.
        Assert.True(PublicKey.TryDecode(open, out PublicKey? key));
        Assert.False(PublicKey.TryCreate(key.Type, [.. key.Data, 0], out _));
        Assert.False(PublicKey.TryCreate(key.Type, key.Data[..^1], out _));
    }

    [Fact]
    public void Fields_in_another_order_and_unknown_ones_make_the_same_peer_id()
    {
        byte[] open = Convert.FromHexString(KeyVectors.Ed25519Public);
        Assert.True(PublicKey.TryDecode(open, out PublicKey? key));
        byte[] other = [.. open[2..], .. open[..2], 0x18, 0x05];
        Assert.True(PublicKey.TryDecode(other, out PublicKey? same));
        Assert.Equal(key, same);
        Assert.Equal(key.PeerId, same.PeerId);
        Assert.Equal(open, same.Encoded);

        // Encoders of proto3 leave out a zero, which is RSA's.
        Assert.True(PublicKey.TryDecode(Convert.FromHexString(KeyVectors.RsaPublic).AsSpan(2), out PublicKey? rsa));
        Assert.Equal(KeyType.Rsa, rsa.Type);
        Assert.Equal(KeyVectors.RsaPublic, Convert.ToHexStringLower(rsa.Encoded));
    }

    [Theory]
    [InlineData("0804120100")] // a kind that nobody knows
    [InlineData("08ffffffffffffffffff01120100")] // a negative kind
    [InlineData("0802122104" + "7777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99")] // not compressed
    [InlineData("0802122103" + "0000000000000000000000000000000000000000000000000000000000000005")] // no point of the curve has this x
    [InlineData("0802122103" + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")] // x above the field
    [InlineData("08011220" + "0100000000000000000000000000000000000000000000000000000000000000")] // the neutral point
    [InlineData("08011220" + "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")] // the same, not canonical
    [InlineData("08011220" + "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")] // not canonical
    public void What_is_no_public_key(string hex) => Assert.False(PublicKey.TryDecode(Convert.FromHexString(hex), out _));

    [Fact]
    public void Ecdsa_points_off_the_curve_or_compressed_are_refused()
    {
        Assert.True(PublicKey.TryDecode(Convert.FromHexString(KeyVectors.EcdsaPublic), out PublicKey? key));
        byte[] off = key.Data.ToArray();
        off[^1] ^= 1;
        Assert.False(PublicKey.TryCreate(KeyType.Ecdsa, off, out _));
        byte[] compressed = EllipticCurve.P256.ToSubjectPublicKeyInfo([0x02, .. key.Data[^64..^32]]);
        Assert.NotNull(EvpKey.TryReadPublic(compressed)); // OpenSSL would
        Assert.False(PublicKey.TryCreate(KeyType.Ecdsa, compressed, out _));
    }

    [Fact]
    public void Keys_of_the_larger_nist_curves_verify()
    {
        foreach (ECCurve curve in new[] { ECCurve.NamedCurves.nistP384, ECCurve.NamedCurves.nistP521 })
        {
            using var framework = ECDsa.Create(curve);
            Assert.True(PublicKey.TryCreate(KeyType.Ecdsa, framework.ExportSubjectPublicKeyInfo(), out PublicKey? key));
            byte[] signature = framework.SignData("data"u8, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
            Assert.True(key.Verify("data"u8, signature));
            Assert.False(key.Verify("date"u8, signature));
        }
        using var other = ECDsa.Create(ECCurve.NamedCurves.brainpoolP256r1);
        Assert.False(PublicKey.TryCreate(KeyType.Ecdsa, other.ExportSubjectPublicKeyInfo(), out _));
    }

    [Fact]
    public void Rsa_keys_have_bounds()
    {
        using var small = RSA.Create(1024);
        Assert.Throws<ArgumentException>(() => PrivateKey.FromRsa(small));
        Assert.False(PublicKey.TryCreate(KeyType.Rsa, small.ExportSubjectPublicKeyInfo(), out _));

        using var good = RSA.Create(2048);
        using PrivateKey key = PrivateKey.FromRsa(good);
        Assert.Equal(good.ExportSubjectPublicKeyInfo(), key.PublicKey.Data);
        Assert.True(good.VerifyData("data"u8, key.Sign("data"u8), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

        // An exponent as long as the modulus makes each verification cost a thousand times as much.
        RSAParameters parameters = good.ExportParameters(includePrivateParameters: false);
        parameters.Exponent = [.. parameters.Modulus!];
        parameters.Exponent[^1] |= 1;
        using var slow = RSA.Create(parameters);
        Assert.False(PublicKey.TryCreate(KeyType.Rsa, slow.ExportSubjectPublicKeyInfo(), out _));
    }

    [Fact]
    public void Halves_that_do_not_belong_together_are_no_key()
    {
        byte[] ed = Convert.FromHexString(KeyVectors.Ed25519Private);
        ed[^1] ^= 1;
        Assert.False(PrivateKey.TryDecode(ed, out _));
        byte[] ec = Convert.FromHexString(KeyVectors.EcdsaPrivate);
        using (var other = PrivateKey.FromRandom(KeyType.Ecdsa, new byte[48]))
            other.PublicKey.Data[^65..].CopyTo(ec.AsSpan(ec.Length - 65));
        Assert.False(PrivateKey.TryDecode(ec, out _));
        byte[] rsa = Convert.FromHexString(KeyVectors.RsaPrivate);
        rsa[900] ^= 1; // in the private exponent
        rsa[2000] ^= 1; // and in a prime's
        Assert.False(PrivateKey.TryDecode(rsa, out _));
    }

    [Fact]
    public void An_old_Ed25519_file_holds_the_public_half_twice()
    {
        byte[] key = Convert.FromHexString(KeyVectors.Ed25519Private);
        byte[] old = [0x08, 0x01, 0x12, 96, .. key[4..], .. key[^32..]];
        Assert.True(PrivateKey.TryDecode(old, out PrivateKey? read));
        Assert.Equal(key, read.Encode());
        old[^1] ^= 1;
        Assert.False(PrivateKey.TryDecode(old, out _));
    }

    [Fact]
    public void The_same_random_bytes_make_the_same_key_and_numbers_out_of_range_are_none()
    {
        byte[] random = [.. Enumerable.Range(1, PrivateKey.RandomBytes).Select(i => (byte)(i * 5))];
        foreach (KeyType type in new[] { KeyType.Ed25519, KeyType.Secp256k1, KeyType.Ecdsa })
        {
            using PrivateKey a = PrivateKey.FromRandom(type, random), b = PrivateKey.FromRandom(type, random);
            Assert.Equal(a.Encode(), b.Encode());
            Assert.True(PrivateKey.TryDecode(a.Encode(), out PrivateKey? read));
            Assert.Equal(a.PublicKey, read.PublicKey);
            Assert.True(b.PublicKey.Verify(random, read.Sign(random)));
        }
        byte[] order = Convert.FromHexString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
        Assert.False(PrivateKey.TryDecode([0x08, 0x02, 0x12, 32, .. new byte[32]], out _));
        Assert.False(PrivateKey.TryDecode([0x08, 0x02, 0x12, 32, .. order], out _));
        order[^1]--;
        Assert.True(PrivateKey.TryDecode([0x08, 0x02, 0x12, 32, .. order], out _));
    }

    [Fact]
    public void Of_the_two_S_of_a_secp256k1_signature_only_the_lower_counts()
    {
        Assert.True(PrivateKey.TryDecode(Convert.FromHexString(KeyVectors.Secp256k1Private), out PrivateKey? key));
        using EvpKey? openSsl = EvpKey.TryReadPublic(EllipticCurve.Secp256k1.ToSubjectPublicKeyInfo(key.PublicKey.Data));
        for (int i = 0; i < 16; i++)
        {
            byte[] message = [(byte)i];
            byte[] signature = key.Sign(message);
            Assert.True(EllipticCurve.Secp256k1.IsLow(signature));
            Assert.True(key.PublicKey.Verify(message, signature));
            var reader = new System.Formats.Asn1.AsnReader(signature, System.Formats.Asn1.AsnEncodingRules.DER).ReadSequence();
            System.Numerics.BigInteger r = reader.ReadInteger(), s = reader.ReadInteger();
            var writer = new System.Formats.Asn1.AsnWriter(System.Formats.Asn1.AsnEncodingRules.DER);
            using (writer.PushSequence())
            {
                writer.WriteInteger(r);
                writer.WriteInteger(System.Numerics.BigInteger.Parse(
                    "0fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", System.Globalization.NumberStyles.HexNumber, null) - s);
            }
            byte[] high = writer.Encode();
            Assert.True(openSsl!.Verify(EvpHash.Sha256, message, high));
            Assert.False(key.PublicKey.Verify(message, high));
        }
    }

    [Fact]
    public void One_key_serves_many_threads()
    {
        foreach (string hex in new[] { KeyVectors.Ed25519Private, KeyVectors.Secp256k1Private, KeyVectors.EcdsaPrivate, KeyVectors.RsaPrivate })
        {
            Assert.True(PrivateKey.TryDecode(Convert.FromHexString(hex), out PrivateKey? key));
            int good = 0;
            Parallel.For(0, 64, i =>
            {
                byte[] message = BitConverter.GetBytes(i);
                if (key.PublicKey.Verify(message, key.Sign(message)) && !key.PublicKey.Verify(message, key.Sign([0])))
                    Interlocked.Increment(ref good);
            });
            Assert.Equal(64, good);
        }
    }
}
