using Drap.Node.Identity;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Overlay;

/// <summary>The nodes of a test of an overlay: they join, know each other, and leave at its end.</summary>
public abstract class OverlayNodes : IAsyncLifetime
{
    private readonly List<IOverlay> joined = [];
    private string folder = "";

    public ValueTask InitializeAsync()
    {
        folder = Directory.CreateTempSubdirectory("drap-overlay-").FullName;
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IOverlay overlay in joined)
            await overlay.DisposeAsync();
        await EndAsync();
        Directory.Delete(folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Joins a node that knows others, and connects to them where that means something.</summary>
    protected abstract Task<IOverlay> JoinAsync(NodeIdentity identity, IOverlayEvents events, IOverlay[] known);

    /// <summary>Ends what the overlays needed.</summary>
    protected virtual ValueTask EndAsync() => ValueTask.CompletedTask;

    /// <summary>Whether a node that is stopped and started again has its name again.</summary>
    protected virtual bool KeepsNames => true;

    protected string Folder => folder;

    protected static TimeSpan Patience => OverlayRecorder.Patience;

    protected static byte[] Frame(int number, int length = 0)
    {
        byte[] frame = new byte[length > 0 ? length : 4 + number % 700];
        BitConverter.TryWriteBytes(frame, number);
        frame.AsSpan(4).Fill((byte)number);
        return frame;
    }

    protected async Task<(OverlayRecorder Recorder, IOverlay Overlay)> JoinAsync(string name, params IOverlay[] known) => await JoinAsync(name, new OverlayRecorder(), known);

    protected async Task<(OverlayRecorder Recorder, IOverlay Overlay)> JoinAsync(string name, OverlayRecorder recorder, params IOverlay[] known)
    {
        IOverlay overlay = await JoinAsync(NodeIdentity.Open(Path.Combine(folder, $"{name}.key")), recorder, known).WaitAsync(Patience);
        joined.Add(overlay);
        // Nobody tells a node of a connection before there is something to say.
        using var late = new CancellationTokenSource(Patience);
        while (known.Any(k => !overlay.Peers.Contains(k.Self) || !k.Peers.Contains(overlay.Self)))
            await Task.Delay(5, late.Token);
        return (recorder, overlay);
    }

    protected virtual Task LeaveAsync(IOverlay overlay) => overlay.DisposeAsync().AsTask().WaitAsync(Patience);

    protected static byte[] RandomBytes(int length, ulong seed)
    {
        var random = new Prng(seed);
        byte[] bytes = new byte[length];
        for (int i = 0; i + 8 <= length; i += 8)
            BitConverter.TryWriteBytes(bytes.AsSpan(i), random.NextUInt64());
        return bytes;
    }
}
