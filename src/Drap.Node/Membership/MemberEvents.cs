using System.Collections.Immutable;
using Drap.Node.Overlay;

namespace Drap.Node.Membership;

/// <summary>What a node hears of its overlay, without frames of members whose certificate does not give them the role to send any here.</summary>
internal sealed class MemberEvents(SwarmMembership membership, IOverlayEvents inner) : IOverlayEvents
{
    // Taken and dropped: to refuse it would only make the sender wait.
    public bool Frame(PeerId from, ReadOnlyMemory<byte> frame) => !membership.Hears(from) || inner.Frame(from, frame);

    public int Frames(PeerId from, ReadOnlySpan<ReadOnlyMemory<byte>> frames) => membership.Hears(from) ? inner.Frames(from, frames) : frames.Length;

    public void WaitForRoom() => inner.WaitForRoom();

    public void Audience(string topic, ImmutableArray<PeerId> members) => inner.Audience(topic, members);

    public void PeerGone(PeerId peer) => inner.PeerGone(peer);
}
