using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Kademlia;

namespace Drap.Node.Overlay.Libp2p;

/// <summary>
/// Finds peers by the DHT: one by its name, and those who hear a topic by the region that its shard names (design 5, audience). Members that no routing
/// table holds leave a provider record for their region, which this keeps, too.
/// </summary>
internal sealed class PeerFinder : IAsyncDisposable
{
    /// <summary>Keeps the regions of drap's topics apart from others on the same DHT.</summary>
    private const string Swarm = "/drap/1.0.0";

    /// <summary>Hearers that a topic which is published to should have connected: what an ad aims at.</summary>
    private const int WatchedPeers = Core.Market.Topics.AudienceAim;

    /// <summary>Hearers that are kept of a topic which is heard: a mesh's least.</summary>
    private const int HeardPeers = 4;

    /// <summary>Topics that are looked after; a worker hears some dozens. Further ones are not.</summary>
    private const int TopicsMax = 1024;

    /// <summary>Regions that are looked up in one round: a look-up asks some ten servers.</summary>
    private const int RegionsPerRound = 8;

    /// <summary>Found peers that are dialed in one round.</summary>
    private const int DialsPerRound = 16;

    /// <summary>Providers of a content that are looked for.</summary>
    private const int ProvidersMax = 8;

    private static readonly TimeSpan RoundTime = TimeSpan.FromSeconds(2);

    /// <summary>A region where nobody new was found is looked up again after this time, and then ever more seldom.</summary>
    private static readonly TimeSpan LookAgainMin = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LookAgainMax = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan LookUpTime = TimeSpan.FromSeconds(15);

    private readonly Libp2pHost host;
    private readonly Dht dht;
    private readonly Func<string, int> hearers;
    private readonly ConcurrentDictionary<string, Wanted> topics = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource stopping = new();
    private readonly Task running;
    private volatile bool hasMoved;

    /// <summary>Begins to look.</summary>
    /// <param name="host">The host.</param>
    /// <param name="dht">Its DHT.</param>
    /// <param name="hearers">How many connected peers hear a topic.</param>
    public PeerFinder(Libp2pHost host, Dht dht, Func<string, int> hearers)
    {
        this.host = host;
        this.dht = dht;
        this.hearers = hearers;
        running = RunAsync();
    }

    /// <summary>The topic is published to, or heard; or neither any more.</summary>
    public void Want(string topic, bool isWatched, bool isHeard)
    {
        if (TopicRules.RegionOf(topic) is not { } region)
            return;
        int wanted = isWatched ? WatchedPeers : isHeard ? HeardPeers : 0;
        if (wanted == 0)
            topics.TryRemove(topic, out _);
        else if (topics.Count < TopicsMax || topics.ContainsKey(topic))
            topics[topic] = new Wanted(region, wanted, isHeard);
    }

    /// <summary>This node is reached elsewhere now: records that say where it was are made again.</summary>
    public void Moved() => hasMoved = true;

    /// <summary>A connection with the peer, wherever it is.</summary>
    public async Task ConnectAsync(PeerId peer, CancellationToken ct)
    {
        if (host.Find(peer) is not null)
            return;
        DialException? failure = null;
        if (!host.PeerBook[peer].Addresses.IsEmpty)
        {
            try
            {
                await host.ConnectAsync(peer, ct).ConfigureAwait(false);
                return;
            }
            catch (DialException e)
            {
                // It may have moved.
                failure = e;
            }
        }
        KadPeer? found = dht.TableCount > 0 ? await dht.FindPeerAsync(peer, ct).ConfigureAwait(false) : null;
        if (found is null || found.Addresses.All(host.PeerBook[peer].Addresses.Contains))
            throw failure ?? new DialException($"no address of {peer} is known");
        host.PeerBook.AddAddresses(peer, found.Addresses);
        await host.ConnectAsync(peer, ct).ConfigureAwait(false);
    }

    /// <summary>Says that this node has a content; false if nobody keeps that.</summary>
    public async Task<bool> ProvideAsync(Cid content, CancellationToken ct)
    {
        try
        {
            return dht.TableCount > 0 && await dht.ProvideAsync(Multihash(content), ct).ConfigureAwait(false) > 0;
        }
        catch (Libp2pException)
        {
            return false;
        }
    }

    /// <summary>Says it no more.</summary>
    public void StopProviding(Cid content) => dht.StopProviding(Multihash(content));

    /// <summary>Who said that he has a content; where they are is remembered.</summary>
    public async Task<ImmutableArray<PeerId>> FindProvidersAsync(Cid content, CancellationToken ct)
    {
        var found = ImmutableArray.CreateBuilder<PeerId>();
        if (dht.TableCount == 0)
            return [];
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(LookUpTime);
        try
        {
            await foreach (KadPeer peer in dht.FindProvidersAsync(Multihash(content), ProvidersMax, late.Token).ConfigureAwait(false))
            {
                if (peer.Id == host.Self)
                    continue;
                host.PeerBook.AddAddresses(peer.Id, peer.Addresses);
                found.Add(peer.Id);
            }
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            // Those that were found are something.
        }
        return found.ToImmutable();
    }

    /// <summary>The DHT's name of a content leaves its kind out: a CID's sha2-256 alone.</summary>
    private static byte[] Multihash(Cid content) => content.ToBytes()[2..];

    /// <summary>Looks no more.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var provided = new HashSet<KeyPrefix>();
        using var timer = new PeriodicTimer(RoundTime);
        while (await timer.WaitForNextTickAsync(stopping.Token).ConfigureAwait(false))
        {
            if (dht.TableCount == 0)
                continue;
            try
            {
                await ProvideAsync(provided).ConfigureAwait(false);
                await LookAsync().ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is Libp2pException or OperationCanceledException && !stopping.IsCancellationRequested)
            {
                // The next round begins anew.
            }
        }
    }

    /// <summary>Says where this node is a member, if no routing table can hold it.</summary>
    private async Task ProvideAsync(HashSet<KeyPrefix> provided)
    {
        KeyPrefix[] heard = dht.IsServer ? [] : [.. topics.Values.Where(t => t.IsHeard).Select(t => t.Region).Distinct()];
        if (hasMoved)
        {
            hasMoved = false;
            provided.Clear();
        }
        foreach (KeyPrefix old in provided.Except(heard).ToArray())
        {
            dht.StopProviding(old.MembersKey(Swarm));
            provided.Remove(old);
        }
        foreach (KeyPrefix region in heard.Except(provided).Take(RegionsPerRound).ToArray())
            if (await dht.ProvideAsync(region.MembersKey(Swarm), stopping.Token).ConfigureAwait(false) > 0)
                provided.Add(region);
    }

    private async Task LookAsync()
    {
        long now = Environment.TickCount64;
        KeyPrefix[] due = [.. topics.Where(t => now >= t.Value.LookAt && hearers(t.Key) < t.Value.Peers).Select(t => t.Value.Region).Distinct().Take(RegionsPerRound)];
        foreach (KeyPrefix region in due)
        {
            int wanted = topics.Values.Where(t => t.Region == region).Select(t => t.Peers).DefaultIfEmpty().Max();
            bool found = await LookAsync(region, wanted).ConfigureAwait(false);
            foreach (Wanted topic in topics.Values.Where(t => t.Region == region))
                topic.Looked(found);
        }
    }

    /// <summary>Connects to members of a region; false if there was nobody new.</summary>
    private async Task<bool> LookAsync(KeyPrefix region, int wanted)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        late.CancelAfter(LookUpTime);
        var dials = new List<Task<bool>>();
        try
        {
            await foreach (KadPeer peer in dht.FindMembersAsync(region, wanted, late.Token).ConfigureAwait(false))
                Dial(peer);
            await foreach (KadPeer peer in dht.FindProvidersAsync(region.MembersKey(Swarm), wanted, late.Token).ConfigureAwait(false))
                Dial(peer);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
        }
        return (await Task.WhenAll(dials).ConfigureAwait(false)).Contains(true);

        void Dial(KadPeer peer)
        {
            if (peer.Id == host.Self || dials.Count >= DialsPerRound || host.Find(peer.Id) is not null)
                return;
            host.PeerBook.AddAddresses(peer.Id, peer.Addresses);
            dials.Add(DialAsync(peer.Id));
        }
    }

    private async Task<bool> DialAsync(PeerId peer)
    {
        try
        {
            await host.ConnectAsync(peer, stopping.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>A topic whose hearers are wanted, and when to look for them next.</summary>
    private sealed class Wanted(KeyPrefix region, int peers, bool isHeard)
    {
        private TimeSpan again = LookAgainMin;

        public KeyPrefix Region => region;

        public int Peers => peers;

        public bool IsHeard => isHeard;

        public long LookAt { get; private set; }

        public void Looked(bool found)
        {
            again = found ? LookAgainMin : again * 2 > LookAgainMax ? LookAgainMax : again * 2;
            LookAt = Environment.TickCount64 + (long)again.TotalMilliseconds;
        }
    }
}
