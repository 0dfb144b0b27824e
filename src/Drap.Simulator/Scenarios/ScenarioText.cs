using System.Collections;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Drap.Core.Jobs;

namespace Drap.Simulator.Scenarios;

/// <summary>Writes a scenario as a file that reads as the same scenario; what is as usual is left out.</summary>
public static class ScenarioText
{
    private static readonly JsonSerializerOptions options = new(JobJson.Options)
    {
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { LeaveOutDefaults } },
        WriteIndented = false,
    };

    /// <summary>The scenario as YAML.</summary>
    /// <param name="scenario">It.</param>
    /// <param name="remarks">Lines that go before it.</param>
    public static string Write(ScenarioSpec scenario, params ReadOnlySpan<string> remarks)
    {
        var text = new StringBuilder();
        foreach (string remark in remarks)
            foreach (string line in remark.Split('\n'))
                text.Append("# ").Append(line.TrimEnd()).Append('\n');
        Append(text, (JsonObject)JsonSerializer.SerializeToNode(scenario, options)!, 0, startsHere: false);
        return text.ToString();
    }

    private static void Append(StringBuilder text, JsonObject map, int indent, bool startsHere)
    {
        foreach ((string name, JsonNode? value) in map)
        {
            if (!startsHere)
                text.Append(' ', indent);
            startsHere = false;
            text.Append(name).Append(':');
            switch (value)
            {
                case JsonObject { Count: > 0 } inner:
                    text.Append('\n');
                    Append(text, inner, indent + 2, startsHere: false);
                    break;
                case JsonArray { Count: > 0 } list when list[0] is JsonObject:
                    text.Append('\n');
                    foreach (JsonNode? item in list)
                    {
                        text.Append(' ', indent + 2).Append("- ");
                        if (item is JsonObject { Count: > 0 } entry)
                            Append(text, entry, indent + 4, startsHere: true);
                        else
                            text.Append("{}\n");
                    }
                    break;
                default:
                    // JSON is YAML.
                    text.Append(' ').Append(value?.ToJsonString(options) ?? "null").Append('\n');
                    break;
            }
        }
    }

    private static void LeaveOutDefaults(JsonTypeInfo type)
    {
        if (type.Kind != JsonTypeInfoKind.Object || type.Type.Namespace?.StartsWith("Drap.", StringComparison.Ordinal) != true || type.Type.GetConstructor([]) is not { } make)
            return;
        object defaults = make.Invoke([]);
        foreach (JsonPropertyInfo property in type.Properties)
        {
            object? usual = property.Get?.Invoke(defaults);
            property.ShouldSerialize = (_, value) => value is not null && !Equals(value, usual) && value is not ICollection { Count: 0 };
        }
    }
}
