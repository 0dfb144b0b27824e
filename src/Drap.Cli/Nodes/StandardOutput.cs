using Microsoft.Win32.SafeHandles;

namespace Drap.Cli.Nodes;

/// <summary>
/// The process's own standard output. The framework's stream keeps silent when a pipe's reader has gone; a plain stream on the pipe says so,
/// and `drap run -- yes | head` can end. A file is left to the framework's, which writes at the offset that others share.
/// </summary>
internal static class StandardOutput
{
    public static Stream Open()
    {
        if (!StandardFiles.IsGiven(1))
            return Stream.Null;
        var pipe = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return pipe.CanSeek ? Console.OpenStandardOutput() : pipe;
    }
}
