using System.Collections.Immutable;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Relay;

/// <summary>
/// Keeps places at relays for a node that cannot be reached otherwise: chooses among the relays it knows, renews in time, and turns to
/// another when one is gone. It asks for one request at a time per relay; its owner opens the streams and tells how they went. Not
/// thread-safe.
/// </summary>
public sealed class RelayClient
{
    /// <summary>Relays that are remembered. Those met after them are not, unless they were named by the user.</summary>
    public const int CandidatesMax = 256;

    /// <summary>The shortest and the longest time that a reservation is believed to last: the relay's clock may be wrong, either way.</summary>
    public static readonly TimeSpan LastsMin = TimeSpan.FromMinutes(2), LastsMax = TimeSpan.FromHours(2);

    private static readonly TimeSpan BackoffFirst = TimeSpan.FromSeconds(2), BackoffLongest = TimeSpan.FromMinutes(10);

    private readonly int wanted;
    private readonly Prng random;
    private readonly Dictionary<PeerId, Relay> relays = [];
    private readonly List<PeerId> order = [];

    /// <summary>A client that wants to be reached over so many relays at a time; 0 for none, which is how one is switched off.</summary>
    public RelayClient(int wanted, Prng random)
    {
        this.wanted = wanted;
        this.random = random;
    }

    /// <summary>Where the node can be reached over relays: addresses up to <c>/p2p-circuit</c>, without its own peer id.</summary>
    public ImmutableArray<Multiaddr> Addresses { get; private set; } = [];

    /// <summary>Reservations that stand.</summary>
    public int Held => relays.Values.Count(relay => relay.State is State.Held or State.Renewing);

    /// <summary>When <see cref="Advance"/> has something to do.</summary>
    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Never;
            bool wantsMore = Held + Asking < wanted;
            foreach (Relay relay in relays.Values)
                if (relay.State == State.Held || (relay.State == State.Idle && wantsMore))
                    next = Instant.Min(next, relay.At);
            return next;
        }
    }

    private int Asking => relays.Values.Count(relay => relay.State == State.Asking);

    /// <summary>Whether the node keeps a place at this relay, so that the connection to it must stay.</summary>
    public bool IsHeld(PeerId relay) => relays.TryGetValue(relay, out Relay? known) && known.State is State.Held or State.Renewing;

    /// <summary>A peer is a relay, as it says or the user does.</summary>
    /// <param name="relay">Who.</param>
    /// <param name="address">Where, if that is known: it is told to others when the relay does not say its addresses itself.</param>
    /// <param name="isNamed">Whether the user named it: such are remembered always and tried first.</param>
    /// <param name="now">When.</param>
    /// <param name="effects">What is to be done.</param>
    public void Met(PeerId relay, Multiaddr? address, bool isNamed, Instant now, List<RelayEffect> effects)
    {
        if (relays.TryGetValue(relay, out Relay? known))
        {
            known.Address = address ?? known.Address;
            known.IsNamed |= isNamed;
            // Just met again, it may be asked at once, unless it has refused.
            if (known is { State: State.Idle, Failures: 0 })
                known.At = now;
        }
        else if (isNamed || relays.Count < CandidatesMax)
        {
            relays.Add(relay, new Relay { Address = address, IsNamed = isNamed, At = now });
            order.Add(relay);
        }
        Advance(now, effects);
    }

    /// <summary>A relay gave a place, or renewed it.</summary>
    /// <param name="relay">Which.</param>
    /// <param name="reservation">What it said.</param>
    /// <param name="utc">The node's own wall clock.</param>
    /// <param name="now">When.</param>
    /// <param name="effects">What is to be done.</param>
    public void Reserved(PeerId relay, RelayReservation reservation, UtcTime utc, Instant now, List<RelayEffect> effects)
    {
        if (!relays.TryGetValue(relay, out Relay? known) || known.State is not (State.Asking or State.Renewing))
            return;
        TimeSpan lasts = reservation.Expires.CompareTo(utc + LastsMin) < 0 ? LastsMin
            : reservation.Expires.CompareTo(utc + LastsMax) > 0 ? LastsMax : reservation.Expires - utc;
        known.State = State.Held;
        known.Failures = 0;
        known.EndsAt = now + lasts;
        // Renewed after two to three quarters of it, so that two failed attempts leave time for more, and not all at one moment.
        known.At = now + new TimeSpan(lasts.Ticks / 2 + (long)random.Below((ulong)lasts.Ticks / 4));
        known.Reachable = [.. Ways(relay, reservation, known.Address)];
        Publish(effects);
        Advance(now, effects);
    }

    /// <summary>A relay gave no place, did not renew it, or could not be reached.</summary>
    public void Refused(PeerId relay, Instant now, List<RelayEffect> effects)
    {
        if (!relays.TryGetValue(relay, out Relay? known) || known.State is not (State.Asking or State.Renewing))
            return;
        known.Failures++;
        if (known.State == State.Renewing && known.EndsAt > now + Backoff(known))
        {
            // It holds until it lapses, and is asked again before.
            known.State = State.Held;
            known.At = now + Backoff(known);
        }
        else
            Lose(known, now, effects);
        Advance(now, effects);
    }

    /// <summary>The last connection to a peer is gone, and the place that it kept with it.</summary>
    public void Disconnected(PeerId relay, Instant now, List<RelayEffect> effects)
    {
        if (!relays.TryGetValue(relay, out Relay? known) || known.State is not (State.Held or State.Renewing))
            return;
        known.Failures++;
        Lose(known, now, effects);
        Advance(now, effects);
    }

    /// <summary>Asks whom it is time to ask.</summary>
    public void Advance(Instant now, List<RelayEffect> effects)
    {
        foreach (PeerId id in order)
        {
            Relay relay = relays[id];
            if (relay.State != State.Held || relay.At > now)
                continue;
            relay.State = State.Renewing;
            effects.Add(new RelayEffect.Reserve(id, relay.Address));
        }
        while (Held + Asking < wanted && Choose(now) is { } next)
        {
            relays[next].State = State.Asking;
            effects.Add(new RelayEffect.Reserve(next, relays[next].Address));
        }
    }

    // Named ones first; then those that have not failed, or least; then as they were met.
    private PeerId? Choose(Instant now)
    {
        PeerId? best = null;
        foreach (PeerId id in order)
        {
            Relay relay = relays[id];
            if (relay.State != State.Idle || relay.At > now)
                continue;
            if (best is null || (relay.IsNamed ? 0 : 1, relay.Failures).CompareTo((relays[best.Value].IsNamed ? 0 : 1, relays[best.Value].Failures)) < 0)
                best = id;
        }
        return best;
    }

    private void Lose(Relay relay, Instant now, List<RelayEffect> effects)
    {
        bool wasReachable = !relay.Reachable.IsEmpty;
        relay.State = State.Idle;
        relay.Reachable = [];
        relay.At = now + Backoff(relay);
        if (wasReachable)
            Publish(effects);
    }

    private TimeSpan Backoff(Relay relay)
    {
        long ticks = Math.Min(BackoffFirst.Ticks << Math.Min(relay.Failures, 20), BackoffLongest.Ticks);
        return new TimeSpan(ticks / 2 + (long)random.Below((ulong)ticks / 2 + 1));
    }

    private void Publish(List<RelayEffect> effects)
    {
        ImmutableArray<Multiaddr> addresses = [.. order.SelectMany(id => relays[id].Reachable)];
        if (addresses.SequenceEqual(Addresses))
            return;
        Addresses = addresses;
        effects.Add(new RelayEffect.Reachable(addresses));
    }

    // The relay's own addresses count only if they name it and lead to it directly.
    private static IEnumerable<Multiaddr> Ways(PeerId relay, RelayReservation reservation, Multiaddr? address)
    {
        List<Multiaddr> ways = [.. reservation.Addresses.Where(way => !way.IsCircuit && (way.Peer is not { } named || named == relay))];
        if (ways.Count == 0 && address is { IsCircuit: false })
            ways.Add(address);
        return ways.Select(way => way.WithPeer(relay).Encapsulate(Circuit)).Where(way => way.Bytes.Length <= Multiaddr.BytesMax - PeerId.BytesMax);
    }

    private static readonly Multiaddr Circuit = Multiaddr.Parse("/p2p-circuit");

    private enum State
    {
        Idle,
        Asking,
        Held,
        Renewing,
    }

    private sealed class Relay
    {
        public Multiaddr? Address { get; set; }

        public bool IsNamed { get; set; }

        public State State { get; set; }

        public int Failures { get; set; }

        /// <summary>When it may be asked, or is to be asked again.</summary>
        public Instant At { get; set; }

        public Instant EndsAt { get; set; }

        public ImmutableArray<Multiaddr> Reachable { get; set; } = [];
    }
}

/// <summary>What a <see cref="RelayClient"/> wants done.</summary>
public abstract record RelayEffect
{
    private RelayEffect()
    {
    }

    /// <summary>Ask a relay for a place, dialing it if need be; the answer goes to <see cref="RelayClient.Reserved"/> or <see cref="RelayClient.Refused"/>.</summary>
    /// <param name="Relay">Whom.</param>
    /// <param name="Address">Where, if somebody said.</param>
    public sealed record Reserve(PeerId Relay, Multiaddr? Address) : RelayEffect;

    /// <summary>The addresses over relays have changed: others are to be told.</summary>
    /// <param name="Addresses">All that there are.</param>
    public sealed record Reachable(ImmutableArray<Multiaddr> Addresses) : RelayEffect;
}
