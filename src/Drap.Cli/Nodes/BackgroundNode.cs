using System.Collections.Immutable;
using Drap.Node.Home;
using Drap.Node.Sandbox;

namespace Drap.Cli.Nodes;

/// <summary>The same program, on its own: what a submit leaves behind so that it can return, and what <c>--detach</c> does.</summary>
internal sealed class BackgroundNode
{
    /// <summary>Its log in the home.</summary>
    public const string LogName = "node.log";

    /// <summary>A log that has grown to this is set aside as <c>node.log.1</c> at the next start.</summary>
    private const long logBytesMax = 8 * 1024 * 1024;

    private readonly DetachedProcess? process;
    private readonly long logStart;

    /// <param name="home">What it serves.</param>
    /// <param name="process">The process; null where another one serves the home.</param>
    /// <param name="logStart">Where what it says begins in the log, which earlier ones wrote to.</param>
    public BackgroundNode(HomeFolder home, DetachedProcess? process, long logStart)
    {
        Log = Path.Combine(home.Path, LogName);
        this.process = process;
        this.logStart = logStart;
    }

    /// <summary>What it says.</summary>
    public string Log { get; }

    /// <summary>Whether it has ended already, and how.</summary>
    public int? ExitCode => process?.ExitCode;

    /// <summary>Until its last job has ended.</summary>
    public static readonly ImmutableArray<string> Serve = ["serve"];

    /// <param name="home">What it serves.</param>
    /// <param name="command">The command and its arguments; its home is said here.</param>
    /// <exception cref="HomeException">The home cannot be used, or nothing be started in it.</exception>
    public static BackgroundNode Start(HomeFolder home, ImmutableArray<string> command)
    {
        home.Create();
        var log = new FileInfo(Path.Combine(home.Path, LogName));
        try
        {
            if (log is { Exists: true, Length: > logBytesMax })
                File.Move(log.FullName, log.FullName + ".1", overwrite: true);
            log.Refresh();
            return new BackgroundNode(home, DetachedProcess.Start([.. Program(), .. command, "--home", home.Path], log.FullName), log.Exists ? log.Length : 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HomeException(HomeProblem.NotUsable, $"no node can be started for {home}: {e.Message}", "set DRAP_HOME to a folder that you may write");
        }
    }

    /// <summary>What it said last, to tell why it has ended.</summary>
    public string LastWords()
    {
        try
        {
            using var log = new StreamReader(Log, new FileStreamOptions { Share = FileShare.ReadWrite });
            log.BaseStream.Seek(logStart, SeekOrigin.Begin);
            string[] lines = log.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            // A complaint is a line that names the program, and perhaps a further one with what to do.
            int last = Array.FindLastIndex(lines, l => l.StartsWith("drap: ", StringComparison.Ordinal));
            return lines.Length == 0 ? "it said nothing" : last < 0 ? lines[^1] : string.Join("\n  ", lines[last..])["drap: ".Length..];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "it left no log";
        }
    }

    /// <summary>How this program was started: by itself, or as <c>dotnet drap.dll</c>.</summary>
    public static ImmutableArray<string> Program() => Path.GetFileName(Environment.ProcessPath!) == "dotnet"
        ? [Environment.ProcessPath!, Path.GetFullPath(Environment.GetCommandLineArgs()[0])] : [Environment.ProcessPath!];
}
