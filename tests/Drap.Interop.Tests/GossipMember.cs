using System.Text;
using System.Text.Json.Nodes;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>Somebody who publishes to a topic and hears it, of drap or of js, and what it has heard: each message once.</summary>
internal abstract class GossipMember(string name) : IAsyncDisposable
{
    protected const string Topic = "/drap/1.0.0/tasks/cpu/local/all";

    private readonly HashSet<string> heard = [];

    /// <summary>Who it is in a test's words.</summary>
    public string Name => name;

    public abstract PeerId Id { get; }

    public abstract ValueTask DisposeAsync();

    public abstract Task PublishAsync(ReadOnlyMemory<byte> data);

    /// <summary>The peers that hear the topic, as it knows.</summary>
    public abstract Task<int> CountHearersAsync();

    /// <summary>The peers in its mesh.</summary>
    public abstract Task<int> CountMeshAsync();

    /// <summary>Waits until it has heard these.</summary>
    public async Task HearAsync(IReadOnlyCollection<string> texts)
    {
        while (texts.FirstOrDefault(text => !heard.Contains(text)) is { } missing)
            Hear(await NextAsync(), missing);
    }

    /// <summary>Hears what else has come.</summary>
    public void HearRest()
    {
        while (TryNext() is { } data)
            Hear(data, "nothing more");
    }

    protected abstract Task<byte[]> NextAsync();

    protected abstract byte[]? TryNext();

    // The first word of a message is its name.
    private void Hear(byte[] data, string awaited)
    {
        string text = Encoding.UTF8.GetString(data).Split(' ')[0];
        Assert.True(heard.Add(text), $"{name} heard {text} twice, while it waited for {awaited}");
    }
}

/// <summary>One of drap, on loopback.</summary>
internal sealed class DrapMember : GossipMember
{
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(60);

    private readonly PrivateKey key;
    private TopicSubscription? topic;

    private DrapMember(string name, PrivateKey key, Libp2pHost host, GossipOptions options)
        : base(name)
    {
        this.key = key;
        Host = host;
        PubSub = new PubSub(host, key, new PubSubOptions { Gossip = options });
    }

    public Libp2pHost Host { get; }

    public PubSub PubSub { get; }

    public override PeerId Id => Host.Self;

    public static async Task<DrapMember> StartAsync(string name, GossipOptions options, PrivateKey? key = null)
    {
        key ??= PrivateKey.FromSeed(System.Security.Cryptography.RandomNumberGenerator.GetBytes(PrivateKey.SeedBytes));
        return new DrapMember(name, key, await Libp2pHost.StartAsync(new HostOptions { Key = key, Listen = [Multiaddr.Parse("/ip4/127.0.0.1/tcp/0")] }), options);
    }

    public void Subscribe(Func<GossipMessage, ValueTask<MessageVerdict>>? validator = null) => topic = PubSub.Subscribe(Topic, validator);

    public Task ConnectAsync(JsMember js) => Host.ConnectAsync(js.Id, [.. js.Peer.Addresses.Select(Multiaddr.Parse)]).WaitAsync(patience);

    public Task ConnectAsync(DrapMember other) => Host.ConnectAsync(other.Id, other.Host.ListenAddresses).WaitAsync(patience);

    /// <summary>The next message, with who signed it.</summary>
    public Task<GossipMessage> NextMessageAsync() => topic!.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(patience);

    public override async Task PublishAsync(ReadOnlyMemory<byte> data) => await PubSub.PublishAsync(Topic, data).AsTask().WaitAsync(patience);

    public override Task<int> CountHearersAsync() => Task.FromResult(PubSub.PeersOf(Topic).Count);

    public override Task<int> CountMeshAsync() => Task.FromResult(PubSub.MeshOf(Topic).Count);

    public override async ValueTask DisposeAsync()
    {
        await PubSub.DisposeAsync();
        await Host.DisposeAsync();
        key.Dispose();
    }

    protected override async Task<byte[]> NextAsync() => (await NextMessageAsync()).Content.Data.ToArray();

    protected override byte[]? TryNext() => topic!.TryRead(out GossipMessage? message) ? message.Content.Data.ToArray() : null;
}

/// <summary>One of js-libp2p.</summary>
internal sealed class JsMember : GossipMember
{
    private JsMember(string name, JsPeer peer)
        : base(name) => Peer = peer;

    public JsPeer Peer { get; }

    public override PeerId Id => Peer.Id;

    public static async Task<JsMember> StartAsync(string name, JsonObject? gossipsub = null) => new(name, await JsPeer.StartGossipAsync(gossipsub));

    public Task SubscribeAsync() => Peer.SubscribeAsync(Topic);

    public Task UnsubscribeAsync() => Peer.UnsubscribeAsync(Topic);

    public Task ConnectAsync(JsMember other) => Peer.DialAsync(other.Peer.Addresses[0]);

    public Task ConnectAsync(DrapMember drap) => Peer.DialAsync(drap.Host.ListenAddresses[0].WithPeer(drap.Id).ToString());

    /// <summary>The next message, with who signed it.</summary>
    public Task<JsonObject> NextMessageAsync() => Peer.NextAsync("message");

    public override Task PublishAsync(ReadOnlyMemory<byte> data) => Peer.PublishAsync(Topic, data.Span);

    public override async Task<int> CountHearersAsync() => (await Peer.SubscribersAsync(Topic)).Length;

    public override async Task<int> CountMeshAsync() => (await Peer.MeshAsync(Topic)).Length;

    public override ValueTask DisposeAsync() => Peer.DisposeAsync();

    protected override async Task<byte[]> NextAsync() => DataOf(await NextMessageAsync());

    protected override byte[]? TryNext()
    {
        foreach (JsonObject next in Peer.Taken())
            if (next["event"]!.GetValue<string>() == "message")
                return DataOf(next);
        return null;
    }

    public static byte[] DataOf(JsonObject message) => Convert.FromBase64String(message["data"]!.GetValue<string>());
}
