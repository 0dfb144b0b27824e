using Drap.Libp2p.Envelope;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host.Time;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>
/// The peers that speak gossipsub, and the streams to them: one each, opened when the peer says that it speaks it or opens one itself, and opened anew when
/// it breaks while the connection stands.
/// </summary>
internal sealed class PeerStreams(RouterHost owner, Libp2pHost host, PubSubOptions options)
{
    private int dials;
    // Under the router's lock.
    private readonly Dictionary<PeerId, PubSubPeer> peers = [];

    public void Identified(PeerConnection connection, KnownPeer peer)
    {
        foreach (string protocol in options.Protocols)
        {
            if (!peer.Speaks(protocol))
                continue;
            owner.Running.Run(() => EnsureAsync(connection, protocol));
            break;
        }
        if (peer.SignedRecord.Length > 0)
            using (RouterStep step = owner.Begin())
                step.Router.SetPeerRecord(peer.Id, peer.SignedRecord.AsMemory());
    }

    public void Disconnected(PeerConnection connection, bool isLast)
    {
        using RouterStep step = owner.Begin();
        if (!peers.TryGetValue(connection.Remote, out PubSubPeer? peer))
            return;
        if (isLast)
            Remove(peer, step);
        else if (ReferenceEquals(peer.Outbound?.Connection, connection))
            Shut(peer, step, connection);
    }

    /// <summary>The peer of a connection, written to from now on if it is not already; null if it cannot be.</summary>
    public async Task<PubSubPeer?> EnsureAsync(PeerConnection connection, string protocol)
    {
        PubSubPeer? peer;
        bool isNew;
        using (owner.Begin())
        {
            if (owner.IsClosed)
                return null;
            isNew = !peers.TryGetValue(connection.Remote, out peer);
            if (isNew)
            {
                peers[connection.Remote] = peer = new PubSubPeer(owner, options, connection.Remote);
                owner.Running.Begin();
            }
        }
        if (isNew)
            await OpenAsync(peer!, connection, protocol).ConfigureAwait(false);
        return await peer!.Opened.ConfigureAwait(false) ? peer : null;
    }

    /// <summary>What was put into a peer's queue could not be written to this stream.</summary>
    public void Lost(PubSubPeer peer, P2pStream stream)
    {
        using RouterStep step = owner.Begin();
        if (ReferenceEquals(peer.Outbound, stream))
            Shut(peer, step, lost: null);
    }

    /// <summary>The stream from a peer has ended. If there is none to it either, nothing that it said stands any more.</summary>
    public void Silent(PubSubPeer peer)
    {
        using RouterStep step = owner.Begin();
        if (peer.IsBetweenStreams && !peer.IsReadBeside(null))
            Leave(peer, step);
    }

    /// <summary>A peer that did not keep up does.</summary>
    public void KeepsUp(PubSubPeer peer)
    {
        using RouterStep step = owner.Begin();
        peer.IsBusy = false;
        step.Router.SetBusy(peer.Id, false);
        owner.Publisher.LetGo();
    }

    // Under the router's lock, as is the rest up to the next such line.

    public PubSubPeer? Find(PeerId id) => peers.GetValueOrDefault(id);

    /// <summary>Puts a frame into its peer's queue.</summary>
    public void Send(GossipEffect.Send send, RouterStep step)
    {
        if (!peers.TryGetValue(send.To, out PubSubPeer? peer) || (peer.Outbound is null && !peer.IsBetweenStreams))
            return;
        if (!peer.TryQueue(send.Frame, send.Kind))
        {
            // What it may not miss does not fit: it takes nothing, or asks for more than it takes.
            if (peer.IsBetweenStreams)
                Leave(peer, step);
            else
                Shut(peer, step, lost: null);
            return;
        }
        if (!peer.IsBusy && peer.IsOverBusy)
        {
            peer.IsBusy = true;
            step.Router.SetBusy(peer.Id, true);
        }
        owner.Touch(peer);
    }

    /// <summary>Connects to a peer that another has named, or that is to be connected always; not now if there are too many such already.</summary>
    public void Dial(GossipEffect.Connect connect)
    {
        if (Interlocked.Increment(ref dials) <= options.DialsMax)
            owner.Running.Run(() => DialAsync(connect));
        else
            Interlocked.Decrement(ref dials);
    }

    /// <summary>Nothing more has to do with any peer.</summary>
    public void Close(RouterStep step)
    {
        foreach (PubSubPeer peer in peers.Values.ToArray())
            Remove(peer, step);
    }

    /// <summary>
    /// A peer cannot be written to: the stream is opened anew in a while, if there is a connection then. Meanwhile a peer from which is read on over what is not
    /// lost stays what it is, since it will not say again what it has said.
    /// </summary>
    private void Shut(PubSubPeer peer, RouterStep step, PeerConnection? lost)
    {
        if (peer.Outbound is not { } stream)
            return;
        owner.Break(stream);
        if (step.Now - peer.OpenedAt > TimeSpan.FromMinutes(1))
            peer.Reopenings = 0;
        bool isOpenedAnew = OpenLater(peer, stream.Protocol, step.Now);
        if (isOpenedAnew && peer.IsReadBeside(lost))
            peer.Await();
        else
            Leave(peer, step);
    }

    // The router has it no more; its place here it keeps, for the stream that is opened anew.
    private void Leave(PubSubPeer peer, RouterStep step)
    {
        peer.Shut();
        step.Router.Disconnected(peer.Id, step.Now, step.Effects);
        owner.Publisher.LetGo();
    }

    private bool OpenLater(PubSubPeer peer, string protocol, Instant now)
    {
        if (owner.IsClosed || peer.Reopenings >= options.ReopeningsMax)
            return false;
        var again = new CallAt(() => ThreadPool.UnsafeQueueUserWorkItem(
            static s => s.Streams.Reopen(s.Peer, s.Protocol), (Streams: this, Peer: peer, Protocol: protocol), preferLocal: false));
        host.Hub.Deadlines.Set(again, now + TimeSpan.FromSeconds(1 << peer.Reopenings++));
        return true;
    }

    /// <summary>Nothing more has to do with a peer.</summary>
    private void Remove(PubSubPeer peer, RouterStep step)
    {
        peers.Remove(peer.Id);
        if (peer.Forget() is { } inbound)
            owner.Break(inbound);
        if (peer.Outbound is { } outbound)
            owner.Break(outbound);
        else if (!peer.IsBetweenStreams)
            return;
        Leave(peer, step);
    }

    // The rest is not.

    private async Task DialAsync(GossipEffect.Connect connect)
    {
        await Task.Yield();
        try
        {
            if (!connect.Record.IsEmpty)
            {
                // A record that its peer has not signed says nothing.
                if (!PeerRecord.TryOpen(connect.Record.Span, out PeerRecord? record, out _) || record.Peer != connect.Peer)
                    return;
                host.PeerBook.AddAddresses(record.Peer, record.Addresses);
            }
            await host.ConnectAsync(connect.Peer).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException)
        {
            // A direct peer is tried again; of others there are more.
        }
        finally
        {
            Interlocked.Decrement(ref dials);
        }
    }

    private void Reopen(PubSubPeer peer, string protocol)
    {
        using (owner.Begin())
        {
            if (owner.IsClosed || !peers.TryGetValue(peer.Id, out PubSubPeer? known) || !ReferenceEquals(known, peer) || peer.Outbound is not null)
                return;
            owner.Running.Begin();
        }
        if (host.Find(peer.Id) is { } connection)
        {
            Task opening = OpenAsync(peer, connection, protocol);
            Invariant.Check(!opening.IsFaulted);
        }
        else
        {
            owner.Running.End();
        }
    }

    // Counted as running before it begins.
    private async Task OpenAsync(PubSubPeer peer, PeerConnection connection, string protocol)
    {
        try
        {
            P2pStream? stream = null;
            try
            {
                // The best that both speak; the one by which the peer was found is.
                stream = await connection.OpenStreamAsync([protocol, .. options.Protocols.Where(p => p != protocol)]).ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is Libp2pException or OperationCanceledException)
            {
            }
            using RouterStep step = owner.Begin();
            bool isWanted = peers.TryGetValue(peer.Id, out PubSubPeer? known) && ReferenceEquals(known, peer) && peer.Outbound is null;
            if (stream is null || !isWanted || GossipProtocols.VersionOf(stream.Protocol) is not { } version)
            {
                if (stream is not null)
                    owner.Break(stream);
                if (!isWanted || (peer.WasOpened && OpenLater(peer, protocol, step.Now)))
                    return;
                if (!peer.WasOpened)
                    Remove(peer, step);
                else if (peer.IsBetweenStreams)
                    Leave(peer, step);
                return;
            }
            bool isKnown = peer.IsBetweenStreams;
            peer.Open(stream, step.Now);
            owner.Touch(peer);
            if (isKnown)
                step.Router.Reopened(peer.Id, step.Now, step.Effects);
            else
                step.Router.Connected(peer.Id, version, !connection.IsInbound, PeerAddress.NumberOf(connection.RemoteAddress), step.Now, step.Effects);
            if (host.PeerBook[peer.Id].SignedRecord is { Length: > 0 } record)
                step.Router.SetPeerRecord(peer.Id, record.AsMemory());
        }
        finally
        {
            owner.Running.End();
        }
    }
}
