namespace Drap.Libp2p.Host;

/// <summary>What the network or a peer made fail; the root of all that the host throws besides misuse.</summary>
public class Libp2pException : IOException
{
    /// <summary>A failure with its reason in words.</summary>
    public Libp2pException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>A stream ended at once, both ways; what was under way on it is lost.</summary>
public sealed class StreamResetException : Libp2pException
{
    internal StreamResetException(StreamEnd end, PeerConnection connection)
        : base(Describe(end, connection), end == StreamEnd.ConnectionClosed ? connection.Failure : null) => End = end;

    /// <summary>Why.</summary>
    public StreamEnd End { get; }

    private static string Describe(StreamEnd end, PeerConnection connection) => end switch
    {
        StreamEnd.ResetByPeer => "the peer reset the stream",
        StreamEnd.ResetHere => "the stream was reset",
        StreamEnd.ProtocolRefused => "the peer does not speak the stream's protocol",
        _ => $"the stream's connection is closed ({connection.Reason}{(connection.Failure is { } failure ? $": {failure.Message}" : "")})",
    };
}

/// <summary>The peer speaks none of the protocols that were asked for.</summary>
public sealed class ProtocolRefusedException(PeerId peer, IReadOnlyList<string> protocols)
    : Libp2pException($"{peer} speaks none of {string.Join(", ", protocols)}")
{
    /// <summary>What was asked for, in the order of preference.</summary>
    public IReadOnlyList<string> Protocols { get; } = protocols;
}

/// <summary>There is no connection to the peer, or it closed.</summary>
public sealed class ConnectionClosedException(string message, Exception? inner = null) : Libp2pException(message, inner);

/// <summary>No address of the peer could be reached; the message says each one's reason.</summary>
public sealed class DialException(string message, Exception? inner = null) : Libp2pException(message, inner);

/// <summary>Why a stream ended before both sides had closed it.</summary>
public enum StreamEnd : byte
{
    /// <summary>It did not.</summary>
    None,

    /// <summary>This side reset it.</summary>
    ResetHere,

    /// <summary>The peer reset it.</summary>
    ResetByPeer,

    /// <summary>The peer answered to the protocol with another or with none.</summary>
    ProtocolRefused,

    /// <summary>Its connection is closed.</summary>
    ConnectionClosed,
}
