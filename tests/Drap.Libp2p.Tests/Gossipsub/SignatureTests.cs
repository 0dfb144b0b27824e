using System.Security.Cryptography;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

public sealed class SignatureTests
{
    public static TheoryData<KeyType> Types => [KeyType.Ed25519, KeyType.Rsa, KeyType.Secp256k1, KeyType.Ecdsa];

    /// <summary>From one router's draft to another's check, with a key of each kind; and no byte of it can be changed.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void What_one_signs_the_other_finds_good(KeyType type)
    {
        using PrivateKey key = Make(type, 1);
        byte[] frame = Published(key);
        // Only keys that their names do not hold are sent along.
        Assert.Equal(type is KeyType.Rsa or KeyType.Ecdsa, frame.AsSpan().IndexOf(key.PublicKey.Encoded) > frame.AsSpan().IndexOf("market"u8));
        Assert.True(IsGood(Received(frame)));
        int dataAt = frame.AsSpan().IndexOf("what is said"u8);
        foreach (int at in new[] { dataAt, frame.AsSpan().IndexOf("market"u8), frame.Length - 1, frame.AsSpan().IndexOf("market"u8) - 3 })
        {
            byte[] changed = [.. frame];
            changed[at] ^= 1;
            if (TryReceive(changed) is { } message)
                Assert.False(IsGood(message), $"byte {at}");
        }
    }

    [Fact]
    public void Another_key_than_the_names_is_none()
    {
        using PrivateKey key = Make(KeyType.Rsa, 1), other = Make(KeyType.Rsa, 2);
        byte[] frame = Published(key);
        int at = frame.AsSpan().IndexOf(key.PublicKey.Encoded);
        other.PublicKey.Encoded.CopyTo(frame.AsSpan(at));
        Assert.False(MessageSignature.TryGetKey(Received(frame), out _));
    }

    private static byte[] Published(PrivateKey key)
    {
        var effects = new List<GossipEffect>();
        var router = new GossipRouter(key.PeerId, key.PublicKey.Encoded.ToArray(), new GossipOptions { LastSequence = 41 }, new Prng(1));
        Instant now = new(1);
        router.Connected(TestRpc.Peer("a"), GossipVersion.V12, true, 0, now, effects);
        router.Receive(TestRpc.Peer("a"), TestRpc.Encode("sub market", MessageIdForm.SourceAndSequence), now, effects);
        Assert.Equal(PublishOutcome.Taken, router.Publish("market", "what is said"u8, now, effects));
        UnsignedMessage draft = effects.OfType<GossipEffect.Sign>().Single().Message;
        router.Signed(draft, key.Sign(draft.SignedBytes.Span), now, effects);
        GossipEffect.Send sent = effects.OfType<GossipEffect.Send>().Single();
        Assert.Equal(42UL, sent.Message!.Sequence);
        return sent.Frame.ToArray();
    }

    private static SignedMessage Received(byte[] frame) => TryReceive(frame) ?? throw new InvalidOperationException("it was not even checked");

    private static SignedMessage? TryReceive(byte[] frame)
    {
        var effects = new List<GossipEffect>();
        var router = new GossipRouter(TestRpc.Peer("b"), default, new GossipOptions(), new Prng(1));
        Instant now = new(1);
        router.Subscribe("market", validated: false, now, effects);
        router.Connected(TestRpc.Peer("a"), GossipVersion.V12, true, 0, now, effects);
        Delimited.TryRead(frame, 1 << 20, out ReadOnlySpan<byte> rpc, out _);
        router.Receive(TestRpc.Peer("a"), rpc, now, effects);
        return effects.OfType<GossipEffect.Verify>().SingleOrDefault()?.Message.Content;
    }

    private static bool IsGood(SignedMessage message) =>
        MessageSignature.TryGetKey(message, out PublicKey? key) && MessageSignature.IsGood(message, key, new byte[message.SignedLength]);

    private static PrivateKey Make(KeyType type, byte seed)
    {
        if (type != KeyType.Rsa)
            return PrivateKey.FromRandom(type, [.. Enumerable.Repeat(seed, PrivateKey.RandomBytes)]);
        using RSA rsa = RSA.Create(2048);
        return PrivateKey.FromRsa(rsa);
    }
}
