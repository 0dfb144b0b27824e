using Drap.Node.Drivers;
using Drap.Node.Hosting;
using Xunit;

namespace Drap.Node.Tests.Hosting;

public sealed class LogWindowTests
{
    /// <summary>Every byte is its place in the stream; what arrives must be the beginning and the end, once each, in order, within the bound.</summary>
    [Theory]
    [InlineData(8, 8, 5)]
    [InlineData(8, 8, 8)]
    [InlineData(8, 8, 9)]
    [InlineData(8, 8, 100)]
    [InlineData(7, 8, 100)]
    [InlineData(8, 100, 50)]
    [InlineData(40, 8, 30)]
    [InlineData(40, 8, 39)]
    [InlineData(40, 8, 200)]
    [InlineData(1, 8, 200)]
    public void Beginning_and_end_are_sent_once_and_within_the_bound(int max, int driverKeeps, int written)
    {
        var window = new LogWindow(max);
        var capture = new LogCapture(driverKeeps);
        var sent = new List<byte>();
        for (int offset = 0; offset < written; offset += 3)
        {
            byte[] piece = [.. Enumerable.Range(offset, Math.Min(3, written - offset)).Select(i => (byte)i)];
            capture.Append(piece);
            sent.AddRange(window.WhileRunning(offset, piece));
        }
        int atEnd = sent.Count;
        window.AtEnd(capture.Snapshot(), (offset, bytes) =>
        {
            Assert.Equal((byte)offset, bytes[0]);
            sent.AddRange(bytes);
        });
        Assert.True(sent.Count <= max);
        Assert.Equal(sent.Order().Distinct(), sent);
        Assert.Equal(Math.Min(written, (int)window.Head), atEnd);
        if (written <= max && driverKeeps >= max)
            Assert.Equal(written, sent.Count);
        else if (written > window.Head && max > 1 && driverKeeps > 0)
            Assert.Equal((byte)(written - 1), sent[^1]);
    }

    [Fact]
    public void The_end_is_never_more_than_a_driver_keeps_in_memory()
    {
        Assert.Equal(4L << 20, new LogWindow(8L << 20).Head);
        Assert.Equal((1L << 30) - (4L << 20), new LogWindow(1L << 30).Head);
        Assert.Equal(long.MaxValue - (4L << 20), new LogWindow(long.MaxValue).Head);
    }
}
