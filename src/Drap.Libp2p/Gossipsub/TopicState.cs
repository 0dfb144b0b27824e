using System.Text;

namespace Drap.Libp2p.Gossipsub;

/// <summary>What a router knows of one topic: who hears it, its mesh if we hear it, its fan-out if we only publish to it.</summary>
internal sealed class TopicState(byte[] utf8, TopicScoreOptions? score)
{
    // Of topics that only others have to do with there may be thousands; they are kept small.
    private static readonly List<TopicLink> None = [];
    private string? name;
    private List<TopicLink>? mesh;
    private List<TopicLink>? flooded;

    public string Name => name ?? (IsOurs ? name = Encoding.UTF8.GetString(utf8) : Encoding.UTF8.GetString(utf8));

    public ReadOnlySpan<byte> Utf8 => utf8;

    public byte[] Utf8Array => utf8;

    public TopicScoreOptions? Score => score;

    /// <summary>We hear it.</summary>
    public bool IsHeard { get; set; }

    /// <summary>The application decides about each message.</summary>
    public bool IsValidated { get; set; }

    /// <summary>Peers that hear it.</summary>
    public List<TopicLink> Hearers { get; } = new(0);

    /// <summary>Of these who gets every message outside of the mesh: floodsub peers and direct ones.</summary>
    public List<TopicLink> Flooded => flooded ?? None;

    /// <summary>Its mesh; empty unless we hear it.</summary>
    public List<TopicLink> Mesh => mesh ?? None;

    /// <summary>Its fan-out; null unless we publish to it without hearing it.</summary>
    public List<TopicLink>? Fanout { get; set; }

    /// <summary>When it was last published to, or prepared for that.</summary>
    public Instant PublishedAt { get; set; }

    /// <summary>Links to it of any kind, and messages that wait: what is nobody's is forgotten.</summary>
    public int Links { get; set; }

    public bool IsOurs => IsHeard || Fanout is not null;

    public void AddToMesh(TopicLink link) => (mesh ??= []).Add(link);

    public void RemoveFromMesh(TopicLink link) => mesh!.Remove(link);

    public void AddFlooded(TopicLink link) => (flooded ??= []).Add(link);

    public void RemoveFlooded(TopicLink link) => flooded?.Remove(link);
}

/// <summary>What there is between one peer and one topic.</summary>
internal sealed class TopicLink(GossipPeer peer, TopicState topic)
{
    public GossipPeer Peer => peer;

    public TopicState Topic => topic;

    /// <summary>The peer hears the topic; then <see cref="At"/> is its place among those who do.</summary>
    public bool IsHearer { get; set; }

    public int At { get; set; }

    public bool IsInMesh { get; set; }

    public bool IsInFanout { get; set; }

    /// <summary>Until when it is not grafted and may not graft itself.</summary>
    public Instant Backoff { get; set; }

    /// <summary>When it came into the mesh.</summary>
    public Instant MeshSince { get; set; }

    /// <summary>Counters for its score; null while all are zero.</summary>
    public TopicStats? Stats { get; set; }

    public bool IsOfUse(Instant now) => IsHearer || IsInMesh || IsInFanout || Backoff > now || Stats is not null;
}

/// <summary>The counters of P2, P3, P3b and P4.</summary>
internal sealed class TopicStats
{
    public double FirstDeliveries { get; set; }

    public double MeshDeliveries { get; set; }

    public double MeshFailure { get; set; }

    public double Invalid { get; set; }

    public bool IsZero => FirstDeliveries == 0 && MeshDeliveries == 0 && MeshFailure == 0 && Invalid == 0;
}
