using Drap.Core;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Node.Hosting;
using Xunit;

namespace Drap.Node.Tests.Hosting;

public sealed class WorkerFolderTests : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("drap-test-").FullName;
    private readonly PeerId scheduler = PeerId.FromEd25519([.. Enumerable.Repeat((byte)7, 32)]);
    private readonly JobId job = new(Guid.Parse("018f0000-0000-7000-8000-000000000001"));

    public void Dispose() => Directory.Delete(path, recursive: true);

    [Fact]
    public void Results_stored_together_share_a_file_that_goes_with_the_last_of_them()
    {
        var folder = new WorkerFolder(path);
        folder.Store([Result(1), Result(2)]);
        folder.Store([Result(3)]);
        Assert.Equal(2, Files.Length);

        folder.Drop(Result(1).Result.Attempt);
        Assert.Equal(2, Files.Length);
        folder.Drop(Result(2).Result.Attempt);
        folder.Drop(Result(2).Result.Attempt);

        Assert.Equal([Result(3)], new WorkerFolder(path).Load().Outbox);
        Assert.Single(Files);
    }

    [Fact]
    public void A_restart_finds_all_results_of_files_that_are_left_and_can_drop_them()
    {
        new WorkerFolder(path).Store([Result(1), Result(2)]);

        var folder = new WorkerFolder(path);
        Assert.Equal([Result(1), Result(2)], folder.Load().Outbox);
        folder.Drop(Result(1).Result.Attempt);
        folder.Drop(Result(2).Result.Attempt);
        Assert.Empty(Files);
    }

    [Fact]
    public void A_file_that_holds_something_else_is_dropped()
    {
        var folder = new WorkerFolder(path);
        File.WriteAllBytes(Path.Combine(path, "outbox", "odd"), [255, 255, 255, 255, 1]);
        Assert.Empty(folder.Load().Outbox);
        Assert.Empty(Files);
    }

    private string[] Files => Directory.GetFiles(Path.Combine(path, "outbox"));

    private StoredResult Result(int number) => new(scheduler, Principal.Local, Price.Zero, default, new AttemptResult
    {
        Attempt = new AttemptId(new TaskId(job, number), new Fence(new Epoch(1), 1)), Outcome = Outcome.Succeeded, Detail = "",
    });
}
