using Drap.Libp2p.Daemon;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Daemon;

public sealed class DaemonFramesTests
{
    [Fact]
    public void Messages_come_whole_however_the_bytes_do_and_what_follows_is_kept()
    {
        const ulong Seed = 0xf4a3e5;
        var random = new Prng(Seed);
        for (int round = 0; round < 200; round++)
        {
            byte[][] messages = [.. Enumerable.Range(0, 1 + random.Below(5)).Select(_ => Fill(random.Below(3000)))];
            byte[] stream = [.. messages.SelectMany(message => Delimited.Frame(message)), .. "and then the stream"u8];
            var frames = new DaemonFrames();
            var taken = new List<byte[]>();
            for (int at = 0; at < stream.Length;)
            {
                while (taken.Count < messages.Length && frames.TryTake(out ReadOnlySpan<byte> message) == VarintStatus.Done)
                    taken.Add(message.ToArray());
                int length = Math.Min(stream.Length - at, Math.Min(1 + random.Below(700), frames.Room().Length));
                stream.AsSpan(at, length).CopyTo(frames.Room().Span);
                frames.Receive(length);
                at += length;
            }
            while (taken.Count < messages.Length && frames.TryTake(out ReadOnlySpan<byte> message) == VarintStatus.Done)
                taken.Add(message.ToArray());
            Assert.Equal(messages, taken);
            Assert.Equal("and then the stream"u8, frames.Rest);
        }

        byte[] Fill(int length)
        {
            byte[] bytes = new byte[length];
            for (int i = 0; i < length; i++)
                bytes[i] = (byte)random.Below(256);
            return bytes;
        }
    }

    [Theory]
    [InlineData("81808002")] // 4 MiB and one byte
    [InlineData("ffffffffffffffff7f")]
    [InlineData("ffffffffffffffffff")] // longer than a varint is
    [InlineData("8000")] // not minimal
    public void A_length_that_cannot_be_ends_it_before_anything_is_waited_for(string hex)
    {
        var frames = new DaemonFrames();
        Put(frames, Convert.FromHexString(hex));
        Assert.Equal(VarintStatus.Malformed, frames.TryTake(out _));
    }

    [Fact]
    public void No_more_is_kept_than_came_and_a_long_message_leaves_nothing_behind()
    {
        var frames = new DaemonFrames();
        Put(frames, Convert.FromHexString("80808002")); // 4 MiB will come, it says
        Assert.Equal(VarintStatus.Incomplete, frames.TryTake(out _));
        Assert.True(frames.Room().Length < 4096);
        byte[] piece = new byte[64 * 1024];
        for (int i = 0; i < 64; i++)
        {
            Assert.Equal(VarintStatus.Incomplete, frames.TryTake(out _));
            Put(frames, piece);
        }
        Assert.Equal(VarintStatus.Done, frames.TryTake(out ReadOnlySpan<byte> message));
        Assert.Equal(DaemonProtocol.MessageBytesMax, message.Length);
        Assert.Equal(VarintStatus.Incomplete, frames.TryTake(out _));
        Assert.True(frames.Room().Length < 4096);
    }

    private static void Put(DaemonFrames frames, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Memory<byte> room = frames.Room();
            int length = Math.Min(room.Length, bytes.Length);
            bytes[..length].CopyTo(room.Span);
            frames.Receive(length);
            bytes = bytes[length..];
        }
    }
}
