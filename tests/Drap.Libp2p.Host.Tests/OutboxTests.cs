using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Noise;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

public sealed class OutboxTests : IDisposable
{
    private readonly ChunkPool chunks = new();
    private readonly NoisesShape sealing = new();

    public void Dispose() => sealing.Dispose();

    /// <summary>A block of 64 KiB and its header are a little more than a frame holds: the rest goes along, if it is all that waits and there is room.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(29, 29)]
    [InlineData(1004, 1004)]
    [InlineData(1006, 0)]
    [InlineData(60_000, 0)]
    public void A_small_rest_goes_behind_the_frame_before_it(int rest, int behind)
    {
        var outbox = new Outbox(chunks, sealing);
        Write(outbox, NoiseTransport.PlaintextBytesMax, 1);
        Write(outbox, rest, 2);
        byte[] frame = outbox.Take(out int plain);
        Assert.Equal(NoiseTransport.PlaintextBytesMax, plain);
        int at = plain + sealing.Around;
        Assert.Equal(behind, outbox.TakeBehind(frame, at));
        Assert.True(frame.AsSpan(sealing.Before, plain).IndexOfAnyExcept((byte)1) < 0);
        Assert.True(frame.AsSpan(at + sealing.Before, behind).IndexOfAnyExcept((byte)2) < 0);
        Assert.Equal(behind == 0, outbox.HasBytes);
    }

    [Fact]
    public void What_is_not_the_last_waits_for_a_frame_of_its_own()
    {
        var outbox = new Outbox(chunks, sealing);
        Write(outbox, 10, 1);
        byte[] frame = outbox.Take(out int plain);
        Assert.Equal(0, outbox.TakeBehind(frame, plain + sealing.Around));
        Write(outbox, NoiseTransport.PlaintextBytesMax, 2);
        Write(outbox, 5, 3);
        Assert.Equal(0, outbox.TakeBehind(frame, plain + sealing.Around));
        outbox.Take(out plain);
        Assert.Equal(NoiseTransport.PlaintextBytesMax, plain);
        outbox.Take(out plain);
        Assert.Equal(5, plain);
        Assert.False(outbox.HasBytes);
    }

    private static void Write(Outbox outbox, int bytes, byte value)
    {
        Span<byte> room = outbox.Room(bytes);
        room[..bytes].Fill(value);
        outbox.Commit(bytes);
    }

    private sealed class NoisesShape : Sealing
    {
        public override int Before => 2;

        public override int Around => NoiseTransport.OverheadBytes;

        public override int PlainMax => NoiseTransport.PlaintextBytesMax;

        public override int Seal(Span<byte> frame, int plainLength) => throw new NotSupportedException();

        public override NoiseFrameStatus Open(Span<byte> received, out int consumed, out Span<byte> plain) => throw new NotSupportedException();

        public override void Dispose()
        {
        }
    }
}
