using System.Collections.Immutable;
using Drap.Cli.Nodes;
using Drap.Node.Home;
using Drap.Node.Hosting;

namespace Drap.Cli;

/// <summary>The world as a command sees it. A test gives its own.</summary>
internal sealed record CliContext
{
    /// <summary>Standard output as text, for data.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Standard error as text, for talk.</summary>
    public required TextWriter Err { get; init; }

    /// <summary>Standard input, output and error as bytes: those of an ad-hoc task.</summary>
    public required Func<Stream> Stdin { get; init; }

    /// <summary>Standard output as bytes.</summary>
    public required Func<Stream> Stdout { get; init; }

    /// <summary>Standard error as bytes.</summary>
    public required Func<Stream> Stderr { get; init; }

    /// <summary>Whether standard error is a terminal that may be drawn on.</summary>
    public bool Live { get; init; }

    /// <summary>Whether data may be coloured and talk too.</summary>
    public bool Colour { get; init; }

    /// <summary>Whether somebody may type into standard input, or something was piped into it; false when it is closed or the null device.</summary>
    public bool HasStdin { get; init; }

    /// <summary>A variable of the environment; null where there is none.</summary>
    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>The names of all of them.</summary>
    public Func<IEnumerable<string>> VariableNames { get; init; } = () => Environment.GetEnvironmentVariables().Keys.Cast<string>();

    /// <summary>Where relative paths are meant.</summary>
    public required string CurrentFolder { get; init; }

    /// <summary>Ctrl+C and its like.</summary>
    public required Interrupts Interrupts { get; init; }

    /// <summary>Starts the engine in a home.</summary>
    public required INodeHostFactory Hosts { get; init; }

    /// <summary>Reads a home that stands still.</summary>
    public required IStoppedHome Stopped { get; init; }

    /// <summary>Starts a node that serves a home in the background, by this command and its arguments.</summary>
    public required Func<HomeFolder, ImmutableArray<string>, BackgroundNode> Background { get; init; }

    /// <summary>Runs a benchmark.</summary>
    public required Commands.IBench Bench { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
