using System.Buffers;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Plaintext;
using Drap.Libp2p.Protobuf;
using Drap.Libp2p.Tests.Keys;
using Xunit;

namespace Drap.Libp2p.Tests.Plaintext;

public sealed class PlaintextExchangeTests
{
    private static readonly PrivateKey Alice = PrivateKey.FromSeed([.. Enumerable.Repeat((byte)1, 32)]);

    [Theory]
    [InlineData(KeyVectors.Ed25519Private)]
    [InlineData(KeyVectors.Secp256k1Private)]
    [InlineData(KeyVectors.EcdsaPrivate)]
    [InlineData(KeyVectors.RsaPrivate)]
    public void Names_and_keys_are_exchanged_however_the_bytes_are_cut(string hex)
    {
        Assert.True(PrivateKey.TryDecode(Convert.FromHexString(hex), out PrivateKey? key));
        var output = new ArrayBufferWriter<byte>();
        new PlaintextExchange(key, null).Start(output);
        byte[] bytes = [.. output.WrittenSpan, .. "data"u8];
        for (int cut = 0; cut <= bytes.Length; cut += key.Type == KeyType.Rsa ? 37 : 1)
        {
            var alice = new PlaintextExchange(Alice, key.PeerId);
            int consumed = alice.Receive(bytes.AsSpan(0, cut));
            Assert.Equal(cut >= bytes.Length - 4, alice.IsDone);
            consumed += alice.Receive(bytes.AsSpan(consumed));
            Assert.Equal(bytes.Length - 4, consumed);
            Assert.Equal(PlaintextError.None, alice.Error);
            Assert.True(alice.IsDone);
            Assert.Equal(key.PublicKey, alice.RemoteKey);
        }
        var single = new PlaintextExchange(Alice, null);
        foreach (byte b in output.WrittenSpan)
            Assert.Equal(1, single.Receive([b]));
        Assert.True(single.IsDone);
        Assert.Equal(0, single.Receive("data"u8));
    }

    [Fact]
    public void What_is_refused()
    {
        byte[] peer = Alice.PeerId.Bytes.ToArray(), key = Alice.PublicKey.Encoded.ToArray();
        Assert.Equal(PlaintextError.None, Refusal(Message(peer, key), Alice.PeerId));
        Assert.Equal(PlaintextError.WrongPeer, Refusal(Message(peer, key), PrivateKey.FromSeed(new byte[32]).PeerId));
        Assert.Equal(PlaintextError.OtherName, Refusal(Message(PrivateKey.FromSeed(new byte[32]).PeerId.Bytes.ToArray(), key)));
        Assert.Equal(PlaintextError.OtherName, Refusal(Message([], key)));
        Assert.Equal(PlaintextError.BadKey, Refusal(Message(peer, [])));
        Assert.Equal(PlaintextError.BadKey, Refusal(Message(peer, [.. key, 0xff])));
        Assert.Equal(PlaintextError.BadKey, Refusal([0]));
        Assert.Equal(PlaintextError.Malformed, Refusal([1, 0xff]));
        Assert.Equal(PlaintextError.Malformed, Refusal([0x81, 0x10])); // 2049
        Assert.Equal(PlaintextError.Malformed, Refusal([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
        Assert.Equal(PlaintextError.Malformed, Refusal([.. Enumerable.Repeat((byte)0xff, 100_000)]));
    }

    private static PlaintextError Refusal(byte[] bytes, PeerId? expected = null)
    {
        var exchange = new PlaintextExchange(Alice, expected);
        exchange.Receive(bytes);
        Assert.Equal(exchange.Error == PlaintextError.None, exchange.IsDone);
        return exchange.Error;
    }

    private static byte[] Message(byte[] peer, byte[] key)
    {
        var writer = new ProtoWriter();
        writer.Bytes(1, peer);
        writer.Bytes(2, key);
        return Delimited.Frame(writer.Written);
    }
}
