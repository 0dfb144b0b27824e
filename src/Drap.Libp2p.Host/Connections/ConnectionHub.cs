using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Host.Protocols;
using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Yamux;

namespace Drap.Libp2p.Host.Connections;

/// <summary>What all connections of a host share, and their life from the end of the handshake to their own.</summary>
internal sealed class ConnectionHub : IDisposable
{
    private readonly ChunkPool chunks = new();
    private readonly MemoryBudget budget;
    private readonly YamuxOptions yamux;
    private readonly ConnectionTable table;

    public ConnectionHub(HostOptions options)
    {
        Self = options.Key.PeerId;
        Limits = options.Limits;
        Gate = options.Gate;
        yamux = options.Yamux;
        Clock = new HostClock(options.TimeProvider);
        Deadlines = new Deadlines(Clock);
        budget = new MemoryBudget(options.Limits.MemoryMax);
        table = new ConnectionTable(Self, options.Limits, Observers);
        Negotiator = new Negotiator(this);
    }

    public PeerId Self { get; }

    public HostLimits Limits { get; }

    public IConnectionGate? Gate { get; }

    public HostClock Clock { get; }

    public Deadlines Deadlines { get; }

    public ChunkPool Chunks => chunks;

    public Negotiator Negotiator { get; }

    public ObserverQueue Observers { get; } = new();

    public ConnectionTable Table => table;

    /// <summary>Bytes held for peers above what is guaranteed to each.</summary>
    public long MemoryLent => budget.Lent;

    public MultiplexerParts Parts() => new(Clock, Deadlines, chunks, new PeerMemory(budget, Limits.PeerMemoryGuaranteed, Limits.PeerMemoryMax), yamux);

    /// <summary>
    /// Takes a connection whose handshake is done: finds it a place, starts it, lets the gate speak and tells everybody. Throws when there is no place or
    /// the gate says no; then the connection is closed.
    /// </summary>
    public async Task AdoptAsync(PeerConnection connection, ReadOnlyMemory<byte> plain, ReadOnlyMemory<byte> sealedBytes, CancellationToken ct)
    {
        if (connection.Remote == Self)
        {
            connection.Mux.Close(CloseReason.ClosedHere, null);
            throw new ConnectionClosedException("that is this host itself");
        }
        if (!table.TryAdd(connection, Clock.Now, out List<PeerConnection> least, out string? refusal))
        {
            connection.Mux.Close(CloseReason.TooMany, null);
            throw new ConnectionClosedException(refusal);
        }
        foreach (PeerConnection other in least)
            other.Close(CloseReason.TooMany);
        if (Gate is null)
        {
            await AnnounceAsync(connection).ConfigureAwait(false);
            connection.Start(plain, sealedBytes);
            return;
        }
        connection.Start(plain, sealedBytes);
        if (!await AdmitAsync(Gate, connection, ct).ConfigureAwait(false))
        {
            connection.Close(CloseReason.NotAdmitted);
            throw new ConnectionClosedException("the gate did not let the peer in");
        }
        await AnnounceAsync(connection).ConfigureAwait(false);
        connection.Admit();
    }

    /// <summary>A connection has closed.</summary>
    public void Closed(PeerConnection connection)
    {
        table.Remove(connection);
        Observers.Tell();
    }

    public bool IsProtected(PeerId peer) => table.IsProtected(peer);

    public void Dispose() => Deadlines.Dispose();

    private async Task AnnounceAsync(PeerConnection connection)
    {
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!table.TryAnnounce(connection, told))
            throw new ConnectionClosedException("the connection closed before it was used");
        if (connection.IsInbound)
        {
            foreach (PeerConnection other in table.Of(connection.Remote))
                if (other != connection && other.IsAnnounced)
                    other.Doubt();
        }
        Observers.Tell();
        await told.Task.ConfigureAwait(false);
    }

    private async Task<bool> AdmitAsync(IConnectionGate gate, PeerConnection connection, CancellationToken ct)
    {
        using var limit = new TimedCancellation(Deadlines, Clock.Now + gate.Timeout, ct);
        try
        {
            P2pStream stream = connection.IsInbound
                ? await Protocols.Negotiator.AcceptGateAsync(connection, gate, limit.Token).ConfigureAwait(false)
                : await Negotiator.OpenAsync(connection, [gate.Protocol], limit.Token).ConfigureAwait(false);
            bool isIn = false;
            if (stream.Protocol == gate.Protocol)
                isIn = await gate.AdmitAsync(connection, stream, limit.Token).ConfigureAwait(false);
            else
                await gate.ServeStrangerAsync(connection, stream, limit.Token).ConfigureAwait(false);
            Negotiator.Leave(stream);
            return isIn;
        }
        catch (Exception)
        {
            // Whatever fails in it, the peer has not shown that it may come in.
            return false;
        }
    }
}
