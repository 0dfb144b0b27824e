using System.Collections.Immutable;
using Drap.Node.Sandbox;

namespace Drap.Node.Hosting;

/// <summary>
/// The little that a task gets of the node's own environment: where programs are, whose home it is, which language. Everything else is
/// the job's to set, so that a job runs the same on every machine.
/// </summary>
internal static class TaskEnvironment
{
    private static readonly string[] Machine = ["PATH", "LANG", "LC_ALL", "TZ", "DOTNET_ROOT", "DOTNET_CLI_TELEMETRY_OPTOUT", "DOTNET_NOLOGO"];

    private static readonly string[] Person = ["HOME", "USER", "LOGNAME", "DOTNET_CLI_HOME"];

    /// <summary>Of a plain process.</summary>
    public static ImmutableArray<KeyValuePair<string, string>> Defaults { get; } = Read([.. Machine, .. Person]);

    /// <summary>Of a task in a sandbox, where there is no home but its own temporary folder, and nobody but itself.</summary>
    public static ImmutableArray<KeyValuePair<string, string>> InSandbox { get; } =
        [.. Read(Machine), new("HOME", "/tmp"), new("USER", Bubblewrap.UserName), new("LOGNAME", Bubblewrap.UserName), new("DOTNET_CLI_HOME", "/tmp")];

    private static ImmutableArray<KeyValuePair<string, string>> Read(string[] names)
    {
        var found = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        foreach (string name in names)
            if (Environment.GetEnvironmentVariable(name) is { } value)
                found.Add(new(name, value));
        if (!found.Any(v => v.Key == "PATH"))
            found.Add(new("PATH", "/usr/local/bin:/usr/bin:/bin"));
        return found.ToImmutable();
    }
}
