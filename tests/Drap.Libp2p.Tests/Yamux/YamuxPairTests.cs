using Drap.Libp2p.Yamux;
using Xunit;

namespace Drap.Libp2p.Tests.Yamux;

/// <summary>Two sessions over a link that cuts what it carries anywhere, against counters that know what must come.</summary>
public sealed class YamuxPairTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Whatever_two_hosts_do_arrives_whole_and_in_order(int seed)
    {
        output.WriteLine($"seed {seed}");
        var random = new Prng((ulong)seed);
        var options = new YamuxOptions { InboundMax = 8, OutboundMax = (int)random.Between(4, 12) };
        YamuxEnd[] ends = [new(true, options), new(false, options)];
        bool isSlowWire = random.Chance(1, 3);
        for (int step = 0; step < 6000; step++)
        {
            YamuxEnd end = ends[random.Below(2)];
            YamuxEnd.Pipe? pipe = end.Pipes.Count == 0 ? null : end.Pipes.Values.ElementAt(random.Below(end.Pipes.Count));
            switch (random.Below(12))
            {
                case 0:
                    if (end.Open() is { } opened && random.Chance(1, 2))
                        end.Session.Announce(opened.Stream);
                    break;
                case 1 or 2 or 3 when pipe is not null:
                    end.Write(pipe, random.Chance(1, 4) ? 64 * 1024 : random.Below(300) + 1);
                    break;
                case 4 or 5 or 6 when pipe is not null:
                    end.Read(pipe, random.Chance(1, 2) ? long.MaxValue : random.Below(70_000));
                    break;
                case 7 when pipe is not null && random.Chance(1, 8):
                    end.Session.CloseWrite(pipe.Stream);
                    break;
                case 8 when pipe is not null && random.Chance(1, 30):
                    end.Session.Reset(pipe.Stream);
                    break;
                case 9:
                    end.Flush();
                    break;
                default:
                    Carry(ends, random, isSlowWire ? 50 : 200_000);
                    break;
            }
            foreach (YamuxEnd one in ends)
                one.Now += TimeSpan.FromMicroseconds(random.Below(40));
        }
        Settle(ends, random);
        int whole = 0;
        foreach ((YamuxEnd mine, YamuxEnd other) in new[] { (ends[0], ends[1]), (ends[1], ends[0]) })
        {
            Assert.Equal(YamuxViolation.None, mine.Session.Violation);
            Assert.Equal(0, mine.Session.StreamCount);
            foreach ((uint id, YamuxEnd.Pipe pipe) in mine.Pipes)
            {
                if (!other.Pipes.TryGetValue(id, out YamuxEnd.Pipe? peer))
                {
                    // Never said, or refused for being one too many.
                    Assert.True(pipe.Stream.IsReset);
                    continue;
                }
                if (pipe.Stream.IsReset || peer.Stream.IsReset)
                    continue;
                Assert.True(pipe.SawEnd);
                Assert.Equal(peer.Written, pipe.Received);
                whole++;
            }
        }
        output.WriteLine($"{whole} halves whole");
        Assert.True(whole > 20);
    }

    [Fact]
    public void Every_cut_of_the_bytes_gives_the_same()
    {
        (byte[] wire, _) = Conversation();
        for (int piece = 1; piece < 40; piece++)
        {
            var end = new YamuxEnd(isDialer: false, new YamuxOptions());
            for (int i = 0; i < wire.Length; i += piece)
                end.Receive(wire.AsSpan(i, Math.Min(piece, wire.Length - i)));
            Assert.Equal([(1u, 1000L, true), (3u, 1L, false)], end.Pipes.Values.Select(p => (p.Stream.Id, p.Received, p.SawEnd)));
        }
    }

    [Fact]
    public void Truncated_anywhere_it_waits_for_the_rest()
    {
        (byte[] wire, _) = Conversation();
        for (int length = 0; length < wire.Length; length++)
        {
            var end = new YamuxEnd(isDialer: false, new YamuxOptions());
            end.Receive(wire.AsSpan(0, length));
            Assert.False(end.Session.HasEnded);
        }
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(14)]
    public void Bytes_changed_at_random_end_the_session_or_do_nothing_bad(int seed)
    {
        output.WriteLine($"seed {seed}");
        var random = new Prng((ulong)seed);
        (byte[] wire, _) = Conversation();
        int ended = 0;
        for (int round = 0; round < 3000; round++)
        {
            byte[] bent = [.. wire];
            for (int change = random.Below(4); change >= 0; change--)
                bent[random.Chance(1, 2) ? random.Below(bent.Length) : random.Below(40)] = (byte)random.NextUInt64();
            var session = new YamuxSession(isDialer: random.Chance(1, 2), new YamuxOptions { InboundMax = 4 }, Instant.Zero);
            byte[] answer = new byte[4096];
            for (int at = 0; at < bent.Length;)
            {
                int piece = Math.Min(random.Below(60) + 1, bent.Length - at);
                ReadOnlySpan<byte> bytes = bent.AsSpan(at, piece);
                at += piece;
                while (session.Receive(ref bytes, Instant.Zero, out YamuxEvent happened))
                {
                    if (happened.Kind == YamuxEventKind.Opened && random.Chance(1, 3))
                        session.Reset(happened.Stream!);
                    else if (happened.Kind == YamuxEventKind.Data)
                        session.Consumed(happened.Stream!, happened.Data.Length, Instant.Zero);
                }
                session.CheckInvariants();
                _ = session.WriteControl(answer.AsSpan(0, random.Below(100)), Instant.Zero);
            }
            ended += session.HasEnded ? 1 : 0;
        }
        output.WriteLine($"{ended} of 3000 ended");
        Assert.InRange(ended, 500, 2999);
    }

    private static (byte[] Wire, YamuxEnd End) Conversation()
    {
        var end = new YamuxEnd(isDialer: true, new YamuxOptions());
        YamuxEnd.Pipe first = end.Open()!, second = end.Open()!;
        end.Write(first, 400);
        end.Write(second, 1);
        end.Write(first, 600);
        end.Session.CloseWrite(first.Stream);
        end.Flush();
        return ([.. end.Wire], end);
    }

    private static void Carry(YamuxEnd[] ends, Prng random, int most)
    {
        int from = random.Below(2);
        List<byte> wire = ends[from].Wire;
        int bytes = Math.Min(wire.Count, random.Below(most) + 1);
        ends[1 - from].Receive(wire.GetRange(0, bytes).ToArray());
        wire.RemoveRange(0, bytes);
    }

    private static void Settle(YamuxEnd[] ends, Prng random)
    {
        for (int round = 0; round < 200; round++)
        {
            foreach (YamuxEnd end in ends)
            {
                foreach (YamuxEnd.Pipe pipe in end.Pipes.Values)
                {
                    end.Read(pipe, long.MaxValue);
                    end.Session.CloseWrite(pipe.Stream);
                }
                end.Flush();
            }
            while (ends[0].Wire.Count + ends[1].Wire.Count > 0)
                Carry(ends, random, 1_000_000);
        }
    }
}
