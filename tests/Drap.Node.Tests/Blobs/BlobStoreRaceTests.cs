using Drap.Node.Blobs;
using Xunit;

namespace Drap.Node.Tests.Blobs;

public sealed class BlobStoreRaceTests : IDisposable
{
    private readonly StoreFixture fixture = new();

    private static CancellationToken Limit => TestContext.Current.CancellationToken;

    public void Dispose() => fixture.Dispose();

    [Theory]
    [InlineData(1000)]
    [InlineData(400_000)]
    public async Task Many_threads_that_add_the_same_blobs_keep_each_once(int length)
    {
        BlobStore store = fixture.Store;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(() =>
        {
            for (ulong i = 0; i < 20; i++)
            {
                byte[] bytes = StoreFixture.Bytes(i, length);
                if ((n + (int)i) % 2 == 0)
                    store.AddBytes(bytes, new AddOptions { Durable = i == 7 });
                else
                    store.AddFile(fixture.Write($"{n}-{i}", bytes), AddMode.Move);
            }
        }, Limit)));
        Assert.Equal((20, 20L * length), (store.Count, store.Bytes));
        Assert.Empty(Directory.GetFiles(Path.Combine(fixture.Options.Folder, "tmp")));
        long packed = Directory.GetFiles(Path.Combine(fixture.Options.Folder, "packs"), "*.pack").Sum(f => new FileInfo(f).Length);
        Assert.Equal(length == 1000 ? 20 * 1048 : 0, packed);
    }

    [Fact]
    public async Task Collections_beside_readers_and_writers_take_only_what_nobody_keeps()
    {
        BlobStore store = fixture.Store;
        var keeper = new JobId(new Guid("00000000-0000-4000-8000-000000000001"));
        fixture.Write("tree/a", StoreFixture.Bytes(1, 300_000));
        for (int i = 0; i < 20; i++)
            fixture.Write($"tree/sub/{i}", StoreFixture.Bytes((ulong)i, 5000));
        Cid tree = store.AddDirectory(fixture.At("tree"), add: new AddOptions { Owner = keeper }).Root;
        for (int i = 0; i < 40; i++)
            fixture.Write($"tree-{i / 10}/{i}", StoreFixture.Bytes((ulong)i + 1000, 5000));
        bool isOver = false;
        Task[] working = [.. Enumerable.Range(0, 4).Select(n => Task.Run(() =>
        {
            var job = new JobId(new Prng((ulong)n).NextUuid());
            for (int i = 0; !Volatile.Read(ref isOver); i++)
            {
                ulong seed = (ulong)((n * 1_000_000) + i);
                byte[] bytes = StoreFixture.Bytes(seed, i % 5 == 0 ? 300_000 : 3000);
                Cid cid = store.AddBytes(bytes, new AddOptions { Owner = job });
                Assert.Equal(bytes, StoreFixture.ReadAll(store, cid));
                string target = fixture.At($"out-{n}-{i}");
                store.Release(store.Materialise(i % 2 == 0 ? tree : cid, target));
                // The parts of a folder that is just being added are pinned by nobody, and must not go before the folder is.
                Cid own = store.AddDirectory(fixture.At($"tree-{n}"), add: new AddOptions { Owner = job }).Root;
                Assert.True(store.IsComplete(own));
                store.Unpin(job, own);
                store.Unpin(job, cid);
            }
        }, Limit))];
        for (int round = 0; round < 60; round++)
        {
            await store.CollectAsync(0, Limit);
            await Task.WhenAny([.. working, Task.Yield().ToTask()]);
            Assert.DoesNotContain(working, w => w.IsFaulted);
        }
        Volatile.Write(ref isOver, true);
        await Task.WhenAll(working);
        await store.CollectAsync(0, Limit);
        Assert.True(store.IsComplete(tree));
        Assert.Equal(fixture.Reopen().Count, store.Count);
        Assert.True(fixture.Store.IsComplete(tree));
    }
}

internal static class Yielding
{
    public static async Task ToTask(this System.Runtime.CompilerServices.YieldAwaitable yielding) => await yielding;
}
