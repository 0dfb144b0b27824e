using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>A program with its arguments, or a script for the shell.</summary>
/// <param name="Argv">The program and its arguments; empty if it is a script.</param>
/// <param name="Script">The script; null if it is a program.</param>
public sealed record CommandSpec(ImmutableArray<string> Argv, string? Script)
{
    /// <summary>A program and its arguments.</summary>
    public static CommandSpec Program(params ReadOnlySpan<string> argv) => new([.. argv], null);

    /// <summary>A script for <c>sh -e</c>.</summary>
    public static CommandSpec Shell(string script) => new([], script);

    /// <summary>What is executed: the arguments, or <c>sh -ec SCRIPT</c>; a script ends at its first command that fails.</summary>
    public ImmutableArray<string> ToArgv() => Script is null ? Argv : ["/bin/sh", "-ec", Script];
}
