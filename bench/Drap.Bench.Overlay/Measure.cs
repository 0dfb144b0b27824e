using System.Diagnostics;
using System.Text.Json;
using Drap.Libp2p.Host;
using Drap.Libp2p.Multiformats;

namespace Drap.Bench.Overlay;

/// <summary>Measures against one peer: all of it once to warm up, then what counts, each figure after a warm-up of its own.</summary>
internal static class Measure
{
    /// <summary>
    /// How long each part takes in the warm-up. Measured is a program that runs for long: by then its code is compiled by how it is used, and V8 has done the same
    /// for js's.
    /// </summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    public static async Task<int> RunAsync(string peer, string address, bool quick, string[] only, int? seconds)
    {
        (PeerId id, Multiaddr[] addresses) = BenchPeer.Parse(peer, address);
        await AllAsync(id, addresses, WarmUp, quick: true, only);
        Console.WriteLine(JsonSerializer.Serialize(await AllAsync(id, addresses, TimeSpan.FromSeconds(seconds ?? (quick ? 1 : 4)), quick, only)));
        return 0;
    }

    private static async Task<Dictionary<string, double>> AllAsync(PeerId id, Multiaddr[] addresses, TimeSpan time, bool quick, string[] only)
    {
        var figures = new Dictionary<string, double>();
        bool Wanted(string word) => only.Length == 0 || only.Contains(word);
        await using (BenchPeer me = await BenchPeer.StartAsync())
        {
            Libp2pHost host = me.Host;
            if (Wanted("connect"))
            {
                double[] connects = await ConnectAsync(host, id, addresses, warmUp: quick ? 50 : 200, count: quick ? 50 : 200);
                figures["connectMsP50"] = Percentile(connects, 50);
                figures["connectMsP90"] = Percentile(connects, 90);
            }
            PeerConnection connection = await host.ConnectAsync(id, addresses);
            await connection.Identified;
            if (Wanted("ping"))
            {
                double[] pings = await PingAsync(host, id, time);
                figures["pingMsP50"] = Percentile(pings, 50);
                figures["pingMsP99"] = Percentile(pings, 99);
            }
            if (Wanted("ask"))
            {
                figures["requestsPerSecond1"] = await AskAsync(host, id, 1, time);
                figures["requestsPerSecond32"] = await AskAsync(host, id, 32, time);
                if (host.PeerBook[id].Speaks(BenchPeer.Request))
                {
                    var requester = new Requester(host, BenchPeer.Request);
                    figures["repeatableRequestsPerSecond1"] = await RateAsync(1, time, () => RequestAsync(requester, id));
                    figures["repeatableRequestsPerSecond32"] = await RateAsync(32, time, () => RequestAsync(requester, id));
                }
            }
            if (Wanted("stream"))
                figures["streamMiBPerSecond"] = await StreamAsync(host, id, quick ? 128 : 1024);
        }
        if (Wanted("gossip"))
            await GossipMeasure.RunAsync(id, addresses, time, Floors.Pace, latencies: quick ? 100 : 500, figures);
        return figures;
    }

    public static double Percentile(double[] samples, int percent)
    {
        Array.Sort(samples);
        return Math.Round(samples[Math.Min(samples.Length - 1, samples.Length * percent / 100)], 4);
    }

    private static async Task<double[]> ConnectAsync(Libp2pHost host, PeerId peer, Multiaddr[] addresses, int warmUp, int count)
    {
        var took = new List<double>();
        for (int i = 0; i < warmUp + count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            PeerConnection connection = await host.ConnectAsync(peer, addresses);
            if (i >= warmUp)
                took.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            // What follows a connection is done before the next is measured.
            await connection.Identified;
            await connection.CloseAsync();
        }
        return [.. took];
    }

    private static async Task<double[]> PingAsync(Libp2pHost host, PeerId peer, TimeSpan time)
    {
        P2pStream stream = await host.OpenStreamAsync(peer, [BenchPeer.Echo]);
        byte[] ping = new byte[32], pong = new byte[32];
        var took = new List<double>();
        for (long begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < 2 * time;)
        {
            long start = Stopwatch.GetTimestamp();
            await stream.WriteAsync(ping);
            for (int filled = 0; filled < pong.Length;)
                filled += await stream.ReadAsync(pong.AsMemory(filled));
            if (Stopwatch.GetElapsedTime(begun) > time)
                took.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        stream.Dispose();
        return [.. took];
    }

    private static Task<double> AskAsync(Libp2pHost host, PeerId peer, int atOnce, TimeSpan time)
    {
        byte[] question = new byte[BenchPeer.MessageBytes];
        string[] protocol = [BenchPeer.Ask];
        return RateAsync(atOnce, time, async () =>
        {
            P2pStream stream = await host.OpenStreamAsync(peer, protocol);
            await stream.WriteAndCloseAsync(question);
            byte[] answer = new byte[BenchPeer.MessageBytes];
            await Messages.FillAsync(stream, answer);
            // The end of what the peer writes, which as a rule came with it.
            if (await stream.ReadAsync(new byte[1]) != 0)
                throw new InvalidDataException("more came back than was sent");
        });
    }

    private static async Task RequestAsync(Requester requester, PeerId peer) => await requester.AskAsync(peer, new byte[BenchPeer.MessageBytes]);

    private static async Task<double> RateAsync(int atOnce, TimeSpan time, Func<Task> ask)
    {
        long done = 0;
        using var stop = new CancellationTokenSource();
        bool counts = false;
        Task[] askers = [.. Enumerable.Range(0, atOnce).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await ask();
                if (Volatile.Read(ref counts))
                    Interlocked.Increment(ref done);
            }
        }))];
        await Task.Delay(time / 2);
        Volatile.Write(ref counts, true);
        long begun = Stopwatch.GetTimestamp();
        await Task.Delay(time);
        double rate = Interlocked.Read(ref done) / Stopwatch.GetElapsedTime(begun).TotalSeconds;
        await stop.CancelAsync();
        await Task.WhenAll(askers);
        return Math.Round(rate);
    }

    private static async Task<double> StreamAsync(Libp2pHost host, PeerId peer, int megabytes)
    {
        var rates = new List<double>();
        // What is sent in the first second does not count: code is compiled, and windows grow.
        for (long begun = Stopwatch.GetTimestamp(); rates.Count < 3;)
        {
            bool counts = Stopwatch.GetElapsedTime(begun) > TimeSpan.FromSeconds(1);
            P2pStream stream = await host.OpenStreamAsync(peer, [BenchPeer.Sink]);
            byte[] block = new byte[64 * 1024];
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < megabytes * 16; i++)
                await stream.WriteAsync(block);
            await stream.CloseWriteAsync();
            byte[] counted = new byte[8];
            await Messages.FillAsync(stream, counted);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (BitConverter.ToInt64(counted) != megabytes * 1024L * 1024)
                throw new InvalidDataException("bytes were lost");
            if (counts)
                rates.Add(megabytes / seconds);
        }
        return Math.Round(rates.Order().ElementAt(rates.Count / 2), 1);
    }
}
