using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Home;

/// <summary>
/// The right to be the one process of a home: flock on a file that is never removed, so that the kernel gives it back when the holder dies,
/// however it dies. The file holds the holder's pid, for people and messages only.
/// </summary>
public sealed partial class HomeLock : IDisposable
{
    private const int readWrite = 2, create = 0x40, closeOnExec = 0x80000, exclusive = 2, nonBlocking = 4, unlock = 8, wouldBlock = 11, interrupted = 4;

    private readonly SafeFileHandle file;

    private HomeLock(SafeFileHandle file) => this.file = file;

    /// <summary>Takes the lock, or returns null at once when another process, or another caller in this one, has it.</summary>
    /// <exception cref="HomeException"><see cref="HomeProblem.NotUsable"/>: the file cannot be made or locked.</exception>
    public static HomeLock? TryTake(HomeFolder home)
    {
        home.Create();
        SafeFileHandle file = Open(home.LockFile, readWrite | create | closeOnExec, 0x180 /* 0600 */);
        if (file.IsInvalid)
            throw NotUsable(home);
        int error = 0;
        while (Flock(file, exclusive | nonBlocking) != 0)
        {
            error = Marshal.GetLastPInvokeError();
            if (error == interrupted)
                continue;
            file.Dispose();
            return error == wouldBlock ? null : throw NotUsable(home);
        }
        RandomAccess.SetLength(file, 0);
        RandomAccess.Write(file, Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n"), 0);
        return new HomeLock(file);
    }

    /// <summary>The pid that the last holder wrote; null when there was none.</summary>
    public static int? HolderOf(HomeFolder home)
    {
        // Not by .NET's own files: they ask for a shared lock, which the holder's excludes.
        using SafeFileHandle file = Open(home.LockFile, closeOnExec, 0);
        if (file.IsInvalid)
            return null;
        Span<byte> text = stackalloc byte[16];
        int length = RandomAccess.Read(file, text, 0);
        return int.TryParse(text[..length].TrimEnd((byte)'\n'), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) ? pid : null;
    }

    /// <summary>
    /// Gives the lock back. Said to the kernel, not left to the close: a child that is just being started has the file open too, until it
    /// becomes its program.
    /// </summary>
    public void Dispose()
    {
        if (!file.IsClosed)
            _ = Flock(file, unlock);
        file.Dispose();
    }

    private static HomeException NotUsable(HomeFolder home) => new(
        HomeProblem.NotUsable, $"{home.LockFile} cannot be locked: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}",
        "set DRAP_HOME to a folder that you may write");

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial SafeFileHandle Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);
}
