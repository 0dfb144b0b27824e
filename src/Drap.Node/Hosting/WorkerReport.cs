using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Drap.Node.Hosting;

/// <summary>The one line that a worker's process writes to its standard output, when it is up, for the process that started it.</summary>
/// <param name="Peer">Its peer id.</param>
/// <param name="Addresses">Where it is reached.</param>
public sealed record WorkerReport(string Peer, ImmutableArray<string> Addresses)
{
    /// <summary>What the process that started it writes to its standard input to end it in order; the input's end ends it at once.</summary>
    public const string StopWord = "stop";

    /// <summary>What it writes there so that the worker takes nothing new.</summary>
    public const string DrainWord = "drain";

    /// <summary>As a line.</summary>
    public string ToLine() => JsonSerializer.Serialize(this, WorkerReportJson.Default.WorkerReport);

    /// <summary>Reads a line; null for one that is something else.</summary>
    public static WorkerReport? TryParse(string? line)
    {
        try
        {
            return line is null ? null : JsonSerializer.Deserialize(line, WorkerReportJson.Default.WorkerReport);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(WorkerReport))]
internal sealed partial class WorkerReportJson : JsonSerializerContext;
