using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using Drap.Api;
using Drap.Api.Json;
using Drap.Core;
using Drap.Core.Jobs;

namespace Drap.Node.Api;

/// <summary>The OpenAPI 3.1 document, made from <see cref="ApiRoutes"/> and the contracts' own types when it is first asked for.</summary>
public static class OpenApi
{
    private static readonly JsonSerializerOptions writing = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The document; committed as <c>docs/protocol/openapi.json</c>.</summary>
    public static string Text => field ??= Build().ToJsonString(writing) + "\n";

    private static JsonObject Build()
    {
        var schemas = new SortedDictionary<string, JsonNode>(StringComparer.Ordinal);
        var paths = new JsonObject();
        foreach (ApiRoute route in ApiRoutes.All.OrderBy(r => r.Path, StringComparer.Ordinal))
        {
            if (paths[route.Path] is not JsonObject path)
                paths[route.Path] = path = [];
            path[route.Method.ToLowerInvariant()] = Operation(route, schemas);
        }
        Reference(ApiJson.Default.ErrorDocument, schemas);
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "drap, the local API",
                ["version"] = Document.CurrentVersion.ToString(System.Globalization.CultureInfo.InvariantCulture),
                ["description"] = "HTTP/1.1 on the Unix socket of a DRAP_HOME. {job} is an id, a unique prefix of one, a job's number, or `last`.",
            },
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = new JsonObject(schemas.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)s.Value))) },
        };
    }

    private static JsonObject Operation(ApiRoute route, SortedDictionary<string, JsonNode> schemas)
    {
        var operation = new JsonObject { ["summary"] = route.Summary };
        var parameters = new JsonArray();
        foreach (string name in route.Segments.Where(s => s[0] == '{'))
            parameters.Add(Parameter(name.Trim('{', '}'), "path", "string", null));
        foreach (ApiQuery query in route.Queries)
            parameters.Add(Parameter(query.Name, "query", query.Type, query.Summary));
        if (parameters.Count > 0)
            operation["parameters"] = parameters;
        if (route.Body is not null || route.BodyType is not null)
            operation["requestBody"] = new JsonObject { ["required"] = true, ["content"] = Content(route.Body, route.BodyType, schemas) };
        var done = new JsonObject { ["description"] = "done" };
        bool replies = route.Reply is not null || route.ReplyType is not null;
        if (replies)
            done["content"] = Content(route.Reply, route.ReplyType, schemas);
        operation["responses"] = new JsonObject
        {
            [replies ? "2XX" : "204"] = done,
            ["default"] = new JsonObject
            {
                ["description"] = "not done; says why",
                ["content"] = Content(ApiJson.Default.ErrorDocument, null, schemas),
            },
        };
        return operation;
    }

    private static JsonObject Parameter(string name, string place, string type, string? summary)
    {
        var parameter = new JsonObject { ["name"] = name, ["in"] = place, ["required"] = place == "path", ["schema"] = new JsonObject { ["type"] = type } };
        if (summary is not null)
            parameter["description"] = summary;
        return parameter;
    }

    private static JsonObject Content(JsonTypeInfo? type, string? media, SortedDictionary<string, JsonNode> schemas) => new()
    {
        [media ?? "application/json"] = type is null ? new JsonObject() : new JsonObject { ["schema"] = Reference(type, schemas) },
    };

    private static JsonObject Reference(JsonTypeInfo type, SortedDictionary<string, JsonNode> schemas)
    {
        string name = type.Type.Name;
        if (!schemas.ContainsKey(name))
            schemas[name] = type.GetJsonSchemaAsNode(new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Describe });
        return new JsonObject { ["$ref"] = $"#/components/schemas/{name}" };
    }

    /// <summary>The exporter cannot see through a converter; what ours write is said here.</summary>
    private static JsonNode Describe(JsonSchemaExporterContext context, JsonNode schema)
    {
        Type type = Nullable.GetUnderlyingType(context.TypeInfo.Type) ?? context.TypeInfo.Type;
        (string, string)? said =
            type == typeof(JobId) ? ("string", "a job id: 32 hex digits")
            : type == typeof(Cid) ? ("string", "a CIDv1 in base32")
            : type == typeof(PeerId) ? ("string", "a peer id in base58; empty for none")
            : type == typeof(UtcTime) ? ("string", "RFC 3339 in UTC")
            : type == typeof(Credits) ? ("number", "credits, at most six decimals")
            : type == typeof(Price) ? ("number", "credits per hour, at most six decimals")
            : type == typeof(TimeSpan) ? ("number", "seconds")
            : type == typeof(JobSpec) ? ("object", "a resolved job; see the job file's schema")
            : type == typeof(ReadOnlyMemory<byte>) ? ("string", "base64")
            : null;
        return said is var (name, words) ? new JsonObject { ["type"] = name, ["description"] = words } : schema;
    }
}
