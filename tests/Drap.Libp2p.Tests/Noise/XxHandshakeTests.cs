using Drap.Libp2p.Keys;
using Drap.Libp2p.Noise;
using Xunit;

namespace Drap.Libp2p.Tests.Noise;

public sealed class XxHandshakeTests
{
    [Theory, InlineData(0), InlineData(1)]
    public void The_published_vectors(int number)
    {
        NoiseVector vector = NoiseVector.All[number];
        using var initiatorKey = new X25519Key(Hex(vector.InitiatorStatic));
        using var responderKey = new X25519Key(Hex(vector.ResponderStatic));
        using var initiator = new XxHandshake(true, initiatorKey, new X25519Key(Hex(vector.InitiatorEphemeral)), Hex(vector.Prologue));
        using var responder = new XxHandshake(false, responderKey, new X25519Key(Hex(vector.ResponderEphemeral)), Hex(vector.Prologue));
        for (int i = 0; i < 3; i++)
        {
            (XxHandshake from, XxHandshake to) = i % 2 == 0 ? (initiator, responder) : (responder, initiator);
            byte[] message = new byte[1024], payload = new byte[1024];
            Assert.True(from.IsWriting);
            Assert.Equal(NoiseError.None, from.Write(Hex(vector.Messages[i].Payload), message, out int length));
            Assert.Equal(vector.Messages[i].Message, Convert.ToHexStringLower(message.AsSpan(0, length)));
            Assert.Equal(NoiseError.None, to.Read(message.AsSpan(0, length), payload, out int read));
            Assert.Equal(vector.Messages[i].Payload, Convert.ToHexStringLower(payload.AsSpan(0, read)));
        }
        Assert.True(initiator.IsDone && responder.IsDone);
        Assert.Equal(initiator.HandshakeHash, responder.HandshakeHash);
        if (vector.HandshakeHash is { } hash)
            Assert.Equal(hash, Convert.ToHexStringLower(initiator.HandshakeHash));
        Assert.Equal(responderKey.PublicKey, initiator.RemoteStatic);
        Assert.Equal(initiatorKey.PublicKey, responder.RemoteStatic);

        (CipherState Sending, CipherState Receiving) a = initiator.Split(), b = responder.Split();
        for (int i = 3; i < vector.Messages.Length; i++)
        {
            (CipherState from, CipherState to) = i % 2 == 0 ? (a.Sending, b.Receiving) : (b.Sending, a.Receiving);
            byte[] payload = Hex(vector.Messages[i].Payload), message = new byte[payload.Length + 16];
            from.Encrypt([], payload, message);
            Assert.Equal(vector.Messages[i].Message, Convert.ToHexStringLower(message));
            Assert.True(to.TryDecrypt([], message, message));
            Assert.Equal(payload, message[..^16]);
        }
    }

    private static byte[] Hex(string text) => Convert.FromHexString(text);
}
