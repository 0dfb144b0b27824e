using System.Globalization;
using Drap.Cli.Output;
using Drap.Client;

namespace Drap.Cli.Jobs;

/// <summary>
/// Says to a person in front of a job why tasks of it find no place: what fits nowhere always, what only lacks room or a better price when nothing
/// else of the job runs. Each state of things is said once.
/// </summary>
internal sealed class WhyItWaits(INodeService node, JobId job)
{
    /// <summary>How long a task may wait before anything is said: in an idle swarm it has begun long before.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Between two looks at most; they are a second apart at first, then twice as long each time.</summary>
    private static readonly TimeSpan lookMost = TimeSpan.FromSeconds(10);

    private string told = "";

    /// <summary>From now to when to look again.</summary>
    public TimeSpan Next { get; private set; } = Patience;

    /// <summary>Tasks that wait have found a place: those that wait from now on are new.</summary>
    public void Forget() => Next = Patience;

    /// <summary>What is new, as <c>drap job explain</c> has it; null if nothing is.</summary>
    public async Task<string?> LookAsync(CancellationToken cancel)
    {
        Next = Next * 2 < lookMost ? Next * 2 : lookMost;
        try
        {
            ExplainDocument document = await node.ExplainAsync(job, null, cancel);
            TaskExplanation[] waiting = [.. document.Tasks.Where(t => t.Task.State == TaskState.Placing && Matters(t, document.Job.Tasks.Running > 0))];
            string now = string.Join('\n', waiting.Select(KeyOf));
            if (now == told)
                return null;
            told = now;
            var words = new StringWriter(CultureInfo.InvariantCulture);
            foreach (TaskExplanation task in waiting)
                Tables.Explain(task, words);
            return waiting.Length == 0 ? null : words.ToString().TrimEnd();
        }
        catch (Exception e) when (e is OperationCanceledException or ApiException or NodeUnreachableException)
        {
            // Whoever goes with the job hears of it as well.
            return null;
        }
    }

    private static bool Matters(TaskExplanation task, bool othersRun) =>
        !task.Nodes.Any(n => n.Fits) && (!othersRun || task.Reasons.Any(r => r.Code == ReasonCodes.FitsNowhere));

    /// <summary>What makes a difference: who refuses and for what. Amounts that are free and times that pass change by themselves.</summary>
    private static string KeyOf(TaskExplanation task)
    {
        IEnumerable<string> refusals = task.Nodes.SelectMany(n => n.Refusals.Select(r => $"{n.Node} {r.Code} {r.Dimension} {r.Ever}"));
        return $"{task.Task.Segment}: {string.Join(',', task.Reasons.Select(r => r.Code))}: {string.Join(',', refusals)}";
    }
}
