using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json.Serialization;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Host.Relay;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Relay;

namespace Drap.Cli.Commands;

/// <summary><c>drap p2pd</c>: a libp2p node for programs in other languages, which use it over the control protocol of libp2p's daemon.</summary>
internal static class DaemonCommand
{
    /// <summary>RSA keys of 8 192 bits have 4.6 KiB; a file beyond this is none.</summary>
    private const int keyFileBytesMax = PrivateKey.EncodedBytesMax;

    /// <summary>What waits for a program that reads a topic slowly: one message of the largest size, or as many as come in a busy second.</summary>
    private const int subscriptionMessagesMax = 1024, subscriptionBytesMax = DaemonProtocol.MessageBytesMax;

    public static Command Make(Common common)
    {
        var control = new Option<string>("--control")
        {
            Description = "Where programs reach it: /unix/PATH, for this user alone, or TCP, for everybody on the machine or beyond", HelpName = "MULTIADDR", Required = true,
        };
        var listen = new Option<string[]>("--listen") { Description = "Where it listens for peers, as /ip4/0.0.0.0/tcp/4001; may be repeated [default: nowhere, it only dials]", HelpName = "MULTIADDR" };
        var key = new Option<string?>("--key") { Description = "Its private key in libp2p's protobuf form: Ed25519, RSA, secp256k1 or ECDSA [default: a new one for this run]", HelpName = "FILE" };
        var security = new Option<string?>("--security") { Description = "The only protection of connections; plaintext has none and is for tests [default: noise, then tls]", HelpName = "noise|tls|plaintext" };
        security.AcceptOnlyFromAmong("noise", "tls", "plaintext");
        var pubsub = new Option<string?>("--pubsub") { Description = "Carry topics: gossipsub, with floodsub for who speaks no more, or floodsub alone [default: none]", HelpName = "gossipsub|floodsub" };
        pubsub.AcceptOnlyFromAmong("gossipsub", "floodsub");
        var dht = new Option<bool>("--dht") { Description = "Take part in the DHT: as a server where it listens, as a client otherwise; values of any namespace are kept" };
        var relay = new Option<bool>("--relay") { Description = "Be a relay for peers that cannot be reached" };
        return common.Command(
            "p2pd", "Run a libp2p node for other programs, over the control protocol of libp2p's daemon",
            ["drap p2pd --control /unix/tmp/p2pd.sock --listen /ip4/0.0.0.0/tcp/4001", "drap p2pd --control /ip4/127.0.0.1/tcp/5001 --key node.key"],
            async call =>
            {
                Multiaddr address = Address("--control", call.Get(control)!, ControlForm, a => a.TryGetUnixPath(out _) || a.TryGetTcp(out _, out _));
                using PrivateKey identity = call.Get(key) is { } file ? Read(call, file) : PrivateKey.FromSeed(RandomNumberGenerator.GetBytes(PrivateKey.SeedBytes));
                var options = new HostOptions
                {
                    Key = identity,
                    Listen = [.. (call.Get(listen) ?? []).Select(text => Address("--listen", text, ListenForm, a => a.TryGetUnixPath(out _) || a.TryGetTcp(out _, out _)))],
                    // The program that it serves says where to connect to.
                    DialsUnixSockets = true,
                    // A program connects to peers and comes back to them later: only when there are too many connections are some closed.
                    Limits = new HostLimits { IdleAfter = Timeout.InfiniteTimeSpan },
                };
                if (call.Get(security) is { } only)
                    options = options with { Security = [Enum.Parse<ConnectionSecurity>(only, ignoreCase: true)], AllowInsecure = only == "plaintext" };
                await using Libp2pHost host = await Libp2pHost.StartAsync(options, call.Cancel);
                await using RelayService? relaying = call.Get(relay) ? new RelayService(host, identity, new RelayOptions()) : null;
                await using PubSub? topics = call.Get(pubsub) is { } router ? new PubSub(host, identity, TopicsOf(router)) : null;
                await using Dht? table = call.Get(dht) ? new Dht(host, KadOptions.Ipfs with { KeepsUnknownNamespaces = true }, isServer: options.Listen.Count > 0) : null;
                await using DaemonServer server = DaemonServer.Start(host, address, topics, table);
                Say(call, host, server);
                try
                {
                    await Task.Delay(Timeout.Infinite, call.Cancel);
                }
                catch (OperationCanceledException) when (call.Context.Interrupts.Any)
                {
                    // That is how it is meant to end.
                }
                return ExitCode.Ok;
            }, control, listen, key, security, pubsub, dht, relay);
    }

    private static PubSubOptions TopicsOf(string router) => new()
    {
        Protocols = router == "floodsub" ? [GossipProtocols.Floodsub] : GossipProtocols.All,
        SubscriptionMessagesMax = subscriptionMessagesMax,
        SubscriptionBytesMax = subscriptionBytesMax,
    };

    private const string ControlForm = "/unix/PATH, /ip4/ADDRESS/tcp/PORT, /ip6/ADDRESS/tcp/PORT";
    private const string ListenForm = "/ip4/ADDRESS/tcp/PORT, /ip6/ADDRESS/tcp/PORT, /unix/PATH";

    // The words of go's daemon, for which programs wait.
    private static void Say(Invocation call, Libp2pHost host, DaemonServer server)
    {
        var document = new DaemonDocument(server.Address.ToString(), host.Self.ToString(), [.. host.ListenAddresses.Select(a => a.ToString())]);
        call.Screen.Write(document, DaemonJson.Default.DaemonDocument, output =>
        {
            output.WriteLine($"Control socket: {document.Control}");
            output.WriteLine($"Peer ID: {document.Id}");
            output.WriteLine("Peer Addrs:");
            foreach (string address in document.Addresses)
                output.WriteLine(address);
        }, () => [document.Control]);
    }

    private static Multiaddr Address(string option, string text, string allowed, Func<Multiaddr, bool> fits) =>
        Multiaddr.TryParse(text, out Multiaddr? address) && fits(address)
            ? address : throw new CliException(ExitCode.Usage, $"{option}: found '{text}'; allowed: {allowed}");

    private static PrivateKey Read(Invocation call, string file)
    {
        string path = Path.GetFullPath(file, call.Context.CurrentFolder);
        var info = new FileInfo(path);
        if (!info.Exists)
            throw new CliException(ExitCode.Usage, $"--key: {path} is not there", "without --key the node has a new key for this run");
        return info.Length <= keyFileBytesMax && PrivateKey.TryDecode(File.ReadAllBytes(path), out PrivateKey? key)
            ? key : throw new CliException(ExitCode.Usage, $"--key: {path} holds no private key in libp2p's protobuf form");
    }
}

/// <summary>What <c>drap p2pd</c> says of itself when it serves.</summary>
/// <param name="Control">Where programs reach it, as a multiaddr.</param>
/// <param name="Id">The node's peer id.</param>
/// <param name="Addresses">Where it listens for peers.</param>
internal sealed record DaemonDocument(string Control, string Id, string[] Addresses);

[JsonSerializable(typeof(DaemonDocument))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
internal sealed partial class DaemonJson : JsonSerializerContext;
