using System.Collections.Immutable;
using Drap.Node.Drivers;
using Drap.Node.Sandbox;
using Xunit;

namespace Drap.Node.Tests.Drivers;

/// <summary>A driver over a home of its own, and the few words that tests of it need.</summary>
internal sealed class DriverRoom : IDisposable
{
    private static int lastTask;

    public DriverRoom(Func<ProcessDriverOptions, ProcessDriverOptions>? change = null, Func<HomeMark, (CgroupTree? Tree, string Why)>? cgroups = null)
    {
        Home = Directory.CreateTempSubdirectory("drap-test").FullName;
        var options = new ProcessDriverOptions { Home = Home };
        options = change?.Invoke(options) ?? options;
        Driver = cgroups is null ? new ProcessDriver(options, Events) : new ProcessDriver(options, Events, cgroups);
    }

    public string Home { get; }

    public Recorder Events { get; } = new();

    public ProcessDriver Driver { get; }

    public static AttemptId NextAttempt() => new(new TaskId(new JobId(Guid.Empty), Interlocked.Increment(ref lastTask)), new Fence(new Epoch(7), 1));

    public static ImmutableArray<KeyValuePair<string, string>> Environment { get; } =
        [new("PATH", "/usr/local/bin:/usr/bin:/bin"), new("LANG", "C")];

    public static LaunchPlan Plan(params string[] arguments) =>
        new() { Attempt = NextAttempt(), Arguments = [.. arguments], Environment = Environment };

    public static LaunchPlan Shell(string script) => Plan("sh", "-c", script);

    public LaunchPlan Start(LaunchPlan plan)
    {
        Assert.Equal(1, Driver.Start([plan]));
        return plan;
    }

    public Ended Run(LaunchPlan plan) => Events.WaitForExit(Start(plan).Attempt);

    /// <summary>A process that has ended but whom nobody has waited for counts as gone.</summary>
    public static bool IsAlive(int pid)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        Driver.Dispose();
        Directory.Delete(Home, recursive: true);
    }
}
