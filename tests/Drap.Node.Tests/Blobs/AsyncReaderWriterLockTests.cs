using Drap.Node.Blobs;
using Xunit;

namespace Drap.Node.Tests.Blobs;

public sealed class AsyncReaderWriterLockTests
{
    private readonly AsyncReaderWriterLock gate = new();

    private static CancellationToken Limit => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Readers_share_and_a_writer_is_alone()
    {
        var first = gate.EnterRead(Limit);
        var second = await gate.EnterReadAsync(Limit);
        Task<AsyncReaderWriterLock.Hold> writer = gate.EnterWriteAsync(Limit).AsTask();
        first.Dispose();
        Assert.False(writer.IsCompleted);
        second.Dispose();
        AsyncReaderWriterLock.Hold writing = await writer;
        Task<AsyncReaderWriterLock.Hold> reader = gate.EnterReadAsync(Limit).AsTask();
        Task<AsyncReaderWriterLock.Hold> next = gate.EnterWriteAsync(Limit).AsTask();
        Assert.False(reader.IsCompleted);
        writing.Dispose();
        (await next).Dispose();
        (await reader).Dispose();
    }

    [Fact]
    public async Task A_writer_that_waits_goes_before_readers_that_come_later()
    {
        var inside = gate.EnterRead(Limit);
        Task<AsyncReaderWriterLock.Hold> writer = gate.EnterWriteAsync(Limit).AsTask();
        Task<AsyncReaderWriterLock.Hold> late = gate.EnterReadAsync(Limit).AsTask();
        Assert.False(late.IsCompleted);
        inside.Dispose();
        AsyncReaderWriterLock.Hold writing = await writer;
        Assert.False(late.IsCompleted);
        writing.Dispose();
        (await late).Dispose();
    }

    [Fact]
    public async Task A_writer_that_gives_up_lets_in_the_readers_behind_it()
    {
        using var cancel = new CancellationTokenSource();
        var inside = gate.EnterRead(Limit);
        Task<AsyncReaderWriterLock.Hold> writer = gate.EnterWriteAsync(cancel.Token).AsTask();
        Task<AsyncReaderWriterLock.Hold> late = gate.EnterReadAsync(Limit).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writer);
        (await late).Dispose();
        inside.Dispose();
        (await gate.EnterWriteAsync(Limit)).Dispose();
    }

    [Fact]
    public async Task A_cancelled_reader_takes_nothing()
    {
        using var cancel = new CancellationTokenSource();
        AsyncReaderWriterLock.Hold writing = await gate.EnterWriteAsync(Limit);
        Task<AsyncReaderWriterLock.Hold> reader = gate.EnterReadAsync(cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader);
        writing.Dispose();
        (await gate.EnterWriteAsync(Limit)).Dispose();
    }

    [Fact]
    public async Task A_hold_that_is_disposed_twice_leaves_once()
    {
        var first = gate.EnterRead(Limit);
        using var second = gate.EnterRead(Limit);
        first.Dispose();
        first.Dispose();
        Assert.False(gate.EnterWriteAsync(Limit).AsTask().IsCompleted);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task Under_load_with_cancellations_nobody_overlaps_and_the_writer_gets_in()
    {
        int readers = 0, writers = 0, writes = 0;
        bool isOver = false;
        Task[] reading = [.. Enumerable.Range(0, 4).Select(n => Task.Run(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                using var hold = gate.EnterRead(Limit);
                Interlocked.Increment(ref readers);
                Assert.Equal(0, Volatile.Read(ref writers));
                Interlocked.Decrement(ref readers);
            }
        }, Limit))];
        for (int i = 0; i < 2000; i++)
        {
            using var cancel = new CancellationTokenSource();
            ValueTask<AsyncReaderWriterLock.Hold> entering = gate.EnterWriteAsync(cancel.Token);
            if (i % 3 == 0)
                await cancel.CancelAsync();
            try
            {
                using var hold = await entering;
                Assert.Equal(1, Interlocked.Increment(ref writers));
                Assert.Equal(0, Volatile.Read(ref readers));
                Interlocked.Decrement(ref writers);
                writes++;
            }
            catch (OperationCanceledException)
            {
            }
        }
        Volatile.Write(ref isOver, true);
        await Task.WhenAll(reading);
        Assert.InRange(writes, 1333, 2000);
    }
}
