namespace Drap.Libp2p.Host;

/// <summary>Why a connection closed.</summary>
public enum CloseReason : byte
{
    /// <summary>It has not.</summary>
    None,

    /// <summary>This side closed it: somebody asked for it, or the host stops.</summary>
    ClosedHere,

    /// <summary>The peer closed it.</summary>
    ClosedByPeer,

    /// <summary>It had no streams for long.</summary>
    Idle,

    /// <summary>It was the least useful one when there were too many.</summary>
    TooMany,

    /// <summary>The gate did not let the peer in.</summary>
    NotAdmitted,

    /// <summary>The peer did not answer to keep-alive.</summary>
    PeerSilent,

    /// <summary>The peer broke a rule of a protocol.</summary>
    Violation,

    /// <summary>The transport failed.</summary>
    Failed,
}
