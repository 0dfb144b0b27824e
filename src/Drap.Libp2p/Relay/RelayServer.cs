namespace Drap.Libp2p.Relay;

/// <summary>
/// A relay's books: who has a place, and which circuits stand (libp2p/specs, relay/circuit-v2). It says what may be; streams are opened,
/// joined and reset by its owner, who calls <see cref="Advance"/> at <see cref="NextDeadline"/>. Not thread-safe.
/// </summary>
public sealed class RelayServer
{
    private readonly RelayOptions options;
    private readonly Dictionary<PeerId, Instant> reservations = [];
    private readonly Dictionary<long, Circuit> circuits = [];
    private readonly Dictionary<PeerId, int> perPeer = [];
    private long last;

    /// <summary>A relay that serves nobody yet.</summary>
    public RelayServer(RelayOptions options) => this.options = options;

    /// <summary>Peers that have a place.</summary>
    public int Reservations => reservations.Count;

    /// <summary>Circuits that stand or are being made.</summary>
    public int Circuits => circuits.Count;

    /// <summary>No reservation or circuit ends before this by itself; one that was renewed or used may end later.</summary>
    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>Whether a peer has a place.</summary>
    public bool HasReservation(PeerId peer, Instant now) => reservations.TryGetValue(peer, out Instant ends) && ends > now;

    /// <summary>
    /// A peer wants a place, or to keep the one it has. With <see cref="RelayStatus.Ok"/> it has one for <see cref="RelayOptions.ReservationLasts"/>.
    /// </summary>
    /// <param name="peer">Who asks.</param>
    /// <param name="isRelayed">Whether it asks over a relay: then it gets none.</param>
    /// <param name="now">When.</param>
    public RelayStatus Reserve(PeerId peer, bool isRelayed, Instant now)
    {
        if (isRelayed)
            return RelayStatus.PermissionDenied;
        if (!reservations.ContainsKey(peer) && reservations.Count >= options.ReservationsMax)
            return RelayStatus.ReservationRefused;
        Instant ends = now + options.ReservationLasts;
        reservations[peer] = ends;
        NextDeadline = Instant.Min(NextDeadline, ends);
        return RelayStatus.Ok;
    }

    /// <summary>The last connection to a peer is gone, and its place with it; its circuits end with their streams.</summary>
    public void Disconnected(PeerId peer) => reservations.Remove(peer);

    /// <summary>
    /// A peer wants to be connected to another. With <see cref="RelayStatus.Ok"/> a stream is to be opened to the other, and the circuit's
    /// end told by <see cref="Close"/>, also if it never came to be.
    /// </summary>
    /// <param name="from">Who asks.</param>
    /// <param name="to">Who is to be reached.</param>
    /// <param name="isRelayed">Whether it asks over a relay: then it may not.</param>
    /// <param name="now">When.</param>
    /// <param name="circuit">The circuit's number.</param>
    public RelayStatus Connect(PeerId from, PeerId to, bool isRelayed, Instant now, out long circuit)
    {
        circuit = 0;
        if (isRelayed || from == to)
            return RelayStatus.PermissionDenied;
        if (!HasReservation(to, now))
            return RelayStatus.NoReservation;
        if (circuits.Count >= options.CircuitsMax || CountOf(from) >= options.CircuitsOfPeerMax || CountOf(to) >= options.CircuitsOfPeerMax)
            return RelayStatus.ResourceLimitExceeded;
        circuit = ++last;
        perPeer[from] = CountOf(from) + 1;
        perPeer[to] = CountOf(to) + 1;
        circuits.Add(circuit, new Circuit(from, to) { EndsAt = now + options.ConnectTimeout });
        NextDeadline = Instant.Min(NextDeadline, now + options.ConnectTimeout);
        return RelayStatus.Ok;
    }

    /// <summary>The other peer took the circuit: bytes may go over it. False if its time was up meanwhile: then it is to be reset.</summary>
    public bool Open(long circuit, Instant now)
    {
        if (!circuits.TryGetValue(circuit, out Circuit? open))
            return false;
        open.IsOpen = true;
        open.UsedAt = now;
        open.EndsAt = options.Limit.Duration > TimeSpan.Zero ? now + options.Limit.Duration : Instant.Never;
        NextDeadline = Instant.Min(NextDeadline, Instant.Min(open.EndsAt, now + options.IdleMax));
        return true;
    }

    /// <summary>
    /// Bytes are to go over a circuit. False if that is more than it is allowed that way, or it is no more: then both streams are to be reset.
    /// </summary>
    /// <param name="circuit">Its number.</param>
    /// <param name="backwards">Whether they go to the peer that asked for the circuit.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="now">When.</param>
    public bool TryCarry(long circuit, bool backwards, int bytes, Instant now)
    {
        if (!circuits.TryGetValue(circuit, out Circuit? open) || !open.IsOpen)
            return false;
        open.UsedAt = now;
        long carried = backwards ? open.Backwards += bytes : open.Forwards += bytes;
        return options.Limit.Bytes == 0 || carried <= options.Limit.Bytes;
    }

    /// <summary>A circuit is no more.</summary>
    public void Close(long circuit)
    {
        if (!circuits.Remove(circuit, out Circuit? gone))
            return;
        Leave(gone.From);
        Leave(gone.To);
    }

    /// <summary>Ends reservations that have lapsed, and circuits that stood too long or idle; those are added to <paramref name="ended"/>, to be reset.</summary>
    public void Advance(Instant now, List<long> ended)
    {
        if (now < NextDeadline)
            return;
        NextDeadline = Instant.Never;
        foreach ((PeerId peer, Instant ends) in reservations.ToArray())
        {
            if (ends <= now)
                reservations.Remove(peer);
            else
                NextDeadline = Instant.Min(NextDeadline, ends);
        }
        int first = ended.Count;
        foreach ((long number, Circuit circuit) in circuits)
        {
            Instant ends = circuit.IsOpen ? Instant.Min(circuit.EndsAt, circuit.UsedAt + options.IdleMax) : circuit.EndsAt;
            if (ends <= now)
                ended.Add(number);
            else
                NextDeadline = Instant.Min(NextDeadline, ends);
        }
        for (int i = first; i < ended.Count; i++)
            Close(ended[i]);
    }

    /// <summary>The counts agree and the bounds hold.</summary>
    public void CheckInvariants()
    {
        Invariant.Check(reservations.Count <= options.ReservationsMax && circuits.Count <= options.CircuitsMax);
        Invariant.Check(perPeer.Values.Sum() == 2 * circuits.Count);
        Invariant.Check(perPeer.Values.All(count => count > 0 && count <= options.CircuitsOfPeerMax));
        Invariant.Check(circuits.Values.All(circuit => circuit.EndsAt >= NextDeadline));
    }

    private int CountOf(PeerId peer) => perPeer.GetValueOrDefault(peer);

    private void Leave(PeerId peer)
    {
        int left = CountOf(peer) - 1;
        if (left == 0)
            perPeer.Remove(peer);
        else
            perPeer[peer] = left;
    }

    private sealed class Circuit(PeerId from, PeerId to)
    {
        public PeerId From { get; } = from;

        public PeerId To { get; } = to;

        public bool IsOpen { get; set; }

        public Instant EndsAt { get; set; }

        public Instant UsedAt { get; set; }

        public long Forwards { get; set; }

        public long Backwards { get; set; }
    }
}
