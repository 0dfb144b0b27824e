using Drap.Libp2p.Multiformats;

namespace Drap.Bench.Overlay;

/// <summary>Many peers in one process, each with one connection over which nothing goes but what keeps it alive, and gossip's own if they gossip.</summary>
internal static class Holder
{
    public static async Task<int> RunAsync(int count, string peer, string address, bool gossips)
    {
        (PeerId id, Multiaddr[] addresses) = BenchPeer.Parse(peer, address);
        var peers = new List<BenchPeer>();
        for (int i = 0; i < count; i++)
        {
            BenchPeer held = await BenchPeer.StartAsync(gossips: gossips, staysIdle: true);
            peers.Add(held);
            await (await held.Host.ConnectAsync(id, addresses)).Identified;
        }
        Console.WriteLine("ready");
        while (await Console.In.ReadLineAsync() is not null)
        {
        }
        foreach (BenchPeer held in peers)
            await held.DisposeAsync();
        return 0;
    }
}
