using System.Collections.Immutable;
using System.Reflection;
using System.Text.Json.Serialization.Metadata;
using Drap.Core.Jobs;

namespace Drap.Node.Config;

/// <summary>How a setting's value is written.</summary>
public enum SettingKind
{
    /// <summary>A value.</summary>
    Value,

    /// <summary><c>true</c> or <c>false</c>; a flag without a value is <c>true</c>.</summary>
    Switch,

    /// <summary>Values; as one text with commas between, <c>none</c> for none of them.</summary>
    List,

    /// <summary>Named values; as one text <c>NAME=VALUE</c> with commas between.</summary>
    Map,
}

/// <summary>One setting of a node: a field of its file, a flag of <c>drap up</c> and a variable.</summary>
/// <param name="Path">The field, as <c>prices.core</c>.</param>
/// <param name="Kind">How its value is written.</param>
/// <param name="About">What it is for.</param>
/// <param name="Section">The field that it stands in, and what that is for; null for one that stands by itself.</param>
public sealed record NodeSetting(string Path, SettingKind Kind, SettingAttribute About, (string Name, string Words)? Section)
{
    /// <summary>The word that says that a list is empty.</summary>
    public const string NoneWord = "none";

    /// <summary>All of them, in the order in which they are shown.</summary>
    public static ImmutableArray<NodeSetting> All { get; } = [.. Order(Walk(typeof(NodeSpec), "", null))];

    /// <summary>Its flag.</summary>
    public string Flag => "--" + Path.Replace('.', '-').Replace('_', '-');

    /// <summary>The flag that says <c>false</c>, for a switch that is on where nothing is said; null for others.</summary>
    public string? NegatedFlag => Kind == SettingKind.Switch && About.Usual == "true" ? "--no-" + Flag[2..] : null;

    /// <summary>Its variable.</summary>
    public string Variable => "DRAP_" + Path.Replace('.', '_').ToUpperInvariant();

    /// <summary>Finds one.</summary>
    public static NodeSetting Of(string path) => All.First(s => s.Path == path);

    /// <summary>A text of a flag or a variable as the file would have it.</summary>
    internal JobNode ToNode(IEnumerable<string> texts, int line)
    {
        string[] parts = [.. texts.SelectMany(t => Kind is SettingKind.List or SettingKind.Map ? t.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [t])];
        return Kind switch
        {
            SettingKind.List => new JobNode(JobNodeKind.Sequence, line, 1) { Items = parts is [NoneWord] ? [] : [.. parts.Select(p => Scalar(p, line))] },
            SettingKind.Map when parts.Distinct().Any(p => !p.Contains('=', StringComparison.Ordinal)) && parts is not [NoneWord] => Scalar(string.Join(',', parts), line),
            SettingKind.Map => new JobNode(JobNodeKind.Mapping, line, 1)
            {
                Fields = parts is [NoneWord] ? [] : [.. parts.Select(p => p.Split('=', 2)).DistinctBy(p => p[0]).Select(p => new JobField(p[0].Trim(), Scalar(p[0], line), Scalar(p[1].Trim(), line)))],
            },
            SettingKind.Switch => Scalar(parts[^1] switch { "1" => "true", "0" => "false", var other => other }, line),
            _ => Scalar(parts[^1], line),
        };
    }

    private static JobNode Scalar(string text, int line) => new(JobNodeKind.Scalar, line, 1) { Text = text, IsQuoted = true };

    private static IEnumerable<NodeSetting> Walk(Type type, string prefix, (string, string)? section)
    {
        foreach (JsonPropertyInfo property in JobJson.Options.GetTypeInfo(type).Properties)
        {
            if (((PropertyInfo)property.AttributeProvider!).GetCustomAttribute<SettingAttribute>() is not { } about)
                continue;
            Type of = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            string path = prefix + property.Name;
            if (of.IsClass && of != typeof(string) && !of.IsGenericType)
                foreach (NodeSetting inner in Walk(of, path + ".", (path, about.Words)))
                    yield return inner;
            else
                yield return new NodeSetting(path, KindOf(of), about, section);
        }
    }

    private static SettingKind KindOf(Type type) => type == typeof(bool) ? SettingKind.Switch
        : !type.IsGenericType ? SettingKind.Value
        : type.GetGenericTypeDefinition() == typeof(ImmutableArray<>) ? SettingKind.List : SettingKind.Map;

    /// <summary>Who it is and what it does, what it has, what it asks, whom it lets in, where it is reached, when it goes.</summary>
    private static IOrderedEnumerable<NodeSetting> Order(IEnumerable<NodeSetting> all)
    {
        string[] order =
        [
            "name", "swarm", "principal", "roles", "gateway", "region", "zone", "labels", "workers", "cpu", "memory", "disk", "network", "gpus", "named",
            "prices", "factor", "hourly", "allow", "quota", "credit", "sandbox", "listen", "announce", "mdns", "hidden", "time_limit", "idle_timeout", "journal", "keep_results_for", "keep_results_up_to", "blob_rate",
        ];
        // A stable sort: within a section the types' own order holds.
        return all.OrderBy(s => Array.IndexOf(order, s.Path.Split('.')[0]) is var at and >= 0 ? at : int.MaxValue);
    }
}
