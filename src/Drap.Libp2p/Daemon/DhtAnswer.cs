using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Daemon;

/// <summary>
/// One thing found in the DHT. A question with one answer gets it within a <see cref="DaemonResponse"/>; one with several gets
/// <see cref="Begin"/> within a response, then each <see cref="Value"/> or <see cref="Peer"/> as a message of its own, then <see cref="End"/>.
/// </summary>
public abstract record DhtAnswer
{
    private DhtAnswer()
    {
    }

    /// <summary>A row of answers follows.</summary>
    public sealed record Begin : DhtAnswer;

    /// <summary>A value, a public key in its protobuf form, or, of closest peers, a peer id.</summary>
    public sealed record Value(byte[] Bytes) : DhtAnswer;

    /// <summary>A peer and where it is.</summary>
    public sealed record Peer(DaemonPeer Found) : DhtAnswer;

    /// <summary>The row is over.</summary>
    public sealed record End : DhtAnswer;

    /// <summary>The message, without a length before it.</summary>
    public byte[] Encode()
    {
        var writer = new ProtoWriter();
        switch (this)
        {
            case Begin:
                writer.Number(1, 0);
                break;
            case Value value:
                writer.Number(1, 1);
                writer.Bytes(3, value.Bytes);
                break;
            case Peer peer:
                writer.Number(1, 1);
                peer.Found.WriteTo(writer, 2);
                break;
            case End:
                writer.Number(1, 2);
                break;
        }
        return writer.ToArray();
    }

    /// <summary>Reads one message; false if it is not one.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DhtAnswer? answer)
    {
        answer = null;
        if (bytes.Length > DaemonProtocol.MessageBytesMax)
            return false;
        int? type = null;
        DaemonPeer? peer = null;
        byte[]? value = null;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.Int32();
                    break;
                case 2:
                    if (!DaemonPeer.TryDecode(reader.Bytes(), out peer))
                        return false;
                    break;
                case 3:
                    value = reader.Bytes().ToArray();
                    break;
            }
        }
        if (reader.Malformed)
            return false;
        answer = (type, peer, value) switch
        {
            (0, _, _) => new Begin(),
            (1, not null, _) => new Peer(peer),
            (1, null, not null) => new Value(value),
            (2, _, _) => new End(),
            _ => null,
        };
        return answer is not null;
    }
}
