using System.Diagnostics;
using Drap.Node.Service;
using Xunit;

namespace Drap.Node.Tests.Service;

public sealed class JobWatchTests
{
    private static readonly JobId job = new(new Prng(3).NextUuid());

    [Fact]
    public async Task A_job_that_changes_all_the_time_wakes_its_listener_at_a_pace()
    {
        var watch = new JobWatch();
        using JobWatch.Listener listener = watch.Listen(job, tasks: true);
        long began = Stopwatch.GetTimestamp();
        int wakes = 0;
        var told = new HashSet<int>();
        for (int task = 0; task < 1000; task++)
        {
            watch.Changed(job, [task], hasEnded: false);
            if (!await listener.WaitAsync(TimeSpan.Zero, TestContext.Current.CancellationToken))
                continue;
            wakes++;
            told.UnionWith(listener.Take().Tasks);
        }
        // A burst of 16, then one each 20 ms.
        Assert.InRange(wakes, 1, 17 + (int)(Stopwatch.GetElapsedTime(began).TotalMilliseconds / 20));

        Assert.True(await listener.WaitAsync(Timeout.InfiniteTimeSpan, TestContext.Current.CancellationToken));
        told.UnionWith(listener.Take().Tasks);
        Assert.Equal(Enumerable.Range(0, 1000), told.Order());
    }

    [Fact]
    public async Task Who_wants_to_hear_of_the_job_alone_is_woken_once_and_then_at_its_own_pace()
    {
        var watch = new JobWatch();
        using JobWatch.Listener listener = watch.Listen(job, tasks: false, TimeSpan.FromHours(1));
        for (int i = 0; i < 100; i++)
        {
            watch.Changed(job, [i], hasEnded: false);
            Assert.Equal(i == 0, await listener.WaitAsync(TimeSpan.Zero, TestContext.Current.CancellationToken));
            (bool hasNews, bool hasEnd, bool hasGap, List<int> tasks) = listener.Take();
            Assert.True(hasNews && !hasEnd && !hasGap);
            Assert.Empty(tasks);
        }
        watch.Changed(job, [], hasEnded: true);
        Assert.True(await listener.WaitAsync(TimeSpan.Zero, TestContext.Current.CancellationToken));
        Assert.True(listener.Take().HasEnd);
    }

    [Fact]
    public async Task The_end_of_a_job_waits_for_nothing()
    {
        var watch = new JobWatch();
        using JobWatch.Listener listener = watch.Listen(job, tasks: false);
        for (int i = 0; i < 1000; i++)
        {
            watch.Changed(job, [], hasEnded: false);
            await listener.WaitAsync(TimeSpan.Zero, TestContext.Current.CancellationToken);
            listener.Take();
        }
        watch.Changed(job, [], hasEnded: true);
        Assert.True(await listener.WaitAsync(TimeSpan.Zero, TestContext.Current.CancellationToken));
    }
}
