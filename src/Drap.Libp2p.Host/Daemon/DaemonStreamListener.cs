using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>Where a daemon brings streams for a client's handlers. Each connection says first which stream it carries.</summary>
internal sealed class DaemonStreamListener : IAsyncDisposable
{
    /// <summary>Streams that are handled at once; further ones wait to be taken.</summary>
    private const int StreamsMax = 4096;

    /// <summary>How long a connection may take to say which stream it carries: the daemon says it at once.</summary>
    private static readonly TimeSpan GreetingTimeout = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Func<DaemonStream, Task>> handlers = [];
    private readonly SocketAcceptor acceptor;
    private readonly string? folder;

    private DaemonStreamListener(Socket listener, Multiaddr address, string? folder)
    {
        this.folder = folder;
        Address = address;
        acceptor = new SocketAcceptor(listener, StreamsMax, ServeAsync);
    }

    /// <summary>Where the daemon is to bring them.</summary>
    public Multiaddr Address { get; }

    /// <summary>Listens as the daemon does: at the address of this machine from which it was reached, or on a Unix socket that only this user can open.</summary>
    public static DaemonStreamListener Start(EndPoint here)
    {
        string? folder = here is IPEndPoint ? null : Directory.CreateTempSubdirectory("drap-streams-").FullName;
        Multiaddr address = here is IPEndPoint ip ? Multiaddr.FromTcp(ip.Address, 0) : Multiaddr.FromUnix(Path.Combine(folder!, "streams.sock"));
        return new DaemonStreamListener(ControlSockets.Listen(address, out Multiaddr bound), bound, folder);
    }

    public void Add(string protocol, Func<DaemonStream, Task> handler) => handlers[protocol] = handler;

    public async ValueTask DisposeAsync()
    {
        await acceptor.DisposeAsync().ConfigureAwait(false);
        if (folder is not null)
            Directory.Delete(folder, recursive: true);
    }

    private async Task ServeAsync(Socket accepted, CancellationToken stopping)
    {
        var socket = new DaemonSocket(accepted, StreamInfo.MessageBytesMax);
        using CancellationTokenRegistration ending = stopping.Register(socket.Abort);
        try
        {
            using var late = new Patience(TimeProvider.System, GreetingTimeout, stopping);
            byte[]? message = await socket.ReadMessageAsync(late.Token).ConfigureAwait(false);
            if (message is not null && StreamInfo.TryDecode(message, out StreamInfo? info) && handlers.TryGetValue(info.Protocol, out var handler))
            {
                using var stream = new DaemonStream(socket, info);
                await handler(stream).ConfigureAwait(false);
                await stream.FinishAsync(stopping).ConfigureAwait(false);
            }
        }
        catch (Exception)
        {
            // The stream or the daemon has ended, or the handler has failed: the stream is reset, and nobody is left to tell.
        }
        finally
        {
            socket.Abort();
        }
    }
}
