using Drap.Api;
using Drap.Cli;
using Xunit;

namespace Drap.Tests.Cli;

public sealed class SelectorTests
{
    [Theory]
    [InlineData("last", "last", "")]
    [InlineData("3", "3", "")]
    [InlineData("0f3a", "0f3a", "")]
    [InlineData("3.17", "3", "17")]
    [InlineData("3.1-20", "3", "1-20")]
    [InlineData("last.1-20,25", "last", "1-20,25")]
    [InlineData("0123456789abcdef0123456789abcdef.7", "0123456789abcdef0123456789abcdef", "7")]
    public void Good_ones_are_read(string text, string job, string tasks)
    {
        Assert.True(Selector.TryParse(text, out Selector selector));
        Assert.Equal((job, tasks), (selector.Job, TaskRanges.Format(selector.Tasks)));
        Assert.Equal(text, selector.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("3.")]
    [InlineData(".3")]
    [InlineData("3.0")]
    [InlineData("3.5-2")]
    [InlineData("3.1,,2")]
    [InlineData("3.-1")]
    [InlineData("3.99999999999")]
    [InlineData("first")]
    [InlineData("-3")]
    [InlineData("0123456789abcdef0123456789abcdef012345")]
    public void Bad_ones_are_refused(string text) => Assert.False(Selector.TryParse(text, out _));

    [Theory]
    [InlineData("3.17", 17)]
    [InlineData("3.17-17", 17)]
    [InlineData("3.17-18", null)]
    [InlineData("3", null)]
    public void One_task_is_told_from_several(string text, int? task)
    {
        Assert.True(Selector.TryParse(text, out Selector selector));
        Assert.Equal(task, selector.OnlyTask);
    }
}
