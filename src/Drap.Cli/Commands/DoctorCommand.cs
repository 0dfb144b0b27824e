using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json.Serialization;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Node.Config;
using Drap.Node.Doctor;
using Drap.Node.Hosting.Workers;

namespace Drap.Cli.Commands;

/// <summary><c>drap doctor</c>: whether a node works on this machine, and what to do where it does not.</summary>
internal static class DoctorCommand
{
    public static Command Make(Common common)
    {
        var settings = new SettingOptions();
        return common.Command(
            "doctor", "Check what a node needs of this machine, and say what to do; ends with 1 if no node would work",
            ["drap doctor", "drap doctor --listen /ip4/0.0.0.0/tcp/4001", "drap doctor -o json"], call => RunAsync(call, settings), [.. settings.All]);
    }

    private static async Task<int> RunAsync(Invocation call, SettingOptions settings)
    {
        NodeSpec spec = new();
        MachineResources? machine = null;
        var found = new List<Finding>();
        try
        {
            (NodeConfig config, machine) = settings.Read(call);
            spec = config.Spec;
            found.Add(new Finding("settings", FindingLevel.Ok, config.HasFile ? $"{config.File} is right" : "the defaults hold: there is no node.yaml yet"));
        }
        catch (ApiException e)
        {
            found.Add(new Finding("settings", FindingLevel.Fail, e.Message, "mend them; drap config check says whether they are right"));
        }
        await using NodeSession? served = await NodeSession.FindAsync(call.Home, call.Cancel);
        found.AddRange(await MachineDoctor.ExamineAsync(call.Home, spec, machine ?? MachineResources.Detect(call.Home.Path), served is not null, call.Cancel));
        bool works = found.All(f => f.Level != FindingLevel.Fail);
        var document = new DoctorDocument { Works = works, Findings = [.. found.Select(f => new FindingDocument(f.Name, Words.Of(f.Level), f.Says, f.Remedy))] };
        call.Screen.Write(document, DoctorJson.Default.DoctorDocument, output => Write(found, output), () => found.Where(f => f.Level != FindingLevel.Ok).Select(f => f.Name));
        call.Screen.Say(works ? call.Screen.Faint("a node works here") : call.Screen.Red("no node works here as it is"));
        return works ? ExitCode.Ok : ExitCode.Error;
    }

    private static void Write(List<Finding> found, TextWriter output)
    {
        int width = found.Max(f => f.Name.Length);
        foreach (Finding one in found)
        {
            string margin = new(' ', width + 8);
            output.WriteLine($"{Words.Of(one.Level),-4}  {one.Name.PadRight(width)}  {one.Says.ReplaceLineEndings("\n" + margin)}");
            if (one.Remedy.Length > 0)
                output.WriteLine($"{margin}→ {one.Remedy}");
        }
    }
}

/// <summary>What <c>drap doctor</c> writes.</summary>
internal sealed record DoctorDocument
{
    /// <summary>Whether nothing failed.</summary>
    public required bool Works { get; init; }

    /// <summary>What was found.</summary>
    public required ImmutableArray<FindingDocument> Findings { get; init; }
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Name">The thing.</param>
/// <param name="Level"><c>ok</c>, <c>warn</c> or <c>fail</c>.</param>
/// <param name="Says">What was found.</param>
/// <param name="Remedy">What to do; empty where nothing is to be done.</param>
internal sealed record FindingDocument(string Name, string Level, string Says, string Remedy);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(DoctorDocument))]
internal sealed partial class DoctorJson : JsonSerializerContext;
