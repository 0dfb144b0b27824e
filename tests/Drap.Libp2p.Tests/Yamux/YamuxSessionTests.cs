using Drap.Libp2p.Yamux;
using Xunit;

namespace Drap.Libp2p.Tests.Yamux;

/// <summary>The rules of hashicorp/yamux spec.md and libp2p/specs yamux, one by one.</summary>
public sealed class YamuxSessionTests
{
    private static readonly YamuxOptions Options = new();

    [Fact]
    public void A_header_is_twelve_bytes_in_network_order()
    {
        byte[] bytes = new byte[12];
        new YamuxHeader(YamuxType.WindowUpdate, YamuxFlags.Syn | YamuxFlags.Fin, 0x01020304, 0xfffefdfc).Write(bytes);
        Assert.Equal("000100050102 0304fffefdfc".Replace(" ", "", StringComparison.Ordinal), Convert.ToHexStringLower(bytes));
        Assert.Equal(YamuxViolation.None, YamuxHeader.Read(bytes, out YamuxHeader back));
        Assert.Equal(new YamuxHeader(YamuxType.WindowUpdate, YamuxFlags.Syn | YamuxFlags.Fin, 0x01020304, 0xfffefdfc), back);
    }

    [Theory]
    [InlineData(YamuxViolation.UnknownVersion, "010000010000000100000000")]
    [InlineData(YamuxViolation.UnknownType, "000400000000000100000000")]
    [InlineData(YamuxViolation.WrongStreamId, "000000010000000000000000")] // data of stream 0
    [InlineData(YamuxViolation.WrongStreamId, "000200010000000100000000")] // a ping of stream 1
    [InlineData(YamuxViolation.WrongStreamId, "000000010000000200000000")] // an opening with the listener's parity
    [InlineData(YamuxViolation.OpenedTwice, "000100010000000100000000000100010000000100000000")]
    [InlineData(YamuxViolation.NeverOpened, "000000000000000100000000")]
    [InlineData(YamuxViolation.NeverOpened, "000000000000000200000000")] // of ours, never opened
    [InlineData(YamuxViolation.WindowExceeded, "000000010000000100040001")]
    [InlineData(YamuxViolation.WindowExceeded, "0000000100000001ffffffff")] // -1, if one read it signed
    [InlineData(YamuxViolation.WindowOverflow, "0001000100000001ffffffff")]
    [InlineData(YamuxViolation.DataAfterFin, "00010005000000010000000000000000000000010000000100")]
    public void A_broken_rule_ends_the_session_and_is_said(YamuxViolation violation, string hex)
    {
        var session = new YamuxSession(isDialer: false, Options, Instant.Zero);
        ReadOnlySpan<byte> bytes = Convert.FromHexString(hex);
        YamuxEventKind last = default;
        while (session.Receive(ref bytes, Instant.Zero, out YamuxEvent happened))
            last = happened.Kind;
        Assert.Equal((YamuxEventKind.Ended, violation, true), (last, session.Violation, session.HasEnded));
        // Nothing but GoAway, protocol error.
        Assert.Equal("000300000000000000000001", Control(session));
        Assert.False(session.CanOpen);
        Assert.Equal(Instant.Never, session.NextDeadline);
    }

    [Fact]
    public void The_first_frame_opens_and_the_first_answer_acknowledges()
    {
        var dialer = new YamuxEnd(true, Options);
        var listener = new YamuxEnd(false, Options);
        YamuxEnd.Pipe pipe = dialer.Open()!;
        dialer.Write(pipe, 3);
        Assert.Equal("00" + "00" + "0001" + "00000001" + "00000003", Convert.ToHexStringLower(dialer.Wire.ToArray().AsSpan(0, 12)));
        listener.Receive(dialer.Wire.ToArray());
        YamuxEnd.Pipe other = listener.Pipes[1];
        Assert.Equal(3, other.Received);
        listener.Write(other, 2);
        Assert.Equal("00" + "00" + "0002" + "00000001" + "00000002", Convert.ToHexStringLower(listener.Wire.ToArray().AsSpan(0, 12)));
        // It was said; there is nothing more to say.
        int before = listener.Wire.Count;
        listener.Flush();
        Assert.Equal(before, listener.Wire.Count);
    }

    [Fact]
    public void A_stream_ends_when_both_halves_have()
    {
        var dialer = new YamuxEnd(true, Options);
        var listener = new YamuxEnd(false, Options);
        YamuxEnd.Pipe pipe = dialer.Open()!;
        dialer.Write(pipe, 10);
        dialer.Session.CloseWrite(pipe.Stream);
        Pass(dialer, listener);
        Assert.True(listener.Pipes[1].SawEnd);
        listener.Write(listener.Pipes[1], 100);
        Pass(listener, dialer);
        Assert.Equal((100, false), (pipe.Received, pipe.SawEnd));
        listener.Session.CloseWrite(listener.Pipes[1].Stream);
        Pass(listener, dialer);
        Assert.True(pipe.SawEnd);
        Assert.Equal((0, 0), (dialer.Session.StreamCount, listener.Session.StreamCount));
        // Credit that was under way then is of a stream that is over, and passed over.
        Receive(dialer.Session, new YamuxHeader(YamuxType.WindowUpdate, 0, 1, 5));
        Assert.False(dialer.Session.HasEnded);
    }

    [Fact]
    public void A_reset_drops_what_is_under_way()
    {
        var dialer = new YamuxEnd(true, Options);
        var listener = new YamuxEnd(false, Options);
        YamuxEnd.Pipe pipe = dialer.Open()!;
        dialer.Write(pipe, 10);
        Pass(dialer, listener);
        dialer.Write(pipe, 1000);
        listener.Session.Reset(listener.Pipes[1].Stream);
        Pass(dialer, listener);
        Assert.Equal(10, listener.Pipes[1].Received);
        Pass(listener, dialer);
        Assert.True(pipe.SawReset);
        Assert.Equal((0, 0), (dialer.Session.StreamCount, listener.Session.StreamCount));
    }

    [Fact]
    public void A_stream_that_nobody_heard_of_is_reset_without_a_word()
    {
        var session = new YamuxSession(isDialer: true, Options, Instant.Zero);
        YamuxStream stream = session.TryOpen()!;
        session.Announce(stream);
        session.Reset(stream);
        Assert.Equal("", Control(session));
        Assert.Equal(0, session.StreamCount);
    }

    [Fact]
    public void Ten_streams_until_the_first_acknowledgement_then_as_many_as_the_backlog_has()
    {
        var session = new YamuxSession(isDialer: true, new YamuxOptions { BacklogMax = 20, OutboundMax = 25 }, Instant.Zero);
        YamuxStream[] early = [.. Enumerable.Range(0, 10).Select(_ => session.TryOpen()!)];
        Assert.Null(session.TryOpen());
        // Ending one does not make room: the peer may not have set itself up yet.
        session.Reset(early[9]);
        Assert.Null(session.TryOpen());
        Receive(session, new YamuxHeader(YamuxType.WindowUpdate, YamuxFlags.Ack, early[0].Id, 0));
        int more = 0;
        while (session.TryOpen() is not null)
            more++;
        // 20 wait, of which 8 were there; one is acknowledged.
        Assert.Equal(12, more);
        foreach (YamuxStream stream in early[1..9])
            Receive(session, new YamuxHeader(YamuxType.WindowUpdate, YamuxFlags.Ack, stream.Id, 0));
        while (session.TryOpen() is not null)
            more++;
        Assert.Equal((16, 25), (more, session.StreamCount));
    }

    [Fact]
    public void Streams_above_the_limit_are_reset_until_the_peer_no_longer_listens()
    {
        var session = new YamuxSession(isDialer: false, new YamuxOptions { InboundMax = 2 }, Instant.Zero);
        for (uint id = 1; id <= 7; id += 2)
            Receive(session, new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, id, 0));
        Assert.Equal(2, session.InboundCount);
        Assert.Equal("000100020000000100000000" + "000100020000000300000000" + "000100080000000500000000" + "000100080000000700000000", Control(session));
        for (uint id = 9; !session.HasEnded; id += 2)
        {
            Receive(session, new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, id, 0));
            Assert.True(id < 200);
        }
        Assert.Equal(YamuxViolation.StreamFlood, session.Violation);
    }

    [Fact]
    public void Resets_that_cannot_be_sent_count_as_streams()
    {
        var session = new YamuxSession(isDialer: false, new YamuxOptions { InboundMax = 2 }, Instant.Zero);
        for (uint id = 1; id <= 5; id += 2)
        {
            ReadOnlySpan<byte> bytes = Frame(new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, id, 0));
            while (session.Receive(ref bytes, Instant.Zero, out YamuxEvent happened))
                session.Reset(happened.Stream!);
        }
        Assert.Equal(2, session.InboundCount);
        Assert.Equal(36, Control(session).Length / 2);
        Assert.Equal(0, session.InboundCount);
    }

    [Fact]
    public void Pings_are_answered_until_the_peer_no_longer_listens()
    {
        var session = new YamuxSession(isDialer: false, Options, Instant.Zero);
        Receive(session, new YamuxHeader(YamuxType.Ping, YamuxFlags.Syn, 0, 0xabcdef01));
        Assert.Equal("0002000200000000abcdef01", Control(session));
        for (uint i = 0; i < 32; i++)
            Receive(session, new YamuxHeader(YamuxType.Ping, YamuxFlags.Syn, 0, i));
        Assert.False(session.HasEnded);
        Receive(session, new YamuxHeader(YamuxType.Ping, YamuxFlags.Syn, 0, 32));
        Assert.Equal(YamuxViolation.PingFlood, session.Violation);
    }

    [Fact]
    public void A_silent_peer_is_asked_once_and_then_gone()
    {
        var session = new YamuxSession(isDialer: true, Options, Instant.Zero);
        Assert.Equal(At(30), session.NextDeadline);
        Assert.True(session.Advance(At(29.9)));
        Assert.False(session.HasControl);
        Assert.True(session.Advance(At(30)));
        Assert.Equal("000200010000000000000001", Control(session));
        Assert.Equal(At(50), session.NextDeadline);
        Receive(session, new YamuxHeader(YamuxType.Ping, YamuxFlags.Ack, 0, 1), At(31));
        Assert.Equal(TimeSpan.FromSeconds(1), session.RoundTrip);
        Assert.Equal(At(61), session.NextDeadline);
        Assert.True(session.Advance(At(61)));
        Assert.Equal(At(81), session.NextDeadline);
        YamuxStream stream = session.TryOpen()!;
        Assert.False(session.Advance(At(81)));
        Assert.True(session.IsPeerGone && session.HasEnded && stream.IsReset);
    }

    [Theory]
    [InlineData(false, 20)]
    [InlineData(true, 10)]
    public void Who_stood_still_itself_lets_what_the_peer_has_answered_be_read_first(bool isDoubted, int seconds)
    {
        var session = new YamuxSession(isDialer: true, Options, Instant.Zero);
        session.Probe(At(5), isDoubted);
        Control(session);
        Assert.True(session.Advance(At(100)));
        Assert.Equal(At(100 + seconds), session.NextDeadline);
        Assert.True(session.Advance(At(100 + seconds - 0.1)));
        Assert.False(session.Advance(At(100 + seconds + 1)));
        Assert.True(session.IsPeerGone);
    }

    [Fact]
    public void A_peer_that_is_doubted_has_less_time_to_answer_and_none_the_less_once_it_was_heard()
    {
        var session = new YamuxSession(isDialer: true, Options, Instant.Zero);
        session.Probe(At(5), isDoubted: true);
        Assert.Equal("000200010000000000000001", Control(session));
        Assert.Equal(At(15), session.NextDeadline);
        // Doubting it again gives it no more time; anything that comes, all of it.
        session.Probe(At(9), isDoubted: true);
        Assert.False(session.HasControl);
        Assert.Equal(At(15), session.NextDeadline);
        Receive(session, new YamuxHeader(YamuxType.Ping, YamuxFlags.Syn, 0, 7), At(10));
        Assert.Equal(At(30), session.NextDeadline);
        Control(session);
        session.Probe(At(20), isDoubted: true);
        Assert.True(session.Advance(At(29.9)));
        Assert.False(session.Advance(At(30)));
        Assert.True(session.IsPeerGone);
    }

    [Fact]
    public void Going_away_takes_no_more_and_lets_the_rest_end()
    {
        var dialer = new YamuxEnd(true, Options);
        var listener = new YamuxEnd(false, Options);
        YamuxEnd.Pipe pipe = dialer.Open()!;
        dialer.Write(pipe, 5);
        Pass(dialer, listener);
        listener.Session.GoAway(YamuxGoAway.Normal);
        Pass(listener, dialer);
        Assert.Equal(YamuxGoAway.Normal, dialer.Session.RemoteGoAway);
        Assert.False(dialer.Session.CanOpen);
        Assert.Equal(7, dialer.Write(pipe, 7));
        Pass(dialer, listener);
        Assert.Equal(12, listener.Pipes[1].Received);
        Receive(listener.Session, new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, 3, 0));
        Assert.Equal("000100080000000300000000", Control(listener.Session));
    }

    [Fact]
    public void Half_a_window_is_given_back_at_once()
    {
        var dialer = new YamuxEnd(true, Options);
        var listener = new YamuxEnd(false, Options);
        YamuxEnd.Pipe pipe = dialer.Open()!;
        while (dialer.Write(pipe, 65536) > 0)
        {
        }
        Assert.Equal(256 * 1024, pipe.Written);
        Pass(dialer, listener);
        YamuxEnd.Pipe reader = listener.Pipes[1];
        listener.Read(reader, 128 * 1024 - 1);
        Pass(listener, dialer);
        Assert.Equal(0, pipe.Stream.SendWindow);
        listener.Read(reader, 1);
        Pass(listener, dialer);
        Assert.Equal(128 * 1024, pipe.Stream.SendWindow);
    }

    /// <summary>A link without delay: no window holds its sender back, but small ones would be told of all the time.</summary>
    [Fact]
    public void A_window_grows_until_half_of_it_lasts_for_two_milliseconds()
    {
        var sender = new YamuxEnd(true, Options);
        var reader = new YamuxEnd(false, Options);
        YamuxEnd.Pipe pipe = sender.Open()!;
        // 64 KiB each 60 us: about 1 GiB a second. The round trip is measured as nothing.
        for (int block = 0; block < 4096; block++)
        {
            Assert.Equal(65536, sender.Write(pipe, 65536));
            Pass(sender, reader);
            reader.Read(reader.Pipes[1], long.MaxValue);
            Pass(reader, sender);
            sender.Now = reader.Now += TimeSpan.FromMicroseconds(60);
        }
        Assert.Equal(8 * 1024 * 1024, reader.Pipes[1].Stream.ReceiveWindowSize);
    }

    [Fact]
    public void A_window_grows_while_it_is_what_holds_the_sender_back_and_no_further_than_all_may()
    {
        var options = new YamuxOptions { GrowthMax = 5 * 1024 * 1024 };
        var sender = new YamuxEnd(true, options);
        var reader = new YamuxEnd(false, options);
        YamuxEnd.Pipe[] pipes = [sender.Open()!, sender.Open()!];
        // 100 ms there and back, and a reader as fast as the network.
        for (int round = 0; round < 40; round++)
        {
            foreach (YamuxEnd.Pipe pipe in pipes)
            {
                while (sender.Write(pipe, 65536) > 0)
                {
                }
            }
            Pass(sender, reader);
            foreach (YamuxEnd.Pipe pipe in reader.Pipes.Values)
                reader.Read(pipe, long.MaxValue);
            sender.Now = reader.Now += TimeSpan.FromMilliseconds(100);
            Pass(reader, sender);
        }
        Assert.Equal(5 * 1024 * 1024 + 2 * 256 * 1024, reader.Pipes.Values.Sum(p => p.Stream.ReceiveWindowSize));
        // A slow reader's window stays.
        YamuxEnd.Pipe slow = sender.Open()!;
        for (int round = 0; round < 10; round++)
        {
            while (sender.Write(slow, 65536) > 0)
            {
            }
            Pass(sender, reader);
            sender.Now = reader.Now += TimeSpan.FromSeconds(1);
            reader.Read(reader.Pipes[5], long.MaxValue);
            Pass(reader, sender);
        }
        Assert.Equal(YamuxOptions.InitialWindow, reader.Pipes[5].Stream.ReceiveWindowSize);
        reader.Session.Reset(reader.Pipes[1].Stream);
        reader.Session.Reset(reader.Pipes[3].Stream);
        reader.Flush();
        reader.Session.CheckInvariants();
    }

    private static Instant At(double seconds) => Instant.Zero + TimeSpan.FromSeconds(seconds);

    private static byte[] Frame(YamuxHeader header)
    {
        byte[] bytes = new byte[12];
        header.Write(bytes);
        return bytes;
    }

    private static void Receive(YamuxSession session, YamuxHeader header, Instant? now = null)
    {
        ReadOnlySpan<byte> bytes = Frame(header);
        while (session.Receive(ref bytes, now ?? Instant.Zero, out _))
        {
        }
        session.CheckInvariants();
    }

    private static string Control(YamuxSession session)
    {
        byte[] bytes = new byte[4096];
        return Convert.ToHexStringLower(bytes.AsSpan(0, session.WriteControl(bytes, Instant.Zero)));
    }

    // Everything that waits goes over, control first as a host does it.
    private static void Pass(YamuxEnd from, YamuxEnd to)
    {
        from.Flush();
        to.Receive(from.Wire.ToArray());
        from.Wire.Clear();
    }
}
