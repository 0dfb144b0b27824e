using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Node.Sandbox;

namespace Drap.Node.Drivers;

/// <summary>Everything that a driver needs to run one attempt.</summary>
public sealed record LaunchPlan
{
    public required AttemptId Attempt { get; init; }

    /// <summary>The command and its arguments; for <c>dotnet</c> the handler's name and its arguments. Never empty.</summary>
    public required ImmutableArray<string> Arguments { get; init; }

    /// <summary>
    /// The whole environment; nothing of the node's own is inherited. The process driver adds <c>DRAP_WORK</c>, <c>DRAP_IN</c>,
    /// <c>DRAP_OUT</c>, <c>PWD</c>, its mark, and <c>TMPDIR</c> unless it is given here.
    /// </summary>
    public ImmutableArray<KeyValuePair<string, string>> Environment { get; init; } = [];

    public LaunchLimits Limits { get; init; } = LaunchLimits.None;

    /// <summary>Bytes that <see cref="Prepare"/> will put into the folder, if known: large inputs do not go to memory.</summary>
    public long InputBytes { get; init; }

    public StdinMode Stdin { get; init; }

    /// <summary>What it has in a sandbox; null runs it as a plain process.</summary>
    public SandboxPlan? Sandbox { get; init; }

    /// <summary>When the guard ends it, should nobody else; null leaves it unguarded.</summary>
    public GuardTerms? Guard { get; init; }

    /// <summary>Puts inputs into the folder, before the start, on the slot's thread. An exception ends the attempt as <see cref="ExitReason.PrepareFailed"/>.</summary>
    public Action<WorkFolder>? Prepare { get; init; }

    /// <summary>After <see cref="Prepare"/>: arguments and environment that name the folder. Its exceptions are those of <see cref="Prepare"/>.</summary>
    public Func<WorkFolder, (ImmutableArray<string> Arguments, ImmutableArray<KeyValuePair<string, string>> Environment)>? Resolve { get; init; }

    /// <summary>Takes outputs out of the folder, after the end of the family and before the folder is emptied, on the slot's thread. An exception ends the attempt as <see cref="ExitReason.CollectFailed"/>.</summary>
    public CollectOutputs? Collect { get; init; }
}

/// <summary>Takes outputs out of an ended attempt's folder.</summary>
public delegate void CollectOutputs(WorkFolder folder, in AttemptExit exit);

/// <summary>Whether the task reads a stdin.</summary>
public enum StdinMode
{
    /// <summary>It reads an end of file at once (<c>/dev/null</c>).</summary>
    None,

    /// <summary>It reads what <see cref="IDriver.WriteStdin"/> brings, until that ends it.</summary>
    Fed,
}
