using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using Drap.Api.Json;
using Xunit;

namespace Drap.Tests.Cli;

/// <summary>What <c>drap dev -o json</c> writes has a committed schema (docs/protocol/schemas/swarm.schema.json).</summary>
public sealed class SwarmDocumentTests
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public void The_committed_schema_is_that_of_the_document()
    {
        JsonNode made = ApiJson.Line.SwarmDocument.GetJsonSchemaAsNode(new JsonSchemaExporterOptions
        {
            TreatNullObliviousAsNonNullable = true,
            // A peer id is written by a converter of ours, of which the exporter knows nothing: it is its usual text.
            TransformSchemaNode = (context, schema) => context.TypeInfo.Type == typeof(PeerId) ? new JsonObject { ["type"] = "string" } : schema,
        });
        var schema = new JsonObject { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["title"] = "swarm" };
        foreach ((string name, JsonNode? value) in made.AsObject())
            schema[name] = value?.DeepClone();
        string file = Repository.Path("docs", "protocol", "schemas", "swarm.schema.json"), text = schema.ToJsonString(Indented) + "\n";
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") is { Length: > 0 })
            File.WriteAllText(file, text);
        Assert.Equal(File.ReadAllText(file), text);
    }
}
