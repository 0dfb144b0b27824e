using System.Buffers;
using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Relay;

namespace Drap.Libp2p.Host.Relay;

/// <summary>
/// Makes a host a relay: peers that cannot be reached keep a place here, and others are connected to them through it. It sees no more
/// than how much goes by. Thread-safe.
/// </summary>
public sealed class RelayService : IHostObserver, IAsyncDisposable
{
    private const string Protection = "relay";

    /// <summary>What is on its way in one direction of a circuit, held only while it is.</summary>
    private const int PieceBytes = 64 * 1024;

    private readonly Libp2pHost host;
    private readonly PrivateKey key;
    private readonly RelayOptions options;
    private readonly Lock gate = new();
    private readonly RelayServer server;
    private readonly Dictionary<long, (P2pStream Hop, P2pStream Stop)> open = [];
    private readonly RunningTasks running = new();
    private readonly CallAt deadline;
    private readonly IDisposable observing;

    /// <summary>Serves from now on. The key is the host's own; it signs what peers are promised.</summary>
    public RelayService(Libp2pHost host, PrivateKey key, RelayOptions options)
    {
        Invariant.Check(key.PeerId == host.Self);
        this.host = host;
        this.key = key;
        this.options = options;
        server = new RelayServer(options);
        deadline = new CallAt(() => running.Run(AdvanceAsync));
        observing = host.Observe(this);
        host.Handle(RelayMessage.HopProtocol, ServeAsync);
    }

    /// <summary>Peers that have a place.</summary>
    public int Reservations
    {
        get
        {
            lock (gate)
                return server.Reservations;
        }
    }

    /// <summary>Circuits that stand or are being made.</summary>
    public int Circuits
    {
        get
        {
            lock (gate)
                return server.Circuits;
        }
    }

    /// <summary>Serves no more; circuits are cut.</summary>
    public async ValueTask DisposeAsync()
    {
        host.Unhandle(RelayMessage.HopProtocol);
        observing.Dispose();
        (P2pStream, P2pStream)[] circuits;
        lock (gate)
            circuits = [.. open.Values];
        foreach ((P2pStream hop, P2pStream stop) in circuits)
            (hop, stop).Cut();
        host.Hub.Deadlines.Clear(deadline);
        await running.DrainAsync().ConfigureAwait(false);
    }

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast)
    {
        if (!isLast)
            return;
        lock (gate)
            server.Disconnected(connection.Remote);
        host.Unprotect(connection.Remote, Protection);
    }

    private Instant Now => host.Hub.Clock.Now;

    private async Task ServeAsync(P2pStream stream)
    {
        using var limit = new TimedCancellation(host.Hub.Deadlines, Now + options.ConnectTimeout, default);
        RelayMessage? request = await stream.ReadRelayAsync(isStop: false, limit.Token).ConfigureAwait(false);
        switch (request?.Kind)
        {
            case RelayMessageKind.Reserve:
                await ReserveAsync(stream, limit.Token).ConfigureAwait(false);
                break;
            case RelayMessageKind.Connect:
                await ConnectAsync(stream, request.Peer!.Value, limit).ConfigureAwait(false);
                break;
            case null:
                await AnswerAsync(stream, RelayMessage.Of(RelayStatus.MalformedMessage), limit.Token).ConfigureAwait(false);
                break;
            default:
                await AnswerAsync(stream, RelayMessage.Of(RelayStatus.UnexpectedMessage), limit.Token).ConfigureAwait(false);
                break;
        }
    }

    private static ValueTask AnswerAsync(P2pStream stream, RelayMessage answer, CancellationToken ct) =>
        stream.WriteMessageAsync(answer.Encode(isStop: false), ct);

    private async Task ReserveAsync(P2pStream stream, CancellationToken ct)
    {
        PeerId peer = stream.Remote;
        RelayStatus status;
        lock (gate)
        {
            status = server.Reserve(peer, stream.Connection.RemoteAddress.IsCircuit, Now);
            host.Hub.Deadlines.Set(deadline, server.NextDeadline);
        }
        RelayMessage answer = RelayMessage.Of(status);
        if (status == RelayStatus.Ok)
        {
            host.Protect(peer, Protection);
            var expires = new UtcTime((host.TimeProvider.GetUtcNow() + options.ReservationLasts).ToUnixTimeSeconds() * 1000);
            answer = answer with
            {
                Limit = options.Limit,
                Reservation = new RelayReservation(
                    expires,
                    [.. host.ListenAddresses.Where(address => !address.IsCircuit).Select(address => address.WithPeer(host.Self))
                        .Where(address => address.Bytes.Length <= 128).Take(RelayMessage.AddressesMax)],
                    new RelayVoucher(host.Self, peer, expires).Seal(key).Encoded.ToArray()),
            };
        }
        await AnswerAsync(stream, answer, ct).ConfigureAwait(false);
    }

    private async Task ConnectAsync(P2pStream hop, PeerId target, TimedCancellation limit)
    {
        long circuit;
        RelayStatus status;
        lock (gate)
        {
            status = server.Connect(hop.Remote, target, hop.Connection.RemoteAddress.IsCircuit, Now, out circuit);
            host.Hub.Deadlines.Set(deadline, server.NextDeadline);
        }
        if (status != RelayStatus.Ok)
        {
            await AnswerAsync(hop, RelayMessage.Of(status), limit.Token).ConfigureAwait(false);
            return;
        }
        try
        {
            (P2pStream? stop, status) = await ReachAsync(hop.Remote, target, limit.Token).ConfigureAwait(false);
            if (stop is null)
            {
                await AnswerAsync(hop, RelayMessage.Of(status), limit.Token).ConfigureAwait(false);
                return;
            }
            bool isOpen;
            lock (gate)
            {
                isOpen = server.Open(circuit, Now);
                if (isOpen)
                    open.Add(circuit, (hop, stop));
                host.Hub.Deadlines.Set(deadline, server.NextDeadline);
            }
            try
            {
                if (!isOpen)
                    throw new Libp2pException("the circuit's time was up before it stood");
                await AnswerAsync(hop, RelayMessage.Of(RelayStatus.Ok) with { Limit = options.Limit }, limit.Token).ConfigureAwait(false);
                limit.Dispose();
                await JoinAsync(circuit, hop, stop).ConfigureAwait(false);
            }
            finally
            {
                (hop, stop).Cut();
            }
        }
        finally
        {
            lock (gate)
            {
                open.Remove(circuit);
                server.Close(circuit);
            }
        }
    }

    // Only over a connection that stands, and directly: the relay dials nobody.
    private async Task<(P2pStream? Stop, RelayStatus Status)> ReachAsync(PeerId from, PeerId target, CancellationToken ct)
    {
        if (host.Find(target) is not { RemoteAddress.IsCircuit: false } connection)
            return (null, RelayStatus.NoReservation);
        P2pStream? stop = null;
        try
        {
            stop = await connection.OpenStreamAsync([RelayMessage.StopProtocol], ct).ConfigureAwait(false);
            RelayMessage connect = new(RelayMessageKind.Connect) { Peer = from, Limit = options.Limit };
            await stop.WriteMessageAsync(connect.Encode(isStop: true), ct).ConfigureAwait(false);
            if (await stop.ReadRelayAsync(isStop: true, ct).ConfigureAwait(false) is { Kind: RelayMessageKind.Status, Status: RelayStatus.Ok })
                return (stop, RelayStatus.Ok);
        }
        catch (Libp2pException)
        {
            // Whatever it was, the other side does not take the circuit.
        }
        stop?.Dispose();
        return (null, RelayStatus.ConnectionFailed);
    }

    private async Task JoinAsync(long circuit, P2pStream hop, P2pStream stop)
    {
        Task forwards = CarryAsync(circuit, hop, stop, backwards: false);
        Task backwards = CarryAsync(circuit, stop, hop, backwards: true);
        // When one way fails the other has nobody to speak to; a way that ends leaves the other open, as a stream's halves are.
        Task first = await Task.WhenAny(forwards, backwards).ConfigureAwait(false);
        if (!first.IsCompletedSuccessfully)
            (hop, stop).Cut();
        await Task.WhenAll(forwards, backwards).ConfigureAwait(false);
    }

    private async Task CarryAsync(long circuit, P2pStream from, P2pStream to, bool backwards)
    {
        while (true)
        {
            // Nothing is held while nothing comes; and nothing is read that the other side has not taken, so that who sends fast waits.
            await from.ReadAsync(Memory<byte>.Empty).ConfigureAwait(false);
            byte[] piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
            try
            {
                int read = await from.ReadAsync(piece).ConfigureAwait(false);
                if (read == 0)
                {
                    await to.CloseWriteAsync().ConfigureAwait(false);
                    return;
                }
                bool isAllowed;
                lock (gate)
                    isAllowed = server.TryCarry(circuit, backwards, read, Now);
                if (!isAllowed)
                    throw new Libp2pException("the circuit has carried all it is allowed");
                await to.WriteAsync(piece.AsMemory(0, read)).ConfigureAwait(false);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(piece);
            }
        }
    }

    private async Task AdvanceAsync()
    {
        await Task.Yield();
        var ended = new List<long>();
        var streams = new List<(P2pStream, P2pStream)>();
        lock (gate)
        {
            server.Advance(Now, ended);
            foreach (long circuit in ended)
                if (open.TryGetValue(circuit, out (P2pStream, P2pStream) pair))
                    streams.Add(pair);
            host.Hub.Deadlines.Set(deadline, server.NextDeadline);
        }
        foreach ((P2pStream, P2pStream) pair in streams)
            pair.Cut();
    }
}

/// <summary>The two streams of a circuit.</summary>
internal static class CircuitStreams
{
    /// <summary>Resets both, unless they have ended by themselves.</summary>
    public static void Cut(this (P2pStream Hop, P2pStream Stop) circuit)
    {
        circuit.Hop.Dispose();
        circuit.Stop.Dispose();
    }
}
