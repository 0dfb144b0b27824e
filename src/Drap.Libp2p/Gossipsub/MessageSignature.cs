using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Gossipsub;

/// <summary>Whether a message is its sender's (pubsub, "Message Signing"). Costs as much as a signature's check does; holds nothing.</summary>
public static class MessageSignature
{
    /// <summary>The key that the message's sender has: as its name holds it, or as the message says, if the name is that key's hash. False if there is none.</summary>
    public static bool TryGetKey(SignedMessage message, [NotNullWhen(true)] out PublicKey? key) =>
        message.IsKeyInName
            ? PublicKey.TryFromPeerId(message.From, out key)
            : PublicKey.TryDecode(message.Key, out key) && key.PeerId == message.From;

    /// <summary>Whether the signature is that key's over fields 1 to 4. The message's <see cref="SignedMessage.SignedLength"/> bytes fit into <paramref name="scratch"/>.</summary>
    public static bool IsGood(SignedMessage message, PublicKey key, Span<byte> scratch)
    {
        Span<byte> signed = scratch[..message.SignedLength];
        message.CopySigned(signed);
        return key.Verify(signed, message.Signature);
    }
}
