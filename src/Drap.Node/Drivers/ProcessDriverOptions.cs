using System.Collections.Immutable;

namespace Drap.Node.Drivers;

/// <summary>Options of <see cref="ProcessDriver"/>.</summary>
public sealed record ProcessDriverOptions
{
    /// <summary>The DRAP_HOME; work folders that are not small lie under its <c>work/</c>.</summary>
    public required string Home { get; init; }

    /// <summary>Attempts at the same time at most; each slot costs two threads, about 200 KiB, and a cgroup. Default 256: more is for workers that set it.</summary>
    public int SlotsMax { get; init; } = 256;

    /// <summary>Attempts that wait for a slot at most; further ones are refused. Default 1 024.</summary>
    public int QueueMax { get; init; } = 1_024;

    /// <summary>Bytes kept of each output stream, half from its beginning and half from its end. Default 8 MiB.</summary>
    public int LogBytesMax { get; init; } = 8 << 20;

    /// <summary>Processes and threads of an attempt that asks for no number. Default 4 096: more than a large JVM, fewer than hurt a machine.</summary>
    public int PidsDefault { get; init; } = 4_096;

    /// <summary>Size of the work folder of an attempt that asks for no disk, in bytes. Default 8 GiB: more should be asked for.</summary>
    public long DiskDefault { get; init; } = 8L << 30;

    /// <summary>Whether to look for a sandbox, which costs a start of bubblewrap. Default true; false is for nodes whose owner trusts everybody.</summary>
    public bool UseSandbox { get; init; } = true;

    /// <summary>Files and folders, absolute, that tasks in a sandbox see besides the system's programs, read-only; those that are not there are passed over. Default none.</summary>
    public ImmutableArray<string> SandboxShows { get; init; } = [];

    /// <summary>The program that guards what runs here, and its first words; it is given more. Default empty: nobody does, and what a dead or frozen node started runs on until the next one of its home.</summary>
    public ImmutableArray<string> Guard { get; init; } = [];

    /// <summary>What the owner must know of the guard; on a thread of its own. Default: nobody hears it.</summary>
    public Action<string> Warn { get; init; } = _ => { };

    /// <summary>Whether to use cgroups where they are writable. Default true; false is for comparison and tests.</summary>
    public bool UseCgroups { get; init; } = true;
}
