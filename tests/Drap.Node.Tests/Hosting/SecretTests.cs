using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Node.Identity;
using Drap.Tests;
using Xunit;

namespace Drap.Node.Tests.Hosting;

public sealed class SecretTests
{
    private const string Value = "xyzzy-7391-plugh";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_task_gets_its_secret_and_nothing_of_it_stays_on_the_disk()
    {
        await using var room = new SwarmRoom();
        SubmitRequest request = WithSecret(SwarmRoom.Script("main", "printf %s \"$TOKEN\" | sha256sum"));
        JobDocument job = await room.RunAsync(request);
        Assert.Equal(JobState.Finished, job.Job.State);
        string expected = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(Value)));
        Assert.StartsWith(expected, await room.OutputAsync(request.Id));
        string shown = SwarmRoom.Json(job) + SwarmRoom.Json(await room.Service.ExplainAsync(request.Id, 1, Cancel));
        Assert.DoesNotContain(Value, shown);
        await room.RestartAsync(() => AssertNowhere(room.Root));
        AssertNowhere(room.Root);
    }

    [Fact]
    public async Task A_job_that_waits_has_its_secrets_again_after_a_restart()
    {
        await using var room = new SwarmRoom();
        SubmitRequest request = WithSecret(SwarmRoom.Script("main", "[ \"$TOKEN\" = " + Value + " ]"));
        // Its command names the value, so the disk is not looked at here; it is held until the swarm has begun anew.
        request.Job = request.Job with { Segments = [SwarmRoom.Script("first", "sleep 0.3"), request.Job.Segments[0] with { Needs = [new NeedSpec { Segment = "first" }] }] };
        await room.Service.SubmitAsync(request, Cancel);
        await room.RestartAsync();
        Assert.Equal(JobState.Finished, (await room.EndAsync(request.Id)).Job.State);
    }

    [Fact]
    public async Task With_another_key_the_task_fails_and_says_why()
    {
        await using var room = new SwarmRoom();
        SubmitRequest request = WithSecret(SwarmRoom.Script("main", "true"));
        request.Job = request.Job with { Segments = [SwarmRoom.Script("first", "sleep 0.3"), request.Job.Segments[0] with { Needs = [new NeedSpec { Segment = "first" }] }] };
        await room.Service.SubmitAsync(request, Cancel);
        await room.RestartAsync(() => File.Delete(room.Home.SecretKeyFile));
        JobDocument job = await room.EndAsync(request.Id);
        Assert.Equal(JobState.Failed, job.Job.State);
        Assert.Contains("secret.key", job.Job.Reason!.Message);
    }

    [Fact]
    public async Task A_secret_that_did_not_come_or_is_too_long_is_refused()
    {
        await using var room = new SwarmRoom();
        SubmitRequest request = WithSecret(SwarmRoom.Script("main", "true"));
        request.Secrets = request.Secrets.Clear();
        ApiException refused = await Assert.ThrowsAsync<ApiException>(() => room.Service.SubmitAsync(request, Cancel));
        Assert.Equal((ErrorCodes.BadJob, "main.secrets.TOKEN"), (refused.Error.Code, refused.Error.Where));
        request.Secrets = request.Secrets.Add("env:TOKEN", new string('x', JobSecrets.BytesMax));
        refused = await Assert.ThrowsAsync<ApiException>(() => room.Service.SubmitAsync(request, Cancel));
        Assert.Equal(ErrorCodes.TooLarge, refused.Error.Code);
    }

    [Fact]
    public void What_is_sealed_opens_for_its_job_and_its_key_only()
    {
        using var home = new TemporaryHome();
        string file = Path.Combine(home.Root, "secret.key");
        SecretKey key = SecretKey.Open(file);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        var job = new JobId(Guid.NewGuid());
        var values = JobJson.EmptyMap<string>().Add("env:TOKEN", Value).Add("file:key.pem", "ключ\u0001\n");
        var box = key.Seal(job, values);
        Assert.Equal(values, SecretKey.Open(file).Unseal(job, box));
        Assert.Null(key.Unseal(new JobId(Guid.NewGuid()), box));
        Assert.Null(key.Unseal(job, box.SetItem(20, (byte)(box[20] ^ 1))));
        Assert.Null(key.Unseal(job, []));
        File.Delete(file);
        Assert.Null(SecretKey.Open(file).Unseal(job, box));
    }

    [Fact]
    public void No_record_shows_a_value_as_text()
    {
        var variable = new SecretVariable("TOKEN", Value);
        Assert.DoesNotContain(Value, $"{variable}{new Work(default, 0, Price.Zero, [], [variable])}{new JobSecrets(JobJson.EmptyMap<string>().Add("env:TOKEN", Value), [])}");
    }

    private static SubmitRequest WithSecret(SegmentSpec segment)
    {
        SubmitRequest request = SwarmRoom.Request(segment with { Secrets = segment.Secrets.Add("TOKEN", "env:TOKEN") });
        request.Secrets = request.Secrets.Add("env:TOKEN", Value);
        return request;
    }

    private static void AssertNowhere(string folder)
    {
        byte[] wanted = System.Text.Encoding.UTF8.GetBytes(Value);
        string lockFile = Path.Combine(folder, "home", "lock"); // held by this process, and opened by no other
        string[] files = Directory.GetFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = true });
        Assert.Contains(files, f => f.EndsWith("secret.key", StringComparison.Ordinal));
        foreach (string file in files.Where(f => new FileInfo(f).Length > 0 && f != lockFile))
            Assert.True(File.ReadAllBytes(file).AsSpan().IndexOf(wanted) < 0, file);
    }
}
