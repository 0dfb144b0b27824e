using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>What to answer to a field or a word that is not known.</summary>
internal static class FieldWords
{
    private static readonly ImmutableArray<(string Word, string What)> later =
    [
        ("stream", "streaming edges"), ("streams", "streaming edges"), ("elastic", "elastic groups"), ("scale", "elastic groups"),
        ("min_nodes", "elastic groups"), ("max_nodes", "elastic groups"), ("checkpoint", "checkpoints"), ("checkpoints", "checkpoints"),
        ("resume", "checkpoints"), ("image", "the driver container"), ("container", "the driver container"), ("torch", "the driver torch"),
        ("candle", "the driver candle"), ("model", "the drivers torch and candle"),
    ];

    private static readonly ImmutableArray<(string Word, string Field)> otherwise =
    [
        ("after", "needs"), ("depends", "needs"), ("depends_on", "needs"), ("shell", "command"), ("script", "command"), ("run", "command"),
        ("args", "command"), ("environment", "env"), ("foreach", "items"), ("matrix", "items"), ("replicas", "count"), ("cpus", "cpu"),
        ("cores", "cpu"), ("mem", "memory"), ("ram", "memory"), ("gpus", "gpu"), ("steps", "segments"), ("jobs", "segments"), ("tasks", "count"),
        ("stages", "segments"), ("parameters", "params"), ("price", "bid"), ("max_price", "limit"), ("ranks", "nodes"), ("src", "path"),
        ("dst", "to"), ("target", "to"), ("name", "segment"), ("<<", "defaults"), ("on", "labels"), ("not_on", "not_labels"), ("arch", "architecture"),
    ];

    /// <summary>What a word belongs to that a later version will have; null if it is none of these.</summary>
    public static string? Later(string word) => later.FirstOrDefault(l => l.Word == word).What;

    /// <summary>The answer to an unknown name: one that was probably meant, else all that there are.</summary>
    public static string Instead(string found, IEnumerable<string> allowed)
    {
        ImmutableArray<string> names = [.. allowed];
        string? meant = otherwise.Where(o => o.Word == found && names.Contains(o.Field)).Select(o => o.Field).FirstOrDefault()
            ?? names.Select(n => (Name: n, Distance: Distance(found, n)))
                .Where(n => n.Distance <= Math.Max(1, Math.Min(found.Length, n.Name.Length) / 3))
                .OrderBy(n => n.Distance).Select(n => n.Name).FirstOrDefault();
        return meant is null ? string.Join(", ", names) : $"did you mean '{meant}'?";
    }

    /// <summary>Letters to insert, delete, replace or swap with their neighbour.</summary>
    private static int Distance(string a, string b)
    {
        if (a.Length > JobLimits.NameLengthMax)
            return int.MaxValue;
        int[,] d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++)
            d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int replace = d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                d[i, j] = Math.Min(replace, Math.Min(d[i - 1, j], d[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
