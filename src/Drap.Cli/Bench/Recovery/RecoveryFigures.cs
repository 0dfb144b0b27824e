using System.Text.Json.Serialization;

namespace Drap.Cli.Bench.Recovery;

/// <summary>What <c>drap bench recovery</c> measured.</summary>
internal sealed record RecoveryFigures
{
    public int Version { get; init; } = 1;

    public required IReadOnlyList<RecoveryRow> Rows { get; init; }
}

/// <summary>One death.</summary>
internal sealed record RecoveryRow
{
    /// <summary><c>closed</c>: a worker was killed, and its sockets closed; <c>silent</c>: its machine went quiet; <c>restart</c> and <c>restart_process</c>: the scheduler died, and was started again; <c>takeover</c>: it died, and a standby took its place.</summary>
    public required string Mode { get; init; }

    /// <summary>What was done to it.</summary>
    public required string How { get; init; }

    /// <summary>Tasks of the job; of a restart those that its journal held.</summary>
    public required int Tasks { get; init; }

    /// <summary>How many had finished when it died.</summary>
    public required int FinishedBefore { get; init; }

    /// <summary>Tasks that have no whole result at the end.</summary>
    public required int Lost { get; init; }

    /// <summary>Of those that had finished when it died, how many ran again.</summary>
    public required int FinishedRerun { get; init; }

    /// <summary>How often tasks began in all, as they marked it themselves.</summary>
    public required int Executions { get; init; }

    /// <summary>From the death until the client knew of the job's end.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? KillToDoneS { get; init; }

    /// <summary>What had not finished, at 50 ms a task, on the places that were left.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? IdealRemainingS { get; init; }

    /// <summary>From the new scheduler's start until a task that it placed began.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? StartToPlacedS { get; init; }

    /// <summary>From the scheduler's death until a task began that its standby had placed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? KillToPlacedS { get; init; }
}
