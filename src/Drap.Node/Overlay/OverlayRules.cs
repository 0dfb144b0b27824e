using System.Diagnostics.CodeAnalysis;

namespace Drap.Node.Overlay;

/// <summary>What holds for every overlay.</summary>
internal static class OverlayRules
{
    public static void CheckLength(ReadOnlyMemory<byte> frame)
    {
        if (frame.Length > IOverlay.FrameBytesMax)
            throw new ArgumentException($"a frame of {frame.Length} bytes; the longest is {IOverlay.FrameBytesMax}", nameof(frame));
    }

    /// <summary>Runs a handler, and ends its stream as it ended.</summary>
    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "a handler's failure is told to the peer by the stream's reset, and nothing else depends on it")]
    public static async Task ServeAsync(PeerId from, OverlayStream stream, Func<PeerId, OverlayStream, CancellationToken, Task> serve, CancellationToken left)
    {
        CancellationTokenRegistration registration = left.UnsafeRegister(static s => ((OverlayStream)s!).Reset(), stream);
        try
        {
            await serve(from, stream, left).ConfigureAwait(false);
            await stream.CompleteWritesAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
            stream.Reset();
        }
        finally
        {
            await registration.DisposeAsync().ConfigureAwait(false);
        }
    }
}
