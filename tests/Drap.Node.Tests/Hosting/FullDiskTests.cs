using System.Diagnostics;
using Drap.Api;
using Drap.Core.Jobs;
using Drap.Core.Membership;
using Drap.Node.Blobs;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Identity;
using Drap.Node.Membership;
using Drap.Node.Tests.Storage;
using Drap.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Drap.Node.Tests.Hosting;

/// <summary>A home whose disk something else fills while a job runs.</summary>
public sealed class FullDiskTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_output_that_found_no_room_is_still_there_to_be_taken(bool isOnly)
    {
        using var home = new TemporaryHome();
        string folder = Path.Combine(home.Root, "small"), made = Path.Combine(folder, "made");
        using var disk = new SmallDisk(folder, mebibytes: 4);
        using BlobStore blobs = BlobStore.Open(new BlobStoreOptions { Folder = Path.Combine(folder, "blobs") });
        File.WriteAllBytes(made, new byte[100_000]);
        var collector = new OutputCollector(blobs, folder, new JobId(Guid.NewGuid()), isOnly, isLast: true);
        disk.Fill();
        Assert.Throws<BlobStoreFullException>(() => collector.Take(new OutputSpec { Path = "made" }));
        Assert.True(File.Exists(made));
        disk.Free();
        Assert.Equal(100_000, collector.Take(new OutputSpec { Path = "made" })?.Bytes);
    }

    [Fact]
    public async Task A_node_of_a_swarm_takes_up_its_place_again_on_a_full_disk()
    {
        using var home = new TemporaryHome();
        using var disk = new SmallDisk(Path.Combine(home.Root, "home"), mebibytes: 4);
        HomeFolder folder = HomeFolder.At(Path.Combine(home.Root, "home"));
        folder.Create();
        NodeIdentity identity = NodeIdentity.Open(folder.SchedulerIdentityFile);
        await StartAsync();
        disk.Fill();
        // It renews the founder's certificate and makes the worker's anew, and keeps those that it has.
        await StartAsync();
        disk.Free();

        async Task StartAsync()
        {
            SwarmPlace place = await SwarmPlace.TakeAsync(folder, identity, new SwarmOptions { Name = "a" }, NullLogger.Instance, _ => { }, Cancel);
            place.Certify("w");
            var worker = new WorkerFolder(folder.WorkerFolder("w"));
            Assert.Equal("a/w", SwarmMembership.Open(worker.Membership, NodeIdentity.Open(worker.IdentityFile), NodeRoles.Scheduler, NullLogger.Instance, _ => { }).Self.Name);
        }
    }

    [Fact]
    public async Task What_was_made_is_kept_new_jobs_are_refused_and_all_goes_on_with_room()
    {
        using var home = new TemporaryHome();
        using var disk = new SmallDisk(Path.Combine(home.Root, "home"), mebibytes: 48);
        await using var room = new SwarmRoom(home: home);
        string up = Path.Combine(home.Root, "up"), go = Path.Combine(home.Root, "go");
        foreach (string pipe in (string[])[up, go])
            await Process.Start("mkfifo", pipe).WaitForExitAsync(Cancel);
        SegmentSpec make = SwarmRoom.Script("make", $"head -c 20000 /dev/zero > \"$DRAP_OUT/made\"; echo up > '{up}'; cat '{go}'") with
        {
            Outputs = JobJson.EmptyMap<OutputSpec>().Add("made", new OutputSpec { Path = "made" }),
        };
        SubmitRequest first = SwarmRoom.Request(make);
        await room.Service.SubmitAsync(first, Cancel);
        Assert.Equal("up\n", await File.ReadAllTextAsync(up, Cancel));

        disk.Fill();
        // The task ends, and its output finds no room.
        await File.WriteAllTextAsync(go, "", Cancel);
        SubmitRequest late = SwarmRoom.Request(SwarmRoom.Script("late", "true"));
        ApiException refused = await Assert.ThrowsAsync<ApiException>(async () =>
        {
            // The first record that is written finds the disk full: that of a job which is taken is one.
            for (int i = 0; i < 100; i++)
                await room.Service.SubmitAsync(late with { Id = new JobId(Guid.NewGuid()) }, Cancel);
        });
        Assert.Equal(ErrorCodes.Storage, refused.Error.Code);
        Assert.Contains("disk of this node's home is full", refused.Message, StringComparison.Ordinal);
        Assert.Equal(JobState.Running, (await room.Service.JobAsync(first.Id, Cancel)).Job.State);

        disk.Free();
        JobDocument job = await room.EndAsync(first.Id);
        Assert.True(job.Job.State == JobState.Finished, job.Job.Reason?.Message);
        Assert.Equal(1, Assert.Single((await room.Service.TasksAsync(first.Id, 1, 10, true, Cancel)).Tasks).Attempts);
        JobDocument after = await room.RunAsync(late);
        Assert.True(after.Job.State == JobState.Finished, after.Job.Reason?.Message);
    }
}
