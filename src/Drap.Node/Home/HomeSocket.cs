using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Drap.Node.Home;

/// <summary>
/// The socket of a home. It lies in the folder; where that path is longer than the kernel's sun_path, it lies in a folder of this user's in the
/// runtime directory, and a file in the home says where.
/// </summary>
public static class HomeSocket
{
    /// <summary>Longest path in UTF-8: sun_path has 108 bytes, one of them the end.</summary>
    public const int PathBytesMax = 107;

    private const UnixFileMode onlyOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Where a node of this home listens now, or null where none ever did.</summary>
    public static string? Find(HomeFolder home)
    {
        if (File.Exists(Direct(home)))
            return Direct(home);
        try
        {
            string path = File.ReadAllText(home.SocketPathFile).Trim();
            return path.Length > 0 && File.Exists(path) ? path : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Whether somebody listens there. A socket that a killed node left does not.</summary>
    public static async Task<bool> AnswersAsync(string path, CancellationToken cancel)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel).ConfigureAwait(false);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>
    /// A socket bound to the home's path, for its owner only, not listening yet; the caller holds the home's lock, so whatever lay there is dead.
    /// </summary>
    /// <exception cref="HomeException">There is no place for it.</exception>
    public static Socket Bind(HomeFolder home, out string path)
    {
        try
        {
            path = Direct(home);
            if (Encoding.UTF8.GetByteCount(path) > PathBytesMax)
            {
                path = InRuntimeFolder(home);
                File.WriteAllText(home.SocketPathFile, path + "\n");
            }
            File.Delete(path);
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(path));
            // Between bind and listen nobody can connect: there is no moment in which others could.
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return socket;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            throw new HomeException(HomeProblem.NotUsable, $"there is no place for the socket of {home}: {e.Message}", "set DRAP_HOME to a shorter path that you may write");
        }
    }

    private static string Direct(HomeFolder home) => Path.Combine(home.Path, "api.sock");

    private static string InRuntimeFolder(HomeFolder home)
    {
        string root = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 and < 60 } runtime && Directory.Exists(runtime)
            ? Path.Combine(runtime, "drap")
            : Path.Combine("/tmp", $"drap-{Environment.UserName}");
        Directory.CreateDirectory(root, onlyOwner);
        // In /tmp somebody else may have made the folder first, to listen in.
        if (!FileStat.Of(root).Mine)
            throw new HomeException(HomeProblem.NotUsable, $"{root} belongs to somebody else", "set XDG_RUNTIME_DIR, or DRAP_HOME to a shorter path");
        File.SetUnixFileMode(root, onlyOwner);
        string name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(home.Path)).AsSpan(0, 8));
        return Path.Combine(root, name + ".sock");
    }
}
