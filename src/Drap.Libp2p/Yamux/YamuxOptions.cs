namespace Drap.Libp2p.Yamux;

/// <summary>What bounds a session. The defaults fit js-libp2p's, go's and rust's.</summary>
public sealed record YamuxOptions
{
    /// <summary>The window with which every stream begins, both ways: 256 KiB, fixed by the specification.</summary>
    public const int InitialWindow = 256 * 1024;

    /// <summary>
    /// The largest receive window to which a stream grows, in bytes. Default 16 MiB: 1.3 Gbit/s at 100 ms. At the limit it grows no more.
    /// </summary>
    public int WindowMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>
    /// The most by which all windows of a session may have grown together, in bytes. Default 16 MiB, what one peer may hold at most.
    /// At the limit no window grows until a grown stream ends.
    /// </summary>
    public int GrowthMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>Streams that the peer may have open. Default 1 000, as js-libp2p and go have it. Those above are reset at once.</summary>
    public int InboundMax { get; init; } = 1000;

    /// <summary>Streams that this side may have open. Default 1 000: more would be reset by js and go. Above it none is opened.</summary>
    public int OutboundMax { get; init; } = 1000;

    /// <summary>
    /// Streams that may wait for their acknowledgement. Default 256, which the libp2p yamux spec ("ACK backlog") recommends and go and rust
    /// keep. Above it none is opened.
    /// </summary>
    public int BacklogMax { get; init; } = 256;

    /// <summary>
    /// Streams that may be opened before the peer acknowledged its first one. Default 10: js-libp2p ends a connection on which more come
    /// before its own set-up is through.
    /// </summary>
    public int EarlyMax { get; init; } = 10;

    /// <summary>How long nothing may come before the peer is asked whether it lives. Default 30 s, as js and go have it.</summary>
    public TimeSpan KeepAliveAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long it may then still be silent. Default 20 s: two retransmissions of TCP at their slowest usual. Then it is gone.</summary>
    public TimeSpan SilenceMax { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long it may still be silent when it is doubted, since it has come again over another connection. Default 10 s: a machine that comes back, as at another
    /// address, is then written to where it is well before a lease of 30 s ends. Then it is gone.
    /// </summary>
    public TimeSpan DoubtMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the round trip is measured while bytes flow. Default 10 s.</summary>
    public TimeSpan MeasureEvery { get; init; } = TimeSpan.FromSeconds(10);
}
