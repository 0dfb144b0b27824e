using System.Text;
using System.Text.Json.Nodes;
using Drap.Core;
using Drap.Node.Config;
using Drap.Node.Home;
using Drap.Node.Hosting.Workers;
using Drap.Node.Tests.Storage;
using Xunit;

namespace Drap.Node.Tests.Config;

/// <summary>One list makes the file, its schema, the flags, the variables and the guide's table: here it is held to all of them.</summary>
public sealed class NodeSettingTests
{
    private static readonly MachineResources machine = new() { MilliCpus = 4000, MemoryBytes = 8L << 30, DiskBytes = 100L << 30, Gpus = [new GpuDevice(0, "A", 1), new GpuDevice(1, "B", 1)] };

    public static TheoryData<string> Paths => [.. NodeSetting.All.Select(s => s.Path)];

    [Fact]
    public void Flags_and_variables_are_of_one_setting_each()
    {
        string[] flags = [.. NodeSetting.All.SelectMany(s => (string?[])[s.Flag, s.NegatedFlag, s.About.Alias is { Length: > 0 } alias ? alias : null]).OfType<string>()];
        Assert.Equal(flags.Length, flags.Distinct().Count());
        Assert.Equal(NodeSetting.All.Length, NodeSetting.All.Select(s => s.Variable).Distinct().Count());
        Assert.Equal(("--prices-core", "DRAP_PRICES_CORE"), (NodeSetting.Of("prices.core").Flag, NodeSetting.Of("prices.core").Variable));
        Assert.Equal("--no-mdns", NodeSetting.Of("mdns").NegatedFlag);
    }

    [Theory, MemberData(nameof(Paths))]
    public void The_example_is_a_value_and_the_same_as_a_flag(string path)
    {
        using var folder = new TempFolder();
        NodeSetting setting = NodeSetting.Of(path);
        string file = Path.Combine(folder.Path, "node.yaml"), example = setting.About.Example;
        Assert.NotEmpty(setting.About.Words);
        Assert.NotEmpty(setting.About.Usual);
        Assert.False(setting.About.Words.EndsWith('.'));
        string[] names = path.Split('.');
        File.WriteAllText(file, names.Length == 1 ? $"{path}: {example}" : $"{names[0]}:\n  {names[1]}: {example}");
        NodeConfig said = NodeConfig.Read(new ConfigSources { File = file, Now = default });
        Assert.Empty(said.Problems);
        Assert.True(said.IsSaid(path));
        string typed = setting.Kind switch
        {
            SettingKind.List => example.Trim('[', ']').Replace(" ", "", StringComparison.Ordinal),
            SettingKind.Map => example.Trim('{', '}', ' ').Replace(": ", "=", StringComparison.Ordinal),
            _ => example,
        };
        NodeConfig flag = NodeConfig.Read(new ConfigSources { File = Path.Combine(folder.Path, "none"), Flags = [(path, [typed])], Now = default });
        Assert.Equal(said.Spec.ToArgument(), flag.Spec.ToArgument());
        Assert.NotEqual(new NodeSpec().ToArgument(), said.Spec.ToArgument());
    }

    /// <summary>A file that says the defaults in all words says nothing new.</summary>
    [Fact]
    public void The_defaults_in_words_are_those_of_the_types()
    {
        using var folder = new TempFolder();
        string file = Path.Combine(folder.Path, "node.yaml");
        NodeSetting[] plain = [.. NodeSetting.All.Where(s => !s.About.IsDetected && s.Path is not ("name" or "swarm" or "principal" or "roles" or "listen" or "time_limit" or "idle_timeout" or "journal" or "factor" or "quota.tasks" or "quota.bytes" or "credit.cap"))];
        File.WriteAllText(file, string.Join('\n', plain.GroupBy(s => s.Section?.Name ?? s.Path).Select(g => g.First().Section is null
            ? $"{g.Key}: {g.First().About.Usual}" : $"{g.Key}: {{{string.Join(", ", g.Select(s => $"{s.Path.Split('.')[1]}: {s.About.Usual}"))}}}")));
        NodeConfig config = NodeConfig.Read(new ConfigSources { File = file, Now = default });
        Assert.Empty(config.Problems);
        Assert.Equal(new NodeSpec().ToArgument(), config.Spec.ToArgument());
    }

    [Fact]
    public void The_file_of_a_new_home_says_nothing_and_names_its_schema_and_all_its_lines_can_be_said()
    {
        using var folder = new TempFolder();
        HomeFolder home = HomeFolder.At(Path.Combine(folder.Path, "home"));
        Assert.True(NodeConfigFile.Make(home, machine.WordsOf));
        string file = ConfigSources.FileOf(home), text = File.ReadAllText(file);
        Assert.StartsWith("# yaml-language-server: $schema=node.schema.json\n", text, StringComparison.Ordinal);
        Assert.Equal(NodeConfigFile.Schema(), File.ReadAllText(Path.Combine(home.Path, "node.schema.json")));
        NodeConfig nothing = NodeConfig.Read(new ConfigSources { File = file, Now = default });
        Assert.Empty(nothing.Problems);
        Assert.Equal(new NodeSpec().ToArgument(), nothing.Spec.ToArgument());
        // All but the explanation at its head; and a gateway runs no tasks.
        string[] settings = [.. text.Split('\n').SkipWhile(l => l.Length > 0).Where(l => l.Length > 0 && !l.StartsWith("# gateway:", StringComparison.Ordinal)).Select(l => l[2..])];
        File.WriteAllText(file, string.Join('\n', settings));
        NodeConfig all = NodeConfig.Read(new ConfigSources { File = file, Now = default });
        Assert.Empty(all.Problems);
        Assert.Equal(NodeSetting.All.Length - 1, NodeSetting.All.Count(s => all.IsSaid(s.Path)));
    }

    [Fact]
    public void A_file_that_is_there_is_never_written_again()
    {
        using var folder = new TempFolder();
        HomeFolder home = HomeFolder.At(Path.Combine(folder.Path, "home"));
        home.Create();
        File.WriteAllText(ConfigSources.FileOf(home), "region: eu\n");
        Assert.False(NodeConfigFile.Make(home, machine.WordsOf));
        Assert.Equal("region: eu\n", File.ReadAllText(ConfigSources.FileOf(home)));
    }

    /// <summary>Set DRAP_RECORD=1 to write the file anew.</summary>
    [Fact]
    public void The_schema_is_that_of_the_types()
    {
        Same(Repository.Path("docs", "protocol", "schemas", "node.schema.json"), NodeConfigFile.Schema());
        JsonNode schema = JsonNode.Parse(NodeConfigFile.Schema())!["$defs"]!["node"]!;
        Assert.Equal("What people call this node; counts when it joins. Default: the machine's name.", schema["properties"]!["name"]!["description"]!.GetValue<string>());
        Assert.Equal(NodeSetting.All.Select(s => s.Path.Split('.')[0]).Distinct().Order(), schema["properties"]!.AsObject().Select(p => p.Key).Order());
    }

    /// <summary>Set DRAP_RECORD=1 to write the table anew.</summary>
    [Fact]
    public void The_guides_table_is_that_of_the_types()
    {
        string file = Repository.Path("docs", "config.md"), guide = File.ReadAllText(file);
        var table = new StringBuilder("| field | flag | variable | what it says | default |\n|---|---|---|---|---|\n");
        foreach (NodeSetting setting in NodeSetting.All)
        {
            string flag = setting.NegatedFlag is { } negated ? $"`{setting.Flag}`, `{negated}`" : $"`{setting.Flag}{(setting.Kind == SettingKind.Switch ? "" : " " + setting.About.Value)}`";
            table.Append(System.Globalization.CultureInfo.InvariantCulture, $"| `{setting.Path}` | {flag.Replace("|", "\\|", StringComparison.Ordinal)} | `{setting.Variable}` | {setting.About.Words}, as `{setting.About.Example}` | {setting.About.Usual.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        }
        const string begin = "<!-- the table is made by a test -->\n", end = "<!-- end of the table -->\n";
        int from = guide.IndexOf(begin, StringComparison.Ordinal) + begin.Length, to = guide.IndexOf(end, StringComparison.Ordinal);
        Same(file, string.Concat(guide.AsSpan(0, from), table.ToString(), guide.AsSpan(to)));
    }

    private static void Same(string file, string text)
    {
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") == "1")
            File.WriteAllText(file, text);
        Assert.True(File.ReadAllText(file) == text, $"{file} is not what the types say: if the change is meant, run the test with DRAP_RECORD=1 and commit the file");
    }
}
