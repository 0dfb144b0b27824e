using System.Formats.Asn1;
using Drap.Libp2p.Keys;
using Xunit;

namespace Drap.Libp2p.Tests.Keys;

public sealed class DerReaderTests
{
    [Theory]
    [InlineData("0400", 0)]
    [InlineData("0401", 1)]
    [InlineData("047f", 127)]
    [InlineData("048180", 128)]
    [InlineData("0481ff", 255)]
    [InlineData("04820100", 256)]
    [InlineData("0482ffff", 65535)]
    [InlineData("0483010000", 65536)]
    public void Lengths_in_their_one_form(string header, int length)
    {
        byte[] bytes = [.. Convert.FromHexString(header), .. new byte[length], 0x05];
        var reader = new DerReader(bytes);
        Assert.Equal(bytes.Length - 1, reader.Peek().Length);
        Assert.True(reader.TryRead(DerReader.OctetString, out ReadOnlySpan<byte> value));
        Assert.Equal(length, value.Length);
        Assert.False(reader.IsAtEnd);
        reader = new DerReader(bytes.AsSpan(0, bytes.Length - 2));
        Assert.False(reader.TryRead(DerReader.OctetString, out _));
        Assert.True(reader.Peek().IsEmpty);
    }

    [Theory]
    [InlineData("")]
    [InlineData("04")]
    [InlineData("0401")]
    [InlineData("0480")] // indefinite
    [InlineData("04800000")]
    [InlineData("04817f")] // could be shorter
    [InlineData("048200ff")]
    [InlineData("04830000ff")]
    [InlineData("0484000000ff")] // too long, whatever it says
    [InlineData("0484ffffffff")]
    [InlineData("0500")] // another tag
    public void What_is_refused(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex);
        // With enough behind it, so that nothing but the length is wrong.
        var reader = new DerReader(hex.Length < 6 ? bytes : [.. bytes, .. new byte[300]]);
        Assert.False(reader.TryRead(DerReader.OctetString, out _));
    }

    [Theory]
    [InlineData("020100", "")]
    [InlineData("02017f", "7f")]
    [InlineData("02020080", "80")]
    [InlineData("0203010000", "010000")]
    [InlineData("0200", null)]
    [InlineData("0201ff", null)] // negative
    [InlineData("0202007f", null)] // padded
    [InlineData("02020000", null)]
    public void Whole_numbers(string hex, string? value)
    {
        var reader = new DerReader(Convert.FromHexString(hex));
        bool read = reader.TryReadUnsigned(out ReadOnlySpan<byte> number);
        Assert.Equal(value is not null, read);
        if (read)
            Assert.Equal(value, Convert.ToHexStringLower(number));
    }

    [Fact]
    public void The_framework_s_reader_agrees()
    {
        const ulong Seed = 5;
        var random = new Prng(Seed);
        byte[] good = Convert.FromHexString(KeyVectors.RsaPublic)[5..];
        int taken = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. good];
            // Mostly in the headers, where the structure is.
            for (int times = random.Below(3); times > 0; times--)
                bytes[random.Chance(9, 10) ? random.Below(40) : random.Below(bytes.Length)] = (byte)random.NextUInt64();
            bool expected = ByFramework(bytes);
            taken += expected ? 1 : 0;
            Assert.True(expected == RsaForm.IsPublicKey(bytes), $"seed {Seed}, step {i}: {Convert.ToHexString(bytes)}");
        }
        Assert.InRange(taken, 5_000, 12_000);
    }

    private static bool ByFramework(byte[] der)
    {
        try
        {
            var reader = new AsnReader(der, AsnEncodingRules.DER);
            AsnReader info = reader.ReadSequence(), algorithm = info.ReadSequence();
            reader.ThrowIfNotEmpty();
            string kind = algorithm.ReadObjectIdentifier();
            algorithm.ReadNull();
            algorithm.ThrowIfNotEmpty();
            byte[] bits = info.ReadBitString(out int unused);
            info.ThrowIfNotEmpty();
            var outer = new AsnReader(bits, AsnEncodingRules.DER);
            AsnReader key = outer.ReadSequence();
            outer.ThrowIfNotEmpty();
            System.Numerics.BigInteger modulus = key.ReadInteger(), exponent = key.ReadInteger();
            key.ThrowIfNotEmpty();
            return kind == "1.2.840.113549.1.1.1" && unused == 0 && modulus > 0 && !modulus.IsEven && modulus.GetBitLength() is >= 2048 and <= 8192
                && exponent >= 3 && exponent <= int.MaxValue && !exponent.IsEven;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }
}
