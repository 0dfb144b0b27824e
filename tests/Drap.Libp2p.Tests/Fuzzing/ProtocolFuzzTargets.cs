using System.Collections.Immutable;
using System.Net;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Dnsaddr;
using Drap.Libp2p.Envelope;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Identify;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Mdns;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;
using Drap.Libp2p.Relay;
using Drap.Libp2p.RequestResponse;
using Drap.Libp2p.Tests.Gossipsub;
using Drap.Libp2p.TlsCertificate;
using Drap.Libp2p.Yamux;

namespace Drap.Libp2p.Tests.Fuzzing;

/// <summary>The messages of the protocols above the connection, and the machines that are fed with a peer's frames, with what must hold of each.</summary>
internal static class ProtocolFuzzTargets
{
    private static readonly PrivateKey Key = PrivateKey.FromSeed([.. Enumerable.Repeat((byte)1, 32)]);

    private static readonly PeerId Peer = Key.PeerId;

    private static readonly Multiaddr Address = Multiaddr.Parse("/ip4/127.0.0.1/tcp/4001");

    private static readonly UtcTime Utc = new(1_700_000_000_000);

    private static readonly IPEndPoint Lan = new(IPAddress.Parse("10.0.0.9"), 5353);

    private static readonly GossipLimits Limits = new();

    public static FuzzTarget[] All { get; } =
    [
        new("identify", 3_000, n => 40_000 + (60L * n), [IdentifyStream()], Identifies),
        new("kademlia", 5_000, n => 12_000 + (60L * n), [.. KadMessages().Select(KadCodec.Encode)], Kademlias),
        new("relay", 5_000, n => 12_000 + (60L * n), [.. RelayMessages().Select(m => m.Encode(isStop: false)), .. RelayMessages()[..2].Select(m => m.Encode(isStop: true))], Relays),
        new("relay-voucher", 500, n => 24_000 + (60L * n), [new RelayVoucher(Peer, Peer, Utc).Seal(Key).Encoded.ToArray()], Vouchers),
        new("dns", 5_000, n => 24_000 + (60L * n), Packets(), DnsMessages),
        new("dnsaddr", 3_000, n => 80_000 + (200L * n), [DnsaddrAnswer()], DnsaddrAnswers),
        new("mdns", 2_000, n => 80_000 + (100L * n), Packets(), Mdns),
        new("daemon-request", 5_000, n => 12_000 + (60L * n), [.. Requests().Select(DaemonRequestWriter.Encode)], DaemonRequests),
        new("daemon-response", 5_000, n => 12_000 + (60L * n), [.. Responses().Select(r => r.Encode())], DaemonResponses),
        new("daemon-pubsub", 3_000, n => 12_000 + (60L * n), [new PubsubMessage { From = Peer, Data = [1, 2], Topics = ["t"], Key = [1], Signature = [2], SequenceNumber = [3] }.Encode()], DaemonPubsub),
        new("daemon-frames", 3_000, n => 40_000 + (60L * n), [[.. Delimited.Frame([1, 2, 3]), .. Delimited.Frame([]), .. Delimited.Frame(new byte[300])]], DaemonFramed),
        new("request-header", 5_000, _ => 2_000, [RequestBytes(7, 1, 0, 5), RequestBytes(ulong.MaxValue, long.MaxValue, 4, 1 << 20)], RequestHeaders),
        new("response-header", 5_000, _ => 2_000, [[0, 5], [3, 0x80, 0x80, 0x40]], ResponseHeaders),
        new("rpc", 5_000, n => 24_000 + (200L * n), Rpcs(), Routers),
        new("yamux-dialer", 3_000, n => 40_000 + (80L * n), YamuxFrames(first: 2), bytes => Yamux(bytes, isDialer: true)),
        new("yamux-listener", 3_000, n => 40_000 + (80L * n), YamuxFrames(first: 1), bytes => Yamux(bytes, isDialer: false)),
        new("der", 5_000, n => 4_000 + (24L * n), [Convert.FromHexString(Keys.KeyVectors.RsaPublic), Certificate()], Ders),
        new("daemon-peer", 1_000, n => 12_000 + (24L * n), [PeerBytes(new DaemonPeer(Peer, [Address.Bytes.ToArray()]))], DaemonPeers),
    ];

    private static byte[] IdentifyStream() => new IdentifyMessage
    {
        ProtocolVersion = "ipfs/0.1.0", AgentVersion = "drap/0.1.0", PublicKey = Key.PublicKey.Encoded.ToArray(), ListenAddresses = [Address],
        ObservedAddress = Address, Protocols = ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"],
        SignedPeerRecord = new PeerRecord(Peer, 7, [Address]).Seal(Key).Encoded.ToArray(),
    }.Encode();

    // A stream of messages: whole and in pieces the same, and what was understood is understood again when it is written again.
    private static string Identifies(byte[] bytes)
    {
        var (whole, pieces) = (new IdentifyReceiver(), new IdentifyReceiver());
        whole.Receive(bytes);
        foreach (byte[] piece in FuzzTargets.Pieces(bytes))
            pieces.Receive(piece);
        FuzzTargets.Must(whole.IsOver == pieces.IsOver && (whole.Message is null) == (pieces.Message is null));
        if (whole.Message is not { } message)
            return $"none {whole.IsOver}";
        byte[] encoded = message.Encode();
        FuzzTargets.Must(encoded.AsSpan().SequenceEqual(pieces.Message!.Encode()));
        var again = new IdentifyReceiver();
        again.Receive(encoded);
        FuzzTargets.Must(again.Message is not null && again.Message.Encode().AsSpan().SequenceEqual(encoded));
        return $"{whole.IsOver} {message.Protocols.Length} {message.ListenAddresses.Length} {message.SignedPeerRecord is null} {message.ObservedAddress is null}";
    }

    private static KadMessage[] KadMessages() =>
    [
        new(KadMessageType.FindNode, Peer.Bytes.ToArray()),
        new(KadMessageType.GetValue, "/pk/x"u8.ToArray())
        {
            Record = new KadRecord("/pk/x"u8.ToArray(), [1, 2, 3], Utc),
            Closer = [new KadPeer(Peer, [Address]) { Connection = KadConnection.Connected }], Providers = [new KadPeer(Peer, [])],
        },
        new(KadMessageType.AddProvider, [0x12, 0x20, .. new byte[32]]) { Providers = [new KadPeer(Peer, [Address])] },
    ];

    private static string Kademlias(byte[] bytes)
    {
        if (!KadCodec.TryDecode(bytes, out KadMessage? message))
            return "none";
        byte[] encoded = KadCodec.Encode(message);
        FuzzTargets.Must(KadCodec.TryDecode(encoded, out KadMessage? again) && KadCodec.Encode(again).AsSpan().SequenceEqual(encoded));
        return $"{message.Type} {message.Record is null} {Math.Min(message.Closer.Length, 3)} {Math.Min(message.Providers.Length, 3)}";
    }

    private static RelayMessage[] RelayMessages() =>
    [
        new(RelayMessageKind.Connect) { Peer = Peer, Limit = new RelayLimit(TimeSpan.FromSeconds(120), 131072) },
        RelayMessage.Of(RelayStatus.NoReservation),
        new(RelayMessageKind.Status) { Status = RelayStatus.Ok, Reservation = new RelayReservation(Utc, [Address.WithPeer(Peer)], [1, 2, 3]), Limit = RelayLimit.None },
        new(RelayMessageKind.Reserve),
    ];

    private static string Relays(byte[] bytes)
    {
        string outcome = "";
        foreach (bool isStop in new[] { false, true })
        {
            if (!RelayMessage.TryDecode(bytes, isStop, out RelayMessage? message))
            {
                outcome += "none ";
                continue;
            }
            byte[] encoded = message.Encode(isStop);
            FuzzTargets.Must(RelayMessage.TryDecode(encoded, isStop, out RelayMessage? again) && again.Encode(isStop).AsSpan().SequenceEqual(encoded));
            outcome += $"{message.Kind} {message.Status} {message.Reservation is null} {message.Peer is null} ";
        }
        return outcome;
    }

    private static string Vouchers(byte[] bytes)
    {
        if (!RelayVoucher.TryOpen(bytes, out RelayVoucher? voucher))
            return "none";
        // Nobody else can sign one.
        FuzzTargets.Must(voucher == new RelayVoucher(Peer, Peer, Utc));
        return "voucher";
    }

    private static byte[][] Packets()
    {
        string name = new('q', 63);
        return
        [
            DnsWriter.Write(new DnsMessage(0, IsResponse: false) { Questions = [new DnsQuestion(MdnsDiscovery.PublicService, DnsType.Ptr)] }),
            DnsWriter.Write(new DnsMessage(0, IsResponse: true)
            {
                Answers = [new DnsRecord(MdnsDiscovery.PublicService, DnsType.Ptr, 120) { Target = $"{name}.{MdnsDiscovery.PublicService}" }],
                Additional = [new DnsRecord($"{name}.{MdnsDiscovery.PublicService}", DnsType.Txt, 120) { Texts = [System.Text.Encoding.ASCII.GetBytes($"dnsaddr={Address}/p2p/{Peer}")] }],
            }),
        ];
    }

    private static string DnsMessages(byte[] bytes)
    {
        if (!DnsReader.TryRead(bytes, out DnsMessage? message))
            return "none";
        return $"{message.IsResponse} {Math.Min(message.Questions.Length, 3)} {Math.Min(message.Answers.Length, 3)} {Math.Min(message.Additional.Length, 3)}";
    }

    private static byte[] DnsaddrAnswer() => DnsWriter.Write(new DnsMessage(7, IsResponse: true)
    {
        Questions = [new DnsQuestion("_dnsaddr.a.b", DnsType.Txt)],
        Answers =
        [
            new DnsRecord("_dnsaddr.a.b", DnsType.Cname, 60) { Target = "c.d" },
            new DnsRecord("c.d", DnsType.Txt, 60) { Texts = [System.Text.Encoding.ASCII.GetBytes($"dnsaddr={Address}/p2p/{Peer}")] },
            new DnsRecord("c.d", DnsType.Txt, 60) { Texts = [[.. "dnsaddr=/dnsaddr/"u8], [.. "e.f"u8]] },
        ],
    }, isLegacy: true);

    // A name server's answer, and where it leads.
    private static string DnsaddrAnswers(byte[] bytes)
    {
        TxtStatus status = TxtCodec.Read(bytes, 7, "_dnsaddr.a.b", out ImmutableArray<string> texts);
        FuzzTargets.Must(status == TxtStatus.Answered || texts.IsEmpty);
        var walk = new DnsaddrWalk(Multiaddr.Parse("/dnsaddr/a.b"));
        FuzzTargets.Must(walk.TryNext(out _));
        walk.Answered(texts);
        bool leadsOn = walk.TryNext(out string? name);
        FuzzTargets.Must(!leadsOn || TxtCodec.IsName(name!));
        return $"{status} {Math.Min(texts.Length, 3)} {walk.Found.Count > 0} {leadsOn}";
    }

    // A packet to a node of its own: what it answers can be read, and it finds nobody who is not named.
    private static string Mdns(byte[] bytes)
    {
        Instant now = Instant.Zero + TimeSpan.FromHours(1);
        var node = new MdnsDiscovery(PeerId.FromEd25519(new byte[32]), [Address], MdnsDiscovery.PublicService, new Prng(1), now);
        var effects = new List<MdnsEffect>();
        node.Receive(bytes, Lan, now, effects);
        node.Advance(now + TimeSpan.FromSeconds(1), effects);
        foreach (MdnsEffect.Send send in effects.OfType<MdnsEffect.Send>())
            FuzzTargets.Must(DnsReader.TryRead(send.Packet, out _));
        foreach (MdnsEffect.Found found in effects.OfType<MdnsEffect.Found>())
            FuzzTargets.Must(found.Addresses.Length > 0 && found.Addresses.All(a => !a.IsCircuit));
        return $"{effects.OfType<MdnsEffect.Send>().Count()} {effects.OfType<MdnsEffect.Found>().Count()}";
    }

    private static DaemonRequest[] Requests() =>
    [
        new DaemonRequest.Connect(Peer, [Address.Bytes.ToArray()], TimeSpan.FromSeconds(5)),
        new DaemonRequest.OpenStream(Peer, ["/echo/1.0.0", "/echo/2"], TimeSpan.FromSeconds(5)),
        new DaemonRequest.HandleStreams(Address.Bytes.ToArray(), ["/echo/1.0.0"]),
        new DaemonRequest.TagPeer(Peer, "x", -3), new DaemonRequest.TrimConnections(), new DaemonRequest.Publish("t", [1, 2]), new DaemonRequest.GetTopics(),
        new DaemonRequest.FindProviders([1, 2], 1, TimeSpan.FromSeconds(1)), new DaemonRequest.PutValue([1], [2], TimeSpan.FromSeconds(1)),
        new DaemonRequest.GetProtocols(Peer), new DaemonRequest.Disconnect(Peer), new DaemonRequest.Identify(),
    ];

    private static string DaemonRequests(byte[] bytes)
    {
        if (!DaemonRequestReader.TryDecode(bytes, out DaemonRequest? request, out string? fault))
        {
            FuzzTargets.Must(fault.Length is > 0 and < 1000);
            return $"none {fault.Split(' ')[0]}";
        }
        byte[] encoded = DaemonRequestWriter.Encode(request);
        FuzzTargets.Must(
            DaemonRequestReader.TryDecode(encoded, out DaemonRequest? again, out _) && DaemonRequestWriter.Encode(again).AsSpan().SequenceEqual(encoded));
        return request.GetType().Name;
    }

    private static DaemonResponse[] Responses() =>
    [
        DaemonResponse.Ok, DaemonResponse.Failed("no"), new() { Identity = new DaemonPeer(Peer, [Address.Bytes.ToArray()]) },
        new() { Stream = new StreamInfo(Peer, Address.Bytes.ToArray(), "/e") }, new() { Peers = [new DaemonPeer(Peer, [])] },
        new() { Dht = new DhtAnswer.Value([1]) }, new() { Dht = new DhtAnswer.Peer(new DaemonPeer(Peer, [])) }, new() { Dht = new DhtAnswer.End() },
        new() { Topics = ["a", "b"], TopicPeers = [Peer] }, new() { Protocols = ["/a"] },
    ];

    private static string DaemonResponses(byte[] bytes)
    {
        if (!DaemonResponse.TryDecode(bytes, out DaemonResponse? response))
            return "none";
        byte[] encoded = response.Encode();
        FuzzTargets.Must(DaemonResponse.TryDecode(encoded, out DaemonResponse? again) && again.Encode().AsSpan().SequenceEqual(encoded));
        return $"{response.Error is null} {response.Identity is null} {response.Stream is null} {response.Dht?.GetType().Name}";
    }

    private static string DaemonPubsub(byte[] bytes)
    {
        if (!PubsubMessage.TryDecode(bytes, out PubsubMessage? message))
            return "none";
        byte[] encoded = message.Encode();
        FuzzTargets.Must(PubsubMessage.TryDecode(encoded, out PubsubMessage? again) && again.Encode().AsSpan().SequenceEqual(encoded));
        return $"{message.From is null} {Math.Min(message.Topics.Length, 3)}";
    }

    private static string DaemonPeers(byte[] bytes)
    {
        if (!DaemonPeer.TryDecode(bytes, out DaemonPeer? peer))
            return "none";
        FuzzTargets.Must(DaemonPeer.TryDecode(PeerBytes(peer), out DaemonPeer? again) && again.Id == peer.Id && again.Addresses.Length == peer.Addresses.Length);
        return $"{Math.Min(peer.Addresses.Length, 3)}";
    }

    private static byte[] PeerBytes(DaemonPeer peer)
    {
        var writer = new ProtoWriter();
        peer.WriteTo(writer, 1);
        var reader = new ProtoReader(writer.Written);
        FuzzTargets.Must(reader.Next());
        return reader.Bytes().ToArray();
    }

    // Whole and in pieces the same messages.
    private static string DaemonFramed(byte[] bytes)
    {
        (List<byte[]> whole, bool isBroken) = Framed([bytes]);
        (List<byte[]> pieces, bool isBrokenToo) = Framed(FuzzTargets.Pieces(bytes));
        FuzzTargets.Must(isBroken == isBrokenToo && whole.Count == pieces.Count && whole.Zip(pieces).All(p => p.First.AsSpan().SequenceEqual(p.Second)));
        return $"{isBroken} {Math.Min(whole.Count, 5)}";
    }

    private static (List<byte[]> Messages, bool IsBroken) Framed(IEnumerable<byte[]> pieces)
    {
        var frames = new DaemonFrames(4096);
        var messages = new List<byte[]>();
        foreach (byte[] piece in pieces)
        {
            for (int at = 0; at < piece.Length;)
            {
                Memory<byte> room = frames.Room();
                FuzzTargets.Must(room.Length > 0);
                int taken = Math.Min(room.Length, piece.Length - at);
                piece.AsMemory(at, taken).CopyTo(room);
                frames.Receive(taken);
                at += taken;
                VarintStatus status;
                while ((status = frames.TryTake(out ReadOnlySpan<byte> message)) == VarintStatus.Done)
                    messages.Add(message.ToArray());
                if (status == VarintStatus.Malformed)
                    return (messages, true);
            }
        }
        return (messages, false);
    }

    private static byte[] RequestBytes(ulong session, long number, long settled, int length)
    {
        byte[] bytes = new byte[RequestHeader.BytesMax];
        return bytes[..new RequestHeader(session, number, settled, length).Write(bytes)];
    }

    private static string RequestHeaders(byte[] bytes)
    {
        VarintStatus status = RequestHeader.TryRead(bytes, 1 << 20, out RequestHeader header, out int consumed);
        if (status != VarintStatus.Done)
            return status.ToString();
        FuzzTargets.Must(header.Length is >= 0 and <= 1 << 20 && consumed <= bytes.Length && header.Settled <= header.Number);
        byte[] back = new byte[RequestHeader.BytesMax];
        FuzzTargets.Must(header.Write(back) == consumed && back.AsSpan(0, consumed).SequenceEqual(bytes.AsSpan(0, consumed)));
        return $"{consumed}";
    }

    private static string ResponseHeaders(byte[] bytes)
    {
        VarintStatus status = ResponseHeader.TryRead(bytes, 1 << 20, out ResponseHeader header, out int consumed);
        if (status != VarintStatus.Done)
            return status.ToString();
        FuzzTargets.Must(header.Length is >= 0 and <= 1 << 20 && consumed <= bytes.Length && Enum.IsDefined(header.Status));
        byte[] back = new byte[ResponseHeader.BytesMax];
        FuzzTargets.Must(header.Write(back) == consumed && back.AsSpan(0, consumed).SequenceEqual(bytes.AsSpan(0, consumed)));
        return $"{header.Status} {consumed}";
    }

    private static byte[][] Rpcs() =>
    [
        TestRpc.Encode("sub t; unsub u; msg w#1 t; graft t; prune t 60 x,y; ihave t w#8 w#9; iwant w#1; idontwant w#1", MessageIdForm.SourceAndSequence),
        TestRpc.Encode("sub t; msg w#2 t size=300", MessageIdForm.SourceAndSequence), TestRpc.Encode("prune t 4000000000", MessageIdForm.SourceAndSequence),
    ];

    // An RPC to a router of its own: it is refused whole or done, and the router's tables agree with each other afterwards.
    private static string Routers(byte[] bytes)
    {
        Instant now = new(1_000_000_000);
        var effects = new List<GossipEffect>();
        var router = new GossipRouter(Peer, default, new GossipOptions(), new Prng(1));
        router.Subscribe("t", validated: false, now, effects);
        PeerId evil = TestRpc.Peer("evil");
        router.Connected(evil, GossipVersion.V12, outbound: false, 0, now, effects);
        effects.Clear();
        RpcFault fault = RpcCheck.Of(bytes, Limits);
        router.Receive(evil, bytes, now, effects);
        FuzzTargets.Must(fault == RpcFault.None == (router.Counters.RpcsRefused == 0));
        foreach (GossipEffect.Verify verify in effects.OfType<GossipEffect.Verify>().ToArray())
            router.Verified(verify.Message, isGood: true, now, effects);
        router.Tick(router.NextDeadline, effects);
        router.CheckInvariants();
        foreach (GossipEffect.Send send in effects.OfType<GossipEffect.Send>())
        {
            FuzzTargets.Must(Delimited.TryRead(send.Frame.Span, Limits.FrameBytesMax, out ReadOnlySpan<byte> rpc, out int used) == VarintStatus.Done && used == send.Frame.Length);
            FuzzTargets.Must(RpcCheck.Of(rpc, Limits) == RpcFault.None);
        }
        return $"{fault} {Math.Min(router.Counters.Delivered, 3)} {router.PeersOf("t").Count} {Math.Min(effects.Count, 8)}";
    }

    private static byte[][] YamuxFrames(uint first)
    {
        static byte[] Frame(YamuxType type, YamuxFlags flags, uint id, uint length, params byte[] payload)
        {
            byte[] frame = new byte[YamuxHeader.Bytes + payload.Length];
            new YamuxHeader(type, flags, id, length).Write(frame);
            payload.CopyTo(frame, YamuxHeader.Bytes);
            return frame;
        }
        return
        [
            [
                .. Frame(YamuxType.Data, YamuxFlags.Syn, first, 3, 1, 2, 3), .. Frame(YamuxType.WindowUpdate, YamuxFlags.None, first, 70_000),
                .. Frame(YamuxType.Data, YamuxFlags.Fin, first, 0), .. Frame(YamuxType.Ping, YamuxFlags.Syn, 0, 77),
            ],
            [.. Frame(YamuxType.WindowUpdate, YamuxFlags.Syn, first, 0), .. Frame(YamuxType.WindowUpdate, YamuxFlags.Rst, first, 0)],
            [.. Frame(YamuxType.WindowUpdate, YamuxFlags.Ack, 3 - first, 0), .. Frame(YamuxType.Data, YamuxFlags.Fin, 3 - first, 2, 8, 9)],
            Frame(YamuxType.GoAway, YamuxFlags.None, 0, 1), Frame(YamuxType.Ping, YamuxFlags.Ack, 0, 0),
        ];
    }

    // A session with a stream of ours: whole and in pieces the same, and its counts agree with each other.
    private static string Yamux(byte[] bytes, bool isDialer)
    {
        string one = Session([bytes], isDialer), other = Session(FuzzTargets.Pieces(bytes), isDialer);
        FuzzTargets.Must(one == other);
        return one;
    }

    private static string Session(IEnumerable<byte[]> pieces, bool isDialer)
    {
        var session = new YamuxSession(isDialer, new YamuxOptions { InboundMax = 4 }, Instant.Zero);
        byte[] scratch = new byte[64];
        YamuxStream ours = session.TryOpen()!;
        session.BeginData(ours, 1, scratch);
        long data = 0;
        int opened = 0, closed = 0, reset = 0;
        foreach (byte[] piece in pieces)
        {
            ReadOnlySpan<byte> rest = piece;
            while (session.Receive(ref rest, Instant.Zero, out YamuxEvent happened))
            {
                switch (happened.Kind)
                {
                    case YamuxEventKind.Opened:
                        opened++;
                        break;
                    case YamuxEventKind.Data:
                        data += happened.Data.Length;
                        break;
                    case YamuxEventKind.RemoteClosed:
                        closed++;
                        break;
                    case YamuxEventKind.Reset:
                        reset++;
                        break;
                }
            }
            FuzzTargets.Must(rest.IsEmpty || session.HasEnded);
            session.CheckInvariants();
        }
        FuzzTargets.Must(session.InboundCount <= 4);
        int frames = 0;
        for (int written; session.HasControl; frames += written / YamuxHeader.Bytes)
            FuzzTargets.Must((written = session.WriteControl(scratch, Instant.Zero)) % YamuxHeader.Bytes == 0);
        return $"{session.Violation} {session.RemoteGoAway} {opened} {closed} {reset} {Math.Min(data, 9)} {Math.Min(frames, 5)}";
    }

    private static byte[] Certificate()
    {
        using var certificate = PeerCertificate.Create(
            Key, [.. Enumerable.Range(0, PeerCertificate.RandomBytes).Select(i => (byte)i)], new UtcTime(0), new UtcTime(4_000_000_000_000));
        return certificate.RawData;
    }

    // Walks in as deep as it goes.
    private static string Ders(byte[] bytes)
    {
        int depth = 0, values = 0;
        var reader = new DerReader(bytes);
        while (depth < 100 && reader.TryEnter(0x30, out DerReader inner))
        {
            depth++;
            reader = inner;
        }
        while (reader.TryReadUnsigned(out ReadOnlySpan<byte> number))
        {
            FuzzTargets.Must(number.Length <= bytes.Length);
            values++;
        }
        return $"{Math.Min(depth, 5)} {Math.Min(values, 3)} {reader.TryReadBits(out _)}";
    }
}
