using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop.Etcd;

/// <summary>Two nodes of a swarm, one of which stands by for the other's scheduler. Executions are counted by marks outside drap.</summary>
public sealed class StandbyTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("drap-standby-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Marks => Path.Combine(folder, "marks");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task A_standby_goes_on_with_the_jobs_and_a_leader_that_slept_changes_nothing()
    {
        Directory.CreateDirectory(Marks);
        await using EtcdCluster cluster = EtcdCluster.Start(3);
        string journal = cluster.Address("lab").ToString();
        string[] here = ["--no-mdns", "--journal", journal, "-o", "json"];
        await using ChildProgram alpha = ChildProgram.StartDrap(null, ["up", .. here, "--home", Home("alpha"), "--name", "alpha", "--role", "scheduler,inviter"]);
        string ticket = JsonNode.Parse(await alpha.FirstLineAsync())!["ticket"]!["ticket"]!.GetValue<string>();
        await using ChildProgram beta = ChildProgram.StartDrap(null, ["join", ticket, .. here, "--home", Home("beta"), "--name", "beta", "--cpu", "1", "--standby"]);
        await beta.FirstLineAsync();

        // Both places are taken when the leader dies, and nothing else was begun.
        await RunAsync("alpha", "submit", "--array", "1-6", "--cpus", "0.5", "--", "sh", "-c", Waiting("first"));
        await UntilAsync(() => Count("first") == 2);
        await UntilAsync(async () => (await DevRoom.FailAsync(null, Home("beta"), "job", "list")).Errors.Contains("this node stands by for the scheduler 12D3KooW", StringComparison.Ordinal));
        alpha.Kill();
        await RunUntilAsync("beta", "job", "list");
        Open("first");
        await RunAsync("beta", "job", "wait", "1");
        Assert.Equal(6, (await JobAsync("beta", 1))["tasks"]!["finished"]!.GetValue<int>());
        // Those that ran meanwhile were taken over, not run again.
        Assert.Equal(6, Count("first"));

        // The owner comes back, and waits for its turn.
        await using ChildProgram again = ChildProgram.StartDrap(null, ["up", .. here, "--home", Home("alpha"), "--name", "alpha", "--role", "scheduler,inviter", "--no-ticket"]);
        await again.FirstLineAsync();
        await RunAsync("beta", "submit", "--array", "1-6", "--cpus", "0.5", "--", "sh", "-c", Waiting("second"));
        await UntilAsync(() => Count("second") == 2);
        beta.Freeze(true);
        await RunUntilAsync("alpha", "job", "list");
        beta.Freeze(false);
        // It wakes, finds that another has followed, and ends; its workers with it.
        Assert.Equal(1, await beta.EndAsync());
        Assert.Contains("another node leads the journal", await beta.Errors, StringComparison.Ordinal);
        Open("second");
        await using ChildProgram gamma = ChildProgram.StartDrap(null, ["up", .. here, "--home", Home("beta"), "--name", "beta", "--cpu", "1", "--standby"]);
        await gamma.FirstLineAsync();
        await RunAsync("alpha", "job", "wait", "2");
        Assert.Equal(6, (await JobAsync("alpha", 2))["tasks"]!["finished"]!.GetValue<int>());
        Assert.Equal(6, (await JobAsync("alpha", 1))["tasks"]!["finished"]!.GetValue<int>());
        foreach ((ChildProgram node, string home) in new[] { (gamma, "beta"), (again, "alpha") })
        {
            await RunAsync(home, "stop");
            Assert.Equal(0, await node.EndAsync());
        }
    }

    [Fact]
    public async Task Who_may_not_stand_by_is_told_why()
    {
        (int code, string error) = await DevRoom.FailAsync(null, Home("alone"), "up", "--standby", "--no-mdns");
        Assert.Equal(1, code);
        Assert.Contains("a node stands by only for a scheduler whose journal is in etcd", error, StringComparison.Ordinal);
        (code, error) = await DevRoom.FailAsync(
            null, Home("worker"), "up", "--standby", "--no-mdns", "--role", "worker", "--journal", "etcd://127.0.0.1:1/lab");
        Assert.Equal(1, code);
        Assert.Contains("a node without the role scheduler cannot stand by for one", error, StringComparison.Ordinal);
    }

    /// <summary>A task that leaves a mark of each execution, and waits until its job is let go on.</summary>
    private string Waiting(string job) => $": > '{Marks}/{job}.'$DRAP_TASK.$DRAP_FENCE; while [ ! -e '{folder}/{job}' ]; do sleep 0.05; done";

    private void Open(string job) => File.WriteAllText(Path.Combine(folder, job), "");

    private int Count(string job) => Directory.GetFiles(Marks, $"{job}.*").Length;

    private string Home(string name) => Path.Combine(folder, name);

    private async Task<JsonNode> JobAsync(string node, int number) =>
        JsonNode.Parse(await RunAsync(node, "job", "list", "-o", "json"))!["jobs"]!.AsArray().Single(j => j!["number"]!.GetValue<int>() == number)!;

    private async Task<string> RunAsync(string node, params string[] arguments)
    {
        (int code, string output, string errors) = await TryAsync(node, arguments);
        Assert.True(code == 0, $"drap {string.Join(' ', arguments)} ended with {code}: {errors}{output}");
        return output;
    }

    private Task RunUntilAsync(string node, params string[] arguments) => UntilAsync(async () => (await TryAsync(node, arguments)).Code == 0);

    private async Task<(int Code, string Output, string Errors)> TryAsync(string node, string[] arguments)
    {
        await using ChildProgram run = ChildProgram.StartDrap(null, ["--home", Home(node), .. arguments]);
        run.Input.Close();
        string output = await run.Output.ReadToEndAsync(Cancel).WaitAsync(ChildProgram.Patience, Cancel);
        return (await run.EndAsync(), output, await run.Errors);
    }

    private static Task UntilAsync(Func<bool> holds) => UntilAsync(() => Task.FromResult(holds()));

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(ChildProgram.Patience);
        while (!await holds())
            await Task.Delay(TimeSpan.FromMilliseconds(20), patience.Token);
    }
}
