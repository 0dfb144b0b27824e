using System.Collections.Immutable;
using Drap.Libp2p.Envelope;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Identify;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Protocols;

/// <summary>Asks each peer what it is, answers the same, and tells peers when it changes here (libp2p/specs identify, identify/push).</summary>
internal sealed class IdentifyService : IHostObserver
{
    /// <summary>How long whoever waits for a peer to be identified waits for its answer; and how long telling it may take.</summary>
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a peer may take to say what it is; then it is asked anew, as long as it is connected. A machine that starts much at once is late, and one of the two
    /// may have stood still meanwhile: who was never heard would never be found to speak anything, not gossip, not the DHT.
    /// </summary>
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Changes that come within this are told at once: handlers are mostly added several at a time.</summary>
    private static readonly TimeSpan PushDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>Addresses that are told: a machine with as many interfaces is rare, and all of them with their signed record fit one message of 8 KiB.</summary>
    private const int AddressesMax = 32;

    private readonly ConnectionHub hub;
    private readonly HostOptions options;
    private readonly PeerBook book;
    private readonly Func<IReadOnlyList<Multiaddr>> listening;
    private readonly RunningTasks running;
    private readonly CallAt pushAt;
    private SealedAddresses? record;
    private int isPushDue;

    public IdentifyService(ConnectionHub hub, HostOptions options, PeerBook book, Func<IReadOnlyList<Multiaddr>> listening, RunningTasks running)
    {
        this.hub = hub;
        this.options = options;
        this.book = book;
        this.listening = listening;
        this.running = running;
        pushAt = new CallAt(() => running.Run(PushAsync));
        hub.Negotiator.Handle(IdentifyMessage.Protocol, AnswerAsync);
        hub.Negotiator.Handle(IdentifyMessage.PushProtocol, ListenAsync);
    }

    void IHostObserver.Connected(PeerConnection connection, bool isFirst) => running.Run(() => AskAsync(connection));

    /// <summary>What this host speaks or where it listens has changed.</summary>
    public void Changed()
    {
        if (Interlocked.Exchange(ref isPushDue, 1) == 0)
            hub.Deadlines.Set(pushAt, hub.Clock.Now + PushDelay);
    }

    private async Task AskAsync(PeerConnection connection)
    {
        var wait = new CallAt(connection.MarkIdentified);
        hub.Deadlines.Set(wait, hub.Clock.Now + WaitTimeout);
        try
        {
            while (!await TryAskAsync(connection).ConfigureAwait(false))
            {
            }
        }
        catch (Libp2pException)
        {
            // A peer that does not say what it is may be used all the same: each protocol is then asked for.
        }
        finally
        {
            hub.Deadlines.Clear(wait);
            connection.MarkIdentified();
        }
    }

    // False if its time was over.
    private async Task<bool> TryAskAsync(PeerConnection connection)
    {
        using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + AnswerTimeout, default);
        try
        {
            // Every peer answers to identify, so it is taken for granted.
            using P2pStream stream = await hub.Negotiator.OpenSpokenAsync(connection, IdentifyMessage.Protocol, limit.Token).ConfigureAwait(false);
            await ReceiveAsync(stream, limit.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task ListenAsync(P2pStream stream)
    {
        using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + AnswerTimeout, default);
        await ReceiveAsync(stream, limit.Token).ConfigureAwait(false);
    }

    private async Task ReceiveAsync(P2pStream stream, CancellationToken ct)
    {
        var receiver = new IdentifyReceiver();
        byte[] buffer = new byte[2048];
        bool isWhole = false;
        while (!receiver.IsOver && !isWhole)
        {
            int read = await stream.ReadAsync(buffer, ct).ConfigureAwait(false);
            isWhole = read == 0;
            receiver.Receive(buffer.AsSpan(0, read));
        }
        if (isWhole)
            await stream.CloseWriteAsync().ConfigureAwait(false);
        if (receiver.Message is { } message)
            await LearnAsync(stream.Connection, message).ConfigureAwait(false);
    }

    private async Task AnswerAsync(P2pStream stream) =>
        await stream.WriteAndCloseAsync(Say(stream.Connection)).ConfigureAwait(false);

    private async Task PushAsync()
    {
        Volatile.Write(ref isPushDue, 0);
        foreach (PeerConnection connection in hub.Table.All())
        {
            if (!connection.Spoken.Contains(IdentifyMessage.PushProtocol) || connection.IsSpare)
                continue;
            using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + WaitTimeout, default);
            try
            {
                P2pStream stream = await hub.Negotiator.OpenSpokenAsync(connection, IdentifyMessage.PushProtocol, limit.Token).ConfigureAwait(false);
                await stream.WriteAsync(Say(connection), limit.Token).ConfigureAwait(false);
                hub.Negotiator.Leave(stream);
            }
            catch (Exception failure) when (failure is Libp2pException or OperationCanceledException)
            {
                // It is told again at the next change, or asks when it connects again.
            }
        }
    }

    private byte[] Say(PeerConnection connection) => new IdentifyMessage
    {
        ProtocolVersion = options.ProtocolVersion,
        AgentVersion = options.AgentVersion,
        PublicKey = options.Key.PublicKey.Encoded.ToArray(),
        ListenAddresses = [.. listening().Take(AddressesMax)],
        ObservedAddress = connection.RemoteAddress,
        SignedPeerRecord = SignedRecord(),
        Protocols = [.. hub.Negotiator.Protocols.Where(p => p.Length <= IdentifyMessage.NameBytesMax).Take(IdentifyMessage.ProtocolsMax)],
    }.Encode();

    private sealed record SealedAddresses(IReadOnlyList<Multiaddr> Addresses, byte[] Envelope);

    // Made again when the addresses change; the time is a sequence that rises over restarts, too. Who was never anywhere says none, as in js: to a peer
    // that came over a relay an empty one would say that this way, the only one it knows, is not to be used again.
    public byte[]? SignedRecord()
    {
        IReadOnlyList<Multiaddr> addresses = listening();
        if (addresses.Count == 0 && record is null)
            return null;
        if (record is { } standing && standing.Addresses.SequenceEqual(addresses))
            return standing.Envelope;
        ulong sequence = (ulong)hub.Clock.Provider.GetUtcNow().ToUnixTimeMilliseconds();
        byte[] envelope = new PeerRecord(hub.Self, sequence, [.. addresses.Take(AddressesMax)]).Seal(options.Key).Encoded.ToArray();
        record = new SealedAddresses(addresses, envelope);
        return envelope;
    }

    // Ends when everybody was told: whoever waits for a peer to be identified counts on that.
    private async Task LearnAsync(PeerConnection connection, IdentifyMessage message)
    {
        // The key is the connection's; what says otherwise speaks of somebody else.
        if (message.PublicKey is { } key && (!PublicKey.TryDecode(key, out PublicKey? said) || said.PeerId != connection.Remote))
            return;
        if (message.Protocols.Length > 0)
            connection.Spoken = ProtocolSet.Of(message.Protocols);
        var addresses = ImmutableArray.CreateBuilder<Multiaddr>();
        foreach (Multiaddr address in message.ListenAddresses)
        {
            if ((address.Peer is null || address.Peer == connection.Remote) && address.WithoutPeer() is { } bare)
                addresses.Add(bare);
        }
        connection.ObservedAddress = message.ObservedAddress ?? connection.ObservedAddress;
        ImmutableArray<byte> signed = [];
        ulong sequence = 0;
        if (message.SignedPeerRecord is { } envelope && PeerRecord.TryOpen(envelope, out PeerRecord? theirs, out _) && theirs.Peer == connection.Remote)
        {
            // What is signed stands above what is only said.
            (signed, sequence) = ([.. envelope], theirs.Sequence);
            addresses.InsertRange(0, theirs.Addresses.Select(a => a.WithoutPeer()).OfType<Multiaddr>());
        }
        KnownPeer peer = book.Update(connection.Remote, known => known with
        {
            Addresses = [.. addresses.Concat(known.Addresses).Distinct().Take(PeerBook.AddressesMax)],
            Protocols = connection.Spoken.Names,
            Key = connection.RemoteKey,
            SignedRecord = signed.IsEmpty ? known.SignedRecord : signed,
            RecordSequence = signed.IsEmpty ? known.RecordSequence : sequence,
            AgentVersion = message.AgentVersion ?? known.AgentVersion,
            ProtocolVersion = message.ProtocolVersion ?? known.ProtocolVersion,
        });
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        hub.Observers.Add(observer => observer.Identified(connection, peer), told);
        hub.Observers.Tell();
        await told.Task.ConfigureAwait(false);
    }
}
