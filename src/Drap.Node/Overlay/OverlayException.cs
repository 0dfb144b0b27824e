namespace Drap.Node.Overlay;

/// <summary>What the network or a peer made fail.</summary>
public sealed class OverlayException(OverlayFailure failure, string message, Exception? inner = null) : IOException(message, inner)
{
    /// <summary>What failed.</summary>
    public OverlayFailure Failure { get; } = failure;
}

/// <summary>What failed at an overlay.</summary>
public enum OverlayFailure
{
    /// <summary>No address of the peer is known, or none of them answers.</summary>
    Unreachable,

    /// <summary>The peer does not serve the protocol.</summary>
    NotServed,

    /// <summary>A stream ended at once, both ways: either side reset it, or its connection closed. What was under way on it is lost.</summary>
    Reset,
}
