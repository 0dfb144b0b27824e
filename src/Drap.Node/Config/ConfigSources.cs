using System.Collections.Immutable;
using Drap.Node.Home;

namespace Drap.Node.Config;

/// <summary>Where a node's settings come from: the first of flag, variable, file and default that says one holds.</summary>
public sealed record ConfigSources
{
    /// <summary>The file's name in a home.</summary>
    public const string FileName = "node.yaml";

    /// <summary>The file; one that is not there says nothing.</summary>
    public required string File { get; init; }

    /// <summary>Whether the file must be there, since somebody named it.</summary>
    public bool IsFileNamed { get; init; }

    /// <summary>The value of a variable; null where there is none.</summary>
    public Func<string, string?> Variable { get; init; } = _ => null;

    /// <summary>All variables, to find those that were probably meant for drap.</summary>
    public ImmutableArray<string> VariableNames { get; init; } = [];

    /// <summary>Flags that were given, by their settings' paths, with all their values.</summary>
    public ImmutableArray<(string Path, ImmutableArray<string> Values)> Flags { get; init; } = [];

    /// <summary>The folder in which a path of a flag or a variable is meant.</summary>
    public string CurrentFolder { get; init; } = "/";

    /// <summary>The time of day, for a batch system that says when a job ends.</summary>
    public required UtcTime Now { get; init; }

    /// <summary>The file of a home.</summary>
    public static string FileOf(HomeFolder home) => Path.Combine(home.Path, FileName);
}

/// <summary>What said a value.</summary>
public enum OriginKind
{
    /// <summary>A flag.</summary>
    Flag,

    /// <summary>A variable.</summary>
    Variable,

    /// <summary>The file.</summary>
    File,

    /// <summary>The certificate with which the node belongs to its swarm.</summary>
    Certificate,

    /// <summary>The machine.</summary>
    Detected,

    /// <summary>Nobody.</summary>
    Default,
}

/// <summary>Where a value comes from.</summary>
/// <param name="Kind">What said it.</param>
/// <param name="Text">Where exactly: <c>--cpu</c>, <c>DRAP_CPU</c>, <c>/home/me/node.yaml:12:6</c>, or the kind.</param>
public readonly record struct Origin(OriginKind Kind, string Text)
{
    /// <summary>Nobody said it.</summary>
    public static readonly Origin Default = new(OriginKind.Default, "default");

    /// <summary>The machine says it.</summary>
    public static readonly Origin Detected = new(OriginKind.Detected, "detected");

    /// <summary>The certificate says it.</summary>
    public static readonly Origin Certificate = new(OriginKind.Certificate, "certificate");
}
