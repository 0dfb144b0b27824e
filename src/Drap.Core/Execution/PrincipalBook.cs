using Drap.Core.Health;

namespace Drap.Core.Execution;

/// <summary>What a principal has of a worker now, and how it behaves there: of all its schedulers together.</summary>
internal sealed class PrincipalUse
{
    /// <summary>Attempts under lease, orphaned or being ended.</summary>
    public int Attempts { get; set; }

    /// <summary>Tasks that are offered, in places and in lines.</summary>
    public int Offered { get; set; }

    /// <summary>Offers that are out.</summary>
    public int Offers { get; set; }

    /// <summary>Bytes of its results that wait.</summary>
    public long ResultBytes { get; set; }

    /// <summary>Whether it confirms its share of offers.</summary>
    public FairWins Wins { get; } = new();

    /// <summary>Offers that it should have confirmed by now, in thousandths, since it did confirm one: among equals who confirms goes first, however much the others ask.</summary>
    public int Missed { get; set; }

    /// <summary>What its attempts hold.</summary>
    public ResourceSum Held;

    /// <summary>Whether it has nothing here, so that only its habits would be forgotten with it.</summary>
    public bool IsIdle => Attempts == 0 && Offers == 0 && ResultBytes == 0;
}

/// <summary>What each principal has of a worker. Not thread-safe.</summary>
internal sealed class PrincipalBook
{
    /// <summary>
    /// Principals that are told apart: more than any swarm of organisations has, 200 B each. At the limit those that have nothing here are forgotten; if all have something, newcomers
    /// share one account.
    /// </summary>
    public const int PrincipalsMax = 10_000;

    private readonly Dictionary<Principal, PrincipalUse> uses = [];
    private readonly PrincipalUse others = new();

    /// <summary>Of this principal; made on first use. Not to be kept by who does not count in it: an idle one may be forgotten.</summary>
    public PrincipalUse Of(Principal principal)
    {
        if (uses.TryGetValue(principal, out PrincipalUse? use))
            return use;
        if (uses.Count >= PrincipalsMax)
            foreach (Principal idle in uses.Where(u => u.Value.IsIdle).Select(u => u.Key).ToArray())
                uses.Remove(idle);
        if (uses.Count >= PrincipalsMax)
            return others;
        uses.Add(principal, use = new PrincipalUse());
        return use;
    }

    /// <summary>All that have been met, in order.</summary>
    public IEnumerable<KeyValuePair<Principal, PrincipalUse>> All => uses.OrderBy(u => u.Key);
}
