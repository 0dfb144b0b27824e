using System.Collections.Immutable;
using Drap.Api;

namespace Drap.Node.Hosting.Workers;

/// <summary>
/// The workers of a swarm on one machine: those of a file, or so many that share it. The swarm's process and each worker's own read it for themselves
/// and come to the same.
/// </summary>
/// <param name="File">The file; null for a number.</param>
/// <param name="Count">How many share the machine; null takes as many as suit it.</param>
public sealed record WorkerChoice(string? File, int? Count)
{
    /// <summary>All of them.</summary>
    /// <param name="home">The state folder, whose disk is shared.</param>
    /// <exception cref="ApiException">The file is not right.</exception>
    public ImmutableArray<WorkerSpec> Read(string home)
    {
        ImmutableArray<WorkerSpec> specs = File is not null ? WorkersFile.Read(File) : MachineResources.Detect(home).Split(Count);
        return [.. specs.Select(s => s with { Options = s.Options with { Name = s.Name } })];
    }

    /// <summary>As the command line says it.</summary>
    /// <param name="count">How many there are.</param>
    public string ToArgument(int count) => File ?? count.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
