using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Drap.Cli.Output;

/// <summary>A JSON document in YAML's block style. Every text that YAML could take for something else is quoted, so any reader gets it back.</summary>
internal static class Yaml
{
    public static string Of(JsonElement document)
    {
        var text = new StringBuilder();
        Write(text, document, 0, afterKey: false);
        return text.ToString();
    }

    private static void Write(StringBuilder text, JsonElement value, int indent, bool afterKey)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object when value.EnumerateObject().Any():
                if (afterKey)
                    text.Append('\n');
                bool first = true;
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    text.Append(' ', first && !afterKey ? 0 : indent).Append(Plain(property.Name)).Append(':');
                    Write(text, property.Value, indent + 2, afterKey: true);
                    first = false;
                }
                break;
            case JsonValueKind.Array when value.GetArrayLength() > 0:
                text.Append(afterKey ? "\n" : "");
                foreach (JsonElement item in value.EnumerateArray())
                {
                    text.Append(' ', indent).Append("- ");
                    Write(text, item, indent + 2, afterKey: false);
                }
                break;
            default:
                text.Append(afterKey ? " " : "").Append(Scalar(value)).Append('\n');
                break;
        }
    }

    private static string Scalar(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "{}",
        JsonValueKind.Array => "[]",
        JsonValueKind.String => Plain(value.GetString()!),
        _ => value.GetRawText(),
    };

    // A JSON string is a YAML one.
    private static string Plain(string text) => IsPlain(text) ? text : JsonValue.Create(text).ToJsonString(quoting);

    private static readonly JsonSerializerOptions quoting = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Letters first, then letters, digits and what means nothing inside a word; and none of YAML 1.1's words.
    private static bool IsPlain(string text) =>
        text.Length is > 0 and < 80 && char.IsAsciiLetter(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/')
        && text.ToLowerInvariant() is not ("true" or "false" or "null" or "yes" or "no" or "on" or "off" or "y" or "n");
}
