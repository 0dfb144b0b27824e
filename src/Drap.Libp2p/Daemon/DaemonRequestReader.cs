using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Daemon;

/// <summary>Reads requests, and says of one that cannot be done what is wrong with it.</summary>
public ref struct DaemonRequestReader
{
    private const string NoMessage = "malformed request: it is no message of the daemon's protocol";

    // What was wrong first.
    private string? fault;

    /// <summary>
    /// Reads one message. If it asks for nothing that there is, or lacks something, or goes beyond a bound of <see cref="DaemonProtocol"/>,
    /// <paramref name="fault"/> says so in words for the answer.
    /// </summary>
    public static bool TryDecode(
        ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DaemonRequest? request, [NotNullWhen(false)] out string? fault)
    {
        var reader = new DaemonRequestReader();
        request = reader.Request(bytes);
        fault = reader.fault;
        if (fault is not null)
            request = null;
        return request is not null;
    }

    private DaemonRequest? Request(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > DaemonProtocol.MessageBytesMax)
            return Refuse(NoMessage);
        // Fields may come in any order: the type first, then the parameters of that type.
        long? type = null;
        var types = new ProtoReader(bytes);
        while (types.Next())
        {
            if (types.Field == 1)
                type = types.Int64();
        }
        if (types.Malformed || type is null)
            return Refuse(NoMessage);
        return type switch
        {
            0 => new DaemonRequest.Identify(),
            1 => Part(bytes, 2, out var part) ? Connect(part) : null,
            2 => Part(bytes, 3, out var part) ? OpenStream(part) : null,
            3 => Part(bytes, 4, out var part) ? HandleStreams(part) : null,
            4 => Part(bytes, 5, out var part) ? Dht(part) : null,
            5 => new DaemonRequest.ListPeers(),
            6 => Part(bytes, 6, out var part) ? ConnectionManager(part) : null,
            7 => Part(bytes, 7, out var part) ? Disconnect(part) : null,
            8 => Part(bytes, 8, out var part) ? Pubsub(part) : null,
            9 => Part(bytes, 9, out var part) ? PeerStore(part) : null,
            _ => Refuse($"there is no request of type {type}"),
        };
    }

    private bool Part(ReadOnlySpan<byte> bytes, int field, out ReadOnlySpan<byte> part)
    {
        bool found = false;
        part = default;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            if (reader.Field != field)
                continue;
            part = reader.Bytes();
            found = true;
        }
        if (reader.Malformed)
            Refuse(NoMessage);
        else if (!found)
            Lacks("its parameters");
        return fault is null;
    }

    private DaemonRequest? Connect(ReadOnlySpan<byte> bytes)
    {
        PeerId? peer = null;
        var addresses = ImmutableArray.CreateBuilder<byte[]>();
        TimeSpan timeout = DaemonProtocol.TimeoutDefault;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    peer = Peer(ref reader);
                    break;
                case 2:
                    if (addresses.Count == DaemonProtocol.AddressesMax)
                        Refuse($"more than {DaemonProtocol.AddressesMax} addresses");
                    else
                        addresses.Add(Bytes(ref reader, DaemonProtocol.AddressBytesMax, "an address"));
                    break;
                case 3:
                    timeout = Seconds(reader.Int64());
                    break;
            }
        }
        End(reader);
        return peer is { } known ? new DaemonRequest.Connect(known, addresses.DrainToImmutable(), timeout) : Lacks("peer");
    }

    private DaemonRequest? Disconnect(ReadOnlySpan<byte> bytes)
    {
        PeerId? peer = null;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            if (reader.Field == 1)
                peer = Peer(ref reader);
        }
        End(reader);
        return peer is { } known ? new DaemonRequest.Disconnect(known) : Lacks("peer");
    }

    private DaemonRequest? OpenStream(ReadOnlySpan<byte> bytes)
    {
        PeerId? peer = null;
        var protocols = ImmutableArray.CreateBuilder<string>();
        TimeSpan timeout = DaemonProtocol.TimeoutDefault;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    peer = Peer(ref reader);
                    break;
                case 2:
                    Protocol(ref reader, protocols);
                    break;
                case 3:
                    timeout = Seconds(reader.Int64());
                    break;
            }
        }
        End(reader);
        if (protocols.Count == 0)
            Lacks("proto");
        return peer is { } known ? new DaemonRequest.OpenStream(known, protocols.DrainToImmutable(), timeout) : Lacks("peer");
    }

    private DaemonRequest? HandleStreams(ReadOnlySpan<byte> bytes)
    {
        byte[]? address = null;
        var protocols = ImmutableArray.CreateBuilder<string>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    address = Bytes(ref reader, DaemonProtocol.AddressBytesMax, "an address");
                    break;
                case 2:
                    Protocol(ref reader, protocols);
                    break;
            }
        }
        End(reader);
        if (protocols.Count == 0)
            Lacks("proto");
        return address is not null ? new DaemonRequest.HandleStreams(address, protocols.DrainToImmutable()) : Lacks("addr");
    }

    private DaemonRequest? Dht(ReadOnlySpan<byte> bytes)
    {
        long? type = null;
        PeerId? peer = null;
        byte[]? cid = null, key = null, value = null;
        int count = DaemonProtocol.ProvidersDefault;
        TimeSpan timeout = DaemonProtocol.TimeoutDefault;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.Int64();
                    break;
                case 2:
                    peer = Peer(ref reader);
                    break;
                case 3:
                    cid = Bytes(ref reader, DaemonProtocol.KeyBytesMax, "a CID");
                    break;
                case 4:
                    key = Bytes(ref reader, DaemonProtocol.KeyBytesMax, "a key");
                    break;
                case 5:
                    value = reader.Bytes().ToArray();
                    break;
                case 6:
                    count = reader.Int64() is > 0 and var asked ? (int)Math.Min(asked, DaemonProtocol.ProvidersMax) : DaemonProtocol.ProvidersDefault;
                    break;
                case 7:
                    timeout = Seconds(reader.Int64());
                    break;
            }
        }
        End(reader);
        return type switch
        {
            0 => peer is { } known ? new DaemonRequest.FindPeer(known, timeout) : Lacks("peer"),
            1 => Refuse("FIND_PEERS_CONNECTED_TO_PEER is not supported: the protocol has dropped it"),
            2 => cid is not null ? new DaemonRequest.FindProviders(cid, count, timeout) : Lacks("cid"),
            3 => key is not null ? new DaemonRequest.GetClosestPeers(key, timeout) : Lacks("key"),
            4 => peer is { } known ? new DaemonRequest.GetPublicKey(known, timeout) : Lacks("peer"),
            5 => key is not null ? new DaemonRequest.GetValue(key, timeout) : Lacks("key"),
            6 => key is not null ? new DaemonRequest.SearchValue(key, timeout) : Lacks("key"),
            7 => key is null ? Lacks("key") : value is null ? Lacks("value") : new DaemonRequest.PutValue(key, value, timeout),
            8 => cid is not null ? new DaemonRequest.Provide(cid, timeout) : Lacks("cid"),
            null => Lacks("type"),
            _ => Refuse($"there is no DHT request of type {type}"),
        };
    }

    private DaemonRequest? ConnectionManager(ReadOnlySpan<byte> bytes)
    {
        long? type = null;
        PeerId? peer = null;
        string? tag = null;
        long weight = 0;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.Int64();
                    break;
                case 2:
                    peer = Peer(ref reader);
                    break;
                case 3:
                    tag = Text(ref reader, DaemonProtocol.NameBytesMax, "a tag");
                    break;
                case 4:
                    weight = reader.Int64();
                    break;
            }
        }
        End(reader);
        return (type, peer, tag) switch
        {
            (2, _, _) => new DaemonRequest.TrimConnections(),
            (0 or 1, null, _) => Lacks("peer"),
            (0 or 1, _, null) => Lacks("tag"),
            (0, { } known, _) => new DaemonRequest.TagPeer(known, tag, weight),
            (1, { } known, _) => new DaemonRequest.UntagPeer(known, tag),
            (null, _, _) => Lacks("type"),
            _ => Refuse($"there is no connection manager request of type {type}"),
        };
    }

    private DaemonRequest? Pubsub(ReadOnlySpan<byte> bytes)
    {
        long? type = null;
        string? topic = null;
        byte[] data = [];
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.Int64();
                    break;
                case 2:
                    topic = reader.Bytes().IsEmpty ? null : Text(ref reader, DaemonProtocol.TopicBytesMax, "a topic");
                    break;
                case 3:
                    data = reader.Bytes().ToArray();
                    break;
            }
        }
        End(reader);
        return (type, topic) switch
        {
            (0, _) => new DaemonRequest.GetTopics(),
            (1, _) => new DaemonRequest.ListTopicPeers(topic ?? ""),
            (2 or 3, null) => Lacks("topic"),
            (2, _) => new DaemonRequest.Publish(topic, data),
            (3, _) => new DaemonRequest.Subscribe(topic),
            (null, _) => Lacks("type"),
            _ => Refuse($"there is no pubsub request of type {type}"),
        };
    }

    private DaemonRequest? PeerStore(ReadOnlySpan<byte> bytes)
    {
        long? type = null;
        PeerId? peer = null;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.Int64();
                    break;
                case 2:
                    peer = Peer(ref reader);
                    break;
            }
        }
        End(reader);
        return (type, peer) switch
        {
            (1 or 2, null) => Lacks("id"),
            (1, { } known) => new DaemonRequest.GetProtocols(known),
            (2, { } known) => new DaemonRequest.GetPeerInfo(known),
            (null, _) => Lacks("type"),
            _ => Refuse($"there is no peer store request of type {type}"),
        };
    }

    private PeerId? Peer(ref ProtoReader reader)
    {
        if (PeerId.TryFromBytes(reader.Bytes(), out PeerId peer))
            return peer;
        Refuse("malformed request: what should name a peer is no peer id");
        return null;
    }

    private void Protocol(ref ProtoReader reader, ImmutableArray<string>.Builder protocols)
    {
        if (protocols.Count == DaemonProtocol.ProtocolsMax)
            Refuse($"more than {DaemonProtocol.ProtocolsMax} protocols");
        else
            protocols.Add(Text(ref reader, DaemonProtocol.NameBytesMax, "a protocol"));
    }

    private byte[] Bytes(ref ProtoReader reader, int lengthMax, string what)
    {
        if (reader.Bytes().Length is > 0 and var length && length <= lengthMax)
            return reader.Bytes().ToArray();
        Refuse($"{what} has between 1 and {lengthMax} bytes");
        return [];
    }

    private string Text(ref ProtoReader reader, int lengthMax, string what)
    {
        if (reader.Bytes().Length is > 0 and var length && length <= lengthMax)
            return reader.Text();
        Refuse($"{what} has between 1 and {lengthMax} bytes");
        return "";
    }

    private static TimeSpan Seconds(long seconds) =>
        seconds <= 0 ? DaemonProtocol.TimeoutDefault
        : seconds >= (long)DaemonProtocol.TimeoutMax.TotalSeconds ? DaemonProtocol.TimeoutMax
        : TimeSpan.FromSeconds(seconds);

    private void End(in ProtoReader reader)
    {
        if (reader.Malformed)
            Refuse(NoMessage);
    }

    private DaemonRequest? Lacks(string what) => Refuse($"malformed request: it lacks {what}");

    private DaemonRequest? Refuse(string why)
    {
        fault ??= why;
        return null;
    }
}
