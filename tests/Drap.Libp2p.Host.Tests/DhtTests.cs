using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Kademlia;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>A DHT over real hosts on loopback.</summary>
public sealed class DhtTests : IAsyncLifetime
{
    private static readonly KadOptions Keeping = KadOptions.Drap with { KeepsUnknownNamespaces = true };

    private readonly List<Libp2pHost> hosts = [];
    private readonly List<Dht> dhts = [];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (Dht dht in dhts)
            await dht.DisposeAsync();
        foreach (Libp2pHost host in hosts)
            await host.DisposeAsync();
    }

    private async Task<(Libp2pHost Host, Dht Dht)> AddAsync(bool isServer = true)
    {
        Libp2pHost host = await Hosts.StartAsync(100 + hosts.Count);
        var dht = new Dht(host, Keeping, isServer);
        hosts.Add(host);
        dhts.Add(dht);
        return (host, dht);
    }

    // Each knows the one before it, and nobody else.
    private async Task ChainAsync(int count)
    {
        for (int i = 0; i < count; i++)
        {
            (Libp2pHost host, Dht dht) = await AddAsync();
            if (i == 0)
                continue;
            PeerConnection connection = await host.ConnectAsync(hosts[i - 1]);
            await connection.Identified.WaitAsync(Hosts.Patience);
            Assert.NotEqual(0, dht.TableCount);
        }
        // Whoever is looked for is found by asking on, and so everybody learns of everybody.
        foreach (Dht dht in dhts)
            await dht.FindClosestAsync(hosts[0].Self.Bytes.ToArray()).WaitAsync(Hosts.Patience);
    }

    [Fact]
    public async Task Peers_values_and_providers_are_found_along_a_chain()
    {
        await ChainAsync(8);
        KadPeer? last = await dhts[0].FindPeerAsync(hosts[7].Self).WaitAsync(Hosts.Patience);
        Assert.NotNull(last);
        Assert.Contains(hosts[7].ListenAddresses[0], last.Addresses);
        Assert.Null(await dhts[0].FindPeerAsync(Hosts.Key(9999).PeerId).WaitAsync(Hosts.Patience));

        byte[] key = "/test/key"u8.ToArray();
        Assert.Equal(7, await dhts[0].PutValueAsync(key, [1, 2, 3]).WaitAsync(Hosts.Patience));
        Assert.Equal([1, 2, 3], await dhts[7].GetValueAsync(key).WaitAsync(Hosts.Patience));
        Assert.Null(await dhts[7].GetValueAsync("/test/other"u8.ToArray()).WaitAsync(Hosts.Patience));

        byte[] content = new KeyPrefix(0, 0).MembersKey("/test");
        Assert.Equal(7, await dhts[2].ProvideAsync(content).WaitAsync(Hosts.Patience));
        var providers = new List<PeerId>();
        await foreach (KadPeer provider in dhts[6].FindProvidersAsync(content, 20))
            providers.Add(provider.Id);
        Assert.Equal([hosts[2].Self], providers);

        var members = new List<PeerId>();
        MemberSearch search = dhts[3].FindMembersAsync(new KeyPrefix(0, 0), 100);
        Assert.False(search.IsWhole);
        await foreach (KadPeer member in search)
            members.Add(member.Id);
        Assert.True(search.IsWhole);
        Assert.Equal(hosts.Where(host => host != hosts[3]).Select(host => host.Self).Order(), members.Order());
        Assert.Equal(7, dhts[3].EstimateSize());
    }

    /// <summary>Nothing is waited for: not that the two have said who they are, not that anybody is in anybody's table.</summary>
    [Fact]
    public async Task Who_asks_as_soon_as_it_is_connected_finds()
    {
        (Libp2pHost server, Dht there) = await AddAsync();
        byte[] key = "/test/key"u8.ToArray(), content = new KeyPrefix(0, 0).MembersKey("/test");
        await there.PutValueAsync(key, [1, 2, 3]);
        await there.ProvideAsync(content);
        for (int i = 0; i < 5; i++)
        {
            (Libp2pHost host, Dht dht) = await AddAsync(isServer: false);
            await host.ConnectAsync(server);
            Task<byte[]?> value = dht.GetValueAsync(key);
            Assert.Equal([server.Self], (await dht.FindClosestAsync([1]).WaitAsync(Hosts.Patience)).Select(peer => peer.Id));
            Assert.Equal([1, 2, 3], await value.WaitAsync(Hosts.Patience));
            var providers = new List<PeerId>();
            await foreach (KadPeer provider in dht.FindProvidersAsync(content, 1))
                providers.Add(provider.Id);
            Assert.Equal([server.Self], providers);
        }
    }

    /// <summary>A connection that its peer closes just as it is asked, such as one of two, is no reason to find nothing.</summary>
    [Fact]
    public async Task A_question_whose_connection_closes_is_asked_over_another()
    {
        (Libp2pHost asker, Dht dht) = await AddAsync(isServer: false);
        await using Libp2pHost server = await Hosts.StartAsync(99);
        // A question for the key 1, as it goes over the wire; what the asker asks on its own account has other keys, and is not answered.
        byte[] question = [5, 8, 4, 18, 1, 1];
        int asked = 0;
        server.Handle(Keeping.Protocol, async stream =>
        {
            byte[] request = new byte[question.Length];
            await stream.ReadExactlyAsync(request);
            if (!request.SequenceEqual(question))
                stream.Reset();
            else if (Interlocked.Increment(ref asked) == 1)
                await server.DisconnectAsync(asker.Self);
            else
                await stream.WriteAndCloseAsync(request);
        });
        await asker.ConnectAsync(server);
        Assert.Equal([server.Self], (await dht.FindClosestAsync([1]).WaitAsync(Hosts.Patience)).Select(peer => peer.Id));
        Assert.Equal(2, asked);
    }

    [Fact]
    public async Task A_client_asks_and_is_not_asked_until_it_becomes_a_server()
    {
        await ChainAsync(3);
        (Libp2pHost host, Dht client) = await AddAsync(isServer: false);
        PeerConnection connection = await host.ConnectAsync(hosts[0]);
        await connection.Identified.WaitAsync(Hosts.Patience);
        Assert.Equal(3, (await client.FindClosestAsync([1]).WaitAsync(Hosts.Patience)).Length);
        Assert.DoesNotContain(Keeping.Protocol, host.Protocols);
        Assert.All(dhts.Take(3), dht => Assert.Equal(2, dht.TableCount));
        await Assert.ThrowsAsync<ProtocolRefusedException>(() => hosts[0].OpenStreamAsync(host.Self, [Keeping.Protocol]));

        client.IsServer = true;
        Assert.Contains(Keeping.Protocol, host.Protocols);
        await Hosts.Until(() => dhts[0].TableCount == 3, "it is known as a server");
    }

    [Fact]
    public async Task A_dead_peer_is_passed_by_and_a_stopped_dht_answers_nobody()
    {
        await ChainAsync(5);
        await dhts[4].DisposeAsync();
        await hosts[4].DisposeAsync();
        byte[] key = "/test/key"u8.ToArray();
        Assert.Equal(3, await dhts[0].PutValueAsync(key, [9]).WaitAsync(Hosts.Patience));
        Assert.Equal([9], await dhts[3].GetValueAsync(key).WaitAsync(Hosts.Patience));
        await dhts[3].DisposeAsync();
        await Assert.ThrowsAnyAsync<Libp2pException>(() => dhts[3].GetValueAsync(key));
        using var cancelled = new CancellationTokenSource();
        Task<KadPeer?> finding = dhts[0].FindPeerAsync(Hosts.Key(9999).PeerId, cancelled.Token);
        await cancelled.CancelAsync();
        try
        {
            // Who had asked all by then has found nobody.
            Assert.Null(await finding.WaitAsync(Hosts.Patience));
        }
        catch (OperationCanceledException)
        {
            Assert.True(finding.IsCanceled);
        }
    }

    [Fact]
    public async Task What_is_no_request_ends_its_stream()
    {
        (Libp2pHost server, _) = await AddAsync();
        (Libp2pHost asker, _) = await AddAsync(isServer: false);
        await asker.ConnectAsync(server);
        foreach (byte[] bytes in new byte[][] { [0xff, 0xff, 0xff, 0xff, 0x0f], [2, 8, 9], [2, 8, 4], [1, 0xff] })
        {
            P2pStream stream = await asker.OpenStreamAsync(server.Self, [Keeping.Protocol]);
            await stream.WriteAsync(bytes);
            await Assert.ThrowsAsync<StreamResetException>(() => stream.ReadAsync(new byte[10]).AsTask().WaitAsync(Hosts.Patience));
        }
        // Several requests on one stream, byte by byte.
        P2pStream many = await asker.OpenStreamAsync(server.Self, [Keeping.Protocol]);
        for (int i = 0; i < 3; i++)
        {
            foreach (byte b in new byte[] { 5, 8, 4, 18, 1, (byte)(i + 1) })
                await many.WriteAsync(new[] { b });
            byte[] length = new byte[1];
            await many.ReadExactlyAsync(length);
            byte[] answer = new byte[length[0]];
            await many.ReadExactlyAsync(answer);
            Assert.True(KadCodec.TryDecode(answer, out KadMessage? message));
            Assert.Equal((KadMessageType.FindNode, 1), (message.Type, message.Key.Length));
        }
        many.Dispose();
    }
}
