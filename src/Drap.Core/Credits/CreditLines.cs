using System.Collections.Immutable;

namespace Drap.Core;

/// <summary>The credit lines that one owner has given: each principal has one, made on first use. Not thread-safe.</summary>
/// <param name="terms">For principals without terms of their own.</param>
public sealed class CreditLines(CreditTerms terms)
{
    /// <summary>Principals with a line: more than any swarm of organisations has. At the limit a newcomer has none and gets idle resources only.</summary>
    public const int LinesMax = 10_000;

    private readonly Dictionary<Principal, CreditLine> lines = [];
    private ImmutableSortedDictionary<Principal, CreditTerms> own = ImmutableSortedDictionary<Principal, CreditTerms>.Empty;

    /// <summary>The owner's terms from now on: for all, and for some of their own. Lines keep their balance, cut to the new cap with their next use.</summary>
    public void Change(CreditTerms usual, ImmutableSortedDictionary<Principal, CreditTerms> special) => (terms, own) = (usual, special);

    /// <summary>The line of <paramref name="principal"/>, refilled up to <paramref name="now"/>; null when there are too many.</summary>
    public CreditLine? Of(Principal principal, UtcTime now)
    {
        CreditTerms its = own.GetValueOrDefault(principal, terms);
        if (lines.TryGetValue(principal, out CreditLine? line))
        {
            if (line.Terms != its)
                line.Change(its, now);
            else
                line.Refill(now);
            return line;
        }
        if (lines.Count >= LinesMax)
            return null;
        line = new CreditLine(its, now);
        lines.Add(principal, line);
        return line;
    }

    /// <summary>The line as it was left, not refilled; null if there is none. For what needs no time: a clock that is behind would fill it twice.</summary>
    public CreditLine? Find(Principal principal) => lines.GetValueOrDefault(principal);

    /// <summary>All lines, by principal.</summary>
    public ImmutableArray<KeyValuePair<Principal, CreditLine>> All => [.. lines.OrderBy(entry => entry.Key)];
}
