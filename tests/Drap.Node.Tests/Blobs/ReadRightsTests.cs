using Drap.Core.Nodes;
using Drap.Core.Transfer;
using Drap.Node.Blobs;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Blobs;

/// <summary>Who gets which blob in a swarm whose nodes have certificates, on real connections (docs/protocol/blobs.md, BLOB-8).</summary>
public sealed class ReadRightsTests : IAsyncLifetime
{
    private static readonly Principal Alpha = new("alpha"), Lab = new("lab");

    private readonly MemberRoom room = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => room.DisposeAsync();

    /// <summary>A member that is nobody's worker asks for all that there is, by every question.</summary>
    [Fact]
    public async Task Clause_BLOB_8_a_member_without_a_right_gets_nothing()
    {
        MemberPlace home = await room.EnterAsync("home", Alpha, null), thief = await room.EnterAsync("thief", Lab, home);
        (Cid root, Cid file, Cid large) = AddTree(home);
        Cid nowhere = Cid.Of(CidCodec.Raw, [1]);
        await using OverlayStream stream = await thief.Overlay.OpenStreamAsync(home.Overlay.Self, BlobWire.Protocol, Cancel);
        foreach (Cid cid in new[] { root, file, large, nowhere })
            foreach (BlobQuestion what in Enum.GetValues<BlobQuestion>())
                Assert.Equal(BlobStatus.Refused, await AskAsync(stream, new BlobRequest(what, cid, 0, 1)));
        BlobFetch fetched = await FetchAsync(thief, home, root, Lab);
        Assert.Equal((FetchEnd.Unreachable, true), (fetched.End, fetched.IsRefused));
        Assert.StartsWith($"it does not let this node read {root}: no live lease of this node names it", fetched.Why, StringComparison.Ordinal);
        Assert.Equal(0, thief.Store.Count);
        // Word for word the same of what is not there.
        Assert.Equal(fetched.Why.Replace($"{root}", $"{nowhere}", StringComparison.Ordinal), (await FetchAsync(thief, home, nowhere, Lab)).Why);
    }

    [Fact]
    public async Task Clause_BLOB_8_a_lease_gives_its_folder_with_all_below_it_and_nothing_else()
    {
        MemberPlace home = await room.EnterAsync("home", Alpha, null), worker = await room.EnterAsync("worker", Lab, home);
        (Cid root, Cid file, Cid large) = AddTree(home);
        Cid other = home.Store.AddBytes([9, 9, 9]);
        room.Leases.Add((worker.Overlay.Self, root));
        await using (OverlayStream stream = await worker.Overlay.OpenStreamAsync(home.Overlay.Self, BlobWire.Protocol, Cancel))
        {
            // What it names only together with it.
            Assert.Equal(BlobStatus.Refused, await AskAsync(stream, new BlobRequest(BlobQuestion.Outline, file)));
            Assert.Equal(BlobStatus.Refused, await AskAsync(stream, new BlobRequest(BlobQuestion.Leaves, large, 0, 1)));
        }
        BlobFetch fetched = await FetchAsync(worker, home, root, Alpha);
        Assert.Equal(new BlobFetch(FetchEnd.Safe, [], ""), fetched);
        Assert.True(worker.Store.Contains(large));
        Assert.True((await FetchAsync(worker, home, other, Alpha)).IsRefused);
        // A part is lost, and only that comes again: what is here opens what it names.
        long before = worker.Exchange.Received;
        await LoseAsync(worker, file, root, large);
        Assert.False(worker.Exchange.Has(root, Alpha));
        Assert.Equal(FetchEnd.Safe, (await FetchAsync(worker, home, root, Alpha)).End);
        Assert.InRange(worker.Exchange.Received - before, 3, 100);
        // The lease is over.
        room.Leases.Clear();
        await LoseAsync(worker, file, root, large);
        Assert.True((await FetchAsync(worker, home, root, Alpha)).IsRefused);
    }

    /// <summary>A worker has a blob of one principal; a task of another names it, alone or in a folder made up for that: it is not taken from what is here.</summary>
    [Fact]
    public async Task Clause_BLOB_8_what_another_principal_brought_is_not_had_by_naming_it()
    {
        MemberPlace home = await room.EnterAsync("home", Alpha, null), worker = await room.EnterAsync("worker", Lab, home), other = await room.EnterAsync("other", Lab, home);
        Cid secret = home.Store.AddBytes(StoreFixture.Bytes(1, 300)), large = home.Store.AddBytes(StoreFixture.Bytes(2, 1_000_000));
        room.Leases.UnionWith([(worker.Overlay.Self, secret), (worker.Overlay.Self, large)]);
        Assert.Equal(FetchEnd.Safe, (await FetchAsync(worker, home, secret, Alpha)).End);
        Assert.Equal(FetchEnd.Safe, (await FetchAsync(worker, home, large, Alpha)).End);
        DagBlock made = DagPb.Directory([new DagLink("secret", secret, 300), new DagLink("large", large, 1_000_000)]);
        other.Store.AddBlock(made.Cid, made.Bytes.Span);
        room.Leases.UnionWith([(worker.Overlay.Self, made.Cid)]);
        foreach (Cid named in new[] { secret, large, made.Cid })
        {
            Assert.False(worker.Exchange.Has(named, Lab));
            BlobFetch fetched = await FetchAsync(worker, other, named, Lab);
            Assert.Equal((FetchEnd.Gone, $"it does not have {named}"), (fetched.End, fetched.Why));
            Assert.False(worker.Exchange.Has(named, Lab));
            Assert.True(named == made.Cid || worker.Exchange.Has(named, Alpha));
        }
        // Once it has the bytes itself, it may.
        other.Store.AddBytes(StoreFixture.Bytes(1, 300));
        other.Store.AddBytes(StoreFixture.Bytes(2, 1_000_000));
        Assert.Equal(FetchEnd.Safe, (await FetchAsync(worker, other, made.Cid, Lab)).End);
        Assert.True(worker.Exchange.Has(made.Cid, Lab));
    }

    /// <summary>What a task left lies at its worker for its principal's nodes, though others of the worker's own principal ask, also after a restart.</summary>
    [Fact]
    public async Task Clause_BLOB_8_outputs_go_to_the_principal_whose_task_left_them()
    {
        MemberPlace home = await room.EnterAsync("home", Alpha, null), worker = await room.EnterAsync("worker", Lab, home, isHome: false), other = await room.EnterAsync("other", Lab, home);
        Cid output = worker.Store.AddBytes(StoreFixture.Bytes(3, 500_000)), open = worker.Store.AddBytes([1, 2]);
        worker.Exchange.Own(Alpha, output, isPublic: false);
        worker.Exchange.Own(Alpha, open, isPublic: true);
        Assert.True((await FetchAsync(other, worker, output, Lab)).IsRefused);
        Assert.Equal(FetchEnd.Safe, (await FetchAsync(other, worker, open, Lab)).End);
        Assert.Equal(FetchEnd.Safe, (await home.Exchange.FetchAsync(worker.Overlay.Self, [new WantedBlob(output, false)], home.Exchange.ProverOf(worker.Overlay.Self), null, Cancel)).End);
        using var again = new BlobOwners(Path.Combine(room.Folder, "worker", "blobs", "owners"));
        Assert.Equal((true, false, true), (again.Has(Alpha, output), again.Has(Lab, output), again.IsPublic(open)));
    }

    private static (Cid Root, Cid File, Cid Large) AddTree(MemberPlace place)
    {
        string tree = Path.Combine(place.Folder, "tree");
        Directory.CreateDirectory(Path.Combine(tree, "below"));
        File.WriteAllBytes(Path.Combine(tree, "below", "file"), [1, 2, 3]);
        File.WriteAllBytes(Path.Combine(tree, "large"), StoreFixture.Bytes(5, 700_000));
        return (place.Store.AddDirectory(tree).Root, Cid.Of(CidCodec.Raw, [1, 2, 3]), place.Store.AddFile(Path.Combine(tree, "large")));
    }

    /// <summary>Deletes one blob, and nothing else.</summary>
    private static async Task LoseAsync(MemberPlace place, Cid lost, params Cid[] kept)
    {
        List<BlobHold> holds = [.. kept.Where(k => k.Codec == CidCodec.DagPb && place.Store.TryGetFileDag(k) is not null).Select(place.Store.Hold)];
        // A folder holds all below it: it is named by its node alone.
        Dictionary<Cid, byte[]> nodes = [];
        foreach (Cid cid in FolderExport.Reach(place.Store, kept[0]))
            if (cid != lost && place.Store.ReadPacked(cid) is { } block)
                nodes[cid] = block;
        await place.Store.CollectAsync(cancellationToken: Cancel);
        holds.ForEach(h => h.Dispose());
        foreach ((Cid cid, byte[] block) in nodes)
        {
            place.Store.AddBlock(cid, block);
            place.Exchange.Own(Alpha, cid, isPublic: false);
        }
        foreach (Cid cid in kept)
            place.Store.Owners.Add(Alpha, [cid]);
        Assert.False(place.Store.Contains(lost));
    }

    private static async Task<BlobStatus> AskAsync(OverlayStream stream, BlobRequest request)
    {
        byte[] bytes = new byte[BlobWire.RequestBytes];
        BlobWire.Write(bytes, request);
        await stream.WriteAsync(bytes, Cancel);
        await stream.ReadExactlyAsync(bytes.AsMemory(0, 1), Cancel);
        return (BlobStatus)bytes[0];
    }

    private static Task<BlobFetch> FetchAsync(MemberPlace asker, MemberPlace holder, Cid cid, Principal prover) =>
        asker.Exchange.FetchAsync(holder.Overlay.Self, [new WantedBlob(cid, false)], prover, null, Cancel);
}
