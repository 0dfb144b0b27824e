using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Daemon;

/// <summary>
/// A message of a topic as the daemon hands it to a subscriber. The daemon has checked the signature, which goes along; a message of a swarm
/// that does not sign has data and topics alone.
/// </summary>
public sealed record PubsubMessage
{
    /// <summary>Topics kept of one message; today's routers give one.</summary>
    public const int TopicsMax = 16;

    /// <summary>Who published it.</summary>
    public PeerId? From { get; init; }

    /// <summary>What was published.</summary>
    public byte[] Data { get; init; } = [];

    /// <summary>The publisher's number of it.</summary>
    public byte[]? SequenceNumber { get; init; }

    /// <summary>Where it was published.</summary>
    public ImmutableArray<string> Topics { get; init; } = [];

    /// <summary>The publisher's signature, as gossipsub has it.</summary>
    public byte[]? Signature { get; init; }

    /// <summary>The publisher's public key in its protobuf form, where the peer id does not hold it.</summary>
    public byte[]? Key { get; init; }

    /// <summary>The message, without a length before it.</summary>
    public byte[] Encode()
    {
        var writer = new ProtoWriter();
        if (From is { } from)
            writer.Bytes(1, from.Bytes);
        writer.Bytes(2, Data);
        if (SequenceNumber is not null)
            writer.Bytes(3, SequenceNumber);
        foreach (string topic in Topics)
            writer.Text(4, topic);
        if (Signature is not null)
            writer.Bytes(5, Signature);
        if (Key is not null)
            writer.Bytes(6, Key);
        return writer.ToArray();
    }

    /// <summary>Reads one message; false if it is not one, or one that is beyond <see cref="DaemonProtocol"/>'s bounds.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out PubsubMessage? message)
    {
        message = null;
        if (bytes.Length > DaemonProtocol.MessageBytesMax)
            return false;
        PeerId? from = null;
        byte[] data = [];
        byte[]? sequenceNumber = null, signature = null, key = null;
        var topics = ImmutableArray.CreateBuilder<string>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (!PeerId.TryFromBytes(reader.Bytes(), out PeerId peer))
                        return false;
                    from = peer;
                    break;
                case 2:
                    data = reader.Bytes().ToArray();
                    break;
                case 3:
                    sequenceNumber = reader.Bytes().ToArray();
                    break;
                case 4:
                    if (topics.Count == TopicsMax || reader.Bytes().Length > DaemonProtocol.TopicBytesMax)
                        return false;
                    topics.Add(reader.Text());
                    break;
                case 5:
                    signature = reader.Bytes().ToArray();
                    break;
                case 6:
                    key = reader.Bytes().ToArray();
                    break;
            }
        }
        if (reader.Malformed)
            return false;
        message = new PubsubMessage
        {
            From = from,
            Data = data,
            SequenceNumber = sequenceNumber,
            Topics = topics.DrainToImmutable(),
            Signature = signature,
            Key = key,
        };
        return true;
    }
}
