using System.Diagnostics;
using System.Text;
using Drap.Node.Service;
using Drap.Node.Tests.Storage;
using Xunit;

namespace Drap.Node.Tests.Service;

public sealed class LogStoreTests(ITestOutputHelper output) : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_was_appended_is_read_in_its_order_also_after_a_restart()
    {
        AttemptId attempt = Attempt(1, 7);
        using (var store = new LogStore(folder.Path))
        {
            store.Append(TestSwarm.Chunk(attempt, 0, "first"));
            store.Append(TestSwarm.Chunk(attempt, 5, "second", stream: 2));
            await store.FlushAsync();
            Assert.Equal(["7#1/1@0 first", "7#1/2@5 second"], Read(store, attempt.Task.Job));
        }
        using (var store = new LogStore(folder.Path))
        {
            store.Append(TestSwarm.Chunk(attempt, 11, "third"));
            await store.FlushAsync();
            Assert.Equal(["7#1/1@0 first", "7#1/2@5 second", "7#1/1@11 third"], Read(store, attempt.Task.Job));
        }
    }

    [Fact]
    public async Task A_torn_tail_is_left_out_and_written_over()
    {
        AttemptId attempt = Attempt(1, 1);
        string path = LogStore.PathOf(folder.Path, attempt.Task.Job);
        using (var store = new LogStore(folder.Path))
        {
            store.Append(TestSwarm.Chunk(attempt, 0, "whole"));
            store.Append(TestSwarm.Chunk(attempt, 5, "torn"));
        }
        byte[] bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        int whole = 24 + "whole".Length;
        for (int length = whole; length < bytes.Length; length++)
        {
            await File.WriteAllBytesAsync(path, bytes[..length], TestContext.Current.CancellationToken);
            using var store = new LogStore(folder.Path);
            Assert.Equal(["1#1/1@0 whole"], Read(store, attempt.Task.Job));
            store.Append(TestSwarm.Chunk(attempt, 5, "new"));
            await store.FlushAsync();
            Assert.Equal(["1#1/1@0 whole", "1#1/1@5 new"], Read(store, attempt.Task.Job));
        }
    }

    [Fact]
    public async Task A_log_that_cannot_be_written_is_told_of_once()
    {
        AttemptId bad = Attempt(1, 1), good = Attempt(2, 1);
        Directory.CreateDirectory(LogStore.PathOf(folder.Path, bad.Task.Job));
        using var store = new LogStore(folder.Path);
        var told = new List<JobId>();
        store.Failed += (job, _) => told.Add(job);
        for (int i = 0; i < 3; i++)
        {
            store.Append(TestSwarm.Chunk(bad, i, "x"));
            store.Append(TestSwarm.Chunk(good, i, "x"));
            await store.FlushAsync();
        }
        Assert.Equal([bad.Task.Job], told);
        Assert.Equal(3, Read(store, good.Task.Job).Count);
    }

    [Fact]
    public async Task More_jobs_than_open_files_and_jobs_that_are_forgotten()
    {
        using var store = new LogStore(folder.Path);
        for (int round = 0; round < 3; round++)
            for (int job = 1; job <= 2 * LogStore.FilesMax; job++)
                store.Append(TestSwarm.Chunk(Attempt(job, 1), round, round.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        store.Delete(Attempt(5, 1).Task.Job);
        await store.FlushAsync();
        Assert.Empty(Read(store, Attempt(5, 1).Task.Job));
        Assert.Equal(["1#1/1@0 0", "1#1/1@1 1", "1#1/1@2 2"], Read(store, Attempt(6, 1).Task.Job));
        store.KeepOnly(new HashSet<JobId> { Attempt(6, 1).Task.Job });
        await store.FlushAsync();
        Assert.Single(Directory.EnumerateFiles(folder.Path));
    }

    [Fact]
    public async Task A_small_piece_costs_its_caller_little()
    {
        using var store = new LogStore(folder.Path);
        var chunk = TestSwarm.Chunk(Attempt(1, 1), 0, "a line of a log\n");
        const int count = 100_000;
        for (int i = 0; i < count; i++)
            store.Append(chunk);
        await store.FlushAsync();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
            store.Append(chunk);
        output.WriteLine($"{Stopwatch.GetElapsedTime(start).TotalMicroseconds / count:0.00} µs a piece");
        await store.FlushAsync();
        using LogReader reader = store.Read(chunk.Attempt.Task.Job);
        int read = 0;
        while (reader.TryNext(out _))
            read++;
        Assert.Equal(2 * count, read);
    }

    private static AttemptId Attempt(int job, int task) => new(new TaskId(new JobId(new Guid(job, 0, 0, new byte[8])), task), new Fence(new Epoch(5), 1));

    private static List<string> Read(LogStore store, JobId job)
    {
        var lines = new List<string>();
        using LogReader reader = store.Read(job);
        while (reader.TryNext(out LogPiece piece))
            lines.Add($"{piece.Task}#{piece.Attempt}/{piece.Stream}@{piece.Offset} {Encoding.UTF8.GetString(reader.Read(piece).Span)}");
        return lines;
    }
}
