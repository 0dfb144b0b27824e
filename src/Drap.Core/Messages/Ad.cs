using System.Collections.Immutable;
using Drap.Core.Membership;

namespace Drap.Core.Messages;

/// <summary>
/// A task advertisement: a batch of task groups, published on a topic by a scheduler. It stands until it is closed or old, binds
/// nobody, and holds only what pricing needs: commands, names and CIDs travel in the confirmation.
/// </summary>
public sealed record Ad : Message
{
    /// <summary>The most groups in one ad: with 256 B each an ad stays below a quarter of the 256 KiB that a gossip frame may carry.</summary>
    public const int GroupsMax = 256;

    /// <summary>The longest <see cref="Record"/>: the 32 addresses that a node tells, with its key and signature, are below 3 KiB.</summary>
    public const int RecordBytesMax = 4096;

    /// <summary>The ad's name.</summary>
    public required AdId Id { get; init; }

    /// <summary>The scheduler as a role; the peer that speaks for it is the sender.</summary>
    public required PeerId Scheduler { get; init; }

    /// <summary>Whose work it is.</summary>
    public required Principal Principal { get; init; }

    /// <summary>The scheduler's epoch; a worker refuses one below the highest that it has seen.</summary>
    public required Epoch Epoch { get; init; }

    /// <summary>Counts the scheduler's ads within its epoch, for the sliding window against replays.</summary>
    public required long Sequence { get; init; }

    /// <summary>How many workers the scheduler believes will hear this.</summary>
    public int Audience { get; init; }

    /// <summary>The chance, in permille, with which a worker that could serve should answer, so that about five willing answers come per place.</summary>
    public int AnswerPermille { get; init; } = 1000;

    /// <summary>How long the ad stands after its receipt.</summary>
    public TimeSpan Stands { get; init; }

    /// <summary>How long the scheduler gathers answers: an offer's hold lasts this and some round trips.</summary>
    public TimeSpan Window { get; init; }

    /// <summary>Only a <see cref="Quote"/> is asked for: nothing is held and nothing will be confirmed.</summary>
    public bool QuoteOnly { get; init; }

    /// <summary>The groups, at most <see cref="GroupsMax"/>.</summary>
    public required ImmutableArray<TaskGroup> Groups { get; init; }

    /// <summary>
    /// Where the sender is reached, signed by itself (libp2p's peer record in its envelope): who was passed the ad on need not have met it. Put in and read
    /// by the node, which knows envelopes; empty where there is none.
    /// </summary>
    public ImmutableArray<byte> Record { get; init; } = [];

    /// <summary>
    /// The sender's certificates, its own first, as on a connection (<see cref="Hello.Chain"/>): who was passed the ad on need not have met it, and must know for whom it
    /// may speak. Put in and read by the node, as <see cref="Record"/>; empty where swarms have no certificates, and in ads that go to one worker over a connection.
    /// </summary>
    public ImmutableArray<Wrapped> Chain { get; init; } = [];

    /// <summary>
    /// How many numbers before its own the oldest ad has whose answers are still gathered: what was offered on that one or a later one has not lost yet.
    /// What was offered on older ones has, or its confirmation is on the way. 0, the default, if there is none.
    /// </summary>
    public long Undecided { get; init; }
}

/// <summary>Like tasks that are advertised, priced and packed together.</summary>
public sealed record TaskGroup
{
    /// <summary>The group's number with its scheduler; the same in every ad of an epoch that names the group.</summary>
    public required int Id { get; init; }

    /// <summary>How many places are wanted.</summary>
    public required int Count { get; init; }

    /// <summary>What each task asks for.</summary>
    public required ResourceRequest Resources { get; init; }

    /// <summary>Where it may run.</summary>
    public Placement Placement { get; init; } = Placement.Anywhere;

    /// <summary>The driver's kind: <c>process</c>, <c>dotnet</c>.</summary>
    public required string Driver { get; init; }

    /// <summary>The handler that a <c>dotnet</c> task needs; empty for other drivers.</summary>
    public string Handler { get; init; } = "";

    /// <summary>How long one task is thought to run on a machine of speed one; zero if nobody knows.</summary>
    public TimeSpan Estimate { get; init; }

    /// <summary>The price offered for each task's whole bundle.</summary>
    public required Price Bid { get; init; }

    /// <summary>The end must come before this much time after receipt; null without a deadline.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>Bytes of input that a worker may have to fetch for each task.</summary>
    public long InputBytes { get; init; }

    /// <summary>Orders one principal's tasks: higher first; from -1000 to 1000.</summary>
    public int Priority { get; init; }

    /// <summary>Only firm offers are of use (exclusive tasks, gangs).</summary>
    public bool FirmOnly { get; init; }

    /// <summary>The group was passed over for long: a worker that could hold it may reserve, and take only what ends before.</summary>
    public bool Patient { get; init; }

    /// <summary>Ranks of the gang, all or none; 0 for plain tasks.</summary>
    public int GangSize { get; init; }

    /// <summary>How long ago the gang was submitted: an older gang may take a younger one's holds.</summary>
    public TimeSpan GangAge { get; init; }

    /// <summary>The most tasks that one worker may hold at once; 0 for no limit.</summary>
    public int PerWorkerMax { get; init; }
}

/// <summary>What a node must be, beside having room.</summary>
public sealed record Placement
{
    /// <summary>No condition.</summary>
    public static readonly Placement Anywhere = new();

    /// <summary>The most labels in each list.</summary>
    public const int LabelsMax = 32;

    /// <summary>Labels that the node must bear, ordered.</summary>
    public ImmutableArray<string> Labels { get; init; } = [];

    /// <summary>Labels that it must not bear, ordered.</summary>
    public ImmutableArray<string> NotLabels { get; init; } = [];

    /// <summary>The processor's architecture; empty for any.</summary>
    public string Architecture { get; init; } = "";

    /// <summary>The region; empty for any.</summary>
    public string Region { get; init; } = "";

    /// <summary>The zone; empty for any.</summary>
    public string Zone { get; init; } = "";

    /// <inheritdoc/>
    public bool Equals(Placement? other) =>
        other is not null && Labels.AsSpan().SequenceEqual(other.Labels.AsSpan()) && NotLabels.AsSpan().SequenceEqual(other.NotLabels.AsSpan())
        && Architecture == other.Architecture && Region == other.Region && Zone == other.Zone;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Labels.Length, NotLabels.Length, Architecture, Region, Zone);
}

/// <summary>To a worker whose offer came to an ad, or to groups of it, that want no more.</summary>
/// <param name="Ad">The ad.</param>
/// <param name="Groups">The groups that are closed; empty closes all of the ad.</param>
public sealed record Closed(AdId Ad, ImmutableArray<int> Groups) : Message;
