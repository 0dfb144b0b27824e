using System.Collections.Immutable;

namespace Drap.Libp2p.Kademlia;

/// <summary>What the DHT wants done.</summary>
public abstract record KadEffect
{
    private KadEffect()
    {
    }

    /// <summary>
    /// Open a stream to a peer, dialing it if need be, and write a message. Its end is told by <see cref="KadMachine.Answered"/> or
    /// <see cref="KadMachine.Failed"/>, unless it is abandoned before.
    /// </summary>
    /// <param name="Request">Its number, which the end repeats.</param>
    /// <param name="To">Whom, with the addresses that somebody told for it: there may be better ones.</param>
    /// <param name="Message">What to write.</param>
    /// <param name="IsAnswered">Whether an answer is read; if not, it has gone well when all was written.</param>
    public sealed record Send(long Request, KadPeer To, KadMessage Message, bool IsAnswered) : KadEffect;

    /// <summary>Nobody waits for a request any more: its stream may be reset, its dial given up. Its end is not told.</summary>
    /// <param name="Request">Its number.</param>
    public sealed record Abandon(long Request) : KadEffect;

    /// <summary>A question has found these; there may be more. Each peer comes once.</summary>
    /// <param name="Query">Its number.</param>
    /// <param name="Peers">Providers of the content, or members of the region.</param>
    public sealed record Found(long Query, ImmutableArray<KadPeer> Peers) : KadEffect;

    /// <summary>A question is over. Comes once for each.</summary>
    /// <param name="Query">Its number.</param>
    /// <param name="Outcome">What came of it.</param>
    public sealed record Done(long Query, KadOutcome Outcome) : KadEffect;
}

/// <summary>What came of a question.</summary>
public abstract record KadOutcome
{
    private KadOutcome()
    {
    }

    /// <summary>The peers that were found: those nearest to a key, the one that was looked for, providers. May be none.</summary>
    /// <param name="Found">They, the nearest or first found first.</param>
    public sealed record Peers(ImmutableArray<KadPeer> Found) : KadOutcome;

    /// <summary>The members of a region that were found; may be none.</summary>
    /// <param name="Found">They, the first found first.</param>
    /// <param name="IsWhole">
    /// Whether the region was searched through. If not, there are as many as were wanted, or the search gave up: its time was over, or
    /// peers led it on without end; there may be more members then.
    /// </param>
    public sealed record Members(ImmutableArray<KadPeer> Found, bool IsWhole) : KadOutcome;

    /// <summary>The best value that was found; null if none was.</summary>
    /// <param name="Best">It.</param>
    public sealed record Value(byte[]? Best) : KadOutcome;

    /// <summary>What was put or provided is kept by so many peers.</summary>
    /// <param name="By">How many of the k nearest took it; 0 when nobody did.</param>
    public sealed record Kept(int By) : KadOutcome;
}
