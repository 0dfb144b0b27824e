using Drap.Core;

namespace Drap.Cli.Output;

/// <summary>Documents as people read them.</summary>
internal static class Tables
{
    /// <summary>Rows of tasks that a person reads; -o json has them all.</summary>
    private const int tasksShown = 200;

    public static void Jobs(JobListDocument list, TextWriter output)
    {
        var table = new TextTable("job", "id", "name", "state", ">done", ">tasks", ">cost", "submitted");
        foreach (JobSummary job in list.Jobs)
            table.Row(
                Words.Name(job), Words.Short(job.Id), job.Name, Words.Of(job.State), Words.Of(job.Tasks.Finished), Words.Of(job.Tasks.Total),
                job.Cost.ToString(), job.SubmittedAt.ToString());
        table.Write(output);
    }

    public static void Job(JobDocument document, TextWriter output)
    {
        JobSummary job = document.Job;
        output.WriteLine($"job {Words.Name(job)}  {job.Name}  {job.Id}");
        output.WriteLine($"state      {Words.Of(job.State)}{(job.Reason is { } reason ? ": " + reason.Message : "")}");
        output.WriteLine($"tasks      {Words.Of(job.Tasks)}");
        output.WriteLine($"cost       {job.Cost}{(job.Budget is { } budget ? $" of {budget}" : "")} credits");
        output.WriteLine($"submitted  {job.SubmittedAt}{(job.EndedAt is { } end ? $", took {Words.Of(end - job.SubmittedAt)}" : "")}");
        if (document.OutFolder is { } folder)
            output.WriteLine($"results    {folder}");
        output.WriteLine();
        var segments = new TextTable("segment", ">tasks", "first", "states", ">cost");
        foreach (SegmentSummary segment in document.Segments)
            segments.Row(segment.Name, Words.Of(segment.Tasks.Total), "." + Words.Of(segment.FirstTask), Words.Of(segment.Tasks), segment.Cost.ToString());
        segments.Write(output);
        if (document.Tasks.IsEmpty)
            return;
        output.WriteLine();
        var tasks = new TextTable(">task", "segment", "state", "node", ">attempts", ">price", ">cost", ">time", "why");
        foreach (TaskSummary task in document.Tasks.Take(tasksShown))
        {
            tasks.Row(
                "." + Words.Of(task.Number), task.Segment, Words.Of(task.State), task.Node ?? "-", Words.Of(task.Attempts), Words.Of(task.Price), task.Cost.ToString(),
                Words.Of(task is { StartedAt: { } from, EndedAt: { } to } ? to - from : null), task.Reason?.Message);
            foreach (AttemptSummary attempt in task.History)
                tasks.Row(
                    "#" + Words.Of(attempt.Number), "", Words.Of(attempt.State), attempt.Node, "", attempt.Price.ToString(), attempt.Cost.ToString(),
                    Words.Of(attempt.EndedAt is { } ended ? ended - attempt.StartedAt : null), attempt.Reason?.Message);
        }
        tasks.Write(output);
        if (document.Tasks.Length > tasksShown)
            output.WriteLine($"… and {document.Tasks.Length - tasksShown} more; -o json has them all, a selector such as last.201-400 some");
    }

    public static void Blobs(BlobListDocument list, TextWriter output)
    {
        var table = new TextTable("cid", ">size", "name", "kept by", "read by");
        foreach (BlobDocument blob in list.Blobs)
        {
            string jobs = blob.Jobs == 0 ? "" : Words.Count(blob.Jobs, "job");
            string keepers = (blob.Pinned, jobs.Length > 0) switch
            {
                (true, true) => $"you, {jobs}",
                (true, false) => "you",
                (false, true) => jobs,
                _ => "what was added in the last hour",
            };
            table.Row(blob.Cid.ToString(), Words.Bytes(blob.Bytes), (blob.Name ?? "-") + (blob.Folder ? "/" : ""), keepers, blob.Public ? "everybody" : "whom it concerns");
        }
        table.Write(output);
        output.WriteLine($"{Words.Count(list.StoreBlobs, "blob")} in the store, {Words.Bytes(list.StoreBytes)}");
    }

    public static void Results(ResultsDocument results, TextWriter output)
    {
        var table = new TextTable("path", ">size", ">task", "cid");
        foreach (ResultItem item in results.Items)
            table.Row(item.Path + (item.Folder ? "/" : ""), Words.Bytes(item.Bytes), "." + Words.Of(item.Task), item.Cid.ToString());
        table.Write(output);
    }

    public static void Explain(ExplainDocument document, TextWriter output)
    {
        output.WriteLine($"job {Words.Name(document.Job)}  {document.Job.Name}: {Words.Of(document.Job.State)}{(document.Job.Reason is { } why ? ", " + why.Message : "")}");
        foreach (TaskExplanation task in document.Tasks)
        {
            output.WriteLine();
            Explain(task, output);
        }
    }

    public static void Explain(TaskExplanation task, TextWriter output)
    {
        string alike = task.Alike > 1 ? $" and {Words.Count(task.Alike - 1, "task")} like it" : "";
        output.WriteLine($"task .{task.Task.Number} ({task.Task.Segment}){alike}: {Words.Of(task.Task.State)}{(task.Task.Node is { } node ? " on " + node : "")}");
        foreach (Reason reason in task.Reasons)
            output.WriteLine($"  {reason.Message}");
        Nodes([.. task.Nodes], output);
        if (!task.Complete)
            output.WriteLine("  (the nodes that answered; others were not asked)");
    }

    public static void Plan(PlanDocument plan, TextWriter output)
    {
        output.WriteLine(
            $"{plan.Name}: {Words.Count(plan.Tasks, "task")}, cost about {Words.Of(plan.Cost)}{(plan.Budget is { } budget ? $" of {budget}" : "")} credits, ends in about {Words.Of(plan.EndSeconds)}");
        foreach (SegmentPlan segment in plan.Segments)
        {
            output.WriteLine();
            output.WriteLine(
                $"{segment.Name}: {Words.Count(segment.Tasks, "task")}, bid {Words.Of(segment.Bid)}, starts in {Words.Of(segment.StartSeconds)}, "
                + $"each takes {Words.Of(segment.EstimateSeconds)}, cost {(segment.Cost is null ? "unknown: no node takes it" : Words.Of(segment.Cost))}");
            Nodes([.. segment.Nodes], output);
        }
    }

    public static void Market(MarketDocument market, TextWriter output)
    {
        var table = new TextTable("node", "region", ">cores free", ">memory free", ">gpus free", ">running", ">core price", "labels", "note");
        foreach (MarketNode node in market.Nodes)
            table.Row(
                node.Name, node.Traits.Region, $"{Words.Cores(node.Free.MilliCpus)}/{Words.Cores(node.Total.MilliCpus)}",
                $"{Words.Bytes(node.Free.MemoryBytes)}/{Words.Bytes(node.Total.MemoryBytes)}",
                node.Total.Gpus.IsEmpty ? "-" : $"{Words.Of(node.Free.Gpus.Length)}/{Words.Of(node.Total.Gpus.Length)}", Words.Of(node.Running), node.CorePrice.ToString(),
                string.Join(',', node.Traits.Labels),
                node.SilentSeconds is { } silent ? $"silent for {Words.Of(silent)}" : node.Avoided is { } avoided ? avoided.Message
                    : node.EndsInSeconds is { } end ? $"ends in {Words.Of(end)}" : "");
        table.Write(output);
        output.WriteLine($"{Words.Count(market.Waiting, "task")} waiting, {market.Running} running");
        foreach (MarketNode node in market.Nodes.Where(n => n.Refused is not null))
            output.WriteLine($"refused of {node.Name}: {Many(node.Refused!.Count)}, the last: {node.Refused.Last}");
        foreach (MarketNode node in market.Nodes)
            foreach (Complaint complaint in node.Complaints)
                output.WriteLine($"{node.Name} refused of {complaint.Node}: {Many(complaint.Count)}, the last: {complaint.Last}");
        foreach (MarketNode node in market.Nodes.Where(n => !n.Factors.IsEmpty))
        {
            output.WriteLine();
            output.WriteLine($"{node.Name}: one core for one hour");
            var factors = new TextTable("  factor", ">value", ">price", "because");
            foreach (PriceFactor factor in node.Factors)
                factors.Row("  " + factor.Name, factor.Value, factor.Price.ToString(), factor.Because);
            factors.Write(output);
        }
    }

    private static string Many(long messages) => Words.Count((int)Math.Min(messages, int.MaxValue), "message");

    public static void Ledger(LedgerDocument ledger, TextWriter output)
    {
        var accounts = new TextTable("owner", "payer", ">line", ">spent", ">held", ">left");
        foreach (LedgerAccount account in ledger.Accounts)
            accounts.Row(
                account.Owner, account.Payer, account.Line is { } line ? line.ToString() : "no end", account.Spent.ToString(), account.Held.ToString(),
                account.Line is { } all ? (all - account.Spent - account.Held).ToString() : "-");
        accounts.Write(output);
        foreach (LedgerTotal total in ledger.Earned)
            output.WriteLine($"this machine's workers billed {total.Principal} {total.Amount} for {total.Attempts} attempts");
        foreach (LedgerTotal total in ledger.Billed)
            output.WriteLine($"workers of {total.Principal} billed this node's jobs {total.Amount} for {total.Attempts} attempts");
        if (ledger.Entries.IsEmpty)
            return;
        output.WriteLine();
        var entries = new TextTable("at", "task", "node", ">price", ">billed", ">amount");
        Credits sum = Credits.Zero;
        foreach (LedgerEntry entry in ledger.Entries)
        {
            entries.Row(
                entry.At.ToString(), $"{Words.Short(entry.Job)}.{entry.Task}#{entry.Attempt}", entry.Node, entry.Price.ToString(), Words.Of(entry.BilledSeconds),
                entry.Amount.ToString());
            sum += entry.Amount;
        }
        entries.Row(ledger.More ? "these together" : "together", "", "", "", "", sum.ToString());
        entries.Write(output);
    }

    public static void Usage(UsageDocument usage, TextWriter output)
    {
        var table = new TextTable("job", "name", "segment", ">attempts", ">cores asked", ">used", ">memory asked", ">peak", ">estimate", ">took", ">cost");
        foreach (UsageRow row in usage.Rows)
            table.Row(
                Words.Short(row.Job), row.Name, row.Segment, Words.Of(row.Attempts), Words.Cores(row.AskedMilliCpus), Words.Cores(row.UsedMilliCpus),
                Words.Bytes(row.AskedMemoryBytes), Words.Bytes(row.PeakMemoryBytes), Words.Of(row.EstimateSeconds), Words.Of(row.RunSeconds), row.Cost.ToString());
        table.Write(output);
    }

    private static void Nodes(IReadOnlyList<NodeVerdict> nodes, TextWriter output)
    {
        if (nodes.Count == 0)
            return;
        var table = new TextTable("  node", "takes it", ">ask", ">expected cost", ">starts in", "why not");
        foreach (NodeVerdict node in nodes)
            table.Row(
                "  " + node.Node, node.Chosen ? "chosen" : node.Fits ? "yes" : "no", Words.Of(node.Ask), Words.Of(node.ExpectedCost), Words.Of(node.StartSeconds),
                string.Join("; ", node.Refusals.Select(Say)));
        table.Write(output);
    }

    private static string Say(Refusal refusal)
    {
        if (refusal.Code == ReasonCodes.Price)
            return $"price: asks {refusal.Available}, and is paid {refusal.Needed}";
        if (refusal is { Code: ReasonCodes.Constraint, Dimension: { } wanted, Needed: null })
            return $"needs {wanted}";
        string what = refusal.Dimension ?? refusal.Code;
        string amounts = refusal is { Needed: { } needed, Available: { } available } ? $": needs {needed}, has {available}" 
            : refusal.Needed is { } only ? $": needs {only}" : refusal.Available is { } words ? $": {words}" : "";
        return $"{what}{amounts}{(refusal.Ever ? " (later it could)" : "")}";
    }
}
