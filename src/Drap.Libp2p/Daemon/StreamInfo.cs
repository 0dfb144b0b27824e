using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Daemon;

/// <summary>
/// Which stream a socket carries from here on: with whom, at which address (a binary multiaddr), and with which protocol.
/// It is part of the answer to <see cref="DaemonRequest.OpenStream"/>, and the first message on a connection that brings a stream to a
/// handler.
/// </summary>
public sealed record StreamInfo(PeerId Peer, byte[] Address, string Protocol)
{
    /// <summary>The longest message: a peer id, an address, a name and their tags.</summary>
    public const int MessageBytesMax = PeerId.BytesMax + DaemonProtocol.AddressBytesMax + DaemonProtocol.NameBytesMax + 16;

    /// <summary>The message, without a length before it.</summary>
    public byte[] Encode()
    {
        var writer = new ProtoWriter();
        writer.Bytes(1, Peer.Bytes);
        writer.Bytes(2, Address);
        writer.Text(3, Protocol);
        return writer.ToArray();
    }

    /// <summary>Reads one message; false if it is not one, or one that is beyond <see cref="DaemonProtocol"/>'s bounds.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out StreamInfo? info)
    {
        info = null;
        PeerId peer = default;
        byte[] address = [];
        string protocol = "";
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (!PeerId.TryFromBytes(reader.Bytes(), out peer))
                        return false;
                    break;
                case 2:
                    if (reader.Bytes().Length > DaemonProtocol.AddressBytesMax)
                        return false;
                    address = reader.Bytes().ToArray();
                    break;
                case 3:
                    if (reader.Bytes().Length > DaemonProtocol.NameBytesMax)
                        return false;
                    protocol = reader.Text();
                    break;
            }
        }
        if (reader.Malformed || peer == default || protocol.Length == 0)
            return false;
        info = new StreamInfo(peer, address, protocol);
        return true;
    }
}
