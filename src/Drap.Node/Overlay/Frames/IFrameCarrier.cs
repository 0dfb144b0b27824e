namespace Drap.Node.Overlay.Frames;

/// <summary>What opens the streams that carry frames.</summary>
internal interface IFrameCarrier
{
    /// <summary>Who this node is.</summary>
    PeerId Self { get; }

    /// <summary>Whether it makes sense to try: the peer is connected, or it may be found.</summary>
    bool MayReach(PeerId peer);

    /// <summary>A stream of <see cref="FrameDesk.Protocol"/> to the peer.</summary>
    /// <exception cref="OverlayException">There is none to be had.</exception>
    ValueTask<OverlayStream> OpenStreamAsync(PeerId peer, string protocol, CancellationToken ct);

    /// <summary>The peer is of use, or is not any more.</summary>
    void Use(PeerId peer, bool isUsed);
}
