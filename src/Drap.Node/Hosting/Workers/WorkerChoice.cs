using System.Collections.Immutable;
using Drap.Api;
using Drap.Node.Config;

namespace Drap.Node.Hosting.Workers;

/// <summary>
/// The workers of a swarm on one machine: those of a file, or so many that share it. The swarm's process and each worker's own read it for themselves
/// and come to the same.
/// </summary>
/// <param name="File">The file; null for a number.</param>
/// <param name="Count">How many share the machine; null takes as many as suit it.</param>
/// <param name="Terms">What their owner says of all of them; null for the usual.</param>
public sealed record WorkerChoice(string? File, int? Count, NodeSpec? Terms = null)
{
    /// <summary>All of them.</summary>
    /// <param name="home">The state folder, whose disk is shared.</param>
    /// <exception cref="ApiException">The file is not right.</exception>
    public ImmutableArray<WorkerSpec> Read(string home)
    {
        ImmutableArray<WorkerSpec> specs = File is not null ? WorkersFile.Read(File) : Share(MachineResources.Detect(home));
        return [.. specs.Select((s, i) => Under(s with { Options = s.Options with { Name = s.Name } }, i, specs.Length))];
    }

    /// <summary>A worker of the file as it is then, under what holds for all.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="index">Which it is, from 0.</param>
    /// <param name="count">Of how many.</param>
    public WorkerSpec Under(WorkerSpec worker, int index, int count) => Terms is null ? worker : worker with { Options = worker.Options.Under(Terms, index, count) };

    /// <summary>As the command line of a worker's process says it.</summary>
    /// <param name="count">How many there are.</param>
    public ImmutableArray<string> ToArguments(int count) =>
    [
        "--workers", File ?? count.ToString(System.Globalization.CultureInfo.InvariantCulture), .. Terms is null ? (string[])[] : ["--settings", Terms.ToArgument()],
    ];

    private ImmutableArray<WorkerSpec> Share(MachineResources machine) => Terms is null
        ? machine.Split(Count)
        : [.. machine.Limit(Terms).Split(Count).Select(s => s with { Options = s.Options.With(Terms) })];
}
