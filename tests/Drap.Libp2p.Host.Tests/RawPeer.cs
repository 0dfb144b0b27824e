using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Multistream;
using Drap.Libp2p.Plaintext;
using Drap.Libp2p.Yamux;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>A peer by hand, over plaintext: it says what no honest host would.</summary>
internal sealed class RawPeer : IDisposable
{
    private readonly byte[] buffer = new byte[64 * 1024];
    private int start, end;

    private RawPeer(Socket socket) => Socket = socket;

    public Socket Socket { get; }

    /// <summary>A bare TCP connection with the host.</summary>
    public static async Task<Socket> DialAsync(Libp2pHost host)
    {
        Assert.True(host.ListenAddresses[0].TryGetTcp(out EndPoint? endPoint, out _));
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(endPoint);
        return socket;
    }

    /// <summary>A connection up to the multiplexer.</summary>
    public static async Task<RawPeer> ConnectAsync(Libp2pHost host, int seed)
    {
        var peer = new RawPeer(await DialAsync(host));
        await peer.AgreeAsync("/plaintext/2.0.0");
        var output = new ArrayBufferWriter<byte>();
        var exchange = new PlaintextExchange(Hosts.Key(seed), host.Self);
        exchange.Start(output);
        await peer.SendAsync(output.WrittenMemory);
        while (!exchange.IsDone)
        {
            if (peer.start == peer.end)
                Assert.True(await peer.FillAsync());
            peer.start += exchange.Receive(peer.Unread);
            Assert.Equal(PlaintextError.None, exchange.Error);
        }
        await peer.AgreeAsync("/yamux/1.0.0");
        return peer;
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await Socket.SendAsync(bytes)..];
    }

    public Task SendAsync(YamuxHeader header, ReadOnlySpan<byte> payload = default)
    {
        byte[] frame = new byte[YamuxHeader.Bytes + payload.Length];
        header.Write(frame);
        payload.CopyTo(frame.AsSpan(YamuxHeader.Bytes));
        return SendAsync(frame);
    }

    /// <summary>The next frame's header; its payload is passed over. Null at the end.</summary>
    public async Task<YamuxHeader?> ReceiveAsync()
    {
        while (end - start < YamuxHeader.Bytes)
        {
            if (!await FillAsync())
                return null;
        }
        YamuxHeader.Read(Unread, out YamuxHeader header);
        start += YamuxHeader.Bytes;
        for (uint left = header.Type == YamuxType.Data ? header.Length : 0; left > 0;)
        {
            if (start == end && !await FillAsync())
                return null;
            int taken = (int)Math.Min(left, (uint)(end - start));
            start += taken;
            left -= (uint)taken;
        }
        return header;
    }

    /// <summary>Reads to the end; the last frame before it.</summary>
    public async Task<YamuxHeader?> LastAsync()
    {
        YamuxHeader? last = null;
        while (await ReceiveAsync().WaitAsync(Hosts.Patience) is { } header)
            last = header;
        return last;
    }

    public void Dispose() => Socket.Dispose();

    private ReadOnlySpan<byte> Unread => buffer.AsSpan(start, end - start);

    private async Task AgreeAsync(string protocol)
    {
        var initiator = new MultistreamInitiator(protocol);
        var output = new ArrayBufferWriter<byte>();
        initiator.Start(output);
        await SendAsync(output.WrittenMemory);
        while (initiator.Status == MultistreamStatus.Negotiating)
        {
            if (start == end)
                Assert.True(await FillAsync());
            start += initiator.Receive(Unread, output);
        }
        Assert.Equal(MultistreamStatus.Done, initiator.Status);
    }

    private async Task<bool> FillAsync()
    {
        Unread.CopyTo(buffer);
        end -= start;
        start = 0;
        try
        {
            int received = await Socket.ReceiveAsync(buffer.AsMemory(end)).AsTask().WaitAsync(Hosts.Patience);
            end += received;
            return received > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
