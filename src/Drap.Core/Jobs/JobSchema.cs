using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Drap.Core.Jobs;

/// <summary>
/// The JSON Schema of job files, made from the same contracts that <see cref="JobFile"/> reads by, so that editors complete and check
/// what drap takes. It says the form; what <see cref="JobRules"/> adds, only drap says.
/// </summary>
public static class JobSchema
{
    private const string expression = @"\$\{\{";

    /// <summary>The schema, indented, with a newline at its end.</summary>
    /// <param name="describe">The description of a member of a type, or of the type itself where the member is null; null for none.</param>
    public static string Write(Func<Type, string?, string?> describe) => Write<JobSpec>("drap job", describe, hasExpressions: true);

    /// <summary>The schema of another file that is read as job files are.</summary>
    internal static string Write<T>(string title, Func<Type, string?, string?> describe, bool hasExpressions)
    {
        var definitions = new JsonObject();
        var walker = new Walker(describe, definitions, hasExpressions);
        string root = (string)walker.Define(typeof(T))["$ref"]!;
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = title,
            ["$ref"] = root,
            ["$defs"] = new JsonObject(definitions.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => KeyValuePair.Create(d.Key, d.Value?.DeepClone()))),
        };
        var options = new JsonSerializerOptions(JobJson.Options) { WriteIndented = true };
        return schema.ToJsonString(options) + "\n";
    }

    private sealed class Walker(Func<Type, string?, string?> describe, JsonObject definitions, bool hasExpressions)
    {
        // A segment needs its name too, but in defaults it has none.
        private static readonly ImmutableArray<(Type Type, string Field)> required =
        [
            (typeof(JobSpec), "segments"), (typeof(NeedSpec), "segment"), (typeof(FilesSpec), "glob"),
        ];

        public JsonObject Define(Type type)
        {
            string name = JsonNamingPolicy.SnakeCaseLower.ConvertName(type.Name.EndsWith("Spec", StringComparison.Ordinal) ? type.Name[..^4] : type.Name);
            if (!definitions.ContainsKey(name))
            {
                definitions[name] = null;
                definitions[name] = Object(type);
            }
            return new JsonObject { ["$ref"] = "#/$defs/" + name };
        }

        private JsonObject Object(Type type)
        {
            var properties = new JsonObject();
            foreach (JsonPropertyInfo property in JobJson.Options.GetTypeInfo(type).Properties)
            {
                var member = (System.Reflection.PropertyInfo)property.AttributeProvider!;
                JsonObject schema = Value(property.PropertyType);
                if (describe(type, member.Name) is { } words)
                    schema["description"] = words;
                properties[property.Name] = schema;
            }
            var named = new JsonObject { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };
            JsonNode[] needed = [.. required.Where(r => r.Type == type).Select(r => JsonValue.Create(r.Field))];
            if (needed.Length > 0)
                named["required"] = new JsonArray(needed);
            JsonObject result = type.GetCustomAttributes(typeof(ScalarFormAttribute), false).Length == 0
                ? named
                : new JsonObject { ["anyOf"] = new JsonArray(named, Types("string", "number", "boolean")) };
            if (describe(type, null) is { } what)
                result["description"] = what;
            return result;
        }

        private JsonObject Value(Type type)
        {
            type = Nullable.GetUnderlyingType(type) ?? type;
            if (type == typeof(string))
                return Types("string", "number", "boolean");
            if (type == typeof(CommandSpec))
                return Any(ListOf(Types("string", "number", "boolean")), Types("string"));
            if (type == typeof(ItemSpec))
                return Any(Types("string", "number", "boolean"), MapOf(Types("string", "number", "boolean")));
            if (type == typeof(bool))
                return OrExpression(Types("boolean"));
            if (type == typeof(int) || type == typeof(long))
                return OrExpression(Types("integer"));
            if (type.IsEnum)
                return OrExpression(new JsonObject { ["enum"] = new JsonArray([.. Words(type).Select(w => JsonValue.Create(w))]) });
            if (type.IsGenericType)
                return type.GetGenericTypeDefinition() == typeof(ImmutableArray<>)
                    ? ListOf(Value(type.GenericTypeArguments[0]))
                    : MapOf(Value(type.GenericTypeArguments[1]));
            return JobJson.Options.GetConverter(type) is ITextForm ? Types("string", "number") : Define(type);
        }

        private static IEnumerable<string> Words(Type type) => Enum.GetNames(type).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName);

        private static JsonObject Types(params string[] types) =>
            new() { ["type"] = types.Length == 1 ? types[0] : new JsonArray([.. types.Select(t => JsonValue.Create(t))]) };

        private JsonObject OrExpression(JsonObject of) => hasExpressions ? Any(of, Expression()) : of;

        private static JsonObject Expression() => new() { ["type"] = "string", ["pattern"] = expression };

        private static JsonObject Any(params JsonNode[] of) => new() { ["anyOf"] = new JsonArray(of) };

        private static JsonObject ListOf(JsonNode item) => new() { ["type"] = "array", ["items"] = item };

        private static JsonObject MapOf(JsonNode value) => new() { ["type"] = "object", ["additionalProperties"] = value };
    }
}
