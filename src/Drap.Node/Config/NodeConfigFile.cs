using System.Text;
using Drap.Core.Jobs;
using Drap.Node.Home;

namespace Drap.Node.Config;

/// <summary>
/// The commented file of a home: written once, with every setting in a comment, never written again. Beside it lies the schema by which editors complete and check
/// it; that is this version's and replaced when it differs.
/// </summary>
public static class NodeConfigFile
{
    /// <summary>The schema's name in a home.</summary>
    public const string SchemaName = "node.schema.json";

    /// <summary>Settings before which a reader takes breath.</summary>
    private static readonly string[] opensGroup = ["name", "region", "workers", "prices", "allow", "listen", "time_limit"];

    /// <summary>Column at which the words begin; longer values push them on.</summary>
    private const int WordsColumn = 34;

    /// <summary>Writes file and schema where they are not there.</summary>
    /// <param name="home">The home.</param>
    /// <param name="measured">What was measured of a setting, by its path, to be shown where that counts.</param>
    /// <returns>Whether the file was made.</returns>
    public static bool Make(HomeFolder home, Func<string, string> measured)
    {
        home.Create();
        string schema = Path.Combine(home.Path, SchemaName), text = Schema();
        if (!File.Exists(schema) || File.ReadAllText(schema) != text)
            File.WriteAllText(schema, text);
        try
        {
            using var file = new FileStream(ConfigSources.FileOf(home), FileMode.CreateNew, FileAccess.Write);
            file.Write(Encoding.UTF8.GetBytes(Write(measured)));
            return true;
        }
        catch (IOException) when (File.Exists(ConfigSources.FileOf(home)))
        {
            return false;
        }
    }

    /// <summary>The text of a file that says nothing yet.</summary>
    /// <param name="measured">What was measured of a setting, by its path, to be shown where that counts.</param>
    public static string Write(Func<string, string> measured)
    {
        var text = new StringBuilder($"""
            # yaml-language-server: $schema={SchemaName}
            #
            # What this node is, has, asks and lets in. Every setting stands here in a comment with an example; take its # away to say it, and that of the line
            # above it for those that are indented. It counts from the next drap up on. Each is also a flag of drap up and drap join (--cpu, --prices-core) and
            # a variable (DRAP_CPU, DRAP_PRICES_CORE): a flag goes before a variable, that before this file, and this before the default.
            #
            #   drap config show --origin    what holds now, and who said it
            #   drap config check            whether this file is right

            """);
        string? section = null;
        foreach (NodeSetting setting in NodeSetting.All)
        {
            if (opensGroup.Contains(setting.Path.Split('.')[0]) && setting.Section?.Name != (section ?? ""))
                text.Append('\n');
            if (setting.Section is { } begins && begins.Name != section)
                text.Append(Line($"# {begins.Name}:", begins.Words));
            section = setting.Section?.Name;
            string name = setting.Path.Split('.')[^1], indent = section is null ? "" : "  ";
            text.Append(Line($"# {indent}{name}: {setting.About.Example}", $"{setting.About.Words} [default: {setting.About.Usual}{(setting.About.IsDetected ? ": " + measured(setting.Path) : "")}]"));
        }
        return text.ToString();
    }

    /// <summary>The JSON Schema of the file, made from the types that it is read as.</summary>
    public static string Schema() => JobSchema.Write<NodeSpec>("drap node", (type, member) => member is null ? null : Described(type, member), hasExpressions: false);

    private static string? Described(Type type, string member) =>
        type.GetProperty(member)?.GetCustomAttributes(typeof(SettingAttribute), inherit: true) is [SettingAttribute about]
            ? about.Words + (about.Usual.Length > 0 ? $". Default: {about.Usual}." : ".") : null;

    private static string Line(string line, string words) => $"{(line + " ").PadRight(WordsColumn)}# {words}\n";
}
