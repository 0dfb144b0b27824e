using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Daemon;

/// <summary>
/// What the daemon answers. Which part is there follows from what was asked: the answer does not say it of itself, as the protocol has it.
/// </summary>
public sealed record DaemonResponse
{
    /// <summary>Why it was not done; null if it was.</summary>
    public string? Error { get; init; }

    /// <summary>The stream that was opened.</summary>
    public StreamInfo? Stream { get; init; }

    /// <summary>The node and where it listens.</summary>
    public DaemonPeer? Identity { get; init; }

    /// <summary>A value or a peer of the DHT, or the begin of a row of them.</summary>
    public DhtAnswer? Dht { get; init; }

    /// <summary>Who is connected.</summary>
    public ImmutableArray<DaemonPeer> Peers { get; init; } = [];

    /// <summary>Topics: those subscribed to, or the one whose peers were asked for. Null if the question was not of pubsub.</summary>
    public ImmutableArray<string>? Topics { get; init; }

    /// <summary>Who is subscribed to the topic that was asked for.</summary>
    public ImmutableArray<PeerId> TopicPeers { get; init; } = [];

    /// <summary>The protocols of the peer that was asked for. Null if the question was not of the peer store.</summary>
    public ImmutableArray<string>? Protocols { get; init; }

    /// <summary>The peer that the peer store was asked for.</summary>
    public DaemonPeer? Known { get; init; }

    /// <summary>It was done, and there is nothing to say.</summary>
    public static DaemonResponse Ok { get; } = new();

    /// <summary>It was not done.</summary>
    public static DaemonResponse Failed(string error) => new() { Error = error };

    /// <summary>The message, without a length before it.</summary>
    public byte[] Encode()
    {
        var writer = new ProtoWriter();
        // go requires the field, and requires it also where it is zero.
        writer.Number(1, Error is null ? 0u : 1u);
        if (Error is not null)
        {
            int error = writer.BeginMessage(2);
            writer.Bytes(1, Cut(Error));
            writer.EndMessage(error);
        }
        if (Stream is not null)
            writer.Bytes(3, Stream.Encode());
        Identity?.WriteTo(writer, 4);
        if (Dht is not null)
            writer.Bytes(5, Dht.Encode());
        foreach (DaemonPeer peer in Peers)
            peer.WriteTo(writer, 6);
        if (Topics is not null)
        {
            int pubsub = writer.BeginMessage(7);
            foreach (string topic in Topics)
                writer.Text(1, topic);
            foreach (PeerId peer in TopicPeers)
                writer.Bytes(2, peer.Bytes);
            writer.EndMessage(pubsub);
        }
        if (Protocols is not null || Known is not null)
        {
            int store = writer.BeginMessage(8);
            Known?.WriteTo(writer, 1);
            foreach (string protocol in Protocols ?? [])
                writer.Text(2, protocol);
            writer.EndMessage(store);
        }
        return writer.ToArray();
    }

    /// <summary>Reads one message; false if it is not one, or one that is beyond <see cref="DaemonProtocol"/>'s bounds.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DaemonResponse? response)
    {
        response = null;
        if (bytes.Length > DaemonProtocol.MessageBytesMax)
            return false;
        int? type = null;
        string? error = null;
        var read = new DaemonResponse();
        var peers = ImmutableArray.CreateBuilder<DaemonPeer>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.Int32();
                    break;
                case 2:
                    error = ReadError(reader.Bytes());
                    break;
                case 3:
                    if (!StreamInfo.TryDecode(reader.Bytes(), out StreamInfo? stream))
                        return false;
                    read = read with { Stream = stream };
                    break;
                case 4:
                    if (!DaemonPeer.TryDecode(reader.Bytes(), out DaemonPeer? identity))
                        return false;
                    read = read with { Identity = identity };
                    break;
                case 5:
                    if (!DhtAnswer.TryDecode(reader.Bytes(), out DhtAnswer? dht))
                        return false;
                    read = read with { Dht = dht };
                    break;
                case 6:
                    if (peers.Count == DaemonProtocol.ListMax || !DaemonPeer.TryDecode(reader.Bytes(), out DaemonPeer? peer))
                        return false;
                    peers.Add(peer);
                    break;
                case 7:
                    if (!TryReadPubsub(reader.Bytes(), ref read))
                        return false;
                    break;
                case 8:
                    if (!TryReadPeerStore(reader.Bytes(), ref read))
                        return false;
                    break;
            }
        }
        if (reader.Malformed || type is not (0 or 1))
            return false;
        response = read with { Peers = peers.DrainToImmutable(), Error = type == 1 ? error ?? "the daemon did not say why" : null };
        return true;
    }

    private static string? ReadError(ReadOnlySpan<byte> bytes)
    {
        string? text = null;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            if (reader.Field == 1)
                text = Encoding.UTF8.GetString(reader.Bytes()[..Math.Min(reader.Bytes().Length, DaemonProtocol.ErrorBytesMax)]);
        }
        return text;
    }

    private static bool TryReadPubsub(ReadOnlySpan<byte> bytes, ref DaemonResponse response)
    {
        var topics = ImmutableArray.CreateBuilder<string>();
        var peers = ImmutableArray.CreateBuilder<PeerId>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (topics.Count == DaemonProtocol.ListMax || reader.Bytes().Length > DaemonProtocol.TopicBytesMax)
                        return false;
                    topics.Add(reader.Text());
                    break;
                case 2:
                    if (peers.Count == DaemonProtocol.ListMax || !PeerId.TryFromBytes(reader.Bytes(), out PeerId peer))
                        return false;
                    peers.Add(peer);
                    break;
            }
        }
        response = response with { Topics = topics.DrainToImmutable(), TopicPeers = peers.DrainToImmutable() };
        return !reader.Malformed;
    }

    private static bool TryReadPeerStore(ReadOnlySpan<byte> bytes, ref DaemonResponse response)
    {
        DaemonPeer? known = null;
        var protocols = ImmutableArray.CreateBuilder<string>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (!DaemonPeer.TryDecode(reader.Bytes(), out known))
                        return false;
                    break;
                case 2:
                    if (protocols.Count == DaemonProtocol.ListMax || reader.Bytes().Length > DaemonProtocol.NameBytesMax)
                        return false;
                    protocols.Add(reader.Text());
                    break;
            }
        }
        response = response with { Known = known, Protocols = protocols.DrainToImmutable() };
        return !reader.Malformed;
    }

    // Cut between two characters, for what remains has to be UTF-8.
    private static ReadOnlySpan<byte> Cut(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int length = Math.Min(bytes.Length, DaemonProtocol.ErrorBytesMax);
        while (length < bytes.Length && (bytes[length] & 0xc0) == 0x80)
            length--;
        return bytes.AsSpan(0, length);
    }
}
