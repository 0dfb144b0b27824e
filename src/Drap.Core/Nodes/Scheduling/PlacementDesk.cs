using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Market;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Gives tasks to workers: opens groups for segments, turns awards into attempts and confirmations, and takes acknowledgements.
/// The winning path of a task runs through here: award, record, (persisted,) confirmation, acknowledgement.
/// </summary>
internal sealed class PlacementDesk(SchedulerContext context) : IDemand
{
    /// <summary>
    /// A bid is six times the base price where the job names none: the last core of a machine asks 5.4 times it at the curve's end, and a
    /// machine that stands idle behind a backlog serves nobody. A worker offers at its own ask, so a high bid costs nothing.
    /// </summary>
    private const int DefaultBidFactor = 6;

    /// <summary>And its limit twice the bid.</summary>
    private const int DefaultLimitFactor = 2;

    /// <summary>A confirmation that was not answered is sent again after this, then twice, four times … as long.</summary>
    private static readonly TimeSpan ConfirmRetry = TimeSpan.FromMilliseconds(500);

    /// <summary>A confirmation is full at this size: with the largest single task on top (a template of 256 KiB) it still fits a frame of 1 MiB.</summary>
    private const int ConfirmBytesMax = 640 * 1024;

    /// <summary>What one assignment takes beside its template, hosts of a gang left out.</summary>
    private const int AssignmentBytes = 64;

    /// <summary>Lines are looked at for stealing at most this often a group.</summary>
    private static readonly TimeSpan StealInterval = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<int, PlacementGroup> groups = [];
    private readonly Dictionary<OfferId, OpenConfirm> open = [];
    private readonly PriorityQueue<OfferId, Instant> resend = new();
    private readonly SortedSet<(Instant At, int Job, int Segment)> delays = [];

    /// <summary>Confirmations to be sent again, and retries whose time comes.</summary>
    public Instant NextDeadline => Instant.Min(
        resend.TryPeek(out _, out Instant at) ? at : Instant.Never, delays.Count > 0 ? delays.Min.At : Instant.Never);

    /// <summary>A task wants its places: one, or as many as must agree.</summary>
    public void Ready(JobRun job, int number)
    {
        SegmentRun segment = job.SegmentOf(number);
        if (job.Tasks.State(number) == TaskState.Placed)
        {
            Again(job, number, default, TimeSpan.Zero);
            return;
        }
        // An exclusive task that was taken back, or is to run again, waits for the end of the attempt that it had: see Left.
        if (segment.Spec.Exclusive && context.Leases.OfTask(new TaskId(job.Id, number)).Count > 0)
        {
            job.Tasks.SetState(number, TaskState.Blocked);
            return;
        }
        PutInQueue(job, segment, number);
        Wake(job, segment);
    }

    /// <summary>A placed task may lack places: after a fault, a failure, or a silence of a worker. It gets in line for those that it lacks.</summary>
    /// <param name="avoid">Where it should not go for a while, if there is elsewhere.</param>
    /// <param name="delay">How long it waits first.</param>
    public void Again(JobRun job, int number, PeerId avoid, TimeSpan delay)
    {
        SegmentRun segment = job.SegmentOf(number);
        // A task that is ready stands in line for all that it lacks.
        if (job.Tasks.State(number) != TaskState.Placed)
            return;
        if (!job.Readiness.IsReady(number))
        {
            Block(job, [number]);
            return;
        }
        int missing = Missing(job, segment, number);
        if (missing <= 0)
            return;
        if (CopiesOut(job, number) == 0)
            job.Tasks.SetState(number, TaskState.Ready);
        for (; missing > 0; missing--)
            segment.Queue.AddChoosy(number, context.Now, context.Now + delay, avoid, context.Now + delay + AvoidTime);
        if (delay > TimeSpan.Zero)
            delays.Add((context.Now + delay, job.Number, segment.Index));
        Wake(job, segment);
    }

    /// <summary>How long a retry insists on another worker.</summary>
    private static readonly TimeSpan AvoidTime = TimeSpan.FromSeconds(2);

    /// <summary>The task wants no place any more.</summary>
    public static void Withdraw(JobRun job, IEnumerable<int> tasks)
    {
        foreach (int number in tasks)
        {
            SegmentRun segment = job.SegmentOf(number);
            if (job.Tasks.State(number) == TaskState.Ready || segment.Queue.ChoosyOf(number) > 0)
                segment.Queue.Withdraw(number);
        }
    }

    /// <summary>
    /// What these need must run again first: they get no place until it has. Those under way go on, since they may have what they need. That
    /// a need has failed meanwhile is looked at again: then they never run.
    /// </summary>
    public void Block(JobRun job, IReadOnlyList<int> tasks)
    {
        Withdraw(job, tasks);
        var needs = new List<TaskRange>();
        foreach (int number in tasks)
        {
            if (CopiesOut(job, number) > 0)
                continue;
            SegmentRun segment = job.SegmentOf(number);
            job.Tasks.SetState(number, TaskState.Blocked);
            context.Touch(job, number);
            needs.Clear();
            job.Graph.Needs(segment.Index, number - segment.First, needs);
            foreach (TaskRange range in needs)
                for (int need = job.Graph.NumberOf(range.Segment, range.First); need <= job.Graph.NumberOf(range.Segment, range.Last); need++)
                    if (job.Tasks.State(need) is TaskState.Failed or TaskState.Cancelled or TaskState.Skipped or TaskState.NotPlaced)
                        job.NewlyDead.Add(need);
        }
    }

    /// <summary>Ends the attempts of these tasks; told again with each heartbeat until they have ended.</summary>
    public void CancelAttempts(JobRun job, IEnumerable<int> tasks, CancelReason reason, TimeSpan grace)
    {
        var byWorker = new SortedDictionary<PeerId, List<AttemptId>>();
        foreach (int number in tasks)
            foreach (LeasedAttempt attempt in context.Leases.OfTask(new TaskId(job.Id, number)))
            {
                if (!byWorker.TryGetValue(attempt.Worker, out List<AttemptId>? list))
                    byWorker[attempt.Worker] = list = [];
                list.Add(attempt.Id);
                attempt.Cancelled ??= reason;
            }
        foreach ((PeerId worker, List<AttemptId> attempts) in byWorker)
            foreach (AttemptId[] chunk in attempts.Chunk(Messages.Confirm.TasksMax))
                context.EmitDurable(new SchedulerEffect.Send(worker, new Cancel([.. chunk], reason, grace)));
    }

    /// <summary>After a restart: ends what is under way for tasks that have ended, or were taken back; the word of it may not have gone out.</summary>
    public void CancelUnwanted()
    {
        foreach (IGrouping<JobId, TaskId> tasks in context.Leases.Tasks.Order().GroupBy(t => t.Job).ToArray())
            if (context.State.TryGet(tasks.Key, out JobRun? job))
                CancelAttempts(job, tasks.Select(t => t.Number).Where(n => job.End != JobEnd.None
                    || job.Tasks.State(n) is not (TaskState.Placed or TaskState.Ready)), CancelReason.Settled, JobDesk.Grace);
    }

    /// <summary>All that waits is looked at anew.</summary>
    public void WakeAll(JobRun job)
    {
        foreach (SegmentRun segment in job.Segments)
            if (segment.Queue.Count > 0)
                Wake(job, segment);
    }

    /// <summary>The segment's terms changed.</summary>
    public void TermsChanged(JobRun job, SegmentRun segment)
    {
        for (int i = 0; i < segment.Groups.Count; i++)
            if (groups.TryGetValue(segment.Groups[i], out PlacementGroup? group))
            {
                context.Allocator.SetTerms(segment.Groups[i], TermsOf(job, segment, group.Variant));
                group.Shared = null;
            }
    }

    /// <summary>Tasks of the job run again, and may leave other outputs than those that templates name.</summary>
    public void ForgetTemplates(JobRun job)
    {
        foreach (SegmentRun segment in job.Segments)
            foreach (int id in segment.Groups)
                groups[id].Shared = null;
    }

    /// <summary>The job is over: its groups want nothing.</summary>
    public void Retire(JobRun job)
    {
        foreach (SegmentRun segment in job.Segments)
        {
            foreach (int id in segment.Groups)
            {
                groups.Remove(id);
                context.Allocator.Retire(id);
            }
            segment.Groups.Clear();
            segment.Queue.Clear();
        }
    }

    /// <summary>By when the segment's tasks must have been placed.</summary>
    public static Instant DeadlineOf(JobRun job, SegmentRun segment) =>
        segment.Spec.Deadline is { } deadline ? job.SubmittedOn + deadline : Instant.Never;

    /// <inheritdoc/>
    public int Pending(int group) => groups.TryGetValue(group, out PlacementGroup? g) ? Allowed(g, g.Segment.Queue.Count) : 0;

    /// <inheritdoc/>
    public int PendingFor(int group, PeerId worker) =>
        groups.TryGetValue(group, out PlacementGroup? g) ? Allowed(g, g.Segment.Queue.CountFor(worker, context.Now, HasCopy(g))) : 0;

    /// <summary>Looks at what waited for its time, and sends again what was not answered.</summary>
    public void Tick()
    {
        while (delays.Count > 0 && delays.Min.At <= context.Now)
        {
            (Instant _, int number, int index) = delays.Min;
            delays.Remove(delays.Min);
            if (context.State.TryGet(number, out JobRun? job) && job.Segments[index].Queue.Release(context.Now))
                Wake(job, job.Segments[index]);
        }
        while (resend.TryPeek(out OfferId offer, out Instant at) && at <= context.Now)
        {
            resend.Dequeue();
            if (!open.TryGetValue(offer, out OpenConfirm? confirm))
                continue;
            if (!confirm.Attempts.Any(a => context.Leases.TryGet(a, out _)))
            {
                open.Remove(offer);
                continue;
            }
            confirm.Tries++;
            context.Emit(new SchedulerEffect.Send(confirm.Worker, confirm.Message));
            resend.Enqueue(offer, context.Now + TimeSpan.FromTicks(ConfirmRetry.Ticks << Math.Min(confirm.Tries, 5)));
        }
    }

    /// <summary>An offer won: its tasks are chosen, recorded, and confirmed when that is durable.</summary>
    public void Award(AllocatorEffect.Award award)
    {
        if (open.ContainsKey(award.Offer))
            return;
        var entries = new List<(PlacementGroup, AwardEntry, List<int>)>(award.Entries.Length);
        int room = Messages.Confirm.TasksMax;
        foreach (AwardEntry entry in award.Entries)
        {
            if (!groups.TryGetValue(entry.Group, out PlacementGroup? group))
                continue;
            int wanted = Math.Min(Math.Min(entry.Count, room), Allowed(group, int.MaxValue));
            List<int> tasks = group.Segment.Queue.Take(award.Worker, wanted, context.Now, HasCopy(group));
            room -= tasks.Count;
            entries.Add((group, entry, tasks));
        }
        Confirm(award, entries, []);
    }

    /// <summary>A whole gang has offers: its ranks are given out together; the attempts, by the worker that has them.</summary>
    public (JobRun Job, SegmentRun Segment, List<(PeerId Worker, ImmutableArray<AttemptId> Attempts)> Members)? AwardGang(AllocatorEffect.AwardGang award)
    {
        if (!groups.TryGetValue(award.Group, out PlacementGroup? group) || Pending(award.Group) < group.Segment.Count
            || award.Members.Any(m => open.ContainsKey(m.Offer)))
            return null;
        var shares = new List<(AllocatorEffect.Award Award, List<int> Tasks)>();
        string[] hosts = new string[group.Segment.Count];
        foreach (AllocatorEffect.Award member in award.Members)
        {
            List<int> tasks = group.Segment.Queue.Take(member.Worker, member.Entries[0].Count, Instant.Never, HasCopy(group));
            shares.Add((member, tasks));
            foreach (int task in tasks)
                hosts[task - group.Segment.First] = context.Names.TryGetValue(member.Worker, out SchedulerInput.Named? named) ? named.Host : "";
        }
        var members = new List<(PeerId, ImmutableArray<AttemptId>)>();
        foreach ((AllocatorEffect.Award member, List<int> tasks) in shares)
            members.Add((member.Worker, Confirm(member, [(group, member.Entries[0], tasks)], [.. hosts])));
        return (group.Job, group.Segment, members);
    }

    /// <summary>Records and confirms; the attempts, or none if nothing came of it.</summary>
    private ImmutableArray<AttemptId> Confirm(
        AllocatorEffect.Award award, List<(PlacementGroup Group, AwardEntry Entry, List<int> Tasks)> entries, ImmutableArray<string> hosts)
    {
        var works = ImmutableArray.CreateBuilder<Work>();
        var assignments = ImmutableArray.CreateBuilder<Assignment>();
        var attempts = ImmutableArray.CreateBuilder<AttemptId>();
        // First what can be placed, with the full price set aside; how many those are says which price is agreed.
        var templates = new Dictionary<(int Group, int Number), ImmutableArray<byte>>();
        ImmutableArray<byte> last = default;
        int bytes = 0;
        foreach ((PlacementGroup group, AwardEntry entry, List<int> tasks) in entries)
            foreach (int number in tasks)
            {
                // What passes one frame waits for the next offer; a single task always fits one.
                if (bytes >= ConfirmBytesMax)
                {
                    PutInQueue(group.Job, group.Segment, number);
                    Wake(group.Job, group.Segment);
                    continue;
                }
                if (TemplateOf(group, number) is not { } template || !TryReserve(group, number, entry))
                    continue;
                bytes += AssignmentBytes + (template == last ? 0 : template.Length + group.SecretBytes);
                templates.Add((entry.Group, number), last = template);
            }
        int count = templates.Count;
        foreach ((PlacementGroup group, AwardEntry entry, List<int> tasks) in entries)
        {
            Price ask = award.Discount.Of(entry.Ask, count);
            var placed = ImmutableArray.CreateBuilder<AttemptId>(tasks.Count);
            foreach (int number in tasks)
            {
                if (!templates.TryGetValue((entry.Group, number), out ImmutableArray<byte> template))
                    continue;
                if (works.Count == 0 || works[^1].Group != entry.Group || works[^1].Template != template)
                    works.Add(new Work(group.Job.Id, entry.Group, ask, template, group.Secrets));
                AttemptId id = NextAttempt(group.Job, number);
                context.Leases.Add(new LeasedAttempt(id, award.Worker, entry.Group, ask) 
                {
                    PlacedAt = context.Now, ReservedFor = MoneyDesk.FirstPeriod(context.Allocator.Estimate(entry.Group)),
                }, context.Now);
                placed.Add(id);
                int index = number - group.Segment.First;
                assignments.Add(new Assignment
                {
                    Work = works.Count - 1,
                    Number = number,
                    Attempt = id.Fence.Attempt,
                    Index = index,
                    ArrayNumber = JobForm.Number(group.Segment.Spec, index),
                    Hosts = hosts,
                });
            }
            if (placed.Count == 0)
                continue;
            context.Record(new SchedulerRecord.Placed(group.Job.Id, award.Worker, context.NameOf(award.Worker), ask, context.Utc, placed.ToImmutable()));
            attempts.AddRange(placed);
            foreach (AttemptId id in placed)
                context.Touch(group.Job, id.Task.Number);
            group.Segment.Live += placed.Count;
            context.Allocator.Placed(entry.Group, award.Worker, placed.Count);
        }
        if (assignments.Count == 0)
            return [];
        var confirm = new Confirm
        {
            Offer = award.Offer,
            Scheduler = context.Options.Scheduler,
            Principal = context.Options.Principal,
            Epoch = context.Epoch,
            Lease = LeaseBook.LeaseTime,
            AwaitGo = !hosts.IsEmpty,
            Works = works.ToImmutable(),
            Tasks = assignments.ToImmutable(),
        };
        open[award.Offer] = new OpenConfirm(award.Worker, confirm, attempts.ToImmutable());
        resend.Enqueue(award.Offer, context.Now + ConfirmRetry);
        context.EmitDurable(new SchedulerEffect.Send(award.Worker, confirm));
        return attempts.ToImmutable();
    }

    /// <summary>The worker took a confirmation; the attempts that stand now.</summary>
    public ImmutableArray<AttemptId> OnAck(PeerId from, Ack ack)
    {
        if (!open.TryGetValue(ack.Offer, out OpenConfirm? confirm) || confirm.Worker != from)
            return [];
        open.Remove(ack.Offer);
        var unwanted = ImmutableArray.CreateBuilder<AttemptId>();
        foreach (AttemptId id in confirm.Attempts)
        {
            if (!context.Leases.TryGet(id, out LeasedAttempt? attempt))
            {
                unwanted.Add(id);
            }
            else if (attempt.Phase == LeasePhase.Confirmed)
            {
                context.Leases.Acknowledge(attempt, context.Now);
                if (context.State.TryGet(id.Task.Job, out JobRun? job))
                    context.Touch(job, id.Task.Number);
            }
        }
        // Taken back meanwhile, and the word of it may have come before the confirmation; what has ended by itself is not there any more.
        if (unwanted.Count > 0)
            context.Emit(new SchedulerEffect.Send(from, new Release(unwanted.ToImmutable())));
        return confirm.Attempts;
    }

    /// <summary>The worker refused a confirmation, or some of its tasks: those attempts never were.</summary>
    public ImmutableArray<AttemptId> OnNack(PeerId from, Nack nack)
    {
        if (!open.TryGetValue(nack.Offer, out OpenConfirm? confirm) || confirm.Worker != from)
            return [];
        ImmutableArray<AttemptId> refused = nack.Refused.IsEmpty ? confirm.Attempts : [.. nack.Refused.Intersect(confirm.Attempts)];
        if (refused.Length == confirm.Attempts.Length)
            open.Remove(nack.Offer);
        else
            open[nack.Offer] = confirm with { Attempts = [.. confirm.Attempts.Except(refused)] };
        return refused;
    }

    /// <summary>A worker has room, and others have long lines: some of what stands there is asked back.</summary>
    public void Steal(AllocatorEffect.Spare spare)
    {
        if (!groups.TryGetValue(spare.Group, out PlacementGroup? group) || context.Now < group.NextSteal)
            return;
        group.NextSteal = context.Now + StealInterval;
        LeasedAttempt[] lines = [.. context.Leases.OfGroup(spare.Group).Where(a => a.Worker != spare.Worker && a.Phase == LeasePhase.Leased)];
        IGrouping<PeerId, LeasedAttempt>? longest = lines.GroupBy(a => a.Worker).MaxBy(g => (g.Count(), g.Key));
        if (longest is null || longest.Count() < 2)
            return;
        // The last in line are the furthest from their start; half of it, so that both are done at about the same time.
        context.Emit(new SchedulerEffect.Send(longest.Key,
            new Steal([.. longest.Select(a => a.Id).OrderDescending().Take(Math.Min(Math.Max(spare.Count, longest.Count() / 2), 1024))])));
    }

    /// <summary>An attempt is over, and its lease is out of the book: it frees its place in the segment's limit.</summary>
    public void Left(JobRun job, LeasedAttempt attempt, TimeSpan wall)
    {
        int number = attempt.Id.Task.Number;
        SegmentRun segment = job.SegmentOf(number);
        segment.Live--;
        context.Allocator.Ended(attempt.Group, attempt.Worker, wall);
        if (segment.Spec.Nodes is not null)
            context.LeftGangs.Add(attempt.Id);
        if (segment.Spec.Exclusive && job.End == JobEnd.None)
            job.Reopen(number, Ready);
        if (segment.Spec.Concurrency is not null && segment.Queue.Count > 0)
            Wake(job, segment);
    }

    /// <summary>Groups of a segment, for <c>explain</c>.</summary>
    public IEnumerable<(int Group, int Variant)> GroupsOf(SegmentRun segment) =>
        segment.Groups.Where(groups.ContainsKey).Select(id => (id, groups[id].Variant));

    /// <summary>What would be bid for a segment, or an alternative of it.</summary>
    public GroupTerms TermsOf(JobRun job, SegmentRun segment, int variant) =>
        TermsOf(segment.Spec, variant, DeadlineOf(job, segment), job.SubmittedOn, segment.Count);

    /// <summary>The same for a segment of a job that is not submitted.</summary>
    public GroupTerms TermsOf(SegmentSpec spec, int variant, Instant deadline, Instant submitted, int count)
    {
        AlternativeSpec? alternative = variant == 0 ? null : spec.Alternatives[variant - 1];
        ConstraintsSpec constraints = alternative?.Constraints ?? spec.Constraints;
        ResourceRequest request = (alternative?.Resources ?? spec.Resources).ToRequest();
        Price bid = spec.Bid ?? context.Options.Prices.BaseOf(request, new NodeResources()).Times(DefaultBidFactor, 1);
        Price limit = spec.Limit ?? bid.Times(DefaultLimitFactor, 1);
        Driver driver = alternative?.Driver ?? spec.Driver;
        return new GroupTerms
        {
            Resources = request,
            Placement = new Placement
            {
                Labels = [.. constraints.Labels.Order(StringComparer.Ordinal)],
                NotLabels = [.. constraints.NotLabels.Order(StringComparer.Ordinal)],
                Architecture = constraints.Architecture ?? "",
                Region = constraints.Region ?? "",
                Zone = constraints.Zone ?? "",
            },
            Driver = driver == Driver.Dotnet ? "dotnet" : "process",
            Handler = driver == Driver.Dotnet ? alternative?.Handler ?? spec.Handler ?? "" : "",
            Estimate = spec.Estimate ?? TimeSpan.Zero,
            Bid = bid < limit ? bid : limit,
            Limit = limit,
            // Once it has passed, only what was placed in time is left, and may be placed again.
            Deadline = deadline > context.Now ? deadline : Instant.Never,
            Priority = spec.Priority,
            FirmOnly = spec.Exclusive,
            GangSize = spec.Nodes ?? 0,
            Submitted = submitted,
            WorkersMax = constraints.MaxWorkers ?? 0,
            PreferColocated = constraints.PreferColocated,
            Policy = spec.Policy switch
            {
                Policy.Cheapest => OfferPolicy.Cheapest,
                Policy.Fastest => OfferPolicy.Fastest,
                _ => OfferPolicy.Balanced,
            },
        };
    }

    private void Wake(JobRun job, SegmentRun segment)
    {
        if (segment.Groups.Count == 0)
            for (int variant = 0; variant <= segment.Spec.Alternatives.Length; variant++)
            {
                GroupTerms terms = TermsOf(job, segment, variant);
                if (context.Allocator.Open(terms, Topics.ForTask(terms.Resources, context.Options.Region)) is not { } id)
                    break;
                groups[id] = new PlacementGroup(job, segment, variant);
                segment.Groups.Add(id);
            }
        foreach (int group in segment.Groups)
            context.Allocator.Wake(group);
    }

    private static int Allowed(PlacementGroup group, int places)
    {
        if (group.Job.IsHeld || group.Job.End != JobEnd.None || group.Job.Budget.Available <= Credits.Zero)
            return 0;
        if (group.Segment.Spec.Concurrency is { } most)
            places = Math.Min(places, most - group.Segment.Live);
        // A gang goes as a whole or not at all.
        if (group.Segment.Spec.Nodes is { } nodes && places < nodes)
            return 0;
        return Math.Max(places, 0);
    }

    private Func<int, PeerId, bool> HasCopy(PlacementGroup group) => (number, worker) =>
        group.Segment.Spec.Accept.Of > 1
        && (group.Job.Votes(number).Any(v => v.Worker == worker)
            || context.Leases.OfTask(new TaskId(group.Job.Id, number)).Any(a => a.Worker == worker));

    private int CopiesOut(JobRun job, int number)
    {
        int copies = 0;
        foreach (LeasedAttempt attempt in context.Leases.OfTask(new TaskId(job.Id, number)))
            if (attempt is { Replaced: false, Cancelled: null })
                copies++;
        return copies;
    }

    /// <summary>Places that the task should have or stand in line for, and does not.</summary>
    private int Missing(JobRun job, SegmentRun segment, int number) =>
        segment.Spec.Accept.Of - job.Votes(number).Count - CopiesOut(job, number) - segment.Queue.ChoosyOf(number);

    private void PutInQueue(JobRun job, SegmentRun segment, int number)
    {
        if (segment.Spec.Accept.Of == 1)
            segment.Queue.Add(number);
        else
            for (int i = Missing(job, segment, number); i > 0; i--)
                segment.Queue.AddChoosy(number, context.Now, context.Now, default, context.Now);
    }

    /// <summary>Sets the task's full price aside; false, and the task is in line again, if the budget does not bear it.</summary>
    private bool TryReserve(PlacementGroup group, int number, AwardEntry entry)
    {
        TimeSpan period = MoneyDesk.FirstPeriod(context.Allocator.Estimate(entry.Group));
        Credits need = Billing.Amount(entry.Ask, period);
        if (group.Job.Budget.TryReserve(NextAttempt(group.Job, number), need))
            return true;
        PutInQueue(group.Job, group.Segment, number);
        group.Segment.ShortOf = need;
        context.Touch(group.Job);
        return false;
    }

    private AttemptId NextAttempt(JobRun job, int number) =>
        new(new TaskId(job.Id, number), new Fence(context.Epoch, job.Tasks.Attempts(number) + 1));

    /// <summary>
    /// What a task runs; tasks that are all alike share one, made once. Null if it cannot be made, which fails the task for good: its job's
    /// fault, the same at each try.
    /// </summary>
    private ImmutableArray<byte>? TemplateOf(PlacementGroup group, int number)
    {
        if (group.Shared is { } shared)
            return shared;
        JobRun job = group.Job;
        if (!JobTasks.TryMake(job.Graph, group.Segment.Index, number - group.Segment.First, group.Variant, OutputOf(job), out TaskSpec? task, out string? error)
            || !TryTakeSecrets(group, out error))
        {
            if (group.Segment.Queue.ChoosyOf(number) > 0)
                group.Segment.Queue.Withdraw(number);
            context.Record(new SchedulerRecord.Closed(job.Id, context.Utc, TaskState.Failed, error, [number]));
            context.Touch(job, number);
            return null;
        }
        // Where outputs are delivered is the client's business, and differs from task to task.
        ImmutableSortedDictionary<string, OutputSpec> declared = task.Outputs.ToImmutableSortedDictionary(o => o.Key, o => o.Value with { To = "" }, StringComparer.Ordinal);
        ImmutableArray<byte> json = [.. JobJson.Write(task with { Timeout = group.Segment.Spec.Timeout, Outputs = declared })];
        if (group.IsUniform)
            group.Shared = json;
        return json;
    }

    /// <summary>Gives the group what its tasks get as secrets; false if the journal has them, but sealed with another key.</summary>
    private bool TryTakeSecrets(PlacementGroup group, [NotNullWhen(false)] out string? error)
    {
        error = null;
        ImmutableSortedDictionary<string, string> wanted = group.Segment.Spec.Secrets;
        if (wanted.Count == group.Secrets.Length)
            return true;
        JobRun job = group.Job;
        job.Secrets ??= context.Options.Unseal(job.Id, job.SealedSecrets);
        if (job.Secrets is not { } values || !wanted.Values.All(values.ContainsKey))
        {
            error = "its secrets cannot be read: the node's secret.key is not the one they were sealed with";
            return false;
        }
        group.Secrets = [.. wanted.Select(s => new SecretVariable(s.Key, values[s.Value]))];
        return true;
    }

    private static OutputLookup OutputOf(JobRun job) => (int segment, int index, string name, out string cid, out bool executable) =>
    {
        executable = false;
        foreach (TaskOutput output in job.Tasks.Outputs(job.Graph.NumberOf(segment, index)))
            if (output.Name == name)
            {
                cid = output.Content.ToString();
                executable = output.Executable;
                return true;
            }
        cid = "";
        return false;
    };

    private sealed class PlacementGroup(JobRun job, SegmentRun segment, int variant)
    {
        public JobRun Job { get; } = job;

        public SegmentRun Segment { get; } = segment;

        public int Variant { get; } = variant;

        /// <summary>Whether its tasks differ in nothing but their index.</summary>
        public bool IsUniform { get; } = JobTasks.IsUniform(segment.Spec, variant);

        /// <summary>What they run, once it was made.</summary>
        public ImmutableArray<byte>? Shared { get; set; }

        /// <summary>What they get as secrets, once the first was given out.</summary>
        public ImmutableArray<SecretVariable> Secrets { get; set; } = [];

        /// <summary>What these take of a confirmation, at most.</summary>
        public int SecretBytes => Secrets.Sum(s => s.Name.Length + (3 * s.Value.Length));

        public Instant NextSteal { get; set; } = Instant.Zero;
    }

    private sealed record OpenConfirm(PeerId Worker, Confirm Message, ImmutableArray<AttemptId> Attempts)
    {
        public int Tries { get; set; }
    }
}
