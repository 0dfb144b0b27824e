using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Kademlia;

namespace Drap.Libp2p.Host.Kademlia;

/// <summary>Serves the DHT's streams: each brings requests one after another, and gets their answers.</summary>
internal sealed class DhtServer(Libp2pHost host, string protocol, Func<PeerId, KadMessage, KadReply> handle) : IAsyncDisposable
{
    // js opens 64 at most; each holds a small request and an answer under way.
    private const int StreamsPerPeerMax = 64;

    /// <summary>Requests longer than this carry values; not more than <see cref="LargeMax"/> of them are read at a time, 6 MiB in all.</summary>
    private const int SmallBytes = 4096, LargeMax = 32;

    // A request that is begun comes at once, and so does the next of an honest peer.
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10), IdleTimeout = TimeSpan.FromSeconds(60);

    private readonly Dictionary<PeerId, int> streams = [];
    private readonly SemaphoreSlim large = new(LargeMax);
    private bool isServing;

    public void Start()
    {
        lock (streams)
        {
            if (isServing)
                return;
            isServing = true;
        }
        host.Handle(protocol, ServeAsync);
    }

    public void Stop()
    {
        lock (streams)
        {
            if (!isServing)
                return;
            isServing = false;
        }
        host.Unhandle(protocol);
    }

    public ValueTask DisposeAsync()
    {
        // The host waits for handlers; the semaphore has no handle that would need more.
        return ValueTask.CompletedTask;
    }

    private async Task ServeAsync(P2pStream stream)
    {
        if (!TryEnter(stream.Remote))
        {
            stream.Reset();
            return;
        }
        try
        {
            while (await ReadRequestAsync(stream).ConfigureAwait(false) is { } bytes)
            {
                if (!KadCodec.TryDecode(bytes, out KadMessage? request))
                {
                    stream.Reset();
                    return;
                }
                switch (handle(stream.Remote, request))
                {
                    case KadReply.Answer { Message: var answer }:
                        using (var limit = new TimedCancellation(host.Hub.Deadlines, host.Hub.Clock.Now + RequestTimeout, default))
                            await stream.WriteMessageAsync(KadCodec.Encode(answer), limit.Token).ConfigureAwait(false);
                        break;
                    case var reply when reply == KadReply.Refused:
                        stream.Reset();
                        return;
                }
            }
        }
        finally
        {
            Leave(stream.Remote);
        }
    }

    private async Task<byte[]?> ReadRequestAsync(P2pStream stream)
    {
        using var idle = new TimedCancellation(host.Hub.Deadlines, host.Hub.Clock.Now + IdleTimeout, default);
        int length = await stream.ReadLengthAsync(KadCodec.MessageBytesMax, idle.Token).ConfigureAwait(false);
        if (length < 0)
            return null;
        using var limit = new TimedCancellation(host.Hub.Deadlines, host.Hub.Clock.Now + RequestTimeout, default);
        if (length <= SmallBytes)
            return await stream.ReadBodyAsync(length, limit.Token).ConfigureAwait(false);
        await large.WaitAsync(limit.Token).ConfigureAwait(false);
        try
        {
            return await stream.ReadBodyAsync(length, limit.Token).ConfigureAwait(false);
        }
        finally
        {
            large.Release();
        }
    }

    private bool TryEnter(PeerId peer)
    {
        lock (streams)
        {
            int open = streams.GetValueOrDefault(peer);
            if (open >= StreamsPerPeerMax)
                return false;
            streams[peer] = open + 1;
            return true;
        }
    }

    private void Leave(PeerId peer)
    {
        lock (streams)
        {
            if (--streams[peer] == 0)
                streams.Remove(peer);
        }
    }
}
