using System.Diagnostics.CodeAnalysis;
using Drap.Core.Jobs;

namespace Drap.Node.Config;

/// <summary>Flags, or variables, as a file would have them; the line of each node is the number of what said it.</summary>
internal sealed class ConfigLayer
{
    private readonly Dictionary<string, JobNode> said = new(StringComparer.Ordinal);

    public JobNode Root { get; private set; } = new(JobNodeKind.Mapping, 1, 1);

    public List<string> Places { get; } = [];

    public static ConfigLayer Of(IEnumerable<(NodeSetting Setting, string Place, IEnumerable<string> Texts)> all)
    {
        var layer = new ConfigLayer();
        foreach ((NodeSetting setting, string place, IEnumerable<string> texts) in all)
        {
            layer.Places.Add(place);
            JobNode node = setting.ToNode(texts, layer.Places.Count);
            layer.said[setting.Path] = node;
            layer.Root = With(layer.Root, setting.Path.Split('.'), node);
        }
        return layer;
    }

    public bool TryGet(NodeSetting setting, [NotNullWhen(true)] out JobNode? node) => said.TryGetValue(setting.Path, out node);

    public static bool TryFind(JobNode root, string path, [NotNullWhen(true)] out JobNode? node)
    {
        node = root;
        foreach (string step in path.Split('.'))
            node = node?[step];
        return node is not null;
    }

    public static JobNode With(JobNode root, ReadOnlySpan<string> steps, JobNode value)
    {
        if (steps.IsEmpty)
            return value;
        string name = steps[0];
        JobNode inner = With(root[name] ?? new JobNode(JobNodeKind.Mapping, value.Line, value.Column), steps[1..], value);
        var field = new JobField(name, new JobNode(JobNodeKind.Scalar, value.Line, value.Column) { Text = name }, inner);
        return root with { Fields = [.. root.Fields.Where(f => f.Name != name), field] };
    }
}
