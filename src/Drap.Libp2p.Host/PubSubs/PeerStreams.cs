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
            owner.Running.Run(() => EnsureAsync(connection, protocol, reopenings: 0));
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
            Leave(peer, step);
        else if (ReferenceEquals(peer.Outbound?.Connection, connection))
            Shut(peer, step, connection);
    }

    /// <summary>
    /// Reads a peer's stream to its end. What it says makes no sense before it can be answered, and nothing of it may be taken while the router does not have the
    /// peer: it is said once.
    /// </summary>
    public async Task ServeAsync(P2pStream stream)
    {
        while (await EnsureAsync(stream.Connection, stream.Protocol, reopenings: 0).ConfigureAwait(false) is { } peer)
        {
            bool isRead;
            using (owner.Begin())
            {
                // Gone meanwhile, as with another connection: it begins anew on this one.
                if (!peer.IsKnown)
                    continue;
                isRead = peer.TryReadFrom(stream, out P2pStream? older);
                if (older is not null)
                    owner.Break(older);
            }
            if (isRead)
                await peer.ReadAsync(stream).ConfigureAwait(false);
            break;
        }
        stream.Reset();
    }

    /// <summary>What was put into a peer's queue could not be written to this stream.</summary>
    public void Lost(PubSubPeer peer, P2pStream stream)
    {
        using RouterStep step = owner.Begin();
        if (ReferenceEquals(peer.Outbound, stream))
            Shut(peer, step, lost: null);
    }

    /// <summary>A stream from a peer has ended. If there is none to it either, nothing that it said stands any more.</summary>
    public void Silent(PubSubPeer peer, P2pStream stream)
    {
        using RouterStep step = owner.Begin();
        if (peer.TryStopReading(stream) && peer.IsBetweenStreams)
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
        if (!peers.TryGetValue(send.To, out PubSubPeer? peer) || !peer.IsKnown)
            return;
        if (!peer.TryQueue(send.Frame, send.Kind))
        {
            // What it may not miss does not fit: it takes nothing, or asks for more than it takes. On a new stream it is told again what we hear.
            peer.DropQueue();
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
            Leave(peer, step);
    }

    /// <summary>
    /// A peer cannot be written to: the stream is opened anew in a while, if there is a connection then; at once if only its connection was lost, and another
    /// stands. Meanwhile a peer from which is read on over what is not lost stays what it is, since it will not say again what it has said. Any other is gone,
    /// and begins anew with whichever side's next stream comes first.
    /// </summary>
    private void Shut(PubSubPeer peer, RouterStep step, PeerConnection? lost)
    {
        if (peer.Outbound is not { } stream)
            return;
        if (step.Now - peer.OpenedAt > TimeSpan.FromMinutes(1))
            peer.Reopenings = 0;
        bool isOpenedAnew = OpenLater(peer, stream.Protocol, step.Now, isAtOnce: lost is not null && peer.Reopenings == 0);
        if (isOpenedAnew && peer.IsReadBeside(lost))
            owner.Break(peer.Await());
        else
            Leave(peer, step);
    }

    private bool OpenLater(PubSubPeer peer, string protocol, Instant now, bool isAtOnce = false)
    {
        if (owner.IsClosed || peer.Reopenings >= options.ReopeningsMax)
            return false;
        var again = new CallAt(() => ThreadPool.UnsafeQueueUserWorkItem(
            static s => s.Streams.Reopen(s.Peer, s.Protocol), (Streams: this, Peer: peer, Protocol: protocol), preferLocal: false));
        host.Hub.Deadlines.Set(again, isAtOnce ? now : now + TimeSpan.FromSeconds(1 << peer.Reopenings));
        peer.Reopenings++;
        return true;
    }

    /// <summary>
    /// The router has a peer no more, and its streams end, the one from it too: what came on it could not be taken any more, and a peer that sees its end says
    /// everything again.
    /// </summary>
    private void Leave(PubSubPeer peer, RouterStep step)
    {
        if (!IsHere(peer))
            return;
        peers.Remove(peer.Id);
        bool wasKnown = peer.IsKnown;
        peer.Forget(out P2pStream? outbound, out P2pStream? inbound);
        if (outbound is not null)
            owner.Break(outbound);
        if (inbound is not null)
            owner.Break(inbound);
        if (!wasKnown)
            return;
        step.Router.Disconnected(peer.Id, step.Now, step.Effects);
        owner.Publisher.LetGo();
    }

    private bool IsHere(PubSubPeer peer) => peers.TryGetValue(peer.Id, out PubSubPeer? known) && ReferenceEquals(known, peer);

    // The rest is not.

    /// <summary>The peer of a connection, to which a stream is open from now on if none was; null if this connection carries none.</summary>
    private async Task<PubSubPeer?> EnsureAsync(PeerConnection connection, string protocol, int reopenings)
    {
        while (true)
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
                    peers[connection.Remote] = peer = new PubSubPeer(owner, options, connection.Remote) { Reopenings = reopenings };
                    owner.Running.Begin();
                }
            }
            if (isNew)
                await OpenAsync(peer!, connection, protocol).ConfigureAwait(false);
            if (await peer!.Opened.ConfigureAwait(false))
                return peer;
            // What another connection did not carry this one may.
            if (isNew)
                return null;
        }
    }

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
        PeerConnection? connection = host.Find(peer.Id);
        bool isHere;
        using (RouterStep step = owner.Begin())
        {
            isHere = IsHere(peer);
            if (owner.IsClosed || (isHere && peer.Outbound is not null))
                return;
            if (connection is null)
            {
                // Either the last one has ended, of which the news comes, or the one that was used closes, and no other is chosen yet.
                if (host.Hub.Table.Of(peer.Id).Count > 0 && !OpenLater(peer, protocol, step.Now))
                    Leave(peer, step);
                return;
            }
            owner.Running.Begin();
        }
        Task opening = ReopenAsync(peer, isHere, connection, protocol);
        Invariant.Check(!opening.IsFaulted);
    }

    // Counted as running before it begins, and so is opening.
    private async Task ReopenAsync(PubSubPeer peer, bool isHere, PeerConnection connection, string protocol)
    {
        if (isHere)
        {
            await OpenAsync(peer, connection, protocol).ConfigureAwait(false);
            return;
        }
        try
        {
            await EnsureAsync(connection, protocol, peer.Reopenings).ConfigureAwait(false);
        }
        finally
        {
            owner.Running.End();
        }
    }

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
            bool isWanted = IsHere(peer) && peer.Outbound is null;
            if (!isWanted || stream is null || GossipProtocols.VersionOf(stream.Protocol) is not { } version)
            {
                if (stream is not null)
                    owner.Break(stream);
                // Tried again is only one to which a stream was open once.
                if (isWanted && !(peer.Reopenings > 0 && OpenLater(peer, protocol, step.Now) && peer.IsBetweenStreams))
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
