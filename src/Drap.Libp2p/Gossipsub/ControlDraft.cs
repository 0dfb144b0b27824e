namespace Drap.Libp2p.Gossipsub;

/// <summary>Control messages for one peer that go out together at the end of a step, in as few RPCs as the size allows.</summary>
internal sealed class ControlDraft
{
    public List<TopicState> Grafts { get; } = new(1);

    public List<PruneDraft> Prunes { get; } = new(0);

    /// <summary>IHAVEs already encoded; the bytes are shared with other peers.</summary>
    public List<byte[]> IHaves { get; } = new(0);
}

/// <summary>A PRUNE: for which topic, how long to stay away, and whom to try instead.</summary>
internal readonly record struct PruneDraft(TopicState Topic, long BackoffSeconds, IReadOnlyList<GossipPeer> Exchange);
