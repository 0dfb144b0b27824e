using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Market.Allocation;
using Drap.Core.Nodes;
using CoreState = Drap.Core.Jobs.TaskState;
using NeedRange = Drap.Core.Jobs.TaskRange;

namespace Drap.Node.Service;

/// <summary>Says why tasks are where they are. Reads the scheduler between two steps; all that it gives back are copies.</summary>
internal static class Explainer
{
    public static ExplainDocument Explain(Moment at, JobRun job, int? task)
    {
        var found = ImmutableArray.CreateBuilder<TaskExplanation>();
        if (task is { } number)
        {
            found.Add(Explain(at, job, number, 1));
        }
        else
        {
            foreach (SegmentRun segment in job.Segments)
            {
                // Like tasks: of one segment, in one state, for one reason.
                var alike = new Dictionary<(CoreState State, string Reason), (int First, int Count)>();
                for (int n = segment.First; n < segment.First + segment.Count; n++)
                {
                    (CoreState, string) key = (job.Tasks.State(n), TaskView.ReasonOf(job, n)?.Code ?? "");
                    alike[key] = alike.TryGetValue(key, out (int First, int Count) known) ? (known.First, known.Count + 1) : (n, 1);
                }
                foreach ((int first, int count) in alike.Values.OrderBy(a => a.First))
                    found.Add(Explain(at, job, first, count));
            }
        }
        return new ExplainDocument { Job = JobView.Of(at, job).Job, Tasks = found.DrainToImmutable() };
    }

    private static TaskExplanation Explain(Moment at, JobRun job, int number, int alike)
    {
        TaskExplanation explanation = Why(at, job, number, alike);
        return Kept(at, job.SegmentOf(number).Spec) is { } kept ? explanation with { Reasons = [.. explanation.Reasons, kept] } : explanation;
    }

    /// <summary>Fewer nodes than the job asks for keep what its tasks leave (design 5): it is said, before a disk is lost.</summary>
    private static Reason? Kept(Moment at, SegmentSpec segment)
    {
        int there = at.Node.KeepersFor(null);
        if (segment.Durability < 2 || segment.Outputs.IsEmpty || there >= segment.Durability)
            return null;
        return new Reason(ReasonCodes.Durability, there == 1
            ? $"durability {segment.Durability} is asked for, and 1 is what there is: besides the worker that makes them, outputs lie on this node, and no worker of your own on another machine is connected"
            : $"durability {segment.Durability} is asked for, and {there} is what there is: outputs lie on this node and on workers of your own, of which {there - 1} are connected on other machines");
    }

    private static TaskExplanation Why(Moment at, JobRun job, int number, int alike)
    {
        SegmentRun segment = job.SegmentOf(number);
        var explanation = new TaskExplanation { Task = TaskView.Of(at, job, number), Alike = alike };
        switch (job.Tasks.State(number))
        {
            case CoreState.Blocked:
                return explanation with { Reasons = [Needs(job, segment, number)] };
            case CoreState.Ready when job.End == JobEnd.None:
                return Waiting(at, job, segment, number, explanation);
            case CoreState.Placed:
                return explanation with { Reasons = [.. Running(at, job, number)], Nodes = [.. Chosen(at, job, number)] };
            default:
                return explanation with { Reasons = TaskView.ReasonOf(job, number) is { } reason ? [reason] : [], Nodes = [.. Last(at, job, number)] };
        }
    }

    private static Reason Needs(JobRun job, SegmentRun segment, int number)
    {
        var needs = new List<NeedRange>();
        job.Graph.Needs(segment.Index, number - segment.First, needs);
        var words = new List<string>();
        foreach (IGrouping<int, NeedRange> producer in needs.GroupBy(n => n.Segment).OrderBy(n => n.Key))
        {
            SegmentRun needed = job.Segments[producer.Key];
            SortedSet<int> open = [];
            foreach (NeedRange range in producer)
                for (int index = range.First; index <= range.Last; index++)
                    if (job.Tasks.State(needed.First + index) != CoreState.Succeeded)
                        open.Add(needed.First + index);
            if (open.Count > 0)
                words.Add(open.Count == 1
                    ? $"task .{open.Min} of '{needed.Spec.Name}', which is {Word(job, open.Min)}"
                    : $"{open.Count} tasks of '{needed.Spec.Name}', the first of them .{open.Min}, which is {Word(job, open.Min)}");
        }
        return new Reason(ReasonCodes.Needs, words.Count > 0 ? "it waits for " + string.Join(", and for ", words) : "it waits for what it needs");
    }

    private static string Word(JobRun job, int number) => TaskView.StateOf(job, number).ToString().ToLowerInvariant();

    private static TaskExplanation Waiting(Moment at, JobRun job, SegmentRun segment, int number, TaskExplanation explanation)
    {
        var reasons = ImmutableArray.CreateBuilder<Reason>();
        if (at.Node.ShortOf is { } shortOf)
            reasons.Add(new Reason(ReasonCodes.Journal, $"{shortOf}; nothing is placed until that is over"));
        if (job.IsHeld)
            reasons.Add(new Reason(ReasonCodes.Held, "its job is held; drap job release lets it go on"));
        if (job.Budget.Available <= Credits.Zero)
            reasons.Add(new Reason(ReasonCodes.Budget,
                $"of the budget of {job.Budget.Budget} credits {job.Budget.Spent} are spent and {job.Budget.Reserved} set aside for what runs"));
        if (segment.Spec.Concurrency is { } most && segment.Live >= most)
            reasons.Add(new Reason(ReasonCodes.Throttle, $"{segment.Live} tasks of '{segment.Spec.Name}' run, and the job allows {most} at once"));
        if (segment.Spec.Nodes is { } ranks)
            reasons.Add(new Reason(ReasonCodes.Gang, $"a gang of {ranks}: all ranks start together, when {ranks} places are free at the same time"));
        if (TaskView.ReasonOf(job, number) is { } own && !job.IsHeld)
            reasons.Add(own);
        ImmutableArray<GroupStanding> standings = at.Node.Explain(job, segment);
        (ImmutableArray<NodeVerdict> nodes, bool complete) = Nodes(at, standings);
        if (reasons.Count == 0 || segment.Spec.Nodes is not null)
            reasons.Add(OfMarket(at, standings, nodes));
        return explanation with { Reasons = reasons.DrainToImmutable(), Nodes = nodes, Complete = complete };
    }

    private static (ImmutableArray<NodeVerdict> Nodes, bool Complete) Nodes(Moment at, ImmutableArray<GroupStanding> standings)
    {
        bool complete = true;
        var nodes = new List<NodeVerdict>();
        foreach (PeerId worker in standings.SelectMany(s => s.Audience.Concat(s.Answers.Select(a => a.Worker))).Distinct())
        {
            List<GroupAnswer> answers = [.. standings.SelectMany(s => s.Answers).Where(a => a.Worker == worker)];
            string name = at.Node.NameOf(worker);
            GroupTerms terms = standings[0].Terms;
            NodeVerdict verdict = answers.Count > 0
                ? Verdicts.Of(name, worker, answers, terms.Estimate, standings[0].Bid)
                : new NodeVerdict { Node = name, Peer = worker, Refusals = [Verdicts.NoAnswer] };
            complete &= answers.Count > 0;
            if (at.Node.KeptAway(worker, at.Now) is var (until, why))
                verdict = verdict with
                {
                    Fits = false,
                    Refusals = [new Refusal(ReasonCodes.BackOff, null, null, $"avoided for {Seconds(until - at.Now)}: {why}", Ever: true), .. verdict.Refusals],
                };
            if (at.Node.ComplaintOf(worker) is { } complaint)
                verdict = verdict with { Refusals = [.. verdict.Refusals, new Refusal(ReasonCodes.Complaint, null, null, $"{complaint.Count} of its messages were refused, the last: {complaint.Last}", Ever: true)] };
            nodes.Add(verdict);
        }
        return ([.. nodes.OrderBy(n => n.Node, StringComparer.Ordinal).ThenBy(n => n.Peer)], complete && nodes.Count > 0);
    }

    private static Reason OfMarket(Moment at, ImmutableArray<GroupStanding> standings, ImmutableArray<NodeVerdict> nodes)
    {
        if (nodes.IsEmpty)
            return new Reason(ReasonCodes.FitsNowhere, "no machine of the swarm takes tasks of this kind now");
        if (nodes.All(n => n.IsNever()))
            return new Reason(ReasonCodes.FitsNowhere, nodes.Length == 1 ? "it fits nowhere: not on the only machine" : $"it fits on none of the {nodes.Length} machines");
        GroupStanding standing = standings[0];
        string since = standing.Since != Instant.Never && standing.Since <= at.Now ? $", for {Seconds(at.Now - standing.Since)} now" : "";
        if (nodes.FirstOrDefault(n => n.Fits) is { } fits)
            return new Reason(ReasonCodes.NoRoom, $"{fits.Node} would take it; its turn comes{since}");
        if (nodes.All(n => n.IsNever() || n.Refusals.Any(r => r.Code == ReasonCodes.Price)))
            return new Reason(ReasonCodes.Price, $"every machine that could take it asks more than the bid of {standing.Bid}, which rises to {standing.Terms.Limit} at most");
        return new Reason(ReasonCodes.NoRoom, $"it waits for room{since}");
    }

    private static IEnumerable<Reason> Running(Moment at, JobRun job, int number)
    {
        IReadOnlyList<LeasedAttempt> attempts = at.Attempts(job, number);
        foreach (LeasedAttempt attempt in attempts)
        {
            string how = attempt.Phase switch
            {
                LeasePhase.Confirmed => "was given to",
                LeasePhase.Leased => "is about to run on",
                LeasePhase.Running => "runs on",
                LeasePhase.Delivering => "has ended, and its outputs are being fetched from,",
                _ => "was last known on, and is asked for at,",
            };
            yield return new Reason("running", $"attempt {attempt.Id.Fence.Attempt} {how} {at.Node.NameOf(attempt.Worker)} for {attempt.Ask}, since {Seconds(at.Now - attempt.PlacedAt)}");
        }
        if (attempts.Count == 0)
            yield return new Reason("running", "an attempt was placed before the node stopped");
        if (job.Votes(number).Count is > 0 and int votes)
            yield return new Reason("votes", $"{votes} results are in; {job.SegmentOf(number).Spec.Accept.Agree} must agree");
    }

    private static IEnumerable<NodeVerdict> Chosen(Moment at, JobRun job, int number) =>
        at.Attempts(job, number)
            .Select(a => new NodeVerdict { Node = at.Node.NameOf(a.Worker), Peer = a.Worker, Fits = true, Chosen = true, Ask = a.Ask })
            .OrderBy(n => n.Node, StringComparer.Ordinal);

    private static IEnumerable<NodeVerdict> Last(Moment at, JobRun job, int number)
    {
        int node = job.Tasks.Node(number);
        return node < 0 ? [] : [new NodeVerdict
        {
            Node = at.NameOf(node)!,
            Peer = at.State.Node(node).Peer,
            Fits = true,
            Chosen = true,
            Ask = job.Tasks.Price(number),
        }];
    }

    private static string Seconds(TimeSpan time) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.#} s");
}
