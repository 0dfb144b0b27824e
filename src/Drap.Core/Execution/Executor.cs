using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;
using Drap.Core.Nodes;

namespace Drap.Core.Execution;

/// <summary>
/// Runs what was confirmed: attempts with resources start at the next flush (a gang's when it is told to go), those in line when
/// resources are free. Among one principal's lines the higher priority starts first, then the earlier deadline; across principals the
/// higher price per time. An attempt that runs longer than its time-out is told to end, and killed after a grace. Not thread-safe.
/// </summary>
public sealed class Executor
{
    /// <summary>Attempts that have resources at once: what one machine's process table bears. A bundle of nothing fits for ever, but no more often.</summary>
    public const int PlacedMax = 4096;

    /// <summary>Attempts that stand in line: four confirmations' worth.</summary>
    public const int WaitingMax = 16_384;

    /// <summary>Between TERM and KILL at a time-out: what Docker and systemd users are used to.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    /// <summary>The longest grace that a cancellation may ask for.</summary>
    public static readonly TimeSpan GraceMax = TimeSpan.FromMinutes(5);

    /// <summary>The time-out of tasks that state none: as the job file has it.</summary>
    public static readonly TimeSpan TimeoutDefault = TimeSpan.FromDays(7);

    private readonly Capacity capacity;
    private readonly LeaseTable leases;
    private readonly Outbox outbox;
    private readonly GroupBook groups;
    private readonly PrincipalBook principals;
    private readonly List<Line> lines = [];
    private readonly List<Attempt> ready = [];
    private Instant signalCheck = Instant.Never;
    private long lineNumber;

    internal Executor(Capacity capacity, LeaseTable leases, Outbox outbox, GroupBook groups, PrincipalBook principals)
    {
        this.principals = principals;
        this.capacity = capacity;
        this.leases = leases;
        this.outbox = outbox;
        this.groups = groups;
    }

    /// <summary>Attempts that have resources.</summary>
    public int Placed { get; private set; }

    /// <summary>Attempts that stand in line.</summary>
    public int Waiting { get; private set; }

    /// <summary>Attempts in line start only if they end before this: a patient task has a reservation then. Never: no reservation.</summary>
    public Instant BackfillUntil { get; set; } = Instant.Never;

    /// <summary>What attempts in line must leave.</summary>
    public Reserve Reserve { get; set; } = new();

    /// <summary>Whose attempts start in a sandbox from now on.</summary>
    public SandboxRules Sandbox { get; set; } = new();

    /// <summary>What one principal may hold; null for no limit.</summary>
    public QuotaTerms? Quota { get; set; }

    /// <summary>The next time-out or end of a grace; may be earlier than something is to be done.</summary>
    public Instant NextDeadline => signalCheck;

    /// <summary>The line for these terms: one that is there with the same, or a new one.</summary>
    internal Line LineOf(LineTerms terms)
    {
        foreach (Line line in lines)
            if (line.Terms.Group == terms.Group && line.Terms.Ask == terms.Ask && ReferenceEquals(line.Terms.Template, terms.Template)
                && line.Terms.Request == terms.Request)
                return line;
        return new Line(terms, groups.Of(terms.Group), principals.Of(terms.Principal), lineNumber++);
    }

    /// <summary>An attempt under a new lease that has its resources.</summary>
    internal void Place(Attempt attempt, Grant grant, bool awaitsGo)
    {
        attempt.Grant = grant;
        attempt.Phase = awaitsGo ? AttemptPhase.AwaitsGo : AttemptPhase.Ready;
        attempt.Line.Here.Placed++;
        attempt.Line.Use.Held.Add(grant.Request, 1);
        Placed++;
        if (!awaitsGo)
            ready.Add(attempt);
    }

    /// <summary>An attempt under a new lease that stands in line.</summary>
    internal void Enqueue(Attempt attempt)
    {
        if (attempt.Line.IsEmpty)
            AddLine(attempt.Line);
        attempt.Line.Enqueue(attempt);
        Waiting++;
    }

    /// <summary>The gang is complete: start this member. Ignored for attempts that do not wait for it.</summary>
    internal void Go(Attempt attempt)
    {
        if (attempt.Phase != AttemptPhase.AwaitsGo)
            return;
        attempt.Phase = AttemptPhase.Ready;
        ready.Add(attempt);
    }

    /// <summary>Starts what can start.</summary>
    internal void Launch(Instant now, List<WorkerEffect> effects)
    {
        foreach (Attempt attempt in ready)
            if (attempt.Phase == AttemptPhase.Ready)
                Launch(attempt, now, effects);
        ready.Clear();
        while (Waiting > 0 && Best(now) is { } line)
            LaunchFrom(line, now, effects);
        lines.RemoveAll(line => line.IsEmpty);
    }

    /// <summary>An attempt's program was loaded: its time-out counts from then.</summary>
    internal void Started(Attempt attempt, Instant at, Instant now)
    {
        if (attempt.Phase is not (AttemptPhase.Running or AttemptPhase.Ending) || attempt.StartedAt is not null)
            return;
        attempt.StartedAt = Instant.Min(at, now);
        if (attempt.Phase == AttemptPhase.Running)
            SignalAt(attempt, attempt.StartedAt.Value + TimeoutOf(attempt));
    }

    /// <summary>An attempt's family has ended; its result goes to the outbox.</summary>
    internal void Ended(Attempt attempt, WorkerInput.AttemptEnded end, Instant now, UtcTime utc)
    {
        // What the node failed says nothing of the task, and what was cut short not how long it takes.
        if (attempt.EndedAs is null && end.End.Kind is not (EndKind.NodeFault or EndKind.NotStarted or EndKind.InputMissing))
            attempt.Line.Here.Observe(now - attempt.LaunchedAt);
        Outcome outcome = OutcomeOf(attempt, end.End);
        Finish(attempt, new AttemptResult
        {
            Attempt = attempt.Id,
            Outcome = outcome,
            ExitCode = ExitCodeOf(end.End),
            Detail = DetailOf(attempt, outcome, end.End),
            Outputs = end.Outputs,
            Wall = end.Usage.Wall < TimeSpan.Zero ? TimeSpan.Zero : end.Usage.Wall,
            Waited = attempt.LaunchedAt - attempt.GrantedAt,
            Cpu = end.Usage.Cpu,
            PeakMemoryBytes = end.Usage.PeakMemoryBytes,
            LogBytes = end.Usage.LogBytes,
            Missing = outcome == Outcome.InputMissing ? [.. end.Missing.Select(c => new MissingInput(c))] : [],
        }, utc);
    }

    /// <summary>
    /// Ends an attempt from here: TERM and after the grace KILL if it runs (KILL at once without a grace), else it is over now and its
    /// result says so. One that is being ended already may only be ended sooner.
    /// </summary>
    internal void End(Attempt attempt, Outcome because, string detail, TimeSpan grace, Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        if (attempt.Phase is AttemptPhase.Running or AttemptPhase.Ending)
        {
            attempt.EndedAs ??= because;
            if (attempt.EndedBecause.Length == 0)
                attempt.EndedBecause = detail;
            TimeSpan wait = grace < GraceMax ? grace : GraceMax;
            if (wait <= TimeSpan.Zero)
                Kill(attempt, effects);
            else if (attempt.Phase == AttemptPhase.Running)
                Terminate(attempt, now + wait, effects);
            else
                SignalAt(attempt, Instant.Min(attempt.SignalAt, now + wait));
            return;
        }
        var result = new AttemptResult { Attempt = attempt.Id, Outcome = because, Detail = detail, Waited = now - attempt.GrantedAt };
        TakeOut(attempt);
        Finish(attempt, result, utc);
    }

    /// <summary>Takes an attempt that has not started out, without a result: it was given back.</summary>
    internal void Return(Attempt attempt)
    {
        TakeOut(attempt);
        Finish(attempt, null, default);
    }

    /// <summary>Signals what ran too long, and kills what did not heed.</summary>
    internal void RunDue(Instant now, List<WorkerEffect> effects)
    {
        if (now < signalCheck)
            return;
        signalCheck = Instant.Never;
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
        {
            var attempt = (Attempt)lease;
            if (attempt.SignalAt > now)
            {
                signalCheck = Instant.Min(signalCheck, attempt.SignalAt);
                continue;
            }
            if (attempt.Phase == AttemptPhase.Ending)
            {
                Kill(attempt, effects);
                continue;
            }
            attempt.EndedAs = Outcome.TimedOut;
            attempt.EndedBecause = $"it ran longer than its timeout of {Duration.Format(TimeoutOf(attempt))}";
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.Ending(attempt.Id, Outcome.TimedOut)));
            Terminate(attempt, now + Grace, effects);
        }
    }

    /// <summary>The counts agree with the attempts.</summary>
    public void CheckInvariants()
    {
        int placed = 0, waiting = 0;
        var attempts = new Dictionary<PrincipalUse, int>();
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
        {
            var attempt = (Attempt)lease;
            placed += attempt.Grant is null ? 0 : 1;
            attempts[attempt.Line.Use] = attempts.GetValueOrDefault(attempt.Line.Use) + 1;
            waiting += attempt.Phase == AttemptPhase.Waiting ? 1 : 0;
            Invariant.Check((attempt.Grant is null) == (attempt.Phase == AttemptPhase.Waiting));
            Invariant.Check(attempt.Phase != AttemptPhase.Over);
            Invariant.Check(attempt.SignalAt == Instant.Never || signalCheck <= attempt.SignalAt);
            Invariant.Check((attempt.Phase == AttemptPhase.Ending) == attempt.EndedAs.HasValue);
        }
        foreach ((PrincipalUse use, int count) in attempts)
            Invariant.Check(use.Attempts == count);
        Invariant.Check(principals.All.Sum(p => p.Value.Attempts) <= leases.Count);
        Invariant.Check(placed == Placed && waiting == Waiting && lines.Sum(line => line.Waiting) == Waiting);
    }

    private static TimeSpan TimeoutOf(Attempt attempt) =>
        attempt.Line.Terms.Template.Timeout > TimeSpan.Zero ? attempt.Line.Terms.Template.Timeout : TimeoutDefault;

    private void AddLine(Line line)
    {
        if (lines.Contains(line))
            return;
        int at = lines.FindIndex(other => Before(line, other));
        lines.Insert(at < 0 ? lines.Count : at, line);
    }

    /// <summary>By principal; within one by priority, deadline, and the order of coming.</summary>
    private static bool Before(Line a, Line b)
    {
        int by = a.Terms.Principal.CompareTo(b.Terms.Principal);
        if (by == 0)
            by = b.Terms.Priority.CompareTo(a.Terms.Priority);
        if (by == 0)
            by = a.Terms.Deadline.CompareTo(b.Terms.Deadline);
        return by != 0 ? by < 0 : a.Order < b.Order;
    }

    /// <summary>Of each principal's first line that can start, the one that pays best; null if none can.</summary>
    private Line? Best(Instant now)
    {
        if (Placed >= PlacedMax)
            return null;
        Line? best = null, chosen = null;
        foreach (Line line in lines)
        {
            if (chosen is not null && chosen.Terms.Principal == line.Terms.Principal)
                continue;
            if (line.Waiting == 0 || !MayBackfill(line, now) || !IsWithinShare(line) || !Reserve.Lets(capacity.Free, line.Terms.Request)
                || outbox.CountOf(line.Terms.Scheduler.Id) >= Outbox.UnacknowledgedMax)
                continue;
            chosen = line;
            if (best is null || line.Terms.Ask > best.Terms.Ask || (line.Terms.Ask == best.Terms.Ask && line.Order < best.Order))
                best = line;
        }
        return best;
    }

    private bool MayBackfill(Line line, Instant now)
    {
        if (BackfillUntil == Instant.Never)
            return true;
        TimeSpan expected = line.Here.IsMeasured ? line.Here.Mean : line.Terms.Estimate;
        return expected > TimeSpan.Zero && now + expected <= BackfillUntil;
    }

    /// <summary>Whether one more of a line leaves its principal within its part of the worker.</summary>
    private bool IsWithinShare(Line line) => Quota is not { SharePermille: < 1000 and var share } || line.Terms.Principal == Sandbox.Owner
        || line.Use.Held.RoomFor(line.Terms.Request, capacity.Empty.Total, share, 1) > 0;

    private void LaunchFrom(Line line, Instant now, List<WorkerEffect> effects)
    {
        int room = Outbox.UnacknowledgedMax - outbox.CountOf(line.Terms.Scheduler.Id);
        while (room-- > 0 && Placed < PlacedMax && line.Peek() is { } attempt && IsWithinShare(line) && Reserve.Lets(capacity.Free, line.Terms.Request)
            && capacity.TryTake(line.Terms.Request) is { } grant)
        {
            line.Dequeue();
            Waiting--;
            Place(attempt, grant, awaitsGo: true);
            Launch(attempt, now, effects);
        }
    }

    private void Launch(Attempt attempt, Instant now, List<WorkerEffect> effects)
    {
        attempt.Phase = AttemptPhase.Running;
        attempt.LaunchedAt = now;
        SignalAt(attempt, now + TimeoutOf(attempt));
        effects.Add(new WorkerEffect.Launch(new LaunchOrder
        {
            Attempt = attempt.Id,
            Scheduler = attempt.Scheduler.Id,
            Holder = attempt.Scheduler.Speaker,
            Principal = attempt.Principal,
            Template = attempt.Line.Terms.Template,
            Secrets = attempt.Line.Terms.Secrets,
            Assignment = attempt.Assignment,
            Grant = attempt.Grant!,
            Sandbox = Sandbox.TermsFor(attempt.Principal, attempt.Grant!.Request.NetworkMbps),
            Guard = new GuardTerms(attempt.Scheduler.Id, attempt.StopsAtEnd, attempt.End, TimeoutOf(attempt) + GraceMax),
        }));
    }

    private void Terminate(Attempt attempt, Instant killAt, List<WorkerEffect> effects)
    {
        attempt.Phase = AttemptPhase.Ending;
        SignalAt(attempt, killAt);
        effects.Add(new WorkerEffect.Signal(attempt.Id, AttemptSignal.Term));
    }

    private static void Kill(Attempt attempt, List<WorkerEffect> effects)
    {
        attempt.Phase = AttemptPhase.Ending;
        attempt.SignalAt = Instant.Never;
        effects.Add(new WorkerEffect.Signal(attempt.Id, AttemptSignal.Kill));
    }

    private void SignalAt(Attempt attempt, Instant at)
    {
        attempt.SignalAt = at;
        signalCheck = Instant.Min(signalCheck, at);
    }

    /// <summary>Out of its line, or of those that are ready.</summary>
    private void TakeOut(Attempt attempt)
    {
        if (attempt.Phase == AttemptPhase.Waiting)
        {
            attempt.Line.Skip(attempt);
            Waiting--;
        }
    }

    private void Finish(Attempt attempt, AttemptResult? result, UtcTime utc)
    {
        attempt.Phase = AttemptPhase.Over;
        attempt.SignalAt = Instant.Never;
        if (attempt.Grant is { } grant)
        {
            attempt.Grant = null;
            attempt.Line.Here.Placed--;
            attempt.Line.Use.Held.Add(grant.Request, -1);
            Placed--;
            capacity.Give(grant);
        }
        leases.Remove(attempt);
        attempt.Line.Use.Attempts--;
        if (result is not null)
            outbox.Add(new StoredResult(attempt.Scheduler.Id, attempt.Principal, attempt.Line.Terms.Ask, utc, result));
    }

    /// <summary>What the worker did to it counts before what its end looks like, but for a success that a lost lease came too late to stop.</summary>
    private static Outcome OutcomeOf(Attempt attempt, AttemptEnd end)
    {
        Outcome seen = end.Kind switch
        {
            EndKind.Exited => end.Code == 0 ? Outcome.Succeeded : Outcome.Failed,
            EndKind.Signalled => Outcome.Signalled,
            EndKind.NotStarted => Outcome.NotStarted,
            EndKind.OverLimit => Outcome.OverLimit,
            EndKind.OutputMissing => Outcome.OutputMissing,
            EndKind.CheckFailed => Outcome.CheckFailed,
            EndKind.InputMissing => Outcome.InputMissing,
            _ => Outcome.NodeFault,
        };
        if (attempt.EndedAs is not { } because || (seen == Outcome.Succeeded && because is Outcome.LeaseLost or Outcome.NodeFault))
            return seen;
        return because;
    }

    private static int ExitCodeOf(AttemptEnd end) => end.Kind == EndKind.Signalled ? 128 + end.Code : end.Code;

    private static string DetailOf(Attempt attempt, Outcome outcome, AttemptEnd end)
    {
        string text = attempt.EndedAs == outcome && attempt.EndedBecause.Length > 0 ? attempt.EndedBecause
            : outcome == Outcome.Signalled && end.Detail.Length == 0 ? "it was ended by " + Signals.NameOf(end.Code) : end.Detail;
        return text.Length <= AttemptEnd.DetailCharsMax ? text : text[..AttemptEnd.DetailCharsMax];
    }
}
