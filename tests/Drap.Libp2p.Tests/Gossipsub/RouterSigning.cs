using Drap.Libp2p.Gossipsub;

namespace Drap.Libp2p.Tests.Gossipsub;

internal static class RouterSigning
{
    /// <summary>Signs a message and answers <see cref="GossipEffect.Sign"/>, as a host does in two steps on two threads.</summary>
    public static void Signed(this GossipRouter router, UnsignedMessage message, ReadOnlySpan<byte> signature, Instant now, IList<GossipEffect> effects)
    {
        message.Sign(signature);
        router.Signed(message, now, effects);
    }
}
