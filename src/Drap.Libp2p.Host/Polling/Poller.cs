using System.Collections.Concurrent;
using System.Diagnostics;

namespace Drap.Libp2p.Host.Polling;

/// <summary>
/// Waits for all connections' sockets of this process, on two threads. The runtime would wake three for what comes alone: the one that waits, one of the pool
/// that reads, and another to see whether there is more. Processors that slept take 40 to 100 µs to wake, so here the one that waits reads himself.
/// </summary>
/// <remarks>
/// After a pause, whoever waited for the socket goes on on the thread that has seen it, and may lend it to what others wrote (<see cref="MayLend"/>) as long as
/// the other thread waits; so one of the two always does, whatever handlers do. While much happens, the pool's threads are awake anyhow, and have it all.
/// </remarks>
internal sealed class Poller
{
    // One for what comes, one for what comes meanwhile. Who would be the last to wait lends himself to nobody.
    private const int Threads = 2;

    // So long nothing came: the pool's threads have ceased to look for work, and would have to be woken.
    private static readonly long Pause = Stopwatch.Frequency / 10_000;

    [ThreadStatic]
    private static bool isHere;

    private readonly ConcurrentDictionary<long, PolledSocket> sockets = new();
    private readonly Epoll list;
    private long lastId;
    private long lastAt;
    private int waiting;

    private Poller(Epoll list)
    {
        this.list = list;
        for (int i = 0; i < Threads; i++)
            new Thread(Run) { IsBackground = true, Name = "drap sockets" }.UnsafeStart();
    }

    /// <summary>The process's; null where the kernel has no epoll: there the runtime waits.</summary>
    public static Poller? Shared { get; } = Epoll.TryCreate() is { } list ? new Poller(list) : null;

    /// <summary>Whether this thread may run what others wrote, which may take its time: not if it is the last that could wait for sockets.</summary>
    public static bool MayLend => !isHere || Volatile.Read(ref Shared!.waiting) > 0;

    /// <summary>Watches a socket from now on; false if the kernel takes no more.</summary>
    public bool TryAdd(PolledSocket socket)
    {
        socket.Id = Interlocked.Increment(ref lastId);
        sockets[socket.Id] = socket;
        if (list.TryAdd(socket.Handle, socket.Id))
            return true;
        sockets.TryRemove(socket.Id, out _);
        return false;
    }

    /// <summary>A socket is about to be closed, with which the kernel forgets it.</summary>
    public void Remove(PolledSocket socket) => sockets.TryRemove(socket.Id, out _);

    private void Run()
    {
        isHere = true;
        while (true)
        {
            Interlocked.Increment(ref waiting);
            long id = list.Wait(out SocketNews news);
            Interlocked.Decrement(ref waiting);
            long now = Stopwatch.GetTimestamp();
            bool isAlone = now - Interlocked.Exchange(ref lastAt, now) > Pause;
            // One that was closed meanwhile may still have been reported.
            if (!sockets.TryGetValue(id, out PolledSocket? socket))
                continue;
            if (news.IsWritable || news.WritingEnds)
                socket.Writing.Happened(isOver: news.WritingEnds, mayGoOnHere: false);
            if (news.IsReadable || news.ReadingEnds)
                socket.Reading.Happened(isOver: news.ReadingEnds, mayGoOnHere: isAlone);
        }
    }
}
