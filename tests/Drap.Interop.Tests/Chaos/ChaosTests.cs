using System.Globalization;
using Drap.Api;
using Drap.Client;
using Xunit;

namespace Drap.Tests.Interop.Chaos;

/// <summary>
/// A scheduler and five workers, each on a machine of its own, thousands of tasks, and an adversary that kills, freezes, cuts, slows and fills. At the
/// end each task has one accepted result, the right one; nothing ran twice at once that must not; nothing is left behind; and the ledger adds up. <c>./test --chaos
/// --seed N --minutes M</c> runs it long.
/// </summary>
public sealed class ChaosTests
{
    private const int Workers = 5, OpenJobsMax = 8;

    private static readonly ChaosRole[] all = [ChaosRole.Main, ChaosRole.Worker, ChaosRole.Guard, ChaosRole.Task];

    private const string Has = "cpu: 2, memory: 1GiB, disk: 200MiB";

    /// <summary>What is open when all is healed is finished in a fraction of this: a lease must end, and exclusive tasks run once more.</summary>
    private static readonly TimeSpan endPatience = TimeSpan.FromMinutes(5), startPatience = TimeSpan.FromMinutes(3), look = TimeSpan.FromMilliseconds(500);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Nothing_is_lost_doubled_or_left_whatever_breaks()
    {
        ulong seed = Number("DRAP_CHAOS_SEED") is { } said ? (ulong)said : (ulong)Environment.TickCount64;
        double minutes = Number("DRAP_CHAOS_MINUTES") ?? 1;
        using var network = new TestNetwork();
        string folder = Directory.CreateTempSubdirectory("drap-chaos-").FullName;
        await using var log = new StreamWriter(Path.Combine(folder, "chaos.log")) { AutoFlush = true };
        Say($"seed {seed}, {minutes} minutes");
        var nodes = new List<ChaosNode>();
        var cables = new List<TestCable>();
        try
        {
            await RunAsync(network, folder, new Prng(seed), TimeSpan.FromMinutes(minutes), nodes, cables, Say);
        }
        catch (Exception e)
        {
            Say(e.ToString());
            throw new InvalidOperationException($"chaos: seed {seed}, {minutes} minutes; what happened stands in {folder}: {e.Message}", e);
        }
        finally
        {
            nodes.ForEach(n => n.Dispose());
            cables.ForEach(c => c.Dispose());
        }
        Directory.Delete(folder, recursive: true);

        void Say(string what)
        {
            string line = string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:HH:mm:ss.fff} {what}");
            lock (log)
                log.WriteLine(line);
            TestContext.Current.SendDiagnosticMessage(line);
        }
    }

    private static async Task RunAsync(TestNetwork network, string folder, Prng random, TimeSpan time, List<ChaosNode> nodes, List<TestCable> cables, Action<string> say)
    {
        string middle = network.AddMachine();
        var hub = new ChaosNode(folder, "hub", middle, null, 700, "up", "--role", "scheduler,gateway,inviter", "--no-ticket");
        nodes.Add(hub);
        string[] machines = [.. Enumerable.Range(1, Workers).Select(_ => network.AddMachine())];
        for (int i = 1; i <= Workers; i++)
            cables.Add(TestCable.Connect(network, machines[i - 1], $"10.9.{i}.1", middle, $"10.9.{i}.254"));
        hub.Start();
        await UntilAsync(async () => await AnswersAsync(hub), startPatience, "the hub does not start");
        for (int i = 1; i <= Workers; i++)
        {
            string ticket;
            using (DrapClient client = hub.TryClient()!)
                ticket = (await client.InviteAsync(new InviteRequest { Roles = ["worker"] }, Cancel)).Ticket;
            var worker = new ChaosNode(folder, $"w{i}", machines[i - 1], Has, 256, "join", ticket, "--no-ticket");
            nodes.Add(worker);
            worker.Start();
        }
        await UntilAsync(async () => await KnownAsync(hub) >= Workers, startPatience, "the workers do not join");
        say("all have joined");

        var load = new ChaosLoad(folder, hub, say);
        var adversary = new ChaosAdversary(random, hub, [.. nodes.Skip(1)], [.. cables], say);
        DateTime until = DateTime.UtcNow + time;
        List<string> faults = [];
        Task breaking = adversary.RunAsync(until, Cancel);
        while (DateTime.UtcNow < until)
        {
            if ((await load.OpenAsync(Cancel)).Count < OpenJobsMax)
                await load.SubmitAsync(Cancel);
            Revive();
            await Task.Delay(look, Cancel);
        }
        await breaking;
        Revive();
        say($"all is healed; {load.Submitted} jobs of {ChaosLoad.Tasks} tasks were submitted");

        List<string> open = [];
        await UntilAsync(async () => (open = await load.OpenAsync(Cancel)).Count == 0, endPatience, () => $"not finished: {string.Join("; ", open)}");
        say("all have finished");
        await UntilAsync(async () => await load.RunningAsync(Cancel) == 0, startPatience, "attempts are still under way though all jobs have ended");
        faults.AddRange(await load.FaultsAsync(Cancel));
        faults.AddRange(await load.LedgerAsync(Cancel));
        (List<string> wrong, int executions) = load.Marks();
        faults.AddRange(wrong);
        if (!await HoldsAsync(() => Task.FromResult(nodes.All(n => n.Processes(ChaosRole.Task).Count == 0)), startPatience))
            faults.Add($"tasks are left though their jobs have ended, of {Having(ChaosRole.Task)}");

        // In order, and then nothing of them is left: no process, no folder for work, no cgroup.
        foreach (ChaosNode node in nodes)
        {
            await UntilAsync(() => AnswersAsync(node), startPatience, $"{node.Name} does not answer");
            using DrapClient client = node.TryClient()!;
            await client.ShutdownAsync(Cancel);
        }
        if (!await HoldsAsync(() => Task.FromResult(nodes.All(n => n.Processes(all).Count == 0)), startPatience))
            faults.Add($"processes are left of {Having(all)}");
        faults.AddRange(nodes.SelectMany(n => n.Leftovers()).Select(at => $"left behind: {at}"));
        say($"{load.Submitted * ChaosLoad.Tasks} tasks, {executions} executions, {faults.Count} faults");
        Assert.True(faults.Count == 0, string.Join('\n', faults.Take(50)));

        string Having(params ChaosRole[] roles) => string.Join(", ", nodes.Where(n => n.Processes(roles).Count > 0).Select(n => n.Name));

        void Revive()
        {
            foreach (string fault in nodes.Select(n => n.Revive()).OfType<string>())
            {
                say(fault);
                faults.Add(fault);
            }
        }
    }

    private static async Task<bool> AnswersAsync(ChaosNode node)
    {
        try
        {
            using DrapClient? client = node.TryClient();
            return client is not null && (await client.NodeAsync(Cancel)).Pid > 0;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return false;
        }
    }

    private static async Task<int> KnownAsync(ChaosNode hub)
    {
        using DrapClient client = hub.TryClient()!;
        return (await client.MarketAsync(false, Cancel)).Nodes.Length;
    }

    private static double? Number(string variable) =>
        double.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out double value) ? value : null;

    private static Task UntilAsync(Func<Task<bool>> holds, TimeSpan patience, string lacking) => UntilAsync(holds, patience, () => lacking);

    private static async Task UntilAsync(Func<Task<bool>> holds, TimeSpan patience, Func<string> lacking)
    {
        if (!await HoldsAsync(holds, patience))
            Assert.Fail(lacking());
    }

    private static async Task<bool> HoldsAsync(Func<Task<bool>> holds, TimeSpan patience)
    {
        for (DateTime late = DateTime.UtcNow + patience; !await holds(); await Task.Delay(look, Cancel))
            if (DateTime.UtcNow > late)
                return false;
        return true;
    }
}
