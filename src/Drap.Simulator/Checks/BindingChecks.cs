using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Checks;

/// <summary>
/// What must hold of all that a scheduler says and that binds somebody: it is durable first, each attempt goes to one worker, edges fire on results that
/// are safe, epochs rise, and what was told stays so. Not thread-safe.
/// </summary>
internal sealed class BindingChecks(WorldJobs jobs)
{
    private readonly Dictionary<AttemptId, (PeerId Worker, OfferId Offer, Price Ask)> confirmed = [];
    private readonly Dictionary<TaskId, List<AttemptId>> attempts = [];
    private readonly Dictionary<OfferId, (PeerId Worker, PeerId Scheduler, Epoch Epoch)> offers = [];
    private readonly Dictionary<JobId, WorldScheduler> owners = [];
    private readonly SortedDictionary<int, Epoch> epochs = [];
    private readonly HashSet<JobId> taken = [];
    private readonly Dictionary<TaskId, (int Attempt, int Losses)> told = [];
    private readonly List<TaskRange> needs = [];

    /// <summary>Tasks of whose success somebody was told.</summary>
    public int Told => told.Count;

    /// <summary>To whom an attempt was confirmed; nobody if it never was.</summary>
    public PeerId WorkerOf(AttemptId attempt) => confirmed.TryGetValue(attempt, out var to) ? to.Worker : default;

    /// <summary>By whom an offer was confirmed last, and in which epoch; null if it never was.</summary>
    public (PeerId Scheduler, Epoch Epoch)? ConfirmedBy(OfferId offer) => offers.TryGetValue(offer, out var by) ? (by.Scheduler, by.Epoch) : null;

    /// <summary>At which price an attempt was confirmed.</summary>
    public Price? AskOf(AttemptId attempt) => confirmed.TryGetValue(attempt, out var to) ? to.Ask : null;

    /// <summary>Whether the journal says that the gang of an attempt may start.</summary>
    public bool HasGone(AttemptId attempt, int segment) =>
        owners[attempt.Task.Job].Durable!.State.TryGet(attempt.Task.Job, out JobRun? job) && job.Segments[segment].HasGone;

    /// <summary>A job goes to a scheduler.</summary>
    public void Submitted(JobId job, WorldScheduler scheduler) => owners.Add(job, scheduler);

    /// <summary>A scheduler came up: its epoch is new, and it knows what it had told.</summary>
    public void Started(WorldScheduler scheduler, SchedulerState state)
    {
        if (epochs.TryGetValue(scheduler.Index, out Epoch before) && state.Epoch.CompareTo(before) <= 0)
            throw new ViolationException("epoch", $"{scheduler.Name} starts in epoch {state.Epoch.Value} after {before.Value}");
        epochs[scheduler.Index] = state.Epoch;
        Remembers(scheduler, state);
    }

    /// <summary>A scheduler knows what it had acknowledged, and what it had told is still so.</summary>
    public void Remembers(WorldScheduler scheduler, SchedulerState state)
    {
        foreach (JobId id in taken)
            if (owners[id] == scheduler && !state.TryGet(id, out _))
                throw new ViolationException("durable", $"{scheduler.Name} has forgotten job {id}, which it had acknowledged");
        foreach ((TaskId task, (int attempt, int losses)) in told)
            if (owners[task.Job] == scheduler && state.TryGet(task.Job, out JobRun? job))
                CheckTold(job, task, attempt, losses);
    }

    /// <summary>A scheduler answered a submit.</summary>
    public void Taken(WorldScheduler scheduler, JobId job)
    {
        if (!scheduler.Durable!.State.TryGet(job, out _))
            throw new ViolationException("durable", $"{scheduler.Name} acknowledges job {job}, which its disk does not hold");
        taken.Add(job);
    }

    /// <summary>A scheduler sends something.</summary>
    public void Sends(WorldScheduler scheduler, PeerId to, Message message)
    {
        switch (message)
        {
            case Confirm confirm:
                OnConfirm(scheduler, to, confirm);
                break;
            case Go go:
                foreach (AttemptId attempt in go.Attempts)
                    if (!HasGone(attempt, jobs.GraphOf(attempt.Task.Job).Locate(attempt.Task.Number).Segment))
                        throw new ViolationException("durable", $"{scheduler.Name} lets {attempt} of a gang go, and its disk does not say that the gang has gone");
                break;
            case ResultAck ack:
                foreach (AttemptId attempt in ack.Attempts)
                    if (scheduler.Durable!.State.Open.ContainsKey(attempt))
                        throw new ViolationException("durable", $"{scheduler.Name} acknowledges the end of {attempt}, which its disk does not hold");
                break;
        }
    }

    /// <summary>A scheduler tells of tasks that changed.</summary>
    public void Changed(WorldScheduler scheduler, JobRun job, IEnumerable<int> tasks, RunChecks runs)
    {
        SchedulerState durable = scheduler.Durable!.State;
        foreach (int number in tasks)
        {
            // Only what was told and still is can be looked up; it may have changed since.
            if (job.Tasks.State(number) != TaskState.Succeeded)
                continue;
            var task = new TaskId(job.Id, number);
            if (told.TryGetValue(task, out (int Attempt, int Losses) before) && before.Losses == job.Tasks.Losses(number))
            {
                CheckTold(job, task, before.Attempt, before.Losses);
                continue;
            }
            if (!durable.TryGet(job.Id, out JobRun? safe))
                throw new ViolationException("durable", $"{scheduler.Name} tells of {task}, whose job its disk does not hold");
            // Its end may have been told before this one's record was written: what is told then is the change before.
            if (safe.Tasks.State(number) != TaskState.Succeeded)
                continue;
            int attempt = job.Tasks.AcceptedAttempt(number);
            CheckAccepted(task, attempt, runs);
            told[task] = (attempt, job.Tasks.Losses(number));
        }
    }

    private void CheckAccepted(TaskId task, int attempt, RunChecks runs)
    {
        List<AttemptId> all = attempts.GetValueOrDefault(task, []);
        if (!all.Exists(a => a.Fence.Attempt == attempt && runs.EndedWell(a)))
            throw new ViolationException("result", $"attempt {attempt} of {task} was accepted, and never ended well");
        JobGraph graph = jobs.GraphOf(task.Job);
        if (graph.Job.Segments[graph.Locate(task.Number).Segment].Exclusive && all.Exists(a => a.Fence.Attempt > attempt))
            throw new ViolationException("result", $"attempt {attempt} of {task}, which is exclusive, was accepted after a later one was placed");
    }

    private static void CheckTold(JobRun job, TaskId task, int attempt, int losses)
    {
        if (job.Tasks.Losses(task.Number) > losses)
            return;
        if (job.Tasks.State(task.Number) != TaskState.Succeeded)
            throw new ViolationException("accepted", $"{task} was told as succeeded and is {job.Tasks.State(task.Number)}");
        if (job.Tasks.AcceptedAttempt(task.Number) != attempt)
            throw new ViolationException("accepted", $"{task} succeeded by attempt {attempt} and now by {job.Tasks.AcceptedAttempt(task.Number)}");
        if (job.Tasks.History(task.Number).Count(h => h.Verdict == Verdict.Accepted) > losses + 1)
            throw new ViolationException("accepted", $"{task} has more than one accepted end");
    }

    private void OnConfirm(WorldScheduler scheduler, PeerId to, Confirm confirm)
    {
        if (offers.TryGetValue(confirm.Offer, out (PeerId Worker, PeerId, Epoch) whose) && whose.Worker != to)
            throw new ViolationException("confirm", $"{scheduler.Name} confirms offer {confirm.Offer} to two workers");
        offers[confirm.Offer] = (to, confirm.Scheduler, confirm.Epoch);
        foreach (Assignment assignment in confirm.Tasks)
        {
            Work work = confirm.Works[assignment.Work];
            var id = new AttemptId(new TaskId(work.Job, assignment.Number), new Fence(confirm.Epoch, assignment.Attempt));
            if (confirmed.TryGetValue(id, out (PeerId Worker, OfferId Offer, Price) before))
            {
                if (before.Worker != to || before.Offer != confirm.Offer)
                    throw new ViolationException("confirm", $"{scheduler.Name} confirms {id} twice, for two offers");
                continue;
            }
            bool isKnown = scheduler.Durable!.State.TryGet(work.Job, out JobRun? job);
            if (isKnown)
                CheckEdges(id, job!);
            if (!isKnown || job!.Tasks.Attempts(assignment.Number) < assignment.Attempt)
                throw new ViolationException("durable", $"{scheduler.Name} confirms {id}, which its disk does not hold");
            confirmed.Add(id, (to, confirm.Offer, work.Ask));
            if (!attempts.TryGetValue(id.Task, out List<AttemptId>? all))
                attempts[id.Task] = all = new List<AttemptId>(1);
            all.Add(id);
        }
    }

    private void CheckEdges(AttemptId id, JobRun safe)
    {
        (int segment, int index) = safe.Graph.Locate(id.Task.Number);
        needs.Clear();
        safe.Graph.Needs(segment, index, needs);
        foreach ((int producer, int first, int last) in needs)
            for (int i = first; i <= last; i++)
            {
                int number = safe.Graph.NumberOf(producer, i);
                // What was lost later is made again; that this waits for it then is what the end shows.
                if (safe.Tasks.State(number) != TaskState.Succeeded && safe.Tasks.Losses(number) == 0)
                    throw new ViolationException("edge", $"{id} is placed, and that task {number}, which it needs, has ended is on no disk");
            }
    }
}
