using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Which results of a task count: the first valid one, or one that so many of so many runs agree on.</summary>
/// <param name="Agree">Results that must be the same.</param>
/// <param name="Of">Attempts that run for it.</param>
public readonly record struct AcceptRule(int Agree, int Of)
{
    /// <summary>What a message says that a rule looks like.</summary>
    public const string Form = "first, or 2 of 3";

    /// <summary>The first valid result.</summary>
    public static readonly AcceptRule First = new(1, 1);

    /// <summary>Reads <c>first</c> or <c>K of N</c> with 1 ≤ K ≤ N ≤ <see cref="JobLimits.AcceptOfMax"/>; <c>1 of 3</c> is a race.</summary>
    public static bool TryParse(string? text, out AcceptRule rule)
    {
        rule = First;
        if (text is "first")
            return true;
        string[] words = text?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        if (words is not [string k, "of", string n]
            || !int.TryParse(k, NumberStyles.None, CultureInfo.InvariantCulture, out int agree)
            || !int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out int of)
            || agree < 1 || agree > of || of > JobLimits.AcceptOfMax)
            return false;
        rule = new AcceptRule(agree, of);
        return true;
    }

    /// <summary><c>first</c>, or <c>2 of 3</c>.</summary>
    public override string ToString() => this == First ? "first" : string.Create(CultureInfo.InvariantCulture, $"{Agree} of {Of}");
}
