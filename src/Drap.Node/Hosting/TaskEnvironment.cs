using System.Collections.Immutable;

namespace Drap.Node.Hosting;

/// <summary>
/// The little that a task gets of the node's own environment: where programs are, whose home it is, which language. Everything else is
/// the job's to set, so that a job runs the same on every machine.
/// </summary>
internal static class TaskEnvironment
{
    private static readonly string[] Names =
        ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "DOTNET_ROOT", "DOTNET_CLI_HOME", "DOTNET_CLI_TELEMETRY_OPTOUT", "DOTNET_NOLOGO"];

    public static ImmutableArray<KeyValuePair<string, string>> Defaults { get; } = Read();

    private static ImmutableArray<KeyValuePair<string, string>> Read()
    {
        var found = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        foreach (string name in Names)
            if (Environment.GetEnvironmentVariable(name) is { } value)
                found.Add(new(name, value));
        if (!found.Any(v => v.Key == "PATH"))
            found.Add(new("PATH", "/usr/local/bin:/usr/bin:/bin"));
        return found.ToImmutable();
    }
}
