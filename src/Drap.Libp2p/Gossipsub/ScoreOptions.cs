using System.Collections.Immutable;

namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// How peers are judged (gossipsub v1.1, "Peer Scoring"). A score is only ours: nobody tells another. Numbers are IEEE doubles with the four basic
/// operations alone, which are the same everywhere.
/// </summary>
public sealed record ScoreOptions
{
    /// <summary>Below this a peer gets no gossip from us, and its gossip is not heard; default -10.</summary>
    public double GossipThreshold { get; init; } = -10;

    /// <summary>Below this it gets none of our own messages by flood publishing or fan-out; default -50.</summary>
    public double PublishThreshold { get; init; } = -50;

    /// <summary>Below this nothing of what it says is looked at; default -80.</summary>
    public double GraylistThreshold { get; init; } = -80;

    /// <summary>From this on peers that it names in a PRUNE are tried; default 10, which only an application's own score reaches soon.</summary>
    public double AcceptExchangeThreshold { get; init; } = 10;

    /// <summary>If the median of a mesh is below this, better peers are grafted now and then; default 1.</summary>
    public double OpportunisticGraftThreshold { get; init; } = 1;

    /// <summary>The most that all topics together can add; default 10. 0 is no cap.</summary>
    public double TopicCap { get; init; } = 10;

    /// <summary>What one point of the application's own score weighs (w5); default 1.</summary>
    public double ApplicationWeight { get; init; } = 1;

    /// <summary>
    /// What the square of the surplus of peers behind one address weighs (w6), negative; default -5. 0 turns it off, as a private swarm should:
    /// labs sit behind one address. Loopback addresses never count.
    /// </summary>
    public double ColocationWeight { get; init; } = -5;

    /// <summary>Peers behind one address that are no surplus yet; default 10.</summary>
    public int ColocationThreshold { get; init; } = 10;

    /// <summary>What the square of the misdeeds weighs (w7), negative; default -10.</summary>
    public double BehaviourWeight { get; init; } = -10;

    /// <summary>Misdeeds that do not count: networks lose and reorder; default 2.</summary>
    public double BehaviourThreshold { get; init; } = 2;

    /// <summary>What is left of the misdeeds after a decay interval; default 0.9.</summary>
    public double BehaviourDecay { get; init; } = 0.9;

    /// <summary>How often counters decay; default 1 s, and never more often than at each heartbeat.</summary>
    public TimeSpan DecayInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A counter below this is 0; default 0.1.</summary>
    public double DecayToZero { get; init; } = 0.1;

    /// <summary>How long the score of a peer that left is kept if it is not good; default 1 hour: who leaves does not come back as somebody new.</summary>
    public TimeSpan RetainTime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How peers are judged in each topic that <see cref="Topics"/> does not name; null counts nothing there.</summary>
    public TopicScoreOptions? DefaultTopic { get; init; } = new();

    /// <summary>How peers are judged in particular topics.</summary>
    public ImmutableDictionary<string, TopicScoreOptions> Topics { get; init; } = ImmutableDictionary<string, TopicScoreOptions>.Empty;

    /// <summary>For a private swarm: several peers behind one address are usual there (P6 is off; P3 is off by default).</summary>
    public static ScoreOptions PrivateSwarm { get; } = new() { ColocationWeight = 0 };

    internal TopicScoreOptions? Of(string topic) => Topics.GetValueOrDefault(topic, DefaultTopic!);

    internal string? Fault() =>
        !(GossipThreshold <= 0 && PublishThreshold <= GossipThreshold && GraylistThreshold <= PublishThreshold)
            ? "score thresholds fall: 0, gossip, publish, graylist"
        : !(AcceptExchangeThreshold >= 0 && OpportunisticGraftThreshold >= 0) ? "the thresholds of exchange and of opportunistic grafting are not negative"
        : !(ColocationWeight <= 0 && BehaviourWeight <= 0) ? "the weights of P6 and P7 are not positive"
        : ColocationThreshold < 1 || !(BehaviourThreshold >= 0) ? "the thresholds of P6 and P7 are not negative, and one peer an address is never too many"
        : !IsDecay(BehaviourDecay) || !(DecayToZero > 0 && DecayToZero < 1) ? "decays lie between 0 and 1"
        : DecayInterval <= TimeSpan.Zero || RetainTime < TimeSpan.Zero ? "times must not be negative"
        : DefaultTopic?.Fault() ?? Topics.Values.Select(t => t.Fault()).FirstOrDefault(f => f is not null);

    internal static bool IsDecay(double value) => value is > 0 and < 1;
}

/// <summary>How peers are judged in one topic: P1 to P4 (gossipsub v1.1, "The Score Function"). A weight of 0 turns its part off.</summary>
public sealed record TopicScoreOptions
{
    /// <summary>What the topic weighs in the whole; default 1.</summary>
    public double TopicWeight { get; init; } = 1;

    /// <summary>What a quantum in the mesh weighs (w1), not negative; default 1/3600.</summary>
    public double TimeInMeshWeight { get; init; } = 1.0 / 3600;

    /// <summary>The quantum; default 1 s.</summary>
    public TimeSpan TimeInMeshQuantum { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The most quanta that count; default 3 600: an hour.</summary>
    public double TimeInMeshCap { get; init; } = 3600;

    /// <summary>What bringing a message first weighs (w2), not negative; default 0.1.</summary>
    public double FirstDeliveriesWeight { get; init; } = 0.1;

    /// <summary>What is left of that count after a decay interval; default 0.9.</summary>
    public double FirstDeliveriesDecay { get; init; } = 0.9;

    /// <summary>The most that is counted; default 50.</summary>
    public double FirstDeliveriesCap { get; init; } = 50;

    /// <summary>
    /// What the square of the messages weighs that a mesh peer should have brought and did not (w3), not positive; default 0, off: a quiet topic would
    /// condemn everybody.
    /// </summary>
    public double MeshDeliveriesWeight { get; init; }

    /// <summary>What is left of that count after a decay interval; default 0.9.</summary>
    public double MeshDeliveriesDecay { get; init; } = 0.9;

    /// <summary>The most that is counted; default 100.</summary>
    public double MeshDeliveriesCap { get; init; } = 100;

    /// <summary>What is expected of a mesh peer; default 20.</summary>
    public double MeshDeliveriesThreshold { get; init; } = 20;

    /// <summary>How long after its acceptance here a copy still counts as brought; default 10 ms.</summary>
    public TimeSpan MeshDeliveriesWindow { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>How long a peer is in the mesh before it is expected to bring anything; default 5 s.</summary>
    public TimeSpan MeshDeliveriesActivation { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What the deficit at the time of a prune weighs afterwards (w3b), not positive; default 0, off.</summary>
    public double MeshFailureWeight { get; init; }

    /// <summary>What is left of it after a decay interval; default 0.9.</summary>
    public double MeshFailureDecay { get; init; } = 0.9;

    /// <summary>What the square of the invalid messages weighs (w4), not positive; default -10: three in a second and nothing more is heard.</summary>
    public double InvalidWeight { get; init; } = -10;

    /// <summary>What is left of that count after a decay interval; default 0.9.</summary>
    public double InvalidDecay { get; init; } = 0.9;

    internal bool CountsMeshDeliveries => MeshDeliveriesWeight < 0 || MeshFailureWeight < 0;

    internal string? Fault() =>
        !(TopicWeight >= 0 && TimeInMeshWeight >= 0 && FirstDeliveriesWeight >= 0) ? "the weights of P1, P2 and of a topic are not negative"
        : !(MeshDeliveriesWeight <= 0 && MeshFailureWeight <= 0 && InvalidWeight <= 0) ? "the weights of P3, P3b and P4 are not positive"
        : TimeInMeshQuantum <= TimeSpan.Zero || !(TimeInMeshCap >= 0 && FirstDeliveriesCap >= 0) ? "quanta and caps are positive"
        : !(MeshDeliveriesCap >= MeshDeliveriesThreshold) ? "the cap of P3 is not below its threshold"
        : !ScoreOptions.IsDecay(FirstDeliveriesDecay) || !ScoreOptions.IsDecay(MeshDeliveriesDecay) || !ScoreOptions.IsDecay(MeshFailureDecay)
          || !ScoreOptions.IsDecay(InvalidDecay) ? "decays lie between 0 and 1"
        : null;
}
