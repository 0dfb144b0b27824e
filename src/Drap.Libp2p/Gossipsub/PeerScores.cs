namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// Counts what peers do and makes their scores of it (v1.1, "The Score Function"). A score is made when it is asked for and something has changed: time in
/// the mesh alone changes it only with the next decay.
/// </summary>
internal sealed class PeerScores(ScoreOptions options)
{
    private readonly Dictionary<UInt128, AddressGroup> groups = [];

    public double Of(GossipPeer peer, Instant now)
    {
        if (peer.IsScoreStale)
        {
            peer.CachedScore = Compute(peer, now);
            peer.IsScoreStale = false;
        }
        // P6 changes with others' coming and going, so it is added each time.
        if (peer.Address is not { } group || group.Count <= options.ColocationThreshold)
            return peer.CachedScore;
        double surplus = group.Count - options.ColocationThreshold;
        return peer.CachedScore + surplus * surplus * options.ColocationWeight;
    }

    /// <summary>A peer came, from this address; 0 if it is not known or does not count.</summary>
    public void Connected(GossipPeer peer, UInt128 address)
    {
        Leave(peer);
        if (address == 0 || options.ColocationWeight == 0)
            return;
        if (!groups.TryGetValue(address, out AddressGroup? group))
            groups[address] = group = new AddressGroup(address);
        group.Count++;
        peer.Address = group;
    }

    /// <summary>A peer has gone: good deeds are forgotten, so that nobody builds a reserve and comes back to spend it.</summary>
    public void Disconnected(GossipPeer peer)
    {
        Leave(peer);
        foreach (TopicLink link in peer.Links)
        {
            if (link.Stats is not { } stats)
                continue;
            stats.FirstDeliveries = 0;
            stats.MeshDeliveries = 0;
        }
        peer.IsScoreStale = true;
    }

    public static void Joined(TopicLink link, Instant now)
    {
        link.MeshSince = now;
        link.Peer.IsScoreStale = true;
    }

    /// <summary>A peer left the mesh; what it should have brought and did not stays with it.</summary>
    public static void Left(TopicLink link, Instant now)
    {
        if (Deficit(link, now) is > 0 and double deficit)
            StatsOf(link).MeshFailure += deficit * deficit;
        link.Peer.IsScoreStale = true;
    }

    /// <summary>A peer brought a valid message first.</summary>
    public static void DeliveredFirst(TopicLink link)
    {
        if (link.Topic.Score is not { } topic)
            return;
        TopicStats stats = StatsOf(link);
        stats.FirstDeliveries = Math.Min(stats.FirstDeliveries + 1, topic.FirstDeliveriesCap);
        DeliveredToo(link);
        link.Peer.IsScoreStale = true;
    }

    /// <summary>A mesh peer brought a message while it was being checked, or shortly after.</summary>
    public static void DeliveredToo(TopicLink link)
    {
        if (!link.IsInMesh || link.Topic.Score is not { CountsMeshDeliveries: true } topic)
            return;
        TopicStats stats = StatsOf(link);
        stats.MeshDeliveries = Math.Min(stats.MeshDeliveries + 1, topic.MeshDeliveriesCap);
        link.Peer.IsScoreStale = true;
    }

    public static void DeliveredInvalid(TopicLink link)
    {
        if (link.Topic.Score is null)
            return;
        StatsOf(link).Invalid++;
        link.Peer.IsScoreStale = true;
    }

    public static void Misbehaved(GossipPeer peer, double times)
    {
        peer.Misdeeds += times;
        peer.IsScoreStale = true;
    }

    public static void SetApplicationScore(GossipPeer peer, double score)
    {
        peer.ApplicationScore = score;
        peer.IsScoreStale = true;
    }

    /// <summary>Lets all counters of a peer decay once.</summary>
    public void Decay(GossipPeer peer)
    {
        peer.Misdeeds = Decayed(peer.Misdeeds, options.BehaviourDecay);
        foreach (TopicLink link in peer.Links)
        {
            if (link.Stats is not { } stats || link.Topic.Score is not { } topic)
                continue;
            stats.FirstDeliveries = Decayed(stats.FirstDeliveries, topic.FirstDeliveriesDecay);
            stats.MeshDeliveries = Decayed(stats.MeshDeliveries, topic.MeshDeliveriesDecay);
            stats.MeshFailure = Decayed(stats.MeshFailure, topic.MeshFailureDecay);
            stats.Invalid = Decayed(stats.Invalid, topic.InvalidDecay);
            if (stats.IsZero)
                link.Stats = null;
        }
        peer.IsScoreStale = true;
    }

    private double Compute(GossipPeer peer, Instant now)
    {
        double topics = 0;
        foreach (TopicLink link in peer.Links)
            if (link.Topic.Score is { } topic && (link.IsInMesh || link.Stats is not null))
                topics += topic.TopicWeight * InTopic(link, topic, now);
        if (options.TopicCap > 0 && topics > options.TopicCap)
            topics = options.TopicCap;
        double excess = peer.Misdeeds - options.BehaviourThreshold;
        double behaviour = excess > 0 ? excess * excess * options.BehaviourWeight : 0;
        return topics + peer.ApplicationScore * options.ApplicationWeight + behaviour;
    }

    private static double InTopic(TopicLink link, TopicScoreOptions topic, Instant now)
    {
        double score = 0;
        if (link.IsInMesh)
            score += Math.Min((now - link.MeshSince).Ticks / topic.TimeInMeshQuantum.Ticks, topic.TimeInMeshCap) * topic.TimeInMeshWeight;
        double deficit = Deficit(link, now);
        score += deficit * deficit * topic.MeshDeliveriesWeight;
        if (link.Stats is { } stats)
            score += stats.FirstDeliveries * topic.FirstDeliveriesWeight + stats.MeshFailure * topic.MeshFailureWeight
                + stats.Invalid * stats.Invalid * topic.InvalidWeight;
        return score;
    }

    /// <summary>How many messages a mesh peer should have brought and did not; 0 while it is new.</summary>
    private static double Deficit(TopicLink link, Instant now)
    {
        if (!link.IsInMesh || link.Topic.Score is not { CountsMeshDeliveries: true } topic || now - link.MeshSince <= topic.MeshDeliveriesActivation)
            return 0;
        return Math.Max(0, topic.MeshDeliveriesThreshold - (link.Stats?.MeshDeliveries ?? 0));
    }

    private double Decayed(double value, double factor) => value * factor is var left && left < options.DecayToZero ? 0 : left;

    private static TopicStats StatsOf(TopicLink link) => link.Stats ??= new TopicStats();

    private void Leave(GossipPeer peer)
    {
        if (peer.Address is not { } group)
            return;
        peer.Address = null;
        if (--group.Count == 0)
            groups.Remove(group.Address);
    }
}
