using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Drap.Api;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

public sealed class ThreeWorkers() : DevSwarm("""
    workers:
      - {name: ant, cpu: 1, memory: 1GiB, labels: [ssd]}
      - {name: bee, cpu: 1, memory: 512MiB, labels: [fast, ssd]}
      - {name: cat, cpu: 1, memory: 512MiB, region: eu, zone: z1}
    """);

/// <summary>Jobs of every shape that a file or a flag can give them, on three workers.</summary>
public sealed class ShapesTests(ThreeWorkers swarm) : IClassFixture<ThreeWorkers>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Labels_say_where_a_task_may_run()
    {
        Assert.Equal(["ant", "bee"], (await NodesAsync("--on", "ssd", "--array", "1-8")).Distinct().Order());
        Assert.Equal(["bee"], (await NodesAsync("--on", "ssd", "--on", "fast", "--array", "1-3")).Distinct());
        Assert.Equal(["cat"], (await NodesAsync("--not-on", "ssd", "--array", "1-3")).Distinct());
        string there = swarm.File("there.yaml", "segments:\n  - {name: there, count: 3, command: [echo], constraints: {region: eu, zone: z1}}\n");
        await swarm.DoAsync("run", there);
        Assert.Equal(["cat"], (await swarm.ShowAsync((await swarm.DoAsync("job", "show", "last", "-o", "quiet")).Trim())).Tasks.Select(t => t.Node).Distinct());
        DrapProgram.Ended ended = await swarm.RunAsync("run", "--on", "tape", "--deadline", "300ms", "--", "true");
        Assert.Equal(125, ended.Code);
        Assert.Contains("last heard: ant (needs label tape), bee (needs label tape), cat (needs label tape)", ended.Err, StringComparison.Ordinal);

        async Task<IEnumerable<string?>> NodesAsync(params string[] flags)
        {
            string id = await swarm.SubmitAsync([.. flags, "--", "true"]);
            await swarm.DoAsync("job", "wait", id);
            return (await swarm.ShowAsync(id)).Tasks.Select(t => t.Node);
        }
    }

    [Fact]
    public async Task An_array_runs_as_many_at_once_as_it_says()
    {
        string log = Path.Combine(swarm.Folder, "throttle");
        string id = await swarm.SubmitAsync("--array", "1-10%2", "--", "sh", "-c", $"echo + >> {log}; sleep 0.05; echo - >> {log}");
        await swarm.DoAsync("job", "wait", id);
        int now = 0, most = 0;
        foreach (string line in swarm.Read("throttle").Split('\n', StringSplitOptions.RemoveEmptyEntries))
            most = Math.Max(most, now += line == "+" ? 1 : -1);
        Assert.Equal((10, 0, 2), ((await swarm.ShowAsync(id)).Job.Tasks.Finished, now, most));
    }

    [Fact]
    public async Task Retries_are_counted_and_too_many_failures_end_a_job()
    {
        Assert.Equal("third\n", await swarm.DoAsync("run", "--retries", "2", "--", "sh", "-c", "test $DRAP_ATTEMPT = 3 && echo third"));
        await swarm.EndAsync(1, "run", "--retries", "1", "--", "sh", "-c", "test $DRAP_ATTEMPT = 3");

        DrapProgram.Ended ended = await swarm.RunAsync("run", "--array", "1-20%1", "--retries", "0", "--max-fails", "1", "-o", "json", "--", "false");
        Assert.Equal(3, ended.Code);
        JsonElement job = ended.Document.GetProperty("job");
        Assert.Equal(("failed", "max_fails"), (job.GetProperty("state").GetString(), job.GetProperty("reason").GetProperty("code").GetString()));
        Assert.Equal((2, 18), (job.GetProperty("tasks").GetProperty("failed").GetInt32(), job.GetProperty("tasks").GetProperty("cancelled").GetInt32()));
    }

    [Fact]
    public async Task A_budget_ends_a_job_and_is_never_passed()
    {
        // A task of ten seconds at the default prices costs some hundred micro-credits.
        DrapProgram.Ended ended = await swarm.RunAsync("run", "--array", "1-3", "--budget", "0.000002", "-o", "json", "--", "sleep", "0.2");
        Assert.Equal(3, ended.Code);
        JsonElement job = ended.Document.GetProperty("job");
        Assert.Contains("the budget of 0.000002 credits", job.GetProperty("reason").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.InRange(job.GetProperty("cost").GetDecimal(), 0, 0.000002m);
        Assert.Equal(0, (await swarm.RunAsync("run", "--budget", "1", "--", "true")).Code);
    }

    [Fact]
    public async Task The_ranks_of_a_gang_run_together_and_know_of_each_other()
    {
        Directory.CreateDirectory(Path.Combine(swarm.Folder, "meet"));
        string file = swarm.File("gang.yaml", """
            segments:
              - name: ring
                nodes: 3
                env: {MEET: HERE/meet}
                outputs: {seen: seen.txt}
                command: |
                  echo "$DRAP_RANK of $DRAP_NODES on $DRAP_HOSTS" > ${{ outputs.seen }}
                  echo "${{ rank }} of ${{ nodes }} on ${{ hosts }}" >> ${{ outputs.seen }}
                  touch "$MEET/$DRAP_RANK"
                  until [ -e "$MEET/0" ] && [ -e "$MEET/1" ] && [ -e "$MEET/2" ]; do sleep 0.02; done
            """.Replace("HERE", swarm.Folder, StringComparison.Ordinal));
        DrapProgram.Ended ended = await swarm.RunAsync("run", file, "--out", "ring", "-o", "json");
        Assert.True(ended.Code == 0, ended.Err);
        Assert.Equal(3, ended.Document.GetProperty("tasks").EnumerateArray().Select(t => t.GetProperty("node").GetString()).Distinct().Count());
        string hosts = "";
        for (int rank = 0; rank < 3; rank++)
        {
            string[] seen = swarm.Read($"ring/ring/{rank}/seen.txt").TrimEnd().Split('\n');
            Assert.Equal(seen[0], seen[1]);
            Assert.StartsWith($"{rank} of 3 on ", seen[0], StringComparison.Ordinal);
            string own = seen[0][$"{rank} of 3 on ".Length..];
            Assert.Equal(3, own.Split(',', StringSplitOptions.RemoveEmptyEntries).Length);
            Assert.True(hosts.Length == 0 || hosts == own);
            hosts = own;
        }
    }

    [Fact]
    public async Task Alternatives_votes_and_checks_say_which_result_counts()
    {
        string file = swarm.File("ways.yaml", """
            segments:
              - name: solve
                command: [sh, -c, "echo first > $DRAP_OUT/said.txt"]
                resources: {memory: 10TB}
                alternatives:
                  - {command: [sh, -c, "echo second > $DRAP_OUT/said.txt"], resources: {memory: 16MiB}}
                outputs: {said: {path: said.txt, to: solve.txt}}
              - name: vote
                accept: 2 of 3
                command: if [ $DRAP_ATTEMPT = 1 ]; then echo wrong; else echo right; fi > ${{ outputs.said }}
                outputs: {said: {path: said.txt, to: vote.txt}}
              - name: checked
                retries: 1
                command: if [ $DRAP_ATTEMPT = 1 ]; then echo bad; else echo good; fi > ${{ outputs.said }}
                check: grep -q good "$DRAP_OUT/said.txt"
                outputs: {said: {path: said.txt, to: checked.txt}}
              - name: hopeless
                retries: 0
                command: echo bad > ${{ outputs.said }}
                check: grep -q good "$DRAP_OUT/said.txt"
                outputs: {said: {path: said.txt, to: hopeless.txt}}
            """);
        // The plan asks for all ways of running a task.
        JsonElement plan = await swarm.JsonAsync("plan", file);
        Assert.All(plan.GetProperty("segments").EnumerateArray(), s => Assert.Contains(s.GetProperty("nodes").EnumerateArray(), n => n.GetProperty("fits").GetBoolean()));
        string id = await swarm.SubmitAsync(file, "--out", "ways");
        await swarm.EndAsync(3, "job", "wait", id);
        (JobSummary job, List<TaskSummary> tasks) = await swarm.ShowAsync(id);
        Assert.Equal([TaskState.Finished, TaskState.Finished, TaskState.Finished, TaskState.Failed], tasks.Select(t => t.State));
        Assert.Equal(ReasonCodes.CheckFailed, job.Reason!.Code);
        // What some tasks of a failed job made can be had all the same.
        await swarm.DoAsync("job", "results", id);
        Assert.Equal(("second\n", "right\n", "good\n"), (swarm.Read("ways/solve.txt"), swarm.Read("ways/vote.txt"), swarm.Read("ways/checked.txt")));
        Assert.False(File.Exists(Path.Combine(swarm.Folder, "ways", "hopeless.txt")));
        Assert.True(tasks[1].History.Length >= 3);
        Assert.Contains(tasks[2].History, a => a.Reason?.Code == ReasonCodes.CheckFailed);
        // A vote is taken among different machines.
        Assert.True(tasks[1].History.Select(a => a.Node).Distinct().Count() >= 2);
    }

    [Fact]
    public async Task Outputs_go_to_the_tasks_that_name_them_and_files_are_spread()
    {
        foreach ((string name, string text) in (ReadOnlySpan<(string, string)>)[("a.txt", "3"), ("b c.txt", "1"), ("ü.txt", "2"), ("left.out", "9")])
            swarm.File("in/" + name, text + "\n");
        string file = swarm.File("edges.yaml", """
            segments:
              - name: take
                files: "in/*.txt"
                command: cat "${{ inputs.files }}"/* > ${{ outputs.number }}
                outputs: {number: n, note: {path: note, optional: true}}
              - name: double
                count: 3
                inputs: {number: {from: take.number, tasks: same}, note: {from: take.note, tasks: same, optional: true}}
                command: test ! -e "${{ inputs.note }}"; echo $((2 * $(cat ${{ inputs.number }}))) > ${{ outputs.number }}
                outputs: {number: number.txt}
              - name: all
                inputs: {numbers: {from: double.number}}
                command: sort -n ${{ inputs.numbers }}/* > ${{ outputs.sorted }}
                outputs: {sorted: sorted.txt}
              - name: after
                needs: [all]
                command: echo done
            """);
        DrapProgram.Ended ended = await swarm.RunAsync("run", file, "--out", "edges", "-o", "json");
        Assert.True(ended.Code == 0, ended.Err);
        Assert.Equal("2\n4\n6\n", swarm.Read("edges/sorted.txt"));
        Assert.Equal([3, 3, 1, 1], ended.Document.GetProperty("segments").EnumerateArray().Select(s => s.GetProperty("tasks").GetProperty("finished").GetInt32()));
    }

    [Fact]
    public async Task An_exclusive_task_never_runs_twice_at_once()
    {
        string file = swarm.File("exclusive.yaml", """
            segments:
              - name: lone
                exclusive: true
                env: {LOG: HERE/exclusive.log, GATE: HERE/exclusive.gate}
                command: |
                  trap 'sleep 0.3; echo end >> "$LOG"; exit 1' TERM
                  echo start >> "$LOG"
                  until [ -e "$GATE" ]; do sleep 0.02; done
                  echo end >> "$LOG"
            """.Replace("HERE", swarm.Folder, StringComparison.Ordinal));
        string id = await swarm.SubmitAsync(file);
        string log = Path.Combine(swarm.Folder, "exclusive.log");
        await DevSwarm.SoonAsync("the first attempt", () => Task.FromResult(File.Exists(log)));
        await swarm.DoAsync("job", "requeue", id);
        swarm.File("exclusive.gate", "");
        await swarm.DoAsync("job", "wait", id);
        Assert.Equal("start\nend\nstart\nend\n", swarm.Read("exclusive.log"));
    }

    [Fact]
    public async Task A_secret_reaches_its_task_and_nothing_else()
    {
        const string token = "xyzzy-7391-plugh", key = "-----key 40412-----\nof two lines";
        swarm.File("key.pem", key + "\n");
        swarm.Environment["PUBLISH_TOKEN"] = token;
        string file = swarm.File("secrets.yaml", """
            segments:
              - name: publish
                secrets: {TOKEN: "env:PUBLISH_TOKEN", KEY: "file:key.pem"}
                command: printf %s "$TOKEN$KEY" | sha256sum | cut -c 1-64
            """);
        string id = await swarm.SubmitAsync(file);
        swarm.Environment.Remove("PUBLISH_TOKEN");
        await swarm.DoAsync("job", "wait", id);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token + key))) + "\n", await swarm.DoAsync("job", "logs", id));
        string said = string.Concat(
            await swarm.DoAsync("job", "show", id, "--history", "-o", "json"), await swarm.DoAsync("job", "explain", id, "-o", "json"), await swarm.DoAsync("job", "list", "-o", "yaml"));
        AssertFree(Encoding.UTF8.GetBytes(said), "what is shown");
        var all = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Device, IgnoreInaccessible = true };
        string[] files = Directory.GetFiles(swarm.Home.Path, "*", all);
        Assert.Contains(files, f => f.EndsWith("secret.key", StringComparison.Ordinal));
        // The lock is held, and .NET would ask for it.
        foreach (string path in files.Where(f => f != swarm.Home.LockFile && new FileInfo(f) is { Exists: true, Length: > 0 }))
            AssertFree(await ReadAsync(path), path);

        DrapProgram.Ended without = await swarm.RunAsync("submit", file);
        Assert.Equal((2, ""), (without.Code, without.Out));
        Assert.Contains("the secret 'env:PUBLISH_TOKEN' is not there", without.Err, StringComparison.Ordinal);

        // The swarm goes on meanwhile: a file that it writes anew is closed to others for a moment, and then has another name.
        static async Task<byte[]> ReadAsync(string path)
        {
            byte[] bytes = [];
            await DevSwarm.SoonAsync($"{path} to be read", async () =>
            {
                try
                {
                    bytes = await File.ReadAllBytesAsync(path, Cancel);
                }
                catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException)
                {
                }
                catch (IOException)
                {
                    return false;
                }
                return true;
            });
            return bytes;
        }

        static void AssertFree(byte[] bytes, string where)
        {
            Assert.True(bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(token)) < 0, $"the token stands in {where}");
            Assert.True(bytes.AsSpan().IndexOf("key 40412"u8) < 0, $"the key stands in {where}");
        }
    }

    [Fact]
    public async Task Usage_and_ledger_say_what_was_asked_used_and_paid()
    {
        string id = await swarm.SubmitAsync("--name", "used", "--array", "1-3", "--memory", "64MiB", "--bid", "0.5", "--", "sleep", "0.1");
        await swarm.DoAsync("job", "wait", id);
        (JobSummary job, List<TaskSummary> tasks) = await swarm.ShowAsync(id);
        JsonElement row = Assert.Single((await swarm.JsonAsync("usage", id)).GetProperty("rows").EnumerateArray());
        Assert.Equal(
            ("used", "run", 3, 1000, 64L << 20),
            (row.GetProperty("name").GetString(), row.GetProperty("segment").GetString(), row.GetProperty("attempts").GetInt32(),
                row.GetProperty("asked_milli_cpus").GetInt32(), row.GetProperty("asked_memory_bytes").GetInt64()));
        Assert.InRange(row.GetProperty("run_seconds").GetDouble(), 0.05, 30);
        JsonElement ledger = await swarm.JsonAsync("ledger", id);
        JsonElement[] receipts = [.. ledger.GetProperty("entries").EnumerateArray()];
        Assert.Equal([1, 2, 3], receipts.Select(r => r.GetProperty("task").GetInt32()).Order());
        decimal paid = receipts.Sum(r => r.GetProperty("amount").GetDecimal());
        Assert.Equal(job.Cost.ToString(), paid.ToString("0.######", CultureInfo.InvariantCulture));
        Assert.Equal(paid, row.GetProperty("cost").GetDecimal());
        Assert.All(tasks, t => Assert.InRange(t.Price!.Value.MicroPerHour, 1, 500_000));
        Assert.Equal(3, (await swarm.DoAsync("ledger", id, "-o", "quiet")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Single((await swarm.JsonAsync("ledger", id, "--limit", "1")).GetProperty("entries").EnumerateArray());
        Assert.Contains("SEGMENT", await swarm.DoAsync("usage"), StringComparison.Ordinal);
    }
}
