using System.Collections.Immutable;
using System.CommandLine;
using Drap.Node.Config;
using Drap.Node.Hosting.Workers;
using Drap.Node.Time;

namespace Drap.Cli.Commands;

/// <summary>The flags that a node's settings are, made from the one list of them, and the settings that come of them, the variables and the file.</summary>
internal sealed class SettingOptions
{
    private readonly List<(NodeSetting Setting, Option<string[]>? Values, Option<bool>? On, Option<bool>? Off)> options = [];

    private readonly Option<string?> file = new("--config") { Description = $"Another file of settings [default: {ConfigSources.FileName} in the state folder]", HelpName = "FILE" };

    public SettingOptions()
    {
        foreach (NodeSetting setting in NodeSetting.All)
        {
            string words = $"{setting.About.Words} [default: {setting.About.Usual}]";
            if (setting.Kind == SettingKind.Switch)
            {
                options.Add((setting, null, new Option<bool>(setting.Flag) { Description = words },
                    setting.NegatedFlag is { } negated ? new Option<bool>(negated) { Description = $"The same as {setting.Flag} false" } : null));
                continue;
            }
            var values = new Option<string[]>(setting.Flag) { Description = words, HelpName = setting.About.Value };
            if (setting.About.Alias.Length > 0)
                values.Aliases.Add(setting.About.Alias);
            options.Add((setting, values, null, null));
        }
    }

    public IEnumerable<Option> All => [file, .. options.SelectMany(o => (Option?[])[o.Values, o.On, o.Off]).OfType<Option>()];

    /// <summary>The settings as they hold for a command, and what they mean on this machine; what is odd about them is said.</summary>
    /// <param name="call">The command.</param>
    /// <param name="named">A file that was named otherwise; null for the usual.</param>
    /// <exception cref="Drap.Api.ApiException">With everything that is wrong with them.</exception>
    public (NodeConfig Config, MachineResources Machine) Read(Invocation call, string? named = null)
    {
        named ??= call.Get(file);
        NodeConfig config = NodeConfig.Read(new ConfigSources
        {
            File = named is null ? ConfigSources.FileOf(call.Home) : Path.GetFullPath(named, call.Context.CurrentFolder),
            IsFileNamed = named is not null,
            Variable = call.Context.Variable,
            VariableNames = [.. call.Context.VariableNames()],
            Flags = Given(call),
            CurrentFolder = call.Context.CurrentFolder,
            Now = BootClock.UtcNow,
        });
        MachineResources machine = MachineResources.Detect(call.Home.Path);
        ImmutableArray<WorkerSpec> workers = config.Problems.Count == 0 && config.Spec.WorkersFile() is { } path ? WorkersFile.Read(path) : [];
        MachineClaims.Check(config, machine, workers);
        foreach (string warning in config.Warnings)
            call.Screen.Say($"warning: {warning}");
        return (config.Checked(), machine);
    }

    /// <summary>The flags as they were given, for the same command in the background.</summary>
    public IEnumerable<string> Typed(Invocation call) =>
    [
        .. call.Get(file) is { } named ? (string[])["--config", Path.GetFullPath(named, call.Context.CurrentFolder)] : [],
        .. Given(call).SelectMany(g => g.Values.Select(v => $"{NodeSetting.Of(g.Path).Flag}={(g.Path == "workers" && NodeSpec.CountOf(v) is null ? Path.GetFullPath(v, call.Context.CurrentFolder) : v)}")),
    ];

    private ImmutableArray<(string Path, ImmutableArray<string> Values)> Given(Invocation call)
    {
        var given = ImmutableArray.CreateBuilder<(string, ImmutableArray<string>)>();
        foreach ((NodeSetting setting, Option<string[]>? values, Option<bool>? on, Option<bool>? off) in options)
        {
            bool isOn = on is not null && call.Has(on), isOff = off is not null && call.Has(off);
            if (isOn && isOff)
                throw new CliException(ExitCode.Usage, $"{setting.Flag} beside {setting.NegatedFlag}: one of the two");
            if (values is not null && call.Has(values))
                given.Add((setting.Path, [.. call.Get(values)!]));
            else if (isOn || isOff)
                given.Add((setting.Path, [(isOn ? call.Get(on!) : !call.Get(off!)) ? "true" : "false"]));
        }
        return given.DrainToImmutable();
    }
}
