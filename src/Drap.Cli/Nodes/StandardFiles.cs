using System.Runtime.InteropServices;

namespace Drap.Cli.Nodes;

/// <summary>Which of the descriptors 0, 1 and 2 this process was started with.</summary>
internal static partial class StandardFiles
{
    private const int getFlags = 1, closeOnExec = 1;

    /// <summary>
    /// Whether a descriptor came from whoever started us. The number of one that was closed (<c>drap … &lt;&amp;-</c>) goes to the first file that the
    /// runtime opens, and to write there would be to write into the runtime. All of its files are closed by an exec, and none that came over
    /// an exec is: that tells them apart.
    /// </summary>
    public static bool IsGiven(int descriptor) => GetFlags(descriptor, getFlags) is >= 0 and int flags && (flags & closeOnExec) == 0;

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int GetFlags(int descriptor, int command);
}
