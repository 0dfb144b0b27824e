using System.Security.Cryptography;
using Drap.Libp2p.Host;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;

namespace Drap.Bench.Overlay;

/// <summary>A host as it is measured, and the protocols that both implementations serve.</summary>
internal sealed class BenchPeer : IAsyncDisposable
{
    public const string Echo = "/bench/echo/1.0.0";
    public const string Ask = "/bench/ask/1.0.0";
    public const string Sink = "/bench/sink/1.0.0";
    public const string Request = "/bench/request/1.0.0";
    public const string Heard = "/bench/heard/1.0.0";

    /// <summary>What is published to, and heard by who serves.</summary>
    public const string Topic = "/bench/gossip/1.0.0";

    /// <summary>Bytes of a question and of an answer.</summary>
    public const int MessageBytes = 200;

    /// <summary>Bytes of data in a gossip message.</summary>
    public const int GossipBytes = 512;

    private BenchPeer(Libp2pHost host, PubSub? gossip)
    {
        Host = host;
        Gossip = gossip;
    }

    public Libp2pHost Host { get; }

    public PubSub? Gossip { get; }

    public static async Task<BenchPeer> StartAsync(bool listens = false, bool gossips = false, bool staysIdle = false)
    {
        PrivateKey key = PrivateKey.FromSeed(RandomNumberGenerator.GetBytes(PrivateKey.SeedBytes));
        Libp2pHost host = await Libp2pHost.StartAsync(new HostOptions
        {
            Key = key,
            Listen = listens ? [Multiaddr.Parse("/ip4/127.0.0.1/tcp/0")] : [],
            Security = [ConnectionSecurity.Noise],
            Limits = staysIdle ? new HostLimits { IdleAfter = Timeout.InfiniteTimeSpan } : new HostLimits(),
        });
        return new BenchPeer(host, gossips ? new PubSub(host, key) : null);
    }

    public static (PeerId Peer, Multiaddr[] Addresses) Parse(string peer, string address) =>
        PeerId.TryParse(peer, out PeerId id) ? (id, [Multiaddr.Parse(address)]) : throw new FormatException($"no peer id: {peer}");

    public async ValueTask DisposeAsync()
    {
        if (Gossip is not null)
            await Gossip.DisposeAsync();
        await Host.DisposeAsync();
    }
}
