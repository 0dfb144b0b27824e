using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Host.Tests.Daemon;

/// <summary>A connection to a daemon on which a test may write anything.</summary>
internal sealed class RawDaemonClient : IDisposable
{
    private readonly Socket socket;
    private readonly NetworkStream stream;

    public RawDaemonClient(DaemonServer server)
    {
        EndPoint endPoint = server.Address.TryGetUnixPath(out string? path) ? new UnixDomainSocketEndPoint(path)
            : server.Address.TryGetTcp(out EndPoint? tcp, out _) ? tcp : throw new FormatException($"{server.Address}");
        socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(endPoint);
        stream = new NetworkStream(socket);
    }

    public static byte[] Frame(DaemonRequest request) => Delimited.Frame(DaemonRequestWriter.Encode(request));

    public ValueTask SendAsync(ReadOnlyMemory<byte> bytes) => stream.WriteAsync(bytes);

    public ValueTask SendAsync(DaemonRequest request) => SendAsync(Frame(request));

    public void CloseWrite() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Waits until something has come, and takes nothing of it.</summary>
    public Task WaitAsync() => socket.ReceiveAsync(Memory<byte>.Empty).AsTask().WaitAsync(Hosts.Patience);

    /// <summary>The next answer.</summary>
    public async Task<DaemonResponse> ReadAsync()
    {
        Assert.True(DaemonResponse.TryDecode(await ReadFrameAsync(), out DaemonResponse? response));
        return response;
    }

    /// <summary>The next message.</summary>
    public async Task<byte[]> ReadFrameAsync()
    {
        byte[] head = new byte[UnsignedVarint.BytesMax];
        ulong length;
        int read = 0;
        do
            await stream.ReadExactlyAsync(head, read, 1).AsTask().WaitAsync(Hosts.Patience);
        while (UnsignedVarint.TryRead(head.AsSpan(0, ++read), out length, out _) == VarintStatus.Incomplete);
        Assert.InRange(length, 1ul, (ulong)DaemonProtocol.MessageBytesMax);
        byte[] message = new byte[length];
        await stream.ReadExactlyAsync(message).AsTask().WaitAsync(Hosts.Patience);
        return message;
    }

    public async Task<byte[]> ReadToEndAsync()
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all).WaitAsync(Hosts.Patience);
        return all.ToArray();
    }

    public void Dispose()
    {
        stream.Dispose();
        socket.Dispose();
    }
}
