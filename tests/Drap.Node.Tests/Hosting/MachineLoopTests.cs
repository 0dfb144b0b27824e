using Drap.Node.Hosting;
using Drap.Node.Time;
using Xunit;

namespace Drap.Node.Tests.Hosting;

public sealed class MachineLoopTests : IDisposable
{
    private readonly BootClock clock = new();
    private readonly List<Exception> failures = [];

    public void Dispose() => clock.Dispose();

    [Fact]
    public void A_machine_at_rest_is_stepped_by_the_thread_that_brings_an_input()
    {
        Thread? steppedBy = null;
        using var loop = Loop(_ => steppedBy = Thread.CurrentThread);
        loop.Start();

        loop.Hand([1]);

        Assert.Equal(Thread.CurrentThread, steppedBy);
    }

    [Fact]
    public void One_thread_at_a_time_steps_the_machine_and_each_input_is_seen_once()
    {
        const int Threads = 4, Inputs = 20_000;
        int inside = 0, overlaps = 0;
        var seen = new List<int>();
        using var all = new ManualResetEventSlim();
        using var loop = Loop(batch =>
        {
            if (Interlocked.Increment(ref inside) > 1)
                Interlocked.Increment(ref overlaps);
            seen.AddRange(batch);
            if (seen.Count == Threads * Inputs)
                all.Set();
            Interlocked.Decrement(ref inside);
        });
        loop.Start();
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(t => new Thread(() =>
        {
            for (int i = 0; i < Inputs; i++)
                if (i % 2 == 0)
                    loop.Hand([t * Inputs + i]);
                else
                    loop.Post(t * Inputs + i);
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();

        Assert.True(all.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken), $"{seen.Count} of {Threads * Inputs} inputs were seen");
        Assert.Equal(0, overlaps);
        Assert.Equal(Enumerable.Range(0, Threads * Inputs), seen.Order());
        Assert.Empty(failures);
    }

    [Fact]
    public void What_is_handed_in_from_within_a_step_is_taken_after_it()
    {
        var seen = new List<int>();
        MachineLoop<int>? loop = null;
        using var done = new ManualResetEventSlim();
        loop = Loop(batch =>
        {
            foreach (int item in batch)
            {
                int before = seen.Count;
                if (item < 10)
                    loop!.Hand([item + 1]);
                Assert.Equal(before, seen.Count);
                seen.Add(item);
            }
            if (seen.Count == 10)
                done.Set();
        });
        using (loop)
        {
            loop.Start();
            loop.Hand([1]);
            done.Wait(TestContext.Current.CancellationToken);
        }
        Assert.Equal(Enumerable.Range(1, 10), seen);
    }

    [Fact]
    public void A_machine_that_breaks_under_a_visitor_ends_the_loop_and_not_the_visitor()
    {
        using var loop = Loop(_ => throw new InvalidOperationException("broken"));
        loop.Start();

        loop.Hand([1]);
        loop.Dispose();

        Assert.Equal("broken", Assert.Single(failures).Message);
        Assert.False(loop.TryPost(2));
    }

    private MachineLoop<int> Loop(Action<List<int>> run) => new("test", 1 << 20, clock, run, failures.Add);
}
