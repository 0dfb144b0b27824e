namespace Drap.Node.Overlay.Frames;

/// <summary>What bounds frames on their way, and what happens at each bound.</summary>
internal static class FrameLimits
{
    /// <summary>Frames that may wait for one peer: as many as a node's own queue takes. More are refused to the sender.</summary>
    public const int FramesMax = 65_536;

    /// <summary>Bytes that may wait for one peer: a burst of 16 of the longest, or of some ten thousand usual ones. More are refused.</summary>
    public const long BytesMax = 16 << 20;

    /// <summary>Bytes that may wait for one peer in any case.</summary>
    public const long BytesGuaranteed = 1 << 20;

    /// <summary>Bytes that may wait for all peers above what each is guaranteed. Then no peer gets more than that.</summary>
    public const long BytesOfAllMax = 256 << 20;

    /// <summary>Peers that have a lane: as many as a host has connections. Frames to further ones are refused until one falls idle.</summary>
    public const int LanesMax = 4096;

    /// <summary>Bytes that are written at once: a noise frame's worth. A longer frame is written by itself.</summary>
    public const int TogetherBytes = 60 << 10;

    /// <summary>Bytes that are read at once, and the piece of memory that usual frames share: it lives as long as any of them.</summary>
    public const int PieceBytes = 16 << 10;

    /// <summary>After so long without a frame a lane's stream is closed, so that connections nobody uses may be.</summary>
    public static readonly TimeSpan IdleAfter = TimeSpan.FromMinutes(10);

    /// <summary>How long a lane may take to open, connecting included. Then what waits is dropped.</summary>
    public static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(20);

    /// <summary>After a peer could not be reached frames to it are refused for this long, twice as long after each further time, up to 32 s.</summary>
    public static readonly TimeSpan RefusalMin = TimeSpan.FromMilliseconds(500);

    /// <summary>How often refusals double: 500 ms to 32 s.</summary>
    public const int RefusalDoublingsMax = 6;
}
