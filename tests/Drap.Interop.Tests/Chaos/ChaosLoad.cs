using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Drap.Api;
using Drap.Client;
using Drap.Core.Jobs;

namespace Drap.Tests.Interop.Chaos;

/// <summary>
/// The jobs that run while all else fails, and what must be true of them: small outputs and such of a megabyte, read by later tasks, and
/// exclusive tasks that say four times a second that they live. Each execution leaves its mark beside drap.
/// </summary>
internal sealed class ChaosLoad(string folder, ChaosNode hub, Action<string> say)
{
    public const int Small = 150, Big = 8, Readers = 3, Exclusive = 4, Tasks = Small + Big + Readers + Exclusive + 1;

    private const int BigBytes = 1_000_000, SmallLines = 100;

    private static readonly TimeSpan callPatience = TimeSpan.FromSeconds(10), again = TimeSpan.FromMilliseconds(200);

    private readonly string marks = Directory.CreateDirectory(Path.Combine(folder, "marks")).FullName;
    private readonly List<JobId> jobs = [];
    private string lastSaid = "";

    public int Submitted => jobs.Count;

    /// <summary>Submits one more, as often as it takes until the hub says that it has it.</summary>
    public async Task SubmitAsync(CancellationToken cancel)
    {
        int number = jobs.Count + 1;
        JobFileResult read = JobFile.Read(Text(number), new JobFileOptions());
        JobSpec job = read.Job ?? throw new InvalidOperationException(string.Join('\n', read.Errors));
        JobId id = DrapClient.NewJobId();
        await CallAsync(node => node.SubmitAsync(new SubmitRequest { Id = id, Job = job }, cancel), cancel);
        jobs.Add(id);
    }

    /// <summary>Jobs that have not ended; asks for as long as it takes to be answered.</summary>
    public async Task<List<string>> OpenAsync(CancellationToken cancel)
    {
        var open = new List<string>();
        foreach (JobId id in jobs)
        {
            JobDocument document = await CallAsync(node => node.JobAsync(id, cancel), cancel);
            TaskCounts tasks = document.Job.Tasks;
            if (!document.Job.State.HasEnded())
                open.Add($"job {document.Job.Number}: {tasks.Finished} of {tasks.Total} finished, {tasks.Running} running, {tasks.Placing} placing, {tasks.Waiting} waiting");
        }
        return open;
    }

    /// <summary>What is wrong with what they made: nothing, if each task has exactly one result, and it is right.</summary>
    public async Task<List<string>> FaultsAsync(CancellationToken cancel)
    {
        var faults = new List<string>();
        for (int i = 0; i < jobs.Count; i++)
        {
            JobId id = jobs[i];
            JobSummary job = (await CallAsync(node => node.JobAsync(id, cancel), cancel)).Job;
            if (job.State != JobState.Finished || job.Tasks.Finished != Tasks)
                faults.Add($"job {job.Number} is {job.State} with {job.Tasks.Finished} of {Tasks} tasks finished: {job.Reason?.Message}");
            Dictionary<string, string> expected = Expected(i + 1);
            ResultsDocument results = await CallAsync(node => node.ResultsAsync(id, cancel), cancel);
            foreach (ResultItem item in results.Items)
            {
                string what = $"job {job.Number}, {item.Path}";
                if (!expected.Remove(item.Path, out string? hash))
                {
                    faults.Add($"{what}: there a second time, or never meant");
                    continue;
                }
                string found = await HashAsync(item, cancel);
                if (found != hash)
                    faults.Add($"{what}: other content than it should have ({found})");
            }
            faults.AddRange(expected.Keys.Take(5).Select(path => $"job {job.Number}: no result {path}"));
        }
        return faults;
    }

    /// <summary>What the marks tell that must not be: a task that never ran, an exclusive one that ran twice at once.</summary>
    public (List<string> Faults, int Executions) Marks()
    {
        var faults = new List<string>();
        int executions = 0;
        for (int job = 1; job <= jobs.Count; job++)
        {
            foreach ((string segment, int count) in new[] { ("small", Small), ("big", Big), ("read", Readers), ("sum", 1), ("exclusive", Exclusive) })
                for (int i = 0; i < count; i++)
                {
                    string[] ran = Lines($"{job}.{segment}.{i}");
                    executions += ran.Length;
                    if (ran.Length == 0)
                        faults.Add($"job {job}: {segment} {i} was accepted and never ran");
                    if (ran.Distinct().Count() != ran.Length)
                        faults.Add($"job {job}: {segment} {i} ran twice with one fence: {string.Join(' ', ran)}");
                }
            for (int i = 0; i < Exclusive; i++)
                faults.AddRange(Overlaps(job, i));
        }
        return (faults, executions);
    }

    /// <summary>Whether the ledger adds up: jobs to their receipts, all of them to the account, and nothing set aside for what is over.</summary>
    public async Task<List<string>> LedgerAsync(CancellationToken cancel)
    {
        var faults = new List<string>();
        long sum = 0;
        foreach (JobId id in jobs)
        {
            LedgerDocument ledger = await CallAsync(node => node.LedgerAsync(id, 10_000, cancel), cancel);
            JobSummary job = (await CallAsync(node => node.JobAsync(id, cancel), cancel)).Job;
            long entries = ledger.Entries.Sum(e => e.Amount.Micro);
            sum += job.Cost.Micro;
            if (ledger.More || entries != job.Cost.Micro)
                faults.Add($"job {job.Number} cost {job.Cost.Micro}, its receipts say {entries}");
        }
        LedgerDocument all = await CallAsync(node => node.LedgerAsync(null, 1, cancel), cancel);
        if (all.Accounts.Sum(a => a.Spent.Micro) != sum || all.Accounts.Any(a => a.Held.Micro != 0))
            faults.Add($"the jobs cost {sum}, the accounts say {string.Join(", ", all.Accounts)}");
        return faults;
    }

    /// <summary>Attempts that the hub still believes to run anywhere.</summary>
    public async Task<int> RunningAsync(CancellationToken cancel)
    {
        MarketDocument market = await CallAsync(node => node.MarketAsync(false, cancel), cancel);
        return market.Nodes.Sum(n => n.Running) + market.Running;
    }

    private async Task<T> CallAsync<T>(Func<DrapClient, Task<T>> call, CancellationToken cancel)
    {
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            try
            {
                using DrapClient? node = hub.TryClient();
                if (node is not null)
                    return await call(node).WaitAsync(callPatience, cancel);
            }
            catch (Exception e) when (e is not OperationCanceledException || !cancel.IsCancellationRequested)
            {
                if (e is not (NodeUnreachableException or TimeoutException or IOException or HttpRequestException or OperationCanceledException) && e.Message != lastSaid)
                    say($"the hub said: {lastSaid = e.Message}");
            }
            await Task.Delay(again, cancel);
        }
    }

    private async Task<string> HashAsync(ResultItem item, CancellationToken cancel) => await CallAsync(async node =>
    {
        await using Stream content = await node.OpenBlobAsync(item.Cid, cancel);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancel));
    }, cancel);

    /// <summary>The times at which executions of one exclusive task said that they live must not cross.</summary>
    private IEnumerable<string> Overlaps(int job, int index)
    {
        var spans = new List<(decimal From, decimal To, string Fence)>();
        foreach (string file in Directory.EnumerateFiles(marks, $"{job}.beat.{index}.*"))
        {
            // The last line may have been cut.
            decimal[] beats = [.. File.ReadLines(file).Where(l => l.Length == 20).Select(l => decimal.Parse(l, CultureInfo.InvariantCulture))];
            if (beats.Length > 0)
                spans.Add((beats[0], beats[^1], Path.GetExtension(file)));
        }
        spans.Sort();
        for (int i = 1; i < spans.Count; i++)
            if (spans[i].From <= spans[i - 1].To)
                yield return $"job {job}: exclusive {index} ran twice at once: {spans[i - 1]} and {spans[i]}";
    }

    private string[] Lines(string name)
    {
        string file = Path.Combine(marks, name);
        return File.Exists(file) ? File.ReadAllLines(file) : [];
    }

    private static Dictionary<string, string> Expected(int job)
    {
        var expected = new Dictionary<string, string>();
        string big = "";
        long sum = 0;
        for (int i = 0; i < Small; i++)
        {
            expected[$"small/{i}/n"] = Hash(string.Concat(Enumerable.Range(i * SmallLines, SmallLines).Select(n => $"{n}\n")));
            sum += Enumerable.Range(i * SmallLines, SmallLines).Sum();
        }
        for (int i = 0; i < Big; i++)
        {
            string line = $"{job} {i}\n";
            string made = string.Concat(Enumerable.Repeat(line, BigBytes / line.Length + 1))[..BigBytes];
            expected[$"big/{i}/b"] = Hash(made);
            big += made;
        }
        for (int i = 0; i < Readers; i++)
            expected[$"read/{i}/r"] = Hash(Hash(big) + "  -\n");
        expected["s"] = Hash($"{sum}\n");
        for (int i = 0; i < Exclusive; i++)
            expected[$"exclusive/{i}/e"] = Hash($"{job} {i}\n");
        return expected;
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private string Text(int job) => $$$"""
        name: chaos-{{{job}}}
        segments:
          - name: small
            count: {{{Small}}}
            command: 'echo $DRAP_FENCE >> {{{marks}}}/{{{job}}}.small.$DRAP_INDEX; sleep 0.$((DRAP_INDEX % 4)); seq $((DRAP_INDEX * {{{SmallLines}}})) $((DRAP_INDEX * {{{SmallLines}}} + {{{SmallLines - 1}}})) > ${{ outputs.n }}'
            outputs: {n: {path: n, result: true}}
            resources: {cpu: 0.5, memory: 64MiB}
            retries: 100
          - name: big
            count: {{{Big}}}
            command: 'echo $DRAP_FENCE >> {{{marks}}}/{{{job}}}.big.$DRAP_INDEX; yes "{{{job}}} $DRAP_INDEX" | head -c {{{BigBytes}}} > ${{ outputs.b }}'
            outputs: {b: {path: b, result: true}}
            resources: {cpu: 0.5, memory: 64MiB}
            retries: 100
          - name: read
            count: {{{Readers}}}
            inputs: {b: {from: big.b}}
            command: 'echo $DRAP_FENCE >> {{{marks}}}/{{{job}}}.read.$DRAP_INDEX; cat ${{ inputs.b }}/* | sha256sum > ${{ outputs.r }}'
            outputs: {r: {path: r, result: true}}
            resources: {cpu: 0.5, memory: 64MiB}
            retries: 100
          - name: sum
            inputs: {n: {from: small.n}}
            command: 'echo $DRAP_FENCE >> {{{marks}}}/{{{job}}}.sum.$DRAP_INDEX; cat ${{ inputs.n }}/* | awk "{s += \$1} END {print s}" > ${{ outputs.s }}'
            outputs: {s: {path: s, result: true}}
            resources: {cpu: 0.5, memory: 64MiB}
            retries: 100
          - name: exclusive
            count: {{{Exclusive}}}
            exclusive: true
            command: 'echo $DRAP_FENCE >> {{{marks}}}/{{{job}}}.exclusive.$DRAP_INDEX; n=$((4 + DRAP_INDEX * DRAP_INDEX * 20)); while [ $n -gt 0 ]; do date +%s.%N >> {{{marks}}}/{{{job}}}.beat.$DRAP_INDEX.$DRAP_FENCE; sleep 0.25; n=$((n - 1)); done; echo {{{job}}} $DRAP_INDEX > ${{ outputs.e }}'
            outputs: {e: {path: e, result: true}}
            resources: {cpu: 0.25, memory: 32MiB}
            retries: 100
        """;
}
