namespace Drap.Libp2p.Host;

/// <summary>
/// Decides who may stay connected, by a protocol of its own that runs before any other: a private swarm checks certificates here. On each new connection the
/// dialer opens one stream of <see cref="Protocol"/>; until both gates have said yes, other streams of the peer wait, nobody is told of the
/// connection, and it carries nothing of ours.
/// </summary>
public interface IConnectionGate
{
    /// <summary>The protocol's name.</summary>
    string Protocol { get; }

    /// <summary>How long it may take. Then the connection is closed.</summary>
    TimeSpan Timeout => TimeSpan.FromSeconds(10);

    /// <summary>
    /// Speaks with the peer at the other end of the stream, which runs the same; true lets it in. The dialer's side is the one whose stream is not inbound.
    /// What it throws is a no. Called on many threads at once.
    /// </summary>
    ValueTask<bool> AdmitAsync(PeerConnection connection, P2pStream stream, CancellationToken ct);

    /// <summary>
    /// What a dialer that the gate would not let in may speak instead, on that first stream: how it asks to be let in another time. Default null: nothing.
    /// </summary>
    string? StrangersProtocol => null;

    /// <summary>
    /// Serves a stranger's stream of <see cref="StrangersProtocol"/>. When it ends the connection is closed, whatever came of it; what waits to be sent goes
    /// out before. Within <see cref="Timeout"/>, as <see cref="AdmitAsync"/>. Called on many threads at once.
    /// </summary>
    ValueTask ServeStrangerAsync(PeerConnection connection, P2pStream stream, CancellationToken ct) => ValueTask.CompletedTask;
}
