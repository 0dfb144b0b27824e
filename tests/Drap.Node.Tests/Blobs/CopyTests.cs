using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Node.Blobs;
using Drap.Node.Hosting;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Blobs;

/// <summary>Copies of outputs on other nodes (docs/protocol/blobs.md, SAFE-6), on real connections.</summary>
public sealed class CopyTests : IAsyncLifetime
{
    private static readonly Principal Alpha = new("alpha"), Lab = new("lab");
    private static readonly JobId Job = new(Guid.Parse("0192c1d4-0000-7000-8000-000000000001"));

    private readonly MemberRoom room = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => room.DisposeAsync();

    [Fact]
    public async Task Clause_SAFE_6_a_copy_is_kept_until_its_job_is_forgotten()
    {
        MemberPlace home = await room.EnterAsync("home", Alpha, null), worker = await room.EnterAsync("worker", Alpha, home);
        Cid output = home.Store.AddBytes(StoreFixture.Bytes(1, 700_000)), other = home.Store.AddBytes([1, 2, 3]);
        bool isKept = true;
        await using var orders = new CopyOrders(home.Overlay, (_, _) => Task.FromResult(isKept));
        await using (var keeper = new CopyKeeper(worker.Store, worker.Exchange, worker.Overlay, worker.Rights))
        {
            Assert.True((await CopyAsync(orders, worker, output, other)).IsKept);
            await worker.Store.CollectAsync(cancellationToken: Cancel);
            Assert.True(worker.Store.Contains(output) && worker.Store.Contains(other));
            // What its own tasks leave for the same job is another matter.
            worker.Store.Unpin(Job);
            await worker.Store.CollectAsync(cancellationToken: Cancel);
            Assert.True(worker.Store.Contains(output));
            Assert.True(await CopyOrders.AskAsync(worker.Overlay, home.Overlay.Self, CopyQuestion.IsWanted, Job, [], Cancel));
            isKept = false;
            Assert.False(await CopyOrders.AskAsync(worker.Overlay, home.Overlay.Self, CopyQuestion.IsWanted, Job, [], Cancel));
            Assert.True(await CopyOrders.AskAsync(home.Overlay, worker.Overlay.Self, CopyQuestion.LetGo, Job, [], Cancel));
            await worker.Store.CollectAsync(cancellationToken: Cancel);
            Assert.False(worker.Store.Contains(output));
        }
    }

    /// <summary>Nobody keeps for a stranger, nor has what he may not read.</summary>
    [Fact]
    public async Task Clause_SAFE_6_who_is_not_of_the_principal_keeps_nothing()
    {
        MemberPlace home = await room.EnterAsync("home", Alpha, null), worker = await room.EnterAsync("worker", Lab, home);
        await using var orders = new CopyOrders(home.Overlay, (_, _) => Task.FromResult(true));
        await using var keeper = new CopyKeeper(worker.Store, worker.Exchange, worker.Overlay, worker.Rights);
        Assert.False((await CopyAsync(orders, worker, home.Store.AddBytes([1, 2, 3]))).IsKept);
        Assert.Equal(0, worker.Store.Count);
    }

    /// <summary>This node's disk lost what a task takes: it comes back from who keeps a copy, and the task that made it does not run again.</summary>
    [Fact]
    public async Task Clause_SAFE_6_what_the_home_lost_comes_back_from_a_copy()
    {
        MemberPlace home = await room.EnterAsync("home", Alpha, null), keeping = await room.EnterAsync("worker", Alpha, home), taking = await room.EnterAsync("taking", Lab, home);
        byte[] bytes = StoreFixture.Bytes(2, 700_000);
        Cid output = home.Store.AddBytes(bytes);
        await using var orders = new CopyOrders(home.Overlay, (_, _) => Task.FromResult(true));
        await using var keeper = new CopyKeeper(keeping.Store, keeping.Exchange, keeping.Overlay, keeping.Rights);
        Assert.True((await CopyAsync(orders, keeping, output)).IsKept);
        await home.Store.CollectAsync(cancellationToken: Cancel);
        Assert.False(home.Store.Contains(output));
        var finder = new BlobFinder(home.Overlay, home.Exchange);
        home.Exchange.Recover = (cid, cancel) => finder.BringAsync(cid, Job, cancel);
        room.Leases.Add((taking.Overlay.Self, output));
        BlobFetch fetched = await taking.Exchange.FetchAsync(home.Overlay.Self, [new WantedBlob(output, false)], Alpha, null, Cancel);
        Assert.Equal(new BlobFetch(FetchEnd.Safe, [], ""), fetched);
        Assert.Equal(bytes, StoreFixture.ReadAll(taking.Store, output));
        Assert.True(home.Store.Contains(output));
    }

    /// <summary>Who keeps a content says so in the DHT, and is found by who knows its name alone; who merely has it is found among those that are connected.</summary>
    [Fact]
    public async Task What_is_named_by_its_content_is_found_where_it_is_kept()
    {
        MemberPlace home = await room.EnterAsync("home", Alpha, null), holder = await room.EnterAsync("holder", Alpha, home), asker = await room.EnterAsync("asker", Alpha, home);
        byte[] bytes = StoreFixture.Bytes(3, 700_000);
        Cid kept = holder.Store.AddBytes(bytes), had = home.Store.AddBytes([1, 2, 3]);
        await ConnectAsync(holder, home);
        await ConnectAsync(asker, home);
        // The DHT's table fills as peers say what they are.
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        late.CancelAfter(TimeSpan.FromSeconds(60));
        while (!await holder.Overlay.ProvideAsync(kept, late.Token))
            await Task.Delay(20, late.Token);
        ImmutableArray<PeerId> found = [];
        while (found.IsEmpty)
            found = await asker.Overlay.FindProvidersAsync(kept, late.Token);
        Assert.Equal([holder.Overlay.Self], found);
        var finder = new BlobFinder(asker.Overlay, asker.Exchange);
        Assert.Null(await finder.BringAsync(kept, Job, Cancel));
        Assert.Equal(bytes, StoreFixture.ReadAll(asker.Store, kept));
        Assert.Null(await finder.BringAsync(had, Job, Cancel));
        Cid nowhere = Cid.Of(CidCodec.Raw, [9]);
        Assert.Contains($"it does not have {nowhere}", await finder.BringAsync(nowhere, Job, Cancel), StringComparison.Ordinal);
    }

    private static async Task ConnectAsync(MemberPlace from, MemberPlace to)
    {
        // Nothing is asked: the connection is what is wanted.
        await using OverlayStream stream = await from.Overlay.OpenStreamAsync(to.Overlay.Self, BlobWire.Protocol, Cancel);
        await stream.CompleteWritesAsync(Cancel);
        Assert.Equal(0, await stream.ReadAsync(new byte[1], Cancel));
    }

    private static async Task<SchedulerInput.Copied> CopyAsync(CopyOrders orders, MemberPlace keeper, params ImmutableArray<Cid> contents)
    {
        var done = new TaskCompletionSource<SchedulerInput.Copied>();
        orders.Begin(new SchedulerEffect.Copy(new AttemptId(new TaskId(Job, 1), default), keeper.Overlay.Self, [.. contents.Select(c => new WantedBlob(c, true))]), done.SetResult);
        return await done.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
    }
}
