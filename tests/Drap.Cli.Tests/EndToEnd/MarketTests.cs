using System.Text.Json;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

public sealed class PricedSwarm() : DevSwarm(Workers("0.04"))
{
    /// <summary>Two workers of which the second is too small for most, at a price per core.</summary>
    internal static string Workers(string price) => $$"""
        workers:
          - {name: large, cpu: 1, memory: 1GiB, prices: {core: {{price}}, memory: 0} }
          - {name: small, cpu: 0.5, memory: 256MiB, prices: {core: {{price}}, memory: 0} }
        """;
}

/// <summary>What the market says to a user: plans, and why something waits.</summary>
public sealed class MarketTests(PricedSwarm swarm) : IClassFixture<PricedSwarm>
{
    private const string TooLarge = """
        segments:
          - {name: vast, count: 3, command: [echo], resources: {memory: 10TB}, deadline: 4s}
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_second_plan_shows_the_price_that_was_changed_between()
    {
        string job = swarm.File("job.yaml", "segments:\n  - {name: sum, count: 2, command: [echo], estimate: 1h, bid: 10}\n");
        JsonElement before = await swarm.JsonAsync("plan", job), large = Node(before, "large");
        Assert.True(large.GetProperty("fits").GetBoolean());
        decimal ask = large.GetProperty("ask").GetDecimal(), cost = before.GetProperty("cost").GetDecimal();
        Assert.Equal(("cpu", "1 core", "0.5 cores"), Refusal(Node(before, "small")));

        swarm.File("workers.yaml", PricedSwarm.Workers("0.4"));
        // The file is looked at once a second: the market says when the price is the new one.
        await DevSwarm.SoonAsync("the new price", async () =>
            (await swarm.Node.MarketAsync(explain: false, Cancel)).Nodes.Single(n => n.Name == "large").CorePrice.MicroPerHour >= 400_000);

        JsonElement after = await swarm.JsonAsync("plan", job);
        // Prices are rounded up to whole micro-credits after each factor.
        Assert.InRange(Node(after, "large").GetProperty("ask").GetDecimal(), ask * 10 - 0.00002m, ask * 10 + 0.00002m);
        Assert.InRange(after.GetProperty("cost").GetDecimal(), cost * 10 - 0.00004m, cost * 10 + 0.00004m);
    }

    [Fact]
    public async Task A_task_that_fits_nowhere_is_explained_by_worker_and_dimension()
    {
        string id = await swarm.SubmitAsync("--memory", "10TB", "--", "echo");
        // The first look may come before the answers: then it says so, and a later one has them.
        JsonElement task = default;
        await DevSwarm.SoonAsync("the workers' answers", async () =>
            (task = (await swarm.JsonAsync("job", "explain", id + ".1")).GetProperty("tasks")[0]).GetProperty("complete").GetBoolean());
        Assert.Equal("fits_nowhere", task.GetProperty("reasons")[0].GetProperty("code").GetString());
        Assert.Equal(["large", "small"], task.GetProperty("nodes").EnumerateArray().Select(n => n.GetProperty("node").GetString()));
        Assert.Equal(("memory", "9.09 TiB", "1 GiB"), Refusal(task.GetProperty("nodes")[0]));
        string words = await swarm.DoAsync("job", "explain", id);
        Assert.Contains("it fits on none of the 2 machines", words, StringComparison.Ordinal);
        Assert.Contains("small  no          -              -          -  cpu: needs 1 core, has 0.5 cores; memory: needs 9.09 TiB, has 256 MiB", words, StringComparison.Ordinal);
        await swarm.DoAsync("job", "cancel", id);

        // Who cannot even hear of such tasks is named, too.
        string plan = await swarm.EndAsync(4, "plan", "--gpus", "2", "--", "echo");
        Assert.Contains("large  no          -              -          -  gpu: needs 2 devices, has 0 devices", plan, StringComparison.Ordinal);
        Assert.Contains("small  no          -              -          -  cpu: needs 1 core, has 0.5 cores; gpu: needs 2 devices, has 0 devices", plan, StringComparison.Ordinal);
        id = await swarm.SubmitAsync("--gpus", "1", "--", "echo");
        Assert.Contains("it fits on none of the 2 machines", await swarm.DoAsync("job", "explain", id), StringComparison.Ordinal);
        await swarm.DoAsync("job", "cancel", id);
    }

    [Fact]
    public async Task A_run_that_waits_says_why_once_and_what_found_no_place_says_who_refused()
    {
        DrapProgram.Ended ended = await swarm.RunAsync("run", swarm.File("vast.yaml", TooLarge));
        Assert.Equal((4, ""), (ended.Code, ended.Out));
        Assert.Contains("""
            task .1 (vast) and 2 tasks like it: placing
              it fits on none of the 2 machines
              NODE   TAKES IT  ASK  EXPECTED COST  STARTS IN  WHY NOT
              large  no          -              -          -  memory: needs 9.09 TiB, has 1 GiB
              small  no          -              -          -  cpu: needs 1 core, has 0.5 cores; memory: needs 9.09 TiB, has 256 MiB
            """, ended.Err, StringComparison.Ordinal);
        Assert.Equal(2, ended.Err.Split("it fits on none").Length);
        Assert.Contains("3 of 3 tasks found no place by their deadline; task 1: not placed within 4s of the submit; last heard: "
            + "large (memory: needs 9.09 TiB, has 1 GiB), small (cpu: needs 1 core, has 0.5 cores; memory: needs 9.09 TiB, has 256 MiB)", ended.Err, StringComparison.Ordinal);

        ended = await swarm.RunAsync("run", "--memory", "10TB", "--deadline", "4s", "--", "echo");
        Assert.Equal((125, ""), (ended.Code, ended.Out));
        Assert.StartsWith("task .1 (run): placing\n  it fits on none of the 2 machines\n", ended.Err, StringComparison.Ordinal);
        Assert.Contains("drap: not placed within 4s of the submit; last heard: large (memory: needs 9.09 TiB, has 1 GiB)", ended.Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_price_above_what_is_paid_is_named()
    {
        DrapProgram.Ended ended = await swarm.RunAsync("run", "--bid", "0.000001", "--limit", "0.000001", "--deadline", "4s", "--", "echo");
        Assert.Equal((125, ""), (ended.Code, ended.Out));
        Assert.Matches("last heard: large \\(asks 0\\.[0-9]+/h\\), small \\(cpu: needs 1 core, has 0.5 cores\\)", ended.Err);
        Assert.Contains("cost about - credits", await swarm.EndAsync(4, "plan", "--bid", "0.000001", "--", "echo"), StringComparison.Ordinal);
        Assert.Equal("hello\n", await swarm.DoAsync("run", "--bid", "100", "--", "echo", "hello"));
    }

    private static JsonElement Node(JsonElement plan, string name) =>
        plan.GetProperty("segments")[0].GetProperty("nodes").EnumerateArray().Single(n => n.GetProperty("node").GetString() == name);

    private static (string?, string?, string?) Refusal(JsonElement node)
    {
        JsonElement refusal = node.GetProperty("refusals")[0];
        return (refusal.GetProperty("dimension").GetString(), refusal.GetProperty("needed").GetString(), refusal.GetProperty("available").GetString());
    }
}
