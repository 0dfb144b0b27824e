using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;

namespace Drap.Libp2p.Host.Links;

/// <summary>Sockets that are files of this machine.</summary>
internal static class UnixSockets
{
    /// <summary>The place of a path; false where it is longer than the kernel takes, which is 107 bytes.</summary>
    public static bool TryEndPoint(string path, [NotNullWhen(true)] out UnixDomainSocketEndPoint? endPoint)
    {
        try
        {
            endPoint = new UnixDomainSocketEndPoint(path);
            return true;
        }
        catch (ArgumentException)
        {
            endPoint = null;
            return false;
        }
    }

    /// <summary>Binds to a path, for this user alone; a socket that was left there by a process that has gone is replaced.</summary>
    /// <exception cref="SocketException">It is taken, or not allowed.</exception>
    public static void Bind(Socket socket, UnixDomainSocketEndPoint endPoint)
    {
        string path = endPoint.ToString()!;
        try
        {
            socket.Bind(endPoint);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && IsLeftBehind(endPoint))
        {
            File.Delete(path);
            socket.Bind(endPoint);
        }
        // Nobody gets in before it listens. On Windows the folder's rights decide.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    // A socket on which nobody listens is one of a process that has gone.
    private static bool IsLeftBehind(UnixDomainSocketEndPoint endPoint)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(endPoint);
            return false;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
    }
}
