using System.Collections.Immutable;
using Drap.Core.Cbor;
using Drap.Core.Messages;
using Xunit;

namespace Drap.Core.Tests.Messages;

public sealed class HostileBytesTests(ITestOutputHelper output)
{
    // An attempt of one byte becomes 32 bytes of memory; nothing grows more.
    private const int GrowthMax = 32;
    private const int GrowthBase = 4096;

    [Fact]
    public void A_frame_that_ends_too_soon_is_refused_at_every_offset()
    {
        foreach (Message message in Samples.All)
        {
            byte[] frame = MessageCodec.Encode(message);
            for (int length = 0; length < frame.Length; length++)
            {
                Assert.False(Decode(frame[..length], out CodecError error));
                Assert.False(error.IsNewer, error.ToString());
            }
            Assert.False(Decode([.. frame, 0], out CodecError trailing));
            Assert.Equal(CodecFault.TrailingBytes, trailing.Fault);
        }
    }

    [Fact]
    public void A_frame_with_any_byte_changed_never_throws()
    {
        foreach (Message message in Samples.All)
        {
            byte[] frame = MessageCodec.Encode(message);
            for (int at = 0; at < frame.Length; at++)
            {
                byte good = frame[at];
                for (int bit = 0; bit < 8; bit++)
                {
                    frame[at] = (byte)(good ^ 1 << bit);
                    DecodeAndUse(frame);
                }
                // Heads with a 64-bit length of each type, with none, and the ends of the range.
                foreach (byte bad in new byte[] { 0, 0x1b, 0x3b, 0x5b, 0x5f, 0x7b, 0x9b, 0x9f, 0xbb, 0xdb, 0xf7, 0xff })
                {
                    frame[at] = bad;
                    DecodeAndUse(frame);
                }
                frame[at] = good;
            }
        }
    }

    [Fact]
    public void Random_bytes_never_throw()
    {
        Prng prng = Seeded();
        for (int i = 0; i < 100_000; i++)
        {
            byte[] frame = RandomBytes(prng, prng.Below(100));
            // Half of them with a head that leads into a body.
            if (frame.Length > 3 && prng.Chance(1, 2))
                (frame[0], frame[1], frame[2], frame[3]) = (0x83, 1, (byte)(1 + prng.Below(26)), (byte)(0xa0 + prng.Below(12)));
            DecodeAndUse(frame);
        }
    }

    [Fact]
    public void Frames_that_were_cut_and_glued_never_throw()
    {
        Prng prng = Seeded();
        for (int i = 0; i < 20_000; i++)
        {
            byte[] frame = MessageCodec.Encode(RandomFields.Make((MessageKind)(1 + prng.Below(26)), prng));
            byte[] other = MessageCodec.Encode(Samples.All[prng.Below(Samples.All.Length)]);
            int at = prng.Below(frame.Length);
            switch (prng.Below(3))
            {
                case 0: frame[at] ^= (byte)(1 << prng.Below(8)); break;
                case 1: frame = [.. frame[..at], .. other[prng.Below(other.Length)..]]; break;
                default: frame = [.. frame[..at], .. RandomBytes(prng, 1 + prng.Below(9)), .. frame[at..]]; break;
            }
            DecodeAndUse(frame);
        }
    }

    [Theory]
    [InlineData("83 01 01 bf", CodecFault.NotDeterministic)] // a map without length
    [InlineData("9f 01 01 a0 ff", CodecFault.NotDeterministic)]
    [InlineData("83 18 01 01 a0", CodecFault.NotDeterministic)] // one in two bytes
    [InlineData("83 01 06 a1 01 5f ff", CodecFault.NotDeterministic)]
    [InlineData("83 01 0e a3 01 00 05 00 04 00", CodecFault.NotDeterministic)] // keys not ascending
    [InlineData("83 01 0e a2 01 00 01 00", CodecFault.NotDeterministic)] // a key twice
    [InlineData("83 01 0e a1 61 61 00", CodecFault.WrongType)] // a text key
    [InlineData("83 01 0e a1 01 20", CodecFault.WrongType)]
    [InlineData("83 01 0e a2 01 00 02 f6", CodecFault.WrongType)] // a flag that is null
    [InlineData("84 01 01 a0 a0", CodecFault.TooMany)]
    [InlineData("82 01 01", CodecFault.OutOfRange)]
    [InlineData("a0", CodecFault.WrongType)]
    [InlineData("83 01 13 a1 01 9b ff ff ff ff ff ff ff ff", CodecFault.TooMany)] // 2^64 - 1 attempts
    [InlineData("83 01 13 a1 01 99 10 00 00 00 00", CodecFault.Truncated)] // 4096 attempts in three bytes
    [InlineData("83 01 13 a1 01 81 00", CodecFault.OutOfRange)] // task 0 of no job
    [InlineData("83 01 13 a1 01 81 01", CodecFault.Rule)] // fence 0
    [InlineData("83 01 13 a1 01 81 82 01 1b 80 00 00 00 00 00 00 01", CodecFault.OutOfRange)] // fence 2^63 + 1
    [InlineData("83 01 13 a1 01 82 82 01 01 82 01 00", CodecFault.NotDeterministic)] // a longer form than needed
    [InlineData("83 01 13 a1 01 82 82 01 01 82 00 3b 7f ff ff ff ff ff ff ff", CodecFault.Rule)] // a step to a negative fence
    [InlineData("83 01 13 a1 01 82 82 01 01 82 00 1b 7f ff ff ff ff ff ff ff", CodecFault.Rule)] // a step around 2^63
    [InlineData("83 01 13 a1 01 82 82 01 01 1a 7f ff ff ff", CodecFault.OutOfRange)] // a step above 2^31 - 1
    [InlineData("83 01 0e bb ff ff ff ff ff ff ff ff", CodecFault.Truncated)] // 2^64 - 1 pairs
    [InlineData("83 01 0e a2 01 00 09 5b ff ff ff ff ff ff ff ff", CodecFault.Truncated)] // an unknown string of 2^64 - 1 bytes
    [InlineData("83 01 0e a2 01 00 09 bb ff ff ff ff ff ff ff ff", CodecFault.Truncated)]
    [InlineData("83 01 0e a2 01 00 09 9b ff ff ff ff ff ff ff ff", CodecFault.Truncated)]
    [InlineData("83 01 0f a2 01 00 02 a1 01 62 ff fe", CodecFault.Malformed)] // no UTF-8
    [InlineData("83 01 0a a1 01 42 00 05", CodecFault.Malformed)] // a multihash shorter than it says
    [InlineData("83 01 06 a1 01 4f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", CodecFault.Malformed)] // a UUID of 15 bytes
    public void What_is_wrong_is_named(string hex, CodecFault fault)
    {
        Assert.False(Decode(Convert.FromHexString(hex.Replace(" ", "")), out CodecError error));
        Assert.True(fault == error.Fault, $"{hex}: {error}");
    }

    [Fact]
    public void Deep_nesting_in_an_unknown_field_is_refused_before_it_eats_the_stack()
    {
        foreach (byte opening in new byte[] { 0x81, 0xc1 })
        {
            byte[] nested = [0x83, 1, 14, 0xa2, 1, 0, 9, .. Enumerable.Repeat(opening, 500_000), 0];
            Assert.False(Decode(nested, out CodecError error));
            Assert.Equal(CodecFault.TooDeep, error.Fault);
        }
        Assert.False(Decode(new byte[MessageCodec.FrameBytesMax + 1], out CodecError large));
        Assert.Equal(CodecFault.TooLong, large.Fault);
    }

    [Fact]
    public void The_smallest_records_in_the_largest_numbers_cost_no_more_memory_than_allowed()
    {
        PeerId scheduler = PeerId.FromEd25519(new byte[32]);
        ImmutableArray<AttemptId> attempts = [.. Enumerable.Range(1, 1024).Select(n => new AttemptId(new TaskId(default, n), new Fence(1)))];
        var group = new TaskGroup { Id = 0, Count = 1, Resources = new() { Gpu = new() }, Driver = "a", Bid = Price.Zero };
        Message[] messages =
        [
            new ResultAck(attempts),
            new ReconcileReply(default, attempts, attempts, false),
            new Core.Messages.Result(scheduler, [.. attempts.Select(a => new AttemptResult { Attempt = a, Outcome = Outcome.Failed })]),
            new Core.Messages.Receipt(Principal.Local, [.. attempts.Select(a => new ReceiptEntry(a, Price.Zero, TimeSpan.Zero, Credits.Zero))]),
            new Offer
            {
                Id = default, Ad = default, Valid = TimeSpan.Zero,
                Entries = [.. Enumerable.Range(0, Ad.GroupsMax).Select(i => new OfferEntry { Group = i, Count = 1, Ask = Price.Zero })],
            },
            new Refusal(default,
                [.. Enumerable.Range(0, Ad.GroupsMax).Select(i => new RefusalEntry(i, RefusalReason.Busy, Many(new Shortage("a", 0, 0), 24), Price.Zero, ""))]),
            Samples.AdOf(1, 1) with { Groups = [.. Enumerable.Range(0, Ad.GroupsMax).Select(i => group with { Id = i })] },
            new Confirm
            {
                Offer = default, Scheduler = scheduler, Principal = Principal.Local, Epoch = default, Lease = TimeSpan.Zero,
                Works = [new Work(default, 0, Price.Zero, [], [])],
                Tasks = Many(new Assignment { Work = 0, Number = 1, Attempt = 1, Index = 0, Hosts = ["", "", ""] }, Confirm.TasksMax),
            },
            new Closed(default, Many(0, Ad.GroupsMax)),
        ];
        foreach (Message message in messages)
            Assert.True(Decode(MessageCodec.Encode(message), out CodecError error), error.ToString());

        static ImmutableArray<T> Many<T>(T item, int count) => [.. Enumerable.Repeat(item, count)];
    }

    [Fact]
    public void A_count_costs_nothing_before_the_bytes_are_seen_to_be_there()
    {
        // An array may promise as many items as bytes remain; here each promise is broken at once, at three levels.
        byte[] frame = [0x83, 1, 13, 0xa2, 1, 0, 2, 0x99, 4, 0, .. new byte[1100]];
        Assert.False(Decode(frame, out _));
        Assert.False(Decode([0x83, 1, 13, 0xa3, 1, 0, 2, 0x99, 4, 0, 0x82, 1, 1, .. new byte[1023], 3, 0x99, 4, 0, .. new byte[1100]], out _));
    }

    private static void DecodeAndUse(byte[] frame)
    {
        if (!Decode(frame, out CodecError error))
        {
            Assert.NotEqual(CodecFault.None, error.Fault);
            Assert.NotEmpty(error.ToString());
            return;
        }
        // What was taken can be sent on, and comes to the same.
        Assert.True(MessageCodec.TryDecode(frame, out Message? message, out _));
        byte[] again = MessageCodec.Encode(message);
        Assert.True(MessageCodec.TryDecode(again, out Message? same, out _));
        Assert.Equal(again, MessageCodec.Encode(same));
    }

    private static bool Decode(byte[] frame, out CodecError error)
    {
        bool ok = Measure(frame, out error, out long allocated);
        // The first use of a type makes its statics; what a frame itself costs, it costs again.
        if (allocated > GrowthMax * (long)frame.Length + GrowthBase)
            Measure(frame, out error, out allocated);
        Assert.True(allocated <= GrowthMax * (long)frame.Length + GrowthBase,
            $"{allocated} bytes for a frame of {frame.Length}: {Convert.ToHexString(frame.AsSpan(0, Math.Min(frame.Length, 200)))}");
        return ok;
    }

    private static bool Measure(byte[] frame, out CodecError error, out long allocated)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool ok = MessageCodec.TryDecode(frame, out _, out error);
        allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return ok;
    }

    private static byte[] RandomBytes(Prng prng, int count)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
            bytes[i] = (byte)prng.NextUInt64();
        return bytes;
    }

    private Prng Seeded()
    {
        ulong seed = (ulong)Random.Shared.NextInt64();
        output.WriteLine($"seed {seed}");
        return new Prng(seed);
    }
}
