using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json.Serialization;
using Drap.Cli.Output;
using Drap.Node.Config;
using Drap.Node.Hosting;
using Drap.Node.Hosting.Workers;
using Drap.Node.Membership;

namespace Drap.Cli.Commands;

/// <summary><c>drap config</c>: the settings of a home's node, and who said them.</summary>
internal static class ConfigCommand
{
    public static Command Make(Common common)
    {
        var origin = new Option<bool>("--origin") { Description = "Say of each where it comes from" };
        var file = new Argument<string?>("FILE") { Description = $"A file of settings [default: {ConfigSources.FileName} in the state folder]", Arity = ArgumentArity.ZeroOrOne };
        var settings = new SettingOptions();
        var checking = new SettingOptions();
        return common.Command(
            "config", "The settings of this home's node", ["drap config show --origin", "drap config check", "$EDITOR $(drap config path)"],
            common.Command(
                "show", "Every setting as the next drap up here would take it", ["drap config show --origin", "drap config show --origin --cpu 2", "drap config show -o json"],
                call => Task.FromResult(Show(call, settings, call.Get(origin))), [origin, .. settings.All]),
            common.Command(
                "check", "Whether a file, and the variables that are set, are right and this machine has what they claim", ["drap config check", "drap config check node.yaml"],
                call => Task.FromResult(Check(call, checking, call.Get(file))), file),
            common.Command("path", "The file of settings; the first drap up writes it", ["$EDITOR $(drap config path)"], call =>
            {
                call.Screen.Data.WriteLine(ConfigSources.FileOf(call.Home));
                return Task.FromResult(ExitCode.Ok);
            }));
    }

    private static int Show(Invocation call, SettingOptions settings, bool origins)
    {
        (NodeConfig config, MachineResources machine) = settings.Read(call);
        ImmutableArray<SettingDocument> all = [.. SettingValues.Of(config, machine, MembershipFolder.Of(call.Home))
            .Select(v => new SettingDocument(v.Setting.Path, v.Text, v.Origin.Text, v.Setting.Flag, v.Setting.Variable, v.Setting.About.Words))];
        var document = new ConfigDocument { File = config.File, FileIsThere = config.HasFile, Settings = all };
        call.Screen.Write(document, ConfigJson.Default.ConfigDocument, output =>
        {
            var table = origins ? new TextTable("setting", "value", "from") : new TextTable("setting", "value");
            foreach (SettingDocument one in all)
                if (origins)
                    table.Row(one.Setting, one.Value, one.From);
                else
                    table.Row(one.Setting, one.Value);
            table.Write(output);
        }, () => all.Select(s => $"{s.Setting}={s.Value}"));
        return ExitCode.Ok;
    }

    private static int Check(Invocation call, SettingOptions settings, string? named)
    {
        (NodeConfig config, MachineResources _) = settings.Read(call, named);
        call.Screen.Say(config.HasFile ? $"{config.File} is right" : $"{config.File} is not there: the defaults hold");
        return ExitCode.Ok;
    }
}

/// <summary>What <c>drap config show</c> writes.</summary>
internal sealed record ConfigDocument
{
    /// <summary>The file that was read, or would be.</summary>
    public required string File { get; init; }

    /// <summary>Whether it is there.</summary>
    public required bool FileIsThere { get; init; }

    /// <summary>All settings.</summary>
    public required ImmutableArray<SettingDocument> Settings { get; init; }
}

/// <summary>A setting and what holds of it.</summary>
/// <param name="Setting">The field of the file.</param>
/// <param name="Value">Its value as the file would have it.</param>
/// <param name="From">Who said it: a flag, a variable, a file with line and column, <c>certificate</c>, <c>detected</c> or <c>default</c>.</param>
/// <param name="Flag">Its flag.</param>
/// <param name="Variable">Its variable.</param>
/// <param name="Words">What it is for.</param>
internal sealed record SettingDocument(string Setting, string Value, string From, string Flag, string Variable, string Words);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(ConfigDocument))]
internal sealed partial class ConfigJson : JsonSerializerContext;
