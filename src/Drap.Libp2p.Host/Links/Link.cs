namespace Drap.Libp2p.Host.Links;

/// <summary>
/// One connection's bytes, both ways, as a transport carries them. One read and one write may be under way at a time. Whatever fails throws
/// an <see cref="IOException"/> or a <see cref="System.Net.Sockets.SocketException"/>.
/// </summary>
internal abstract class Link
{
    /// <summary>Waits until there is something to read, the end included. No buffer is held while nothing comes.</summary>
    public abstract ValueTask<int> WaitAsync();

    /// <summary>
    /// As <see cref="WaitAsync"/>, for who runs nothing that others wrote, but where <see cref="Polling.Poller.MayLend"/> allows it: he may go on on the thread that
    /// waits for all sockets.
    /// </summary>
    public virtual ValueTask<int> WaitHereAsync() => WaitAsync();

    /// <summary>Reads what there is; 0 at the end, -1 if there is nothing after all.</summary>
    public abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    /// <summary>Sends all of it.</summary>
    public abstract ValueTask SendAsync(ReadOnlyMemory<byte> bytes);

    /// <summary>Closes both ways; what was sent is still delivered if the other side takes it. Reads and writes under way fail. Any thread, any number of times.</summary>
    public abstract void Close();
}
