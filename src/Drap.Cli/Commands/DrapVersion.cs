using System.Reflection;
using System.Runtime.InteropServices;
using Drap.Api.Json;
using Drap.Cli.Output;

namespace Drap.Cli.Commands;

/// <summary>What this program is.</summary>
internal static class DrapVersion
{
    /// <summary>drap's version, without the commit.</summary>
    public static string Text { get; } =
        typeof(DrapVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static void Write(Screen screen)
    {
        if (screen.Format is OutputFormat.Table or OutputFormat.Quiet)
        {
            screen.Data.WriteLine(screen.Format == OutputFormat.Quiet ? Text : $"drap {Text}");
            return;
        }
        var document = new VersionDocument { Drap = Text, Runtime = RuntimeInformation.FrameworkDescription, Platform = RuntimeInformation.RuntimeIdentifier };
        screen.Write(document, ApiJson.Indented.VersionDocument, _ => { }, () => []);
    }
}
