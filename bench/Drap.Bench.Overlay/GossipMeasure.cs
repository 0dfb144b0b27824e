using System.Buffers.Binary;
using System.Diagnostics;
using Drap.Libp2p.Host;
using Drap.Libp2p.Multiformats;

namespace Drap.Bench.Overlay;

/// <summary>Publishes to one peer that hears the topic, and asks it what it has heard.</summary>
internal static class GossipMeasure
{
    /// <summary>Publishers at once. One would leave a core idle whenever it waits.</summary>
    private const int Publishers = 4;

    public static async Task RunAsync(PeerId peer, Multiaddr[] addresses, TimeSpan time, TimeSpan pace, int latencies, Dictionary<string, double> figures)
    {
        await using BenchPeer me = await BenchPeer.StartAsync(gossips: true);
        await me.Host.ConnectAsync(peer, addresses);
        while (!me.Gossip!.PeersOf(BenchPeer.Topic).Contains(peer))
            await Task.Delay(10);
        await FloodAsync(me, peer, time / 2, figures);
        await FloodAsync(me, peer, time, figures);
        byte[] message = new byte[BenchPeer.GossipBytes];
        for (int i = 0; i < latencies; i++)
        {
            await PublishAsync(me, message);
            await Task.Delay(pace);
        }
        byte[] heard = await HeardAsync(me.Host, peer, latencies);
        figures["gossipMsP50"] = Math.Round(Milliseconds(heard, 16), 4);
        figures["gossipMsP99"] = Math.Round(Milliseconds(heard, 24), 4);
    }

    private static async Task FloodAsync(BenchPeer me, PeerId peer, TimeSpan time, Dictionary<string, double> figures)
    {
        long published = 0, begun = Stopwatch.GetTimestamp();
        TimeSpan used = Environment.CpuUsage.TotalTime;
        await Task.WhenAll(Enumerable.Range(0, Publishers).Select(_ => Task.Run(async () =>
        {
            byte[] data = new byte[BenchPeer.GossipBytes];
            for (; Stopwatch.GetElapsedTime(begun) < time; Interlocked.Increment(ref published))
                await PublishAsync(me, data);
        })));
        byte[] heard = await HeardAsync(me.Host, peer, published);
        long count = BinaryPrimitives.ReadInt64LittleEndian(heard);
        figures["gossipPerSecond"] = Math.Round(count / Stopwatch.GetElapsedTime(begun, BinaryPrimitives.ReadInt64LittleEndian(heard.AsSpan(8))).TotalSeconds);
        figures["gossipLost"] = published - count;
        // What a message costs its publisher and its hearer, the signature's making and checking in it.
        figures["gossipPublisherMicroseconds"] = Math.Round((Environment.CpuUsage.TotalTime - used).TotalMicroseconds / count, 2);
        figures["gossipHearerMicroseconds"] = Math.Round(TimeSpan.FromTicks(BinaryPrimitives.ReadInt64LittleEndian(heard.AsSpan(32))).TotalMicroseconds / count, 2);
    }

    private static ValueTask<int> PublishAsync(BenchPeer me, byte[] data)
    {
        BinaryPrimitives.WriteInt64LittleEndian(data, Stopwatch.GetTimestamp());
        return me.Gossip!.PublishAsync(BenchPeer.Topic, data);
    }

    private static async Task<byte[]> HeardAsync(Libp2pHost host, PeerId peer, long expected)
    {
        P2pStream stream = await host.OpenStreamAsync(peer, [BenchPeer.Heard]);
        byte[] message = new byte[Ear.AnswerBytes];
        BinaryPrimitives.WriteInt64LittleEndian(message, expected);
        await stream.WriteAndCloseAsync(message.AsMemory(0, 8));
        await Messages.FillAsync(stream, message);
        stream.Dispose();
        return message;
    }

    private static double Milliseconds(byte[] heard, int at) => BinaryPrimitives.ReadInt64LittleEndian(heard.AsSpan(at)) * 1000.0 / Stopwatch.Frequency;
}
