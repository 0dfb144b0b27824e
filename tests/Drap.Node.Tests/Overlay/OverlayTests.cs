using System.Collections.Immutable;
using Drap.Core.Market;
using Drap.Core.Messages;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Multiformats;
using Drap.Node.Identity;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Overlay;

/// <summary>The overlay within a process.</summary>
public sealed class MemoryOverlayTests : OverlayCompliance
{
    private readonly OverlayOptions options = new() { Kind = OverlayKind.Memory, Room = new MemoryOverlay() };

    protected override Task<IOverlay> JoinAsync(NodeIdentity identity, IOverlayEvents events, IOverlay[] known) => OverlayFactory.JoinAsync(options, identity, events);
}

/// <summary>The overlay over our own libp2p, on loopback.</summary>
public sealed class Libp2pOverlayTests : OverlayCompliance
{
    protected override Task<IOverlay> JoinAsync(NodeIdentity identity, IOverlayEvents events, IOverlay[] known) => OverlayFactory.JoinAsync(
        new OverlayOptions { Kind = OverlayKind.Libp2p, Bootstrap = [.. known.SelectMany(k => k.Addresses).Select(Multiaddr.Parse)] }, identity, events);
}

/// <summary>Peers that nobody was told of, found by the swarm's DHT.</summary>
public sealed class FoundByDhtTests : IAsyncLifetime
{
    private const string Ads = "/drap/1.0.0/tasks/cpu/local/all";

    private readonly List<IOverlay> joined = [];
    private readonly string folder = Directory.CreateTempSubdirectory("drap-overlay-").FullName;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (IOverlay overlay in joined)
            await overlay.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Who_publishes_finds_who_hears_its_topic_by_their_region()
    {
        (_, IOverlay hub) = await JoinAsync("hub");
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a", hub);
        (_, IOverlay overB) = await JoinAsync("b", hub);
        overB.Subscribe(Ads);
        overA.Watch(Ads);
        await a.UntilAsync(() => a.AudienceOf(Ads).SequenceEqual([overB.Self]), "b is found");
        Assert.Contains(overB.Self, overA.Peers);
    }

    [Fact]
    public async Task A_node_that_nobody_can_dial_is_found_by_its_provider_record_and_met_by_who_it_finds()
    {
        (_, IOverlay hub) = await JoinAsync("hub");
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a", hub);
        (_, IOverlay overB) = await JoinAsync("b", new OverlayOptions { Kind = OverlayKind.Libp2p, Listen = [], Bootstrap = Of(hub) });
        overA.Watch(Ads);
        overB.Subscribe(Ads);
        await a.UntilAsync(() => a.AudienceOf(Ads).SequenceEqual([overB.Self]), "b has found a");
    }

    [Fact]
    public async Task A_frame_finds_a_peer_of_which_only_the_name_is_known()
    {
        (_, IOverlay hub) = await JoinAsync("hub");
        (_, IOverlay overA) = await JoinAsync("a", hub);
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", hub);
        using var late = new CancellationTokenSource(OverlayRecorder.Patience);
        // Until both stand in the hub's routing table.
        while (b.Count == 0)
        {
            overA.Send(overB.Self, new byte[] { 1, 2, 3, 4 });
            await Task.Delay(50, late.Token);
        }
        Assert.Equal(overA.Self, b.Frames[0].From);
    }

    [Fact]
    public async Task A_peer_is_reached_by_its_own_signed_word_and_not_by_anothers()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (_, IOverlay overB) = await JoinAsync("b");
        (_, IOverlay overC) = await JoinAsync("c");
        using var late = new CancellationTokenSource(OverlayRecorder.Patience);
        overB.Learn(overA.Self, overC.Record);
        overB.Learn(overA.Self, new byte[] { 1, 2, 3 });
        overB.Learn(overC.Self, overC.Record);
        while (!overB.Send(overC.Self, new byte[] { 1, 2, 3, 4 }))
            await Task.Delay(20, late.Token);
        var failure = await Assert.ThrowsAsync<OverlayException>(async () => await overB.OpenStreamAsync(overA.Self, "/test/echo", late.Token));
        Assert.Equal(OverlayFailure.Unreachable, failure.Failure);
        overB.Learn(overA.Self, overA.Record);
        while (a.Count == 0)
        {
            overB.Send(overA.Self, new byte[] { 1, 2, 3, 4 });
            await Task.Delay(50, late.Token);
        }
        Assert.Equal(overB.Self, a.Frames[0].From);
    }

    private static ImmutableArray<Multiaddr> Of(IOverlay overlay) => [.. overlay.Addresses.Select(Multiaddr.Parse)];

    private Task<(OverlayRecorder Recorder, IOverlay Overlay)> JoinAsync(string name, params IOverlay[] known) =>
        JoinAsync(name, new OverlayOptions { Kind = OverlayKind.Libp2p, Bootstrap = [.. known.SelectMany(k => Of(k))] });

    private async Task<(OverlayRecorder Recorder, IOverlay Overlay)> JoinAsync(string name, OverlayOptions options)
    {
        var recorder = new OverlayRecorder();
        IOverlay overlay = await OverlayFactory.JoinAsync(options, NodeIdentity.Open(Path.Combine(folder, $"{name}.key")), recorder, TestContext.Current.CancellationToken);
        joined.Add(overlay);
        return (recorder, overlay);
    }
}

/// <summary>The region of the DHT that a topic names.</summary>
public sealed class TopicRulesTests
{
    [Theory]
    [InlineData("/drap/1.0.0/tasks/cpu/local/all", "all")]
    [InlineData("/drap/1.0.0/tasks/gpu/eu/4-0110", "0110")]
    [InlineData("/drap/1.0.0/tasks/cpu/local/16-0000000000000001", "0000000000000001")]
    [InlineData("/drap/1.0.0/tasks/cpu/local/4-011", null)]
    [InlineData("/drap/1.0.0/tasks/cpu/local/4-0112", null)]
    [InlineData("/drap/1.0.0/tasks/cpu/local/19-0000000000000000000", null)]
    [InlineData("/drap/1.0.0/tasks/cpu/local/-1", null)]
    [InlineData("/drap/1.0.0/tasks/cpu/local/", null)]
    [InlineData("/other/all", null)]
    public void A_topic_of_ads_names_the_region_of_who_hears_it(string topic, string? region) =>
        Assert.Equal(region, TopicRules.RegionOf(topic)?.ToString());

    [Fact]
    public void A_worker_stands_in_the_region_of_the_shards_that_it_hears()
    {
        var random = new Prng(5);
        for (int i = 0; i < 200; i++)
        {
            byte[] key = new byte[32];
            for (int k = 0; k < 32; k += 8)
                BitConverter.TryWriteBytes(key.AsSpan(k), random.NextUInt64());
            PeerId peer = PeerId.FromEd25519(key);
            for (int level = 0; level <= Topics.LevelMax; level += 2)
                Assert.True(TopicRules.RegionOf(Topics.Name("cpu", "local", Topics.ShardOf(peer, level)))!.Value.Covers(KadKey.Of(peer)));
        }
    }

    [Fact]
    public void Only_ads_are_passed_on_where_ads_are_heard()
    {
        Assert.False(TopicRules.IsGood("/drap/1.0.0/tasks/cpu/local/all", [1, 2, 3], out _));
        Assert.False(TopicRules.IsGood("/drap/1.0.0/tasks/cpu/local/all", MessageCodec.Encode(new StdinCredit(new AttemptId(new TaskId(default, 1), new Fence(new Epoch(1), 1)), 1)), out _));
        Assert.True(TopicRules.IsGood("/test/topic", [1, 2, 3], out _));
        Assert.False(TopicRules.IsGood("/test/topic", new byte[IOverlay.FrameBytesMax + 1], out _));
    }
}

/// <summary>What <c>--overlay</c> and the options beside it may say.</summary>
public sealed class OverlayOptionsTests
{
    [Theory]
    [InlineData("memory", OverlayKind.Memory)]
    [InlineData("libp2p", OverlayKind.Libp2p)]
    [InlineData("p2pd:/unix/tmp/p2pd.sock", OverlayKind.P2pd)]
    [InlineData("p2pd:/ip4/127.0.0.1/tcp/4010", OverlayKind.P2pd)]
    public void An_overlay_is_named(string text, OverlayKind kind)
    {
        Assert.True(OverlayOptions.TryParse(text, out OverlayOptions? options, out _));
        Assert.Equal(kind, options.Kind);
        Assert.Equal(kind == OverlayKind.P2pd ? text[5..] : null, options.Daemon?.ToString());
    }

    [Theory]
    [InlineData("tcp", "--overlay tcp: memory, libp2p or p2pd:MULTIADDR is expected, such as p2pd:/unix/tmp/p2pd.sock")]
    [InlineData("p2pd", "--overlay p2pd: memory, libp2p or p2pd:MULTIADDR is expected, such as p2pd:/unix/tmp/p2pd.sock")]
    [InlineData("p2pd:localhost:4010", "--overlay p2pd:localhost:4010: no multiaddr, such as /unix/tmp/p2pd.sock or /ip4/127.0.0.1/tcp/4010")]
    [InlineData("p2pd:/ip4/127.0.0.1/udp/1", "--overlay p2pd:/ip4/127.0.0.1/udp/1: a daemon is reached at /unix/PATH or at an IP address with a TCP port")]
    [InlineData("libp2p:", "--overlay libp2p:: found ''; allowed: mdns, relay, hidden, listen=MULTIADDR, announce=MULTIADDR, bootstrap=MULTIADDR")]
    [InlineData("libp2p:mdns,listen", "--overlay listen : no multiaddr, such as /ip4/192.0.2.1/tcp/4001")]
    [InlineData("libp2p:bootstrap=/ip4/192.0.2.1/tcp/4001", "--overlay bootstrap /ip4/192.0.2.1/tcp/4001: does not end with the peer's name, /p2p/12D3KooW…")]
    public void What_names_none_is_said_with_what_is_expected(string text, string expected)
    {
        Assert.False(OverlayOptions.TryParse(text, out _, out string? error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void What_a_node_of_libp2p_is_told_is_said_again_as_it_was_read()
    {
        const string Peer = "12D3KooWAfPDpPRRRBrmqy9is2zjU5srQ4hKuZitiGmh4NTTpS2d";
        const string Text = $"libp2p:listen=/ip4/0.0.0.0/tcp/4001,listen=/ip6/::/tcp/4001,announce=/ip4/192.0.2.1/tcp/4001,announce=/dnsaddr/example.org,bootstrap=/ip4/192.0.2.9/tcp/1/p2p/{Peer},mdns,relay,hidden";
        Assert.True(OverlayOptions.TryParse(Text, out OverlayOptions? options, out _));
        Assert.Equal(["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"], options.Listen.Select(a => a.ToString()));
        Assert.Equal((true, true, false), (options.Mdns, options.Relay, options.IsReachable));
        Assert.Equal(Text, options.ToArgument());
        // Beside it another finds a port of its own; the rest of the house is not its affair.
        Assert.Equal(
            $"libp2p:listen=/ip4/0.0.0.0/tcp/0,listen=/ip6/::/tcp/0,bootstrap=/ip4/192.0.2.9/tcp/1/p2p/{Peer},mdns,hidden", options.Beside().ToArgument());
        Assert.True(OverlayOptions.TryParse("libp2p:mdns", out options, out _));
        Assert.Equal(OverlayOptions.ListenDefault, options.Listen);
        Assert.Null(options.IsReachable);
    }

    [Theory]
    [InlineData("/ip4/192.0.2.1/tcp/4001", false, null)]
    [InlineData("/dnsaddr/example.org/p2p/12D3KooWAfPDpPRRRBrmqy9is2zjU5srQ4hKuZitiGmh4NTTpS2d", true, null)]
    [InlineData("/dnsaddr/example.org", false, "--listen /dnsaddr/example.org: an IP address or a name with a TCP port is expected, such as /ip4/192.0.2.1/tcp/4001")]
    [InlineData("/dns4/example.org/tcp/4001/p2p/12D3KooWAfPDpPRRRBrmqy9is2zjU5srQ4hKuZitiGmh4NTTpS2d", true, null)]
    [InlineData("192.0.2.1:4001", false, "--listen 192.0.2.1:4001: no multiaddr, such as /ip4/192.0.2.1/tcp/4001")]
    [InlineData("/ip4/192.0.2.1/tcp/4001", true, "--listen /ip4/192.0.2.1/tcp/4001: does not end with the peer's name, /p2p/12D3KooW…")]
    [InlineData("/ip4/192.0.2.1/udp/4001", false, "--listen /ip4/192.0.2.1/udp/4001: an IP address or a name with a TCP port is expected, such as /ip4/192.0.2.1/tcp/4001")]
    public void Addresses_are_read_or_their_fault_is_said(string text, bool named, string? expected)
    {
        Assert.Equal(expected is null, OverlayOptions.TryParseAddresses("--listen", [text], named, dialed: named, out _, out string? error));
        Assert.Equal(expected, error);
    }
}
