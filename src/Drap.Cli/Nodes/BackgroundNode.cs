using System.Diagnostics;
using System.Runtime.InteropServices;
using Drap.Node.Home;

namespace Drap.Cli.Nodes;

/// <summary>The same program in its own session, as <c>drap node</c>: what a submit leaves behind so that it can return.</summary>
internal sealed partial class BackgroundNode(Process? process) : IDisposable
{
    /// <summary>Its log in the home.</summary>
    public const string LogName = "node.log";

    /// <summary>A log that has grown to this is set aside as <c>node.log.1</c> at the next start.</summary>
    private const long logBytesMax = 8 * 1024 * 1024;

    /// <summary>Whether it has ended already, and how.</summary>
    public int? ExitCode => process is { HasExited: true } ? process.ExitCode : null;

    /// <summary>
    /// Starts one. Its streams are pipes to this process from the beginning: the runtime itself keeps copies of those that it finds, before any
    /// code of ours runs, and whoever reads this process's output (a shell, for its <c>$(drap submit …)</c>) would wait for the node's end.
    /// </summary>
    public static BackgroundNode Start(HomeFolder home)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            UseShellExecute = false, WorkingDirectory = "/", RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.ArgumentList.Add("node");
        start.ArgumentList.Add("--home");
        start.ArgumentList.Add(home.Path);
        return new BackgroundNode(Process.Start(start));
    }

    /// <summary>
    /// Called by the child first of all: a session of its own, so that no terminal's Ctrl+C or end reaches it, nothing on standard input, and the
    /// log as its output, since its parent ends.
    /// </summary>
    /// <returns>False, and the reason was written to standard error, where the parent finds it, when the home cannot be used.</returns>
    public static bool TryDetach(HomeFolder home)
    {
        try
        {
            home.Create();
            string log = Path.Combine(home.Path, LogName);
            if (new FileInfo(log) is { Exists: true, Length: > logBytesMax })
                File.Move(log, log + ".1", overwrite: true);
            // It fails for the leader of a group, which a child of ours never is.
            _ = SetSid();
            Redirect("/dev/null", 0, 0);
            Redirect(log, 0x441 /* O_WRONLY | O_CREAT | O_APPEND */, 1);
            Redirect(log, 0x441, 2);
            return true;
        }
        catch (Exception e) when (e is HomeException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return false;
        }
    }

    /// <summary>What it said last, to say why a start failed: before it had its log, or there.</summary>
    public string LastWords(HomeFolder home)
    {
        if (process is { HasExited: true } && process.StandardError.ReadToEnd().Trim() is { Length: > 0 } said)
            return said;
        try
        {
            string[] lines = File.ReadAllLines(Path.Combine(home.Path, LogName));
            return lines.Length == 0 ? "it said nothing" : lines[^1];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "it left no log";
        }
    }

    public void Dispose() => process?.Dispose();

    private static void Redirect(string path, int flags, int target)
    {
        int file = Open(path, flags, 0x180 /* 0600 */);
        if (file < 0 || Dup2(file, target) < 0)
            throw new HomeException(HomeProblem.NotUsable, $"{path} cannot be opened", "set DRAP_HOME to a folder that you may write");
        _ = Close(file);
    }

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int SetSid();

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Dup2(int from, int to);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
