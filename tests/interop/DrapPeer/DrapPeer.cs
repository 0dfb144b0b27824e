using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Bootstrap;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Host.Mdns;
using Drap.Libp2p.Host.Relay;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Relay;

namespace Drap.Tests.Interop.Peer;

/// <summary>
/// The host and its commands. Options: <c>seed</c> (a number, of the key), <c>listen</c>, <c>dht</c> (<c>server</c> or <c>client</c>),
/// <c>relay</c> (true), <c>reserve</c> and <c>bootstrap</c> (addresses with peer ids), <c>mdns</c> (true), <c>pubsub</c> (<c>gossipsub</c>).
/// </summary>
internal sealed class DrapPeer : IHostObserver, IAsyncDisposable
{
    private readonly Action<JsonObject> say;
    private readonly Stack<IAsyncDisposable> parts = new();
    private Libp2pHost host = null!;
    private readonly List<Task> hearing = [];
    private Dht? dht;
    private PubSub? pubsub;
    private Requester? requester;
    private int served;

    private DrapPeer(Action<JsonObject> say) => this.say = say;

    public static async Task<DrapPeer> StartAsync(JsonObject options, Action<JsonObject> say)
    {
        var peer = new DrapPeer(say);
        byte[] seed = new byte[PrivateKey.SeedBytes];
        BitConverter.TryWriteBytes(seed, options["seed"]?.GetValue<int>() ?? 0);
        PrivateKey key = PrivateKey.FromSeed(seed);
        Libp2pHost host = peer.host = await Libp2pHost.StartAsync(new HostOptions
        {
            Key = key,
            Listen = [.. Texts(options["listen"]).Select(Multiaddr.Parse)],
        });
        peer.parts.Push(host);
        host.Observe(peer);
        if (options["dht"]?.GetValue<string>() is { } mode)
            peer.parts.Push(peer.dht = new Dht(host, KadOptions.Ipfs, isServer: mode == "server"));
        if (options["relay"]?.GetValue<bool>() == true)
            peer.parts.Push(new RelayService(host, key, new RelayOptions()));
        if (options["reserve"] is { } reserve)
            peer.parts.Push(new RelayReservations(host, 1, [.. Texts(reserve).Select(Multiaddr.Parse)]));
        if (options["pubsub"]?.GetValue<string>() == "gossipsub")
            peer.parts.Push(peer.pubsub = new PubSub(host, key));
        if (options["bootstrap"] is { } bootstrap)
            peer.parts.Push(new Bootstrapper(host, [.. Texts(bootstrap).Select(Multiaddr.Parse)]));
        if (options["mdns"]?.GetValue<bool>() == true)
            peer.parts.Push(new MdnsService(host, new MdnsServiceOptions { Connects = false, Found = peer.Found }));
        say(new JsonObject { ["event"] = "ready", ["id"] = host.Self.ToString(), ["addresses"] = peer.Addresses() });
        return peer;
    }

    public async Task<JsonNode?> DoAsync(JsonObject command)
    {
        string Text(string name) => command[name]!.GetValue<string>();
        PeerId Peer() => PeerId.TryParse(Text("peer"), out PeerId id) ? id : throw new FormatException("no peer id");
        switch (Text("do"))
        {
            case "addresses":
                return Addresses();
            case "peers":
                return new JsonArray([.. host.Connections.Select(connection => (JsonNode)connection.Remote.ToString()).Distinct()]);
            case "connections":
                return new JsonArray([.. host.Connections.Select(connection => (JsonNode)connection.RemoteAddress.ToString())]);
            case "dial":
                Multiaddr address = Multiaddr.Parse(Text("address"));
                return (await host.ConnectAsync(address.Peer!.Value, [address])).Remote.ToString();
            case "known":
                return new JsonObject { ["addresses"] = new JsonArray([.. host.PeerBook[Peer()].Addresses.Select(known => (JsonNode)known.ToString())]) };
            case "handle":
                host.Handle(Text("protocol"), EchoAsync);
                return null;
            case "exchange":
                return await ExchangeAsync(Peer(), Text("protocol"), Convert.FromBase64String(Text("data")));
            case "stream": // so many bytes there and back, counted if they are the same
                return await StreamAsync(Peer(), Text("protocol"), command["bytes"]!.GetValue<int>());
            case "serve": // answers each request with what it asks
                parts.Push(new Serving(host, Text("protocol"), () => Interlocked.Increment(ref served)));
                return null;
            case "served":
                return Volatile.Read(ref served);
            case "ask":
                requester ??= new Requester(host, Text("protocol"));
                return Convert.ToBase64String(await requester.AskAsync(Peer(), Convert.FromBase64String(Text("data"))));
            case "subscribe":
                hearing.Add(HearAsync(pubsub!.Subscribe(Text("topic"))));
                return null;
            case "publish":
                return await pubsub!.PublishAsync(Text("topic"), Convert.FromBase64String(Text("data")));
            case "hearers":
                return pubsub!.PeersOf(Text("topic")).Count;
            case "dhtFindPeer":
                return (await dht!.FindPeerAsync(Peer())) is { } found
                    ? new JsonArray([.. found.Addresses.Select(known => (JsonNode)known.ToString())]) : null;
            case "dhtPut":
                return await dht!.PutValueAsync(Convert.FromBase64String(Text("key")), Convert.FromBase64String(Text("value")));
            case "dhtGet":
                return await dht!.GetValueAsync(Convert.FromBase64String(Text("key")), 1) is { } value ? Convert.ToBase64String(value) : null;
            case "dhtProvide":
                return await dht!.ProvideAsync(Multihash(Text("cid")));
            case "dhtProviders":
                var providers = new JsonArray();
                await foreach (KadPeer provider in dht!.FindProvidersAsync(Multihash(Text("cid")), 20))
                    providers.Add(provider.Id.ToString());
                return providers;
            case "dhtTable":
                return new JsonArray([.. dht!.Table.Select(peer => (JsonNode)peer.ToString())]);
            default:
                throw new InvalidOperationException($"there is no command {Text("do")}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        while (parts.TryPop(out IAsyncDisposable? part))
            await part.DisposeAsync();
        await Task.WhenAll(hearing);
    }

    void IHostObserver.Connected(PeerConnection connection, bool isFirst)
    {
        if (isFirst)
            say(new JsonObject { ["event"] = "connect", ["peer"] = connection.Remote.ToString() });
    }

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast)
    {
        if (isLast)
            say(new JsonObject { ["event"] = "disconnect", ["peer"] = connection.Remote.ToString(), ["why"] = connection.Reason.ToString() });
    }

    void IHostObserver.AddressesChanged(IReadOnlyList<Multiaddr> addresses) =>
        say(new JsonObject { ["event"] = "addresses", ["addresses"] = Addresses() });

    private static IEnumerable<string> Texts(JsonNode? list) => list?.AsArray().Select(item => item!.GetValue<string>()) ?? [];

    private static byte[] Multihash(string cid) =>
        ContentId.TryParse(cid, out ContentId? id) ? id.Multihash.ToArray() : throw new FormatException("no CID");

    private JsonArray Addresses() => [.. host.ListenAddresses.Select(address => (JsonNode)address.WithPeer(host.Self).ToString())];

    private void Found(PeerId peer, IReadOnlyList<Multiaddr> addresses) => say(new JsonObject
    {
        ["event"] = "discovery",
        ["peer"] = peer.ToString(),
        ["addresses"] = new JsonArray([.. addresses.Select(address => (JsonNode)address.ToString())]),
    });

    private static async Task EchoAsync(P2pStream stream)
    {
        byte[] buffer = new byte[64 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
            await stream.WriteAsync(buffer.AsMemory(0, read));
        await stream.CloseWriteAsync();
    }

    private async Task<string> ExchangeAsync(PeerId peer, string protocol, byte[] data)
    {
        using P2pStream stream = await host.OpenStreamAsync(peer, [protocol]);
        Task writing = stream.WriteAndCloseAsync(data).AsTask();
        using var back = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
            back.Write(buffer, 0, read);
        await writing;
        return Convert.ToBase64String(back.ToArray());
    }

    private async Task<long> StreamAsync(PeerId peer, string protocol, int bytes)
    {
        using P2pStream stream = await host.OpenStreamAsync(peer, [protocol]);
        Task<byte[]> writing = WriteAsync(stream, bytes);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long back = 0;
        byte[] buffer = new byte[64 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
        {
            hash.AppendData(buffer, 0, read);
            back += read;
        }
        byte[] sent = await writing;
        return hash.GetHashAndReset().AsSpan().SequenceEqual(sent) ? back : throw new InvalidDataException($"of {bytes} bytes {back} came back, others");
    }

    // Returns their hash.
    private static async Task<byte[]> WriteAsync(P2pStream stream, int bytes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] piece = new byte[64 * 1024];
        for (int left = bytes; left > 0; left -= piece.Length)
        {
            RandomNumberGenerator.Fill(piece);
            hash.AppendData(piece, 0, Math.Min(left, piece.Length));
            await stream.WriteAsync(piece.AsMemory(0, Math.Min(left, piece.Length)));
        }
        await stream.CloseWriteAsync();
        return hash.GetHashAndReset();
    }

    private async Task HearAsync(TopicSubscription subscription)
    {
        await foreach (GossipMessage message in subscription.ReadAllAsync())
        {
            say(new JsonObject
            {
                ["event"] = "message", ["topic"] = message.Topic, ["from"] = message.Content.From.ToString(),
                ["data"] = Convert.ToBase64String(message.Content.Data.Span),
            });
        }
    }

    // A responder that counts what it did.
    private sealed class Serving(Libp2pHost host, string protocol, Action done) : IAsyncDisposable
    {
        private readonly Responder responder = new(host, protocol, (_, body, _) =>
        {
            done();
            return ValueTask.FromResult<ReadOnlyMemory<byte>>(body.ToArray());
        });

        public ValueTask DisposeAsync()
        {
            responder.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
