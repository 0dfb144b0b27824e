using Drap.Core.Jobs;
using Xunit;

namespace Drap.Core.Tests.Jobs;

public sealed class ValueFormTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("1GB", 1_000_000_000)]
    [InlineData("1.5GiB", 1_610_612_736)]
    [InlineData("4G", 4L << 30)]
    [InlineData("10kB", 10_000)]
    [InlineData("8 MiB", 8L << 20)]
    [InlineData("8PiB", 1L << 53)]
    public void A_size_is_read_with_the_units_of_coreutils(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out ByteSize size));
        Assert.Equal(bytes, size.Bytes);
        Assert.True(ByteSize.TryParse(size.ToString(), out ByteSize again));
        Assert.Equal(size, again);
    }

    [Theory]
    [InlineData(0, "0", "0 bytes")]
    [InlineData(4097, "4097", "4097 bytes")]
    [InlineData(1_024_000, "1000KiB", "1000KiB")]
    [InlineData(64_000_000, "64MB", "64MB")]
    [InlineData(64L << 20, "64MiB", "64MiB")]
    [InlineData(1_000_000_000, "1GB", "1GB")]
    [InlineData(8L << 50, "8PiB", "8PiB")]
    public void A_size_is_written_in_the_largest_unit_that_is_exact(long bytes, string text, string words) =>
        Assert.Equal((text, words), (new ByteSize(bytes).ToString(), new ByteSize(bytes).ToWords()));

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("1e9")]
    [InlineData("NaN")]
    [InlineData("5m")]
    [InlineData("1XB")]
    [InlineData("1.5B")]
    [InlineData("9PiB")]
    [InlineData("99999999999999999999")]
    [InlineData("1..5GB")]
    [InlineData("GB")]
    public void A_size_that_is_none_is_refused(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData("90s", 90_000)]
    [InlineData("5m", 300_000)]
    [InlineData("2h30m", 9_000_000)]
    [InlineData("1d", 86_400_000)]
    [InlineData("250ms", 250)]
    [InlineData("1.5s", 1_500)]
    [InlineData("30", 30_000)]
    public void A_duration_is_read_and_written(string text, long milliseconds)
    {
        Assert.True(Duration.TryParse(text, out TimeSpan duration));
        Assert.Equal(milliseconds, (long)duration.TotalMilliseconds);
        Assert.True(Duration.TryParse(Duration.Format(duration), out TimeSpan again));
        Assert.Equal(duration, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-5s")]
    [InlineData("30m2h")]
    [InlineData("5x")]
    [InlineData("1m1m")]
    [InlineData("0.1ms")]
    [InlineData("99999d")]
    [InlineData("5s 3")]
    public void A_duration_that_is_none_is_refused(string text) => Assert.False(Duration.TryParse(text, out _));

    [Theory]
    [InlineData("2", 2000)]
    [InlineData("0.5", 500)]
    [InlineData("0.001", 1)]
    public void Cores_have_three_decimals(string text, long milli)
    {
        Assert.True(Cores.TryParse(text, out Cores cores));
        Assert.Equal(milli, cores.Milli);
        Assert.Equal(text, cores.ToString());
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("0.0001")]
    [InlineData("1e3")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("99999999999999")]
    public void Cores_that_are_none_are_refused(string text) => Assert.False(Cores.TryParse(text, out _));

    [Fact]
    public void An_array_numbers_its_tasks_as_said()
    {
        Assert.True(ArrayRange.TryParse("1,3,7-9,20-40:10", out ArrayRange? array));
        Assert.Equal([1, 3, 7, 8, 9, 20, 30, 40], Enumerable.Range(0, array!.Count).Select(i => array[i]));
        foreach (string bad in new[] { "", "-1", "5-1", "1-", "1-5:0", "3:2", "a", "1-2000001", "0-999999,5", "1--3" })
            Assert.False(ArrayRange.TryParse(bad, out _), bad);
    }

    [Fact]
    public void An_accept_rule_is_first_or_k_of_n()
    {
        Assert.True(AcceptRule.TryParse("2 of 3", out AcceptRule rule));
        Assert.Equal(new AcceptRule(2, 3), rule);
        Assert.Equal("2 of 3", rule.ToString());
        foreach (string bad in new[] { "0 of 3", "3 of 2", "2of3", "1 of 17", "", "-1 of 2" })
            Assert.False(AcceptRule.TryParse(bad, out _), bad);
    }
}
