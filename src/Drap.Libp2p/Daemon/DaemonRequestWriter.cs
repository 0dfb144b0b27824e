using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Daemon;

/// <summary>Writes requests as a client sends them.</summary>
public static class DaemonRequestWriter
{
    /// <summary>The message, without a length before it. The request must be within the bounds of <see cref="DaemonProtocol"/>.</summary>
    public static byte[] Encode(DaemonRequest request)
    {
        var writer = new ProtoWriter();
        switch (request)
        {
            case DaemonRequest.Identify:
                writer.Number(1, 0);
                break;
            case DaemonRequest.Connect connect:
                writer.Number(1, 1);
                int message = writer.BeginMessage(2);
                writer.Bytes(1, connect.Peer.Bytes);
                foreach (byte[] address in connect.Addresses)
                    writer.Bytes(2, address);
                writer.Number(3, Seconds(connect.Timeout));
                writer.EndMessage(message);
                break;
            case DaemonRequest.OpenStream open:
                writer.Number(1, 2);
                message = writer.BeginMessage(3);
                writer.Bytes(1, open.Peer.Bytes);
                foreach (string protocol in open.Protocols)
                    writer.Text(2, protocol);
                writer.Number(3, Seconds(open.Timeout));
                writer.EndMessage(message);
                break;
            case DaemonRequest.HandleStreams handle:
                writer.Number(1, 3);
                message = writer.BeginMessage(4);
                writer.Bytes(1, handle.Address);
                foreach (string protocol in handle.Protocols)
                    writer.Text(2, protocol);
                writer.EndMessage(message);
                break;
            case DaemonRequest.ListPeers:
                writer.Number(1, 5);
                break;
            case DaemonRequest.Disconnect disconnect:
                writer.Number(1, 7);
                message = writer.BeginMessage(7);
                writer.Bytes(1, disconnect.Peer.Bytes);
                writer.EndMessage(message);
                break;
            case DaemonRequest.TagPeer tag:
                ConnectionManager(writer, 0, tag.Peer, tag.Tag, tag.Weight);
                break;
            case DaemonRequest.UntagPeer untag:
                ConnectionManager(writer, 1, untag.Peer, untag.Tag, null);
                break;
            case DaemonRequest.TrimConnections:
                ConnectionManager(writer, 2, null, null, null);
                break;
            case DaemonRequest.GetTopics:
                Pubsub(writer, 0, null, null);
                break;
            case DaemonRequest.ListTopicPeers list:
                Pubsub(writer, 1, list.Topic, null);
                break;
            case DaemonRequest.Publish publish:
                Pubsub(writer, 2, publish.Topic, publish.Data);
                break;
            case DaemonRequest.Subscribe subscribe:
                Pubsub(writer, 3, subscribe.Topic, null);
                break;
            case DaemonRequest.FindPeer find:
                Dht(writer, 0, find.Timeout, peer: find.Peer);
                break;
            case DaemonRequest.FindProviders find:
                Dht(writer, 2, find.Timeout, cid: find.Cid, count: find.Count);
                break;
            case DaemonRequest.GetClosestPeers closest:
                Dht(writer, 3, closest.Timeout, key: closest.Key);
                break;
            case DaemonRequest.GetPublicKey key:
                Dht(writer, 4, key.Timeout, peer: key.Peer);
                break;
            case DaemonRequest.GetValue get:
                Dht(writer, 5, get.Timeout, key: get.Key);
                break;
            case DaemonRequest.SearchValue search:
                Dht(writer, 6, search.Timeout, key: search.Key);
                break;
            case DaemonRequest.PutValue put:
                Dht(writer, 7, put.Timeout, key: put.Key, value: put.Value);
                break;
            case DaemonRequest.Provide provide:
                Dht(writer, 8, provide.Timeout, cid: provide.Cid);
                break;
            case DaemonRequest.GetProtocols protocols:
                PeerStore(writer, 1, protocols.Peer);
                break;
            case DaemonRequest.GetPeerInfo info:
                PeerStore(writer, 2, info.Peer);
                break;
            default:
                Invariant.Fail($"a request without a form on the wire: {request.GetType().Name}");
                break;
        }
        Invariant.Check(writer.Length <= DaemonProtocol.MessageBytesMax);
        return writer.ToArray();
    }

    private static void ConnectionManager(ProtoWriter writer, ulong type, PeerId? peer, string? tag, long? weight)
    {
        writer.Number(1, 6);
        int message = writer.BeginMessage(6);
        writer.Number(1, type);
        if (peer is { } known)
            writer.Bytes(2, known.Bytes);
        if (tag is not null)
            writer.Text(3, tag);
        if (weight is { } heavy)
            writer.Number(4, (ulong)heavy);
        writer.EndMessage(message);
    }

    private static void Pubsub(ProtoWriter writer, ulong type, string? topic, byte[]? data)
    {
        writer.Number(1, 8);
        int message = writer.BeginMessage(8);
        writer.Number(1, type);
        if (topic is not null)
            writer.Text(2, topic);
        if (data is not null)
            writer.Bytes(3, data);
        writer.EndMessage(message);
    }

    private static void Dht(
        ProtoWriter writer, ulong type, TimeSpan timeout,
        PeerId? peer = null, byte[]? cid = null, byte[]? key = null, byte[]? value = null, int? count = null)
    {
        writer.Number(1, 4);
        int message = writer.BeginMessage(5);
        writer.Number(1, type);
        if (peer is { } known)
            writer.Bytes(2, known.Bytes);
        if (cid is not null)
            writer.Bytes(3, cid);
        if (key is not null)
            writer.Bytes(4, key);
        if (value is not null)
            writer.Bytes(5, value);
        if (count is { } number)
            writer.Number(6, (ulong)number);
        writer.Number(7, Seconds(timeout));
        writer.EndMessage(message);
    }

    private static void PeerStore(ProtoWriter writer, ulong type, PeerId peer)
    {
        writer.Number(1, 9);
        int message = writer.BeginMessage(9);
        writer.Number(1, type);
        writer.Bytes(2, peer.Bytes);
        writer.EndMessage(message);
    }

    // Zero would mean the default.
    private static ulong Seconds(TimeSpan timeout) => (ulong)Math.Max(1, Math.Ceiling(timeout.TotalSeconds));
}
