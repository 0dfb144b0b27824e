using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Kademlia.Queries;

/// <summary>
/// A question to the network under way: says whom to ask what, hears the answers, and knows when it is over. The machine sends, times and
/// counts.
/// </summary>
internal abstract class KadQuery(long id, Instant deadline)
{
    public long Id { get; } = id;

    /// <summary>When it ends with what it has.</summary>
    public Instant Deadline { get; } = deadline;

    /// <summary>When time alone changes something in it.</summary>
    public abstract Instant NextDeadline { get; }

    /// <summary>Whether nothing more is to be asked or heard.</summary>
    public abstract bool IsOver { get; }

    /// <summary>What has come of it so far.</summary>
    public abstract KadOutcome Outcome { get; }

    /// <summary>The message that some are to keep, as its end is; null if it is no such question.</summary>
    public virtual KadMessage? Kept => null;

    /// <summary>
    /// What goes on under the same number when this is over; null if nothing does, and the outcome holds. What is still awaited then is not
    /// told to the successor.
    /// </summary>
    public virtual KadQuery? Successor(Instant now) => null;

    /// <summary>The next request, to be sent now; false if none is.</summary>
    public abstract bool TryNext(
        Instant now, Func<PeerId, bool> isBusy, [NotNullWhen(true)] out KadPeer? peer, [NotNullWhen(true)] out KadMessage? message);

    /// <summary>A peer answered, or took a message that has no answer.</summary>
    public abstract void Answered(PendingRequest request, KadMessage? answer, List<KadEffect> effects);

    /// <summary>A peer did not.</summary>
    public abstract void Failed(PendingRequest request);

    /// <summary>Time has come.</summary>
    public abstract void Advance(Instant now);
}
