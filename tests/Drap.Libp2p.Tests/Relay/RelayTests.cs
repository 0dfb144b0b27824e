using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;
using Drap.Libp2p.Relay;
using Xunit;

namespace Drap.Libp2p.Tests.Relay;

public sealed class RelayTests
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromHours(1);
    private static readonly Multiaddr Address = Multiaddr.Parse("/ip4/10.0.0.1/tcp/1");
    private static readonly UtcTime Utc = new(1_700_000_000_000);

    private static PeerId Peer(int number)
    {
        byte[] key = new byte[32];
        BitConverter.TryWriteBytes(key, number);
        return PeerId.FromEd25519(key);
    }

    private static RelayMessage Granted => new(RelayMessageKind.Status)
    {
        Status = RelayStatus.Ok,
        Reservation = new RelayReservation(Utc, [Address.WithPeer(Peer(1))], [1, 2, 3]),
        Limit = new RelayLimit(TimeSpan.FromMinutes(2), 1 << 17),
    };

    [Fact]
    public void Messages_have_the_bytes_of_the_specification()
    {
        Assert.Equal("0800", Hex(new RelayMessage(RelayMessageKind.Reserve).Encode(isStop: false)));
        Assert.Equal("080228cc01", Hex(RelayMessage.Of(RelayStatus.NoReservation).Encode(isStop: false)));
        Assert.Equal("08012064", Hex(RelayMessage.Of(RelayStatus.Ok).Encode(isStop: true)));
        string peer = "1228" + "0a26" + Hex(Peer(5).Bytes);
        Assert.Equal("0801" + peer, Hex(new RelayMessage(RelayMessageKind.Connect) { Peer = Peer(5) }.Encode(isStop: false)));
        RelayMessage stop = new(RelayMessageKind.Connect) { Peer = Peer(5), Limit = new RelayLimit(TimeSpan.FromSeconds(120), 131072) };
        Assert.Equal("0800" + peer + "1a06" + "0878" + "10808008", Hex(stop.Encode(isStop: true)));
        Assert.Equal("NO_RESERVATION", RelayStatus.NoReservation.ToName());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void They_read_back_as_written_and_nothing_cut_or_changed_throws(bool isStop)
    {
        RelayMessage[] messages = [Granted, RelayMessage.Of(RelayStatus.PermissionDenied),
            new(RelayMessageKind.Connect) { Peer = Peer(1) }, new(RelayMessageKind.Reserve)];
        var random = new Prng(1);
        foreach (RelayMessage message in messages.Where(message => !isStop || message is { Reservation: null, Kind: not RelayMessageKind.Reserve }))
        {
            byte[] bytes = message.Encode(isStop);
            Assert.True(RelayMessage.TryDecode(bytes, isStop, out RelayMessage? read));
            Assert.Equal(bytes, read.Encode(isStop));
            for (int cut = 0; cut < bytes.Length; cut++)
                if (RelayMessage.TryDecode(bytes.AsSpan(0, cut), isStop, out read) && (read.Kind != RelayMessageKind.Reserve || !isStop))
                    Assert.True(read.Kind != RelayMessageKind.Connect || read.Peer is not null);
            for (int round = 0; round < 20_000; round++)
            {
                byte[] changed = [.. bytes];
                for (int i = random.Below(3); i >= 0; i--)
                    changed[random.Below(changed.Length)] = (byte)random.Below(256);
                RelayMessage.TryDecode(changed, isStop, out _);
            }
        }
        Assert.False(RelayMessage.TryDecode([], isStop, out _)); // no type
        Assert.False(RelayMessage.TryDecode([8, 7], isStop, out _));
        Assert.False(RelayMessage.TryDecode(isStop ? [8, 0] : [8, 1], isStop, out _)); // a connect to nobody
        Assert.False(RelayMessage.TryDecode(new byte[RelayMessage.BytesMax + 1], isStop, out _));
    }

    [Fact]
    public void Huge_numbers_are_for_ever_and_addresses_are_bounded()
    {
        var writer = new ProtoWriter();
        writer.Number(1, 2);
        int reservation = writer.BeginMessage(3);
        writer.Number(1, ulong.MaxValue);
        for (int i = 0; i < 100; i++)
            writer.Bytes(2, Address.Bytes);
        writer.Bytes(2, [1]);
        writer.EndMessage(reservation);
        int limit = writer.BeginMessage(4);
        writer.Number(1, ulong.MaxValue);
        writer.Number(2, ulong.MaxValue);
        writer.EndMessage(limit);
        writer.Number(5, 100);
        Assert.True(RelayMessage.TryDecode(writer.Written, isStop: false, out RelayMessage? read));
        Assert.Equal(RelayMessage.AddressesMax, read.Reservation!.Addresses.Length);
        Assert.True(read.Reservation.Expires.Milliseconds > Utc.Milliseconds);
        Assert.Equal(long.MaxValue, read.Limit.Bytes);
        Assert.True(read.Limit.Duration > TimeSpan.FromDays(365));
    }

    [Fact]
    public void A_voucher_is_the_relay_s_own_word()
    {
        PrivateKey relay = PrivateKey.FromSeed(new byte[32]), other = PrivateKey.FromSeed([.. Enumerable.Repeat((byte)1, 32)]);
        var voucher = new RelayVoucher(relay.PeerId, Peer(7), Utc);
        byte[] sealed_ = voucher.Seal(relay).Encoded.ToArray();
        Assert.True(RelayVoucher.TryOpen(sealed_, out RelayVoucher? opened));
        Assert.Equal(voucher, opened);
        byte[] forged = (voucher with { Relay = other.PeerId }).Seal(other).Encoded.ToArray();
        Assert.True(RelayVoucher.TryOpen(forged, out opened));
        Assert.NotEqual(voucher, opened);
        for (int i = 0; i < sealed_.Length; i++)
        {
            byte[] changed = [.. sealed_];
            changed[i] ^= 1;
            Assert.False(RelayVoucher.TryOpen(changed, out opened) && opened == voucher && !changed.AsSpan().SequenceEqual(sealed_), $"byte {i}");
        }
        // The whole answer fits into a message.
        RelayMessage answer = Granted with { Reservation = Granted.Reservation! with { Voucher = sealed_ } };
        Assert.True(answer.Encode(isStop: false).Length < RelayMessage.BytesMax / 4);
    }

    [Fact]
    public void A_relay_connects_to_those_who_have_a_place()
    {
        var relay = new RelayServer(new RelayOptions());
        Assert.Equal(RelayStatus.NoReservation, relay.Connect(Peer(1), Peer(2), isRelayed: false, Start, out _));
        Assert.Equal(RelayStatus.PermissionDenied, relay.Reserve(Peer(2), isRelayed: true, Start));
        Assert.Equal(RelayStatus.Ok, relay.Reserve(Peer(2), isRelayed: false, Start));
        Assert.Equal(RelayStatus.PermissionDenied, relay.Connect(Peer(1), Peer(2), isRelayed: true, Start, out _));
        Assert.Equal(RelayStatus.PermissionDenied, relay.Connect(Peer(2), Peer(2), isRelayed: false, Start, out _));
        Assert.Equal(RelayStatus.Ok, relay.Connect(Peer(1), Peer(2), isRelayed: false, Start, out long circuit));
        Assert.False(relay.TryCarry(circuit, backwards: false, 1, Start)); // not yet
        Assert.True(relay.Open(circuit, Start));
        Assert.True(relay.TryCarry(circuit, backwards: false, int.MaxValue, Start));
        relay.CheckInvariants();
        relay.Close(circuit);
        relay.Close(circuit);
        Assert.False(relay.TryCarry(circuit, backwards: true, 1, Start));
        Assert.Equal(0, relay.Circuits);

        // The place goes with the connection, or lapses; renewed it lasts.
        relay.Disconnected(Peer(2));
        Assert.Equal(RelayStatus.NoReservation, relay.Connect(Peer(1), Peer(2), isRelayed: false, Start, out _));
        relay.Reserve(Peer(2), isRelayed: false, Start);
        relay.Reserve(Peer(2), isRelayed: false, Start + TimeSpan.FromMinutes(50));
        relay.Advance(Start + TimeSpan.FromMinutes(70), []);
        Assert.True(relay.HasReservation(Peer(2), Start + TimeSpan.FromMinutes(70)));
        Assert.Equal(Start + TimeSpan.FromMinutes(110), relay.NextDeadline);
        relay.Advance(relay.NextDeadline, []);
        Assert.Equal((0, Instant.Never), (relay.Reservations, relay.NextDeadline));
    }

    [Fact]
    public void Circuits_end_at_their_limits()
    {
        var relay = new RelayServer(new RelayOptions { Limit = new RelayLimit(TimeSpan.FromMinutes(2), 1000) });
        relay.Reserve(Peer(2), isRelayed: false, Start);
        relay.Connect(Peer(1), Peer(2), isRelayed: false, Start, out long full);
        relay.Open(full, Start);
        Assert.True(relay.TryCarry(full, backwards: false, 1000, Start));
        Assert.True(relay.TryCarry(full, backwards: true, 1000, Start));
        Assert.False(relay.TryCarry(full, backwards: true, 1, Start));
        relay.Close(full);

        relay.Connect(Peer(1), Peer(2), isRelayed: false, Start, out long never);
        relay.Connect(Peer(1), Peer(2), isRelayed: false, Start, out long old);
        relay.Open(old, Start);
        var ended = new List<long>();
        Instant now = Start;
        while (relay.Circuits > 0)
        {
            now = relay.NextDeadline;
            relay.TryCarry(old, backwards: false, 1, now - TimeSpan.FromSeconds(1));
            relay.Advance(now, ended);
            relay.CheckInvariants();
        }
        Assert.Equal([never, old], ended);
        Assert.Equal(Start + TimeSpan.FromMinutes(2), now);
        Assert.False(relay.Open(never, now));

        relay = new RelayServer(new RelayOptions());
        relay.Reserve(Peer(2), isRelayed: false, Start);
        relay.Connect(Peer(1), Peer(2), isRelayed: false, Start, out long idle);
        relay.Open(idle, Start);
        ended.Clear();
        while (ended.Count == 0)
        {
            now = relay.NextDeadline;
            if (now < Start + TimeSpan.FromMinutes(20))
                relay.TryCarry(idle, backwards: false, 1, now);
            relay.Advance(now, ended);
        }
        AssertBetween(now, Start + TimeSpan.FromMinutes(20), Start + TimeSpan.FromMinutes(30));
    }

    [Fact]
    public void A_relay_has_bounds()
    {
        var relay = new RelayServer(new RelayOptions { ReservationsMax = 10, CircuitsMax = 20, CircuitsOfPeerMax = 5 });
        for (int i = 0; i < 10; i++)
            Assert.Equal(RelayStatus.Ok, relay.Reserve(Peer(i), isRelayed: false, Start));
        Assert.Equal(RelayStatus.ReservationRefused, relay.Reserve(Peer(10), isRelayed: false, Start));
        Assert.Equal(RelayStatus.Ok, relay.Reserve(Peer(3), isRelayed: false, Start));
        for (int i = 0; i < 5; i++)
            Assert.Equal(RelayStatus.Ok, relay.Connect(Peer(100), Peer(i), isRelayed: false, Start, out _));
        Assert.Equal(RelayStatus.ResourceLimitExceeded, relay.Connect(Peer(100), Peer(6), isRelayed: false, Start, out _));
        for (int i = 0; i < 4; i++)
            Assert.Equal(RelayStatus.Ok, relay.Connect(Peer(101 + i), Peer(1), isRelayed: false, Start, out _));
        Assert.Equal(RelayStatus.ResourceLimitExceeded, relay.Connect(Peer(200), Peer(1), isRelayed: false, Start, out _));
        for (int i = 0; relay.Circuits < 20; i++)
            relay.Connect(Peer(300 + i), Peer(5 + i % 5), isRelayed: false, Start, out _);
        Assert.Equal(RelayStatus.ResourceLimitExceeded, relay.Connect(Peer(500), Peer(9), isRelayed: false, Start, out _));
        relay.CheckInvariants();
    }

    [Fact]
    public void A_client_keeps_its_places_and_turns_to_others()
    {
        var client = new RelayClient(2, new Prng(1));
        var effects = new List<RelayEffect>();
        PeerId[] Asked()
        {
            PeerId[] asked = [.. effects.OfType<RelayEffect.Reserve>().Select(effect => effect.Relay)];
            effects.Clear();
            return asked;
        }
        for (int i = 1; i <= 3; i++)
            client.Met(Peer(i), Address, isNamed: false, Start, effects);
        client.Met(Peer(9), null, isNamed: true, Start, effects);
        Assert.Equal([Peer(1), Peer(2)], Asked());

        // The first has a place and says where it is reached; the second has none: the named one is next.
        Multiaddr other = Multiaddr.Parse("/ip4/10.0.0.2/tcp/2");
        RelayReservation until = new(Utc + TimeSpan.FromHours(1), [other.WithPeer(Peer(1)), Address.WithPeer(Peer(5))], null);
        client.Reserved(Peer(1), until, Utc, Start, effects);
        Assert.Equal([other.WithPeer(Peer(1)).Encapsulate(Multiaddr.Parse("/p2p-circuit"))], effects.OfType<RelayEffect.Reachable>().Single().Addresses);
        client.Refused(Peer(2), Start, effects);
        Assert.Equal([Peer(9)], Asked());
        client.Reserved(Peer(9), until with { Addresses = [] }, Utc, Start, effects);
        Assert.Empty(Asked());
        Assert.Single(client.Addresses); // the named one said no address, and none is known
        Assert.True(client.IsHeld(Peer(9)) && client.IsHeld(Peer(1)) && !client.IsHeld(Peer(2)));

        // They are renewed between the half and three quarters of their time.
        Instant renew = client.NextDeadline;
        AssertBetween(renew, Start + TimeSpan.FromMinutes(30), Start + TimeSpan.FromMinutes(45));
        client.Advance(Start + TimeSpan.FromMinutes(45), effects);
        Assert.Equal([Peer(1), Peer(9)], Asked());
        Instant now = Start + TimeSpan.FromMinutes(45);
        client.Reserved(Peer(1), until with { Expires = Utc + TimeSpan.FromHours(2) }, Utc + TimeSpan.FromMinutes(45), now, effects);

        // A renewal that fails is tried again while the place lasts, and then another relay is asked.
        client.Refused(Peer(9), now, effects);
        Assert.Empty(effects);
        Assert.True(client.IsHeld(Peer(9)));
        var askedLater = new List<PeerId>();
        while (client.IsHeld(Peer(9)))
        {
            now = client.NextDeadline;
            client.Advance(now, effects);
            foreach (PeerId relay in Asked())
            {
                askedLater.Add(relay);
                client.Refused(relay, now, effects);
            }
        }
        AssertBetween(now, Start + TimeSpan.FromMinutes(46), Start + TimeSpan.FromMinutes(60));
        Assert.True(askedLater.Count(relay => relay == Peer(9)) >= 3);
        Assert.Equal([Peer(3)], Asked());

        // A relay that is gone takes its place along.
        effects.Clear();
        client.Disconnected(Peer(1), now, effects);
        Assert.Empty(effects.OfType<RelayEffect.Reachable>().Single().Addresses);
        Assert.Equal(0, client.Held);
    }

    [Fact]
    public void A_wrong_clock_at_the_relay_loses_no_place()
    {
        foreach ((UtcTime expires, TimeSpan least, TimeSpan most) in new[]
        {
            (new UtcTime(0), TimeSpan.FromMinutes(1), RelayClient.LastsMin),
            (Utc + TimeSpan.FromDays(999), TimeSpan.FromHours(1), RelayClient.LastsMax),
        })
        {
            var client = new RelayClient(1, new Prng(1));
            client.Met(Peer(1), Address, isNamed: false, Start, []);
            client.Reserved(Peer(1), new RelayReservation(expires, [], null), Utc, Start, []);
            AssertBetween(client.NextDeadline, Start + least, Start + most);
        }
    }

    [Fact]
    public void A_client_remembers_so_many_and_asks_nobody_when_it_wants_none()
    {
        var client = new RelayClient(0, new Prng(1));
        var effects = new List<RelayEffect>();
        for (int i = 0; i < 1000; i++)
            client.Met(Peer(i), Address, isNamed: false, Start, effects);
        Assert.Empty(effects);
        Assert.Equal(Instant.Never, client.NextDeadline);
        client = new RelayClient(1000, new Prng(1));
        for (int i = 0; i < 1000; i++)
            client.Met(Peer(i), Address, isNamed: false, Start, effects);
        Assert.Equal(RelayClient.CandidatesMax, effects.Count);
    }

    private static void AssertBetween(Instant actual, Instant first, Instant last) =>
        Assert.True(actual >= first && actual <= last, $"{actual} is not between {first} and {last}");

    private static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);
}
