using System.Diagnostics;
using Xunit;

namespace Drap.Node.Tests.Storage;

/// <summary>A file system of some MiB in memory, mounted over a folder, which a test can fill; it skips the test where that cannot be.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string folder;

    public SmallDisk(string folder, int mebibytes)
    {
        Directory.CreateDirectory(folder);
        Assert.SkipUnless(Environment.IsPrivilegedProcess && Shell("mount", "-t", "tmpfs", "-o", $"size={mebibytes}m", "tmpfs", folder) == 0, "mounting a small tmpfs needs root");
        this.folder = folder;
    }

    private string Others => Path.Combine(folder, "others");

    /// <summary>Another program's file takes all that is left.</summary>
    public void Fill()
    {
        using FileStream file = File.Create(Others);
        byte[] piece = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(piece);
                file.Flush();
            }
        }
        catch (IOException)
        {
        }
    }

    /// <summary>That file is gone.</summary>
    public void Free() => File.Delete(Others);

    public void Dispose() => Assert.Equal(0, Shell("umount", "-l", folder));

    private static int Shell(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
