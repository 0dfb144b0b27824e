namespace Drap.Libp2p.Noise;

/// <summary>How far a handshake is.</summary>
public enum NoiseStatus
{
    /// <summary>Bytes of the other side are awaited. If they end here, it has failed.</summary>
    Shaking,

    /// <summary>Both know who the other is; what was not consumed is the first frame.</summary>
    Done,

    /// <summary>It failed: close the connection.</summary>
    Failed,
}

/// <summary>Why a handshake failed.</summary>
public enum NoiseError
{
    /// <summary>It did not.</summary>
    None,

    /// <summary>A message is longer than <see cref="NoiseHandshake.MessageBytesMax"/>.</summary>
    TooLong,

    /// <summary>A message is shorter than its keys and tags.</summary>
    TooShort,

    /// <summary>A key is a point of small order, with which there is no secret.</summary>
    BadPoint,

    /// <summary>A key or a payload is not what the other side encrypted.</summary>
    Undecryptable,

    /// <summary>The payload is no protobuf message, or lacks a key of a kind that is taken.</summary>
    BadPayload,

    /// <summary>The signature under the Noise key is not the identity key's.</summary>
    BadSignature,

    /// <summary>It is somebody else than the peer that was dialled.</summary>
    WrongPeer,

    /// <summary>Both sides name their stream multiplexers, and share none.</summary>
    NoCommonMuxer,
}
