using System.Collections.Immutable;

namespace Drap.Core;

/// <summary>The credit lines that one owner has given: each principal has one, made on first use. Not thread-safe.</summary>
/// <param name="terms">For principals without terms of their own.</param>
public sealed class CreditLines(CreditTerms terms)
{
    /// <summary>Principals with a line: more than any swarm of organisations has. At the limit a newcomer has none and gets idle resources only.</summary>
    public const int LinesMax = 10_000;

    private readonly Dictionary<Principal, CreditLine> lines = [];
    private readonly Dictionary<Principal, CreditTerms> own = [];

    /// <summary>Gives one principal terms of its own, now and later.</summary>
    public void SetTerms(Principal principal, CreditTerms special, UtcTime now)
    {
        Invariant.Check(own.Count < LinesMax || own.ContainsKey(principal));
        own[principal] = special;
        if (lines.TryGetValue(principal, out CreditLine? line))
            line.Change(special, now);
    }

    /// <summary>The line of <paramref name="principal"/>, refilled up to <paramref name="now"/>; null when there are too many.</summary>
    public CreditLine? Of(Principal principal, UtcTime now)
    {
        if (lines.TryGetValue(principal, out CreditLine? line))
        {
            line.Refill(now);
            return line;
        }
        if (lines.Count >= LinesMax)
            return null;
        line = new CreditLine(own.GetValueOrDefault(principal, terms), now);
        lines.Add(principal, line);
        return line;
    }

    /// <summary>All lines, by principal.</summary>
    public ImmutableArray<KeyValuePair<Principal, CreditLine>> All => [.. lines.OrderBy(entry => entry.Key)];
}
