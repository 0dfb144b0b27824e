using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host;

namespace Drap.Bench.Overlay;

/// <summary>The peer that is measured against. Told <c>stat</c>, it says its memory and the processor time that it has used.</summary>
internal static class Server
{
    public static async Task<int> RunAsync()
    {
        await using BenchPeer me = await BenchPeer.StartAsync(listens: true, gossips: true, staysIdle: true);
        Libp2pHost host = me.Host;
        var ear = new Ear();
        using TopicListener hearing = me.Gossip!.Listen(BenchPeer.Topic, static _ => MessageVerdict.Accept, ear.Hear);
        host.Handle(BenchPeer.Echo, EchoAsync);
        host.Handle(BenchPeer.Ask, AnswerAsync);
        host.Handle(BenchPeer.Sink, SwallowAsync);
        host.Handle(BenchPeer.Heard, ear.AnswerAsync);
        using var responder = new Responder(host, BenchPeer.Request, static (_, body, _) => new(body.ToArray()));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task bare = ServeBareAsync(listener);
        Console.WriteLine($$"""{"peer":"{{host.Self}}","address":"{{host.ListenAddresses[0]}}","bare":{{((IPEndPoint)listener.LocalEndpoint).Port}}}""");
        while (await Console.In.ReadLineAsync() is { } line)
        {
            if (line == "stat")
                Console.WriteLine(Stat(host));
        }
        listener.Stop();
        await bare;
        return 0;
    }

    private static string Stat(Libp2pHost host)
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        using var me = Process.GetCurrentProcess();
        string resident = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        return string.Create(CultureInfo.InvariantCulture, $$"""{"residentKiB":{{resident}},"cpuMs":{{me.TotalProcessorTime.TotalMilliseconds:0.0}},"connections":{{host.Connections.Count}}}""");
    }

    private static async Task EchoAsync(P2pStream stream)
    {
        byte[] buffer = new byte[4096];
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
            await stream.WriteAsync(buffer.AsMemory(0, read));
    }

    private static async Task AnswerAsync(P2pStream stream)
    {
        byte[] buffer = new byte[BenchPeer.MessageBytes];
        await Messages.FillAsync(stream, buffer);
        await stream.WriteAndCloseAsync(buffer);
    }

    private static async Task SwallowAsync(P2pStream stream)
    {
        byte[] buffer = new byte[256 * 1024];
        long total = 0;
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
            total += read;
        await stream.WriteAndCloseAsync(BitConverter.GetBytes(total));
    }

    // What a bare socket carries: the same, without anything around it.
    private static async Task ServeBareAsync(TcpListener listener)
    {
        byte[] buffer = new byte[256 * 1024];
        try
        {
            while (true)
            {
                using Socket socket = await listener.AcceptSocketAsync();
                socket.NoDelay = true;
                long total = 0;
                bool echoes = false;
                for (int read; (read = await socket.ReceiveAsync(buffer.AsMemory())) > 0; total += read)
                {
                    // A first read of 32 bytes is a ping.
                    echoes |= total == 0 && read == 32;
                    if (echoes)
                        await socket.SendAsync(buffer.AsMemory(0, read));
                }
                if (!echoes)
                    await socket.SendAsync(BitConverter.GetBytes(total));
            }
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }
}
