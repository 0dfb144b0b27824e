using Drap.Libp2p.Daemon;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Daemon;

/// <summary>The hexadecimal messages are what @libp2p/daemon-protocol 8.0.4 wrote.</summary>
public sealed class DaemonMessageTests
{
    private const string Ed = "0024080112200707070707070707070707070707070707070707070707070707070707070707";
    private const string Rsa = "12200909090909090909090909090909090909090909090909090909090909090909";

    private static readonly byte[] Address = Convert.FromHexString("047f000001060fa1"); // /ip4/127.0.0.1/tcp/4001
    private static readonly PeerId EdPeer = Peer(Ed);
    private static readonly PeerId RsaPeer = Peer(Rsa);

    private static readonly (string Hex, DaemonRequest Request)[] JsRequests =
    [
        ("0800", new DaemonRequest.Identify()),
        ($"0801123c0a26{Ed}1208047f000001060fa11208047f000001060fa1", new DaemonRequest.Connect(EdPeer, [Address, Address], DaemonProtocol.TimeoutDefault)),
        ($"0801122a0a26{Ed}1805", new DaemonRequest.Connect(EdPeer, [], TimeSpan.FromSeconds(5))),
        (
            $"08021a3a0a22{Rsa}120b2f6563686f2f312e302e3012072f6563686f2f32",
            new DaemonRequest.OpenStream(RsaPeer, ["/echo/1.0.0", "/echo/2"], DaemonProtocol.TimeoutDefault)
        ),
        ("080322170a08047f000001060fa1120b2f6563686f2f312e302e30", new DaemonRequest.HandleStreams(Address, ["/echo/1.0.0"])),
        ("0805", new DaemonRequest.ListPeers()),
        ($"08073a280a26{Ed}", new DaemonRequest.Disconnect(EdPeer)),
        ($"0806323808001226{Ed}1a017820fdffffffffffffffff01", new DaemonRequest.TagPeer(EdPeer, "x", -3)),
        ("080842020800", new DaemonRequest.GetTopics()),
        ("0808420908021201741a026869", new DaemonRequest.Publish("t", "hi"u8.ToArray())),
        ($"08042a2a08001226{Ed}", new DaemonRequest.FindPeer(EdPeer, DaemonProtocol.TimeoutDefault)),
        ($"08042a2808021a22{Rsa}3001", new DaemonRequest.FindProviders(Convert.FromHexString(Rsa), 1, DaemonProtocol.TimeoutDefault)),
        ("08042a0b080722042f6b2f312a0176", new DaemonRequest.PutValue("/k/1"u8.ToArray(), "v"u8.ToArray(), DaemonProtocol.TimeoutDefault)),
        ($"08094a2a08011226{Ed}", new DaemonRequest.GetProtocols(EdPeer)),
    ];

    // Every request that there is.
    private static readonly DaemonRequest[] Requests =
    [
        .. JsRequests.Select(js => js.Request),
        new DaemonRequest.UntagPeer(EdPeer, "x"),
        new DaemonRequest.TrimConnections(),
        new DaemonRequest.ListTopicPeers("t"),
        new DaemonRequest.ListTopicPeers(""),
        new DaemonRequest.Subscribe("t"),
        new DaemonRequest.GetClosestPeers([1], TimeSpan.FromSeconds(1)),
        new DaemonRequest.GetPublicKey(RsaPeer, DaemonProtocol.TimeoutMax),
        new DaemonRequest.GetValue([1], TimeSpan.FromSeconds(1)),
        new DaemonRequest.SearchValue([1], TimeSpan.FromSeconds(1)),
        new DaemonRequest.Provide([1, 2], TimeSpan.FromSeconds(1)),
        new DaemonRequest.GetPeerInfo(EdPeer),
    ];

    private static readonly (string Hex, DaemonResponse Response)[] JsResponses =
    [
        ("0800", DaemonResponse.Ok),
        ("080112040a026e6f", DaemonResponse.Failed("no")),
        ($"080022320a26{Ed}1208047f000001060fa1", new DaemonResponse { Identity = new DaemonPeer(EdPeer, [Address]) }),
        ($"08001a360a26{Ed}1208047f000001060fa11a022f65", new DaemonResponse { Stream = new StreamInfo(EdPeer, Address, "/e") }),
        (
            $"080032320a26{Ed}1208047f000001060fa132240a22{Rsa}",
            new DaemonResponse { Peers = [new DaemonPeer(EdPeer, [Address]), new DaemonPeer(RsaPeer, [])] }
        ),
        ("08002a020800", new DaemonResponse { Dht = new DhtAnswer.Begin() }),
        ($"08003a2e0a01610a01621226{Ed}", new DaemonResponse { Topics = ["a", "b"], TopicPeers = [EdPeer] }),
        ("0800420412022f61", new DaemonResponse { Protocols = ["/a"] }),
    ];

    private static readonly DaemonResponse[] Responses =
    [
        .. JsResponses.Select(js => js.Response),
        new() { Dht = new DhtAnswer.Value("v"u8.ToArray()) },
        new() { Dht = new DhtAnswer.Peer(new DaemonPeer(RsaPeer, [Address, Address])) },
        new() { Topics = [] },
        new() { Protocols = [], Known = new DaemonPeer(EdPeer, [Address]) },
    ];

    [Fact]
    public void What_js_asks_is_read()
    {
        foreach ((string hex, DaemonRequest request) in JsRequests)
        {
            Assert.True(DaemonRequestReader.TryDecode(Convert.FromHexString(hex), out DaemonRequest? read, out string? fault), $"{request}: {fault}");
            Assert.Equivalent(request, read, strict: true);
        }
    }

    [Fact]
    public void What_js_answers_is_read_and_written_in_the_same_bytes()
    {
        foreach ((string hex, DaemonResponse response) in JsResponses)
        {
            Assert.True(DaemonResponse.TryDecode(Convert.FromHexString(hex), out DaemonResponse? read), hex);
            Assert.Equivalent(response, read, strict: true);
            Assert.Equal(hex, Convert.ToHexStringLower(response.Encode()));
        }
        Assert.Equal("08011a0176", Convert.ToHexStringLower(new DhtAnswer.Value("v"u8.ToArray()).Encode()));
        Assert.Equal("0802", Convert.ToHexStringLower(new DhtAnswer.End().Encode()));
        const string Message = $"0a26{Ed}120268691a0800000000000000002201742a017332016b";
        Assert.True(PubsubMessage.TryDecode(Convert.FromHexString(Message), out PubsubMessage? message));
        Assert.Equal((EdPeer, "hi", "t"), (message.From, System.Text.Encoding.UTF8.GetString(message.Data), Assert.Single(message.Topics)));
        Assert.Equal(Message, Convert.ToHexStringLower(message.Encode()));
    }

    [Fact]
    public void Every_request_and_answer_reads_back_as_it_was_written()
    {
        Assert.Equal(typeof(DaemonRequest).GetNestedTypes().Length, Requests.Select(request => request.GetType()).Distinct().Count());
        foreach (DaemonRequest request in Requests)
        {
            Assert.True(DaemonRequestReader.TryDecode(DaemonRequestWriter.Encode(request), out DaemonRequest? read, out string? fault), $"{request}: {fault}");
            Assert.Equivalent(request, read, strict: true);
        }
        foreach (DaemonResponse response in Responses)
        {
            Assert.True(DaemonResponse.TryDecode(response.Encode(), out DaemonResponse? read), response.ToString());
            Assert.Equivalent(response, read, strict: true);
        }
    }

    // Protobuf by hand: (fields of the request) and what is said of it.
    [Theory]
    [InlineData("", "no message")] // no type
    [InlineData("0a00", "no message")] // a type that is text
    [InlineData("08", "no message")]
    [InlineData("0863", "there is no request of type 99")]
    [InlineData("08ffffffffffffffffff01", "there is no request of type -1")]
    [InlineData("0801", "it lacks its parameters")]
    [InlineData("08011200", "it lacks peer")]
    [InlineData("080112020a00", "no peer id")]
    [InlineData("080112030a0107", "no peer id")]
    [InlineData("08021a00", "it lacks proto")]
    [InlineData("0803220412022f61", "it lacks addr")]
    [InlineData("08042a00", "it lacks type")]
    [InlineData("08042a020800", "it lacks peer")]
    [InlineData("08042a020801", "FIND_PEERS_CONNECTED_TO_PEER is not supported")]
    [InlineData("08042a020802", "it lacks cid")]
    [InlineData("08042a020805", "it lacks key")]
    [InlineData("08042a0508072201ff", "it lacks value")]
    [InlineData("08042a020809", "there is no DHT request of type 9")]
    [InlineData("080632020800", "it lacks peer")]
    [InlineData("080632020803", "there is no connection manager request of type 3")]
    [InlineData("080842020802", "it lacks topic")]
    [InlineData("0808420708031203ff0000", "no message")] // a topic that is not UTF-8
    [InlineData("080842020804", "there is no pubsub request of type 4")]
    [InlineData("08094a020801", "it lacks id")]
    [InlineData("08094a020800", "there is no peer store request of type 0")]
    public void What_cannot_be_done_is_said(string hex, string expected)
    {
        Assert.False(DaemonRequestReader.TryDecode(Convert.FromHexString(hex), out DaemonRequest? request, out string? fault));
        Assert.Null(request);
        Assert.Contains(expected, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_a_bound_is_refused_with_the_bound()
    {
        var writer = new ProtoWriter();
        void Refused(string expected)
        {
            Assert.False(DaemonRequestReader.TryDecode(writer.Written, out _, out string? fault));
            Assert.Equal(expected, fault);
            writer.Clear();
        }
        Wrap(1, 2, () =>
        {
            writer.Bytes(1, EdPeer.Bytes);
            for (int i = 0; i <= DaemonProtocol.AddressesMax; i++)
                writer.Bytes(2, Address);
        });
        Refused("more than 64 addresses");
        Wrap(1, 2, () => writer.Bytes(2, new byte[DaemonProtocol.AddressBytesMax + 1]));
        Refused("an address has between 1 and 1024 bytes");
        Wrap(2, 3, () =>
        {
            writer.Bytes(1, EdPeer.Bytes);
            for (int i = 0; i <= DaemonProtocol.ProtocolsMax; i++)
                writer.Text(2, "/a");
        });
        Refused("more than 64 protocols");
        Wrap(2, 3, () => writer.Text(2, new string('a', DaemonProtocol.NameBytesMax + 1)));
        Refused("a protocol has between 1 and 256 bytes");
        Wrap(8, 8, () => writer.Text(2, new string('a', DaemonProtocol.TopicBytesMax + 1)));
        Refused("a topic has between 1 and 1024 bytes");
        Wrap(4, 5, () => writer.Bytes(4, new byte[DaemonProtocol.KeyBytesMax + 1]));
        Refused("a key has between 1 and 1024 bytes");
        Assert.False(DaemonRequestReader.TryDecode(new byte[DaemonProtocol.MessageBytesMax + 1], out _, out _));
        Assert.False(DaemonResponse.TryDecode(new byte[DaemonProtocol.MessageBytesMax + 1], out _));

        // Times and numbers have a nearest one that is allowed.
        Wrap(4, 5, () =>
        {
            writer.Number(1, 2);
            writer.Bytes(3, [1]);
            writer.Number(6, int.MaxValue);
            writer.Number(7, long.MaxValue);
        });
        Assert.True(DaemonRequestReader.TryDecode(writer.Written, out DaemonRequest? request, out _));
        var providers = Assert.IsType<DaemonRequest.FindProviders>(request);
        Assert.Equal((DaemonProtocol.ProvidersMax, DaemonProtocol.TimeoutMax), (providers.Count, providers.Timeout));

        void Wrap(ulong type, int field, Action write)
        {
            writer.Number(1, type);
            int message = writer.BeginMessage(field);
            write();
            writer.EndMessage(message);
        }
    }

    [Fact]
    public void A_long_error_is_cut_between_two_characters()
    {
        string text = "x" + string.Concat(Enumerable.Repeat("ß", DaemonProtocol.ErrorBytesMax));
        Assert.True(DaemonResponse.TryDecode(DaemonResponse.Failed(text).Encode(), out DaemonResponse? read));
        Assert.Equal(text[..(1 + ((DaemonProtocol.ErrorBytesMax - 1) / 2))], read.Error);
    }

    [Fact]
    public void No_cut_or_flipped_bytes_bring_a_reader_down()
    {
        const ulong Seed = 0xda3017;
        var random = new Prng(Seed);
        byte[][] corpus =
        [
            .. Requests.Select(DaemonRequestWriter.Encode),
            .. Responses.Select(response => response.Encode()),
            new StreamInfo(EdPeer, Address, "/e").Encode(),
            new PubsubMessage { From = EdPeer, Data = [1, 2], Topics = ["t"], Key = [1], Signature = [2], SequenceNumber = [3] }.Encode(),
        ];
        foreach (byte[] seed in corpus)
        {
            for (int cut = 0; cut < seed.Length; cut++)
                ReadAll(seed[..cut]);
            for (int i = 0; i < 2000; i++)
            {
                byte[] bytes = [.. seed];
                for (int flips = random.Below(4); flips >= 0; flips--)
                    bytes[random.Below(bytes.Length)] = (byte)random.Below(256);
                ReadAll(bytes[..(random.Below(bytes.Length) + 1)]);
            }
        }

        // Whatever is read as a request is one that can be written, and reads back as itself.
        static void ReadAll(byte[] bytes)
        {
            if (DaemonRequestReader.TryDecode(bytes, out DaemonRequest? request, out string? fault))
            {
                Assert.True(DaemonRequestReader.TryDecode(DaemonRequestWriter.Encode(request), out DaemonRequest? again, out _));
                Assert.Equal(request.GetType(), again.GetType());
            }
            else
            {
                Assert.NotEmpty(fault);
            }
            if (DaemonResponse.TryDecode(bytes, out DaemonResponse? response))
                Assert.True(DaemonResponse.TryDecode(response.Encode(), out _));
            StreamInfo.TryDecode(bytes, out _);
            DhtAnswer.TryDecode(bytes, out _);
            PubsubMessage.TryDecode(bytes, out _);
        }
    }

    private static PeerId Peer(string hex)
    {
        Assert.True(PeerId.TryFromBytes(Convert.FromHexString(hex), out PeerId peer));
        return peer;
    }
}
