namespace Drap.Cli.Commands;

/// <summary>Finds the word that was probably meant.</summary>
internal static class DidYouMean
{
    /// <summary>The nearest of <paramref name="words"/>, if no more than a third of the word would have to change; else null.</summary>
    public static string? Find(string typed, IEnumerable<string> words) => words
        .Select(w => (Word: w, Distance: w.StartsWith(typed, StringComparison.Ordinal) ? 0 : Distance(typed, w)))
        .Where(w => w.Distance <= Math.Max(1, w.Word.TrimStart('-').Length / 3))
        .OrderBy(w => w.Distance).ThenBy(w => w.Word, StringComparer.Ordinal)
        .Select(w => w.Word)
        .FirstOrDefault();

    /// <summary>Letters to insert, remove, replace or swap with the next one.</summary>
    private static int Distance(string a, string b)
    {
        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            cost[i, 0] = i;
        for (int j = 0; j <= b.Length; j++)
            cost[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int change = a[i - 1] == b[j - 1] ? 0 : 1;
                cost[i, j] = Math.Min(Math.Min(cost[i - 1, j] + 1, cost[i, j - 1] + 1), cost[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        }
        return cost[a.Length, b.Length];
    }
}
