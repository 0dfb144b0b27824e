using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Dialing;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Host.Upgrade;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Relay;

namespace Drap.Libp2p.Host.Relay;

/// <summary>
/// Connections over a relay, from either end (libp2p/specs, relay/circuit-v2): the stream to the relay becomes the connection, and is
/// proved and encrypted between the two peers as any other, so that the relay sees who and how much, and nothing else.
/// </summary>
internal sealed class Circuits
{
    private static readonly Multiaddr Circuit = Multiaddr.Parse("/p2p-circuit");

    private readonly ConnectionHub hub;
    private readonly Upgrader upgrader;
    private readonly Dialer dialer;

    public Circuits(ConnectionHub hub, Upgrader upgrader, Dialer dialer)
    {
        this.hub = hub;
        this.upgrader = upgrader;
        this.dialer = dialer;
        hub.Negotiator.Handle(RelayMessage.StopProtocol, AcceptAsync);
    }

    /// <summary>Dials a peer over the relay that the address names.</summary>
    public async Task<PeerConnection> DialAsync(PeerId peer, Multiaddr address, ConnectionSecurity? refused, CancellationToken ct)
    {
        // A relay is reached directly: one that is itself reached over a relay would refuse.
        if (!address.TrySplitCircuit(out Multiaddr? way, out _) || way is not { Peer: { } relay, IsCircuit: false })
            throw new DialException("the address does not say which relay");
        if (relay == hub.Self || relay == peer)
            throw new DialException("that is no relay");
        PeerConnection connection = await dialer.ConnectRelayAsync(relay, way, ct).ConfigureAwait(false);
        P2pStream stream = await connection.OpenStreamAsync([RelayMessage.HopProtocol], ct).ConfigureAwait(false);
        try
        {
            await stream.WriteMessageAsync(new RelayMessage(RelayMessageKind.Connect) { Peer = peer }.Encode(isStop: false), ct).ConfigureAwait(false);
            RelayMessage? answer = await stream.ReadRelayAsync(isStop: false, ct).ConfigureAwait(false);
            if (answer is not { Kind: RelayMessageKind.Status, Status: RelayStatus.Ok })
                throw new DialException($"the relay {relay} says {answer?.Status.ToName() ?? "nothing"}");
        }
        catch (Exception)
        {
            stream.Reset();
            throw;
        }
        return await upgrader.DialAsync(
            new StreamLink(stream, hub.Negotiator.Leave), peer, address.WithoutPeer() ?? address, way.Encapsulate(Circuit), refused, ct).ConfigureAwait(false);
    }

    // A relay says that somebody wants to be connected. Whether that is who it says, the handshake tells.
    private async Task AcceptAsync(P2pStream stream)
    {
        Multiaddr remote = stream.Connection.RemoteAddress.WithPeer(stream.Remote).Encapsulate(Circuit);
        PeerConnection connection;
        using (var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + hub.Limits.HandshakeTimeout, default))
        {
            RelayMessage? request = await stream.ReadRelayAsync(isStop: true, limit.Token).ConfigureAwait(false);
            RelayStatus status = request is null ? RelayStatus.MalformedMessage
                : request.Kind != RelayMessageKind.Connect ? RelayStatus.UnexpectedMessage
                : stream.Connection.RemoteAddress.IsCircuit ? RelayStatus.PermissionDenied
                : RelayStatus.Ok;
            await stream.WriteMessageAsync(RelayMessage.Of(status).Encode(isStop: true), limit.Token).ConfigureAwait(false);
            if (status != RelayStatus.Ok)
                return;
            connection = await upgrader.AcceptAsync(
                new StreamLink(stream, hub.Negotiator.Leave), remote, stream.Connection.LocalAddress, limit.Token).ConfigureAwait(false);
            if (connection.Remote != request!.Peer)
                connection.Close(CloseReason.Violation);
        }
        // The stream is this handler's, and the connection's as long as that stands.
        await connection.Closed.ConfigureAwait(false);
    }
}
