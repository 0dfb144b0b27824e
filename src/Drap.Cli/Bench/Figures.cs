using System.Text.Json.Serialization;
using Drap.Cli.Bench.Recovery;

namespace Drap.Cli.Bench;

/// <summary>Percentiles, in milliseconds.</summary>
internal sealed record Percentiles(double P50, double P95, double P99)
{
    public static Percentiles Of(IEnumerable<double> milliseconds)
    {
        double[] sorted = [.. milliseconds.Order()];
        return new Percentiles(At(0.50), At(0.95), At(0.99));

        double At(double share) => Math.Round(sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * share))], 3);
    }
}

/// <summary>What <c>drap bench placement</c> measured.</summary>
internal sealed record PlacementFigures
{
    public int Version { get; init; } = 1;

    public required int Tasks { get; init; }

    /// <summary>From posix_spawn to the program's own time stamp.</summary>
    public required Percentiles FloorStartMs { get; init; }

    /// <summary>From the client's submit to the program's own time stamp.</summary>
    public required Percentiles StartMs { get; init; }

    /// <summary>From the client's submit to when it knows the result.</summary>
    public required Percentiles ResultMs { get; init; }

    /// <summary>One append and fdatasync of the size of a submit, on the journal's disk.</summary>
    public required Percentiles FdatasyncMs { get; init; }

    /// <summary>One call over the API's socket that does nothing.</summary>
    public required Percentiles CallMs { get; init; }

    /// <summary>The median start, taken apart: journal (one group commit), call (the API's socket), spawn (the floor), and what is left: messages and decisions.</summary>
    public required Breakdown StartBreakdownMs { get; init; }

    /// <summary>The median start over the floor's median plus the disk's: the bound is 3.</summary>
    public required double StartOverFloor { get; init; }
}

/// <summary>Where the median start goes, in milliseconds.</summary>
internal sealed record Breakdown(double Journal, double Call, double Spawn, double MessagesAndDecisions);

/// <summary>What <c>drap bench throughput</c> measured.</summary>
internal sealed record ThroughputFigures
{
    public int Version { get; init; } = 1;

    public required IReadOnlyList<ThroughputRow> Rows { get; init; }

    /// <summary>Resident memory of this process, a node that has answered its client once and has had no job yet.</summary>
    public required long IdleBytes { get; init; }

    /// <summary>What the heap holds more, collected, after the last job than after a warm-up, for each task that ended between.</summary>
    public required long BytesPerFinishedTask { get; init; }
}

/// <summary>One size of job.</summary>
internal sealed record ThroughputRow(string Kind, int Tasks, double TasksPerS, double FloorPerS);

/// <summary>What <c>drap bench sandbox</c> measured.</summary>
internal sealed record SandboxFigures
{
    public int Version { get; init; } = 1;

    /// <summary>Plain processes beside bare spawns, and sandboxed ones beside bare spawns of bubblewrap.</summary>
    public required IReadOnlyList<ThroughputRow> Rows { get; init; }

    /// <summary>Sandboxed tasks a second over bubblewrap's own rate.</summary>
    public required double SandboxOverFloor { get; init; }
}

/// <summary>What <c>drap bench packing</c> measured.</summary>
internal sealed record PackingFigures
{
    public int Version { get; init; } = 1;

    public required IReadOnlyList<PackingRow> Rows { get; init; }
}

/// <summary>One strategy on all problems of a family.</summary>
/// <param name="Family">What the problems are like.</param>
/// <param name="Bound">What its choices are compared with: the exhaustive <c>optimum</c>, or the <c>linear</c> program's, which divides tasks.</param>
/// <param name="Groups">Task groups of a problem; the mean where they differ.</param>
/// <param name="Dimensions">Its dimensions; the mean where they differ.</param>
/// <param name="Instances">How many problems.</param>
/// <param name="Strategy">The strategy.</param>
/// <param name="Fit">Tasks that it took of a problem, in the mean.</param>
/// <param name="MeanPercent">Its worth as a share of the bound, in the mean.</param>
/// <param name="LeastPercent">The same where it did worst.</param>
/// <param name="Exact">Problems in which it reached the bound.</param>
/// <param name="MsMean">Milliseconds for one problem, in the mean.</param>
/// <param name="MsMost">The longest.</param>
internal sealed record PackingRow(
    string Family, string Bound, double Groups, double Dimensions, int Instances, string Strategy, double Fit, double MeanPercent, double LeastPercent, int Exact,
    double MsMean, double MsMost);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(PlacementFigures))]
[JsonSerializable(typeof(ThroughputFigures))]
[JsonSerializable(typeof(SandboxFigures))]
[JsonSerializable(typeof(PackingFigures))]
[JsonSerializable(typeof(RecoveryFigures))]
internal sealed partial class FiguresJson : JsonSerializerContext;
