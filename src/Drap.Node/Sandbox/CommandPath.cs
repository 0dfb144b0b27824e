using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>Finds a command as a shell does: a name with a slash is a path, any other is looked for along the task's <c>PATH</c>.</summary>
internal static unsafe class CommandPath
{
    /// <summary>Where commands are looked for when the environment has no <c>PATH</c>.</summary>
    public const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private const int ExecuteRight = 1;

    /// <summary>The file to execute; or null and the shell's exit code, 127 for none, 126 for one without the right to execute it.</summary>
    public static string? Find(string command, string? path, string directory, out int exitCode)
    {
        exitCode = 0;
        if (command.Contains('/', StringComparison.Ordinal))
            return Check(command.StartsWith('/') ? command : directory + "/" + command, command, ref exitCode);
        int found = 127;
        if (command.Length > 0)
        {
            foreach (string folder in (path ?? DefaultPath).Split(':'))
            {
                string file = folder.Length == 0 || folder[0] != '/' ? $"{directory}/{folder}/{command}" : $"{folder}/{command}";
                if (Check(file, file, ref exitCode) is { } executable)
                    return executable;
                found = Math.Min(found, exitCode);
            }
        }
        exitCode = found;
        return null;
    }

    private static string? Check(string file, string answer, ref int exitCode)
    {
        int bytes = Encoding.UTF8.GetMaxByteCount(file.Length) + 1;
        Span<byte> name = bytes <= 1024 ? stackalloc byte[bytes] : new byte[bytes];
        name[Encoding.UTF8.GetBytes(file, name)] = 0;
        fixed (byte* start = name)
        {
            Libc.Statx stat;
            if (Libc.statx(Libc.AT_FDCWD, start, 0, 0x3, &stat) != 0)
                exitCode = Libc.LastError == Libc.EACCES ? 126 : 127;
            else if ((stat.Mode & FolderTree.TypeMask) == FolderTree.DirectoryType || Libc.access(start, ExecuteRight) != 0)
                exitCode = 126;
            else
            {
                exitCode = 0;
                return answer;
            }
            return null;
        }
    }
}
