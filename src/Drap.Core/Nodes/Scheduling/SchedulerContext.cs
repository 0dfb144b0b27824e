using Drap.Core.Health;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Leases;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// What the desks of a scheduler share: its state, its clocks, and the one place where "persist, then send" is written down.
/// </summary>
internal sealed class SchedulerContext(SchedulerOptions options, SchedulerState state, JournalBuffer journal, Prng prng)
{
    private readonly Queue<(long Sequence, SchedulerEffect Effect)> held = new();
    private readonly SortedDictionary<int, List<EndedAttempt>> ended = [];
    private readonly SortedDictionary<int, SortedSet<int>> changed = [];
    private UtcTime utcAtSet;
    private Instant utcSetAt = Instant.Zero;
    private long durable = journal.LastSequence;

    public SchedulerOptions Options { get; } = options;

    public SchedulerState State { get; } = state;

    public Prng Prng { get; } = prng;

    public LeaseBook Leases { get; } = new();

    public Allocator Allocator { get; set; } = null!;

    public Instant Now { get; set; }

    /// <summary>The wall clock, as it was said last and as boot time has gone on since.</summary>
    public UtcTime Utc => utcAtSet + (Now - utcSetAt);

    public void SetUtc(UtcTime utc) => (utcAtSet, utcSetAt) = (utc, Now);

    public List<SchedulerEffect> Effects { get; set; } = [];

    /// <summary>Names and addresses of workers, as the shell told them.</summary>
    public Dictionary<PeerId, SchedulerInput.Named> Names { get; } = [];

    /// <summary>Workers that are connected and may keep copies of outputs, in order.</summary>
    public SortedSet<PeerId> Keepers { get; } = [];

    public string NameOf(PeerId worker) => Names.TryGetValue(worker, out SchedulerInput.Named? named) ? named.Name : worker.Short;

    /// <summary>Attempts of gangs that are under way no more; <see cref="GangDesk.Settle"/> looks at what became of the others.</summary>
    public List<AttemptId> LeftGangs { get; } = [];

    /// <summary>Jobs whose end has to be looked at in this flush, by their number.</summary>
    public SortedSet<int> Touched { get; } = [];

    /// <summary>Why the journal cannot take much more: what is under way may end, and nothing new begins. Null when it can.</summary>
    public string? ShortOf { get; set; }

    /// <summary>How often outputs were lost whose tasks then ran again, and may have left others.</summary>
    public int OutputsRemade { get; set; }

    /// <summary>Gangs of which a rank changed since <see cref="JobDesk.EndJobs"/> looked at them.</summary>
    public SortedSet<(int Job, int Segment)> TouchedGangs { get; } = [];

    public Epoch Epoch => State.Epoch;

    /// <summary>The name of a task's next attempt.</summary>
    public AttemptId NextAttempt(JobRun job, int number) => new(new TaskId(job.Id, number), new Fence(Epoch, job.Tasks.Attempts(number) + 1));

    /// <summary>Appends a record and applies it. Ends of the same job that were not appended yet go before it.</summary>
    public void Record(SchedulerRecord record)
    {
        AppendEnded();
        SchedulerRecords.Append(journal, record);
        State.Apply(record);
    }

    /// <summary>Applies the end of an attempt now, and appends it with others of its job in one record.</summary>
    public void RecordEnd(JobRun job, EndedAttempt end)
    {
        if (!ended.TryGetValue(job.Number, out List<EndedAttempt>? list))
            ended[job.Number] = list = [];
        list.Add(end);
        State.Apply(job, end, Utc);
        Touch(job, end.Result.Attempt.Task.Number);
    }

    public void AppendEnded()
    {
        foreach ((int number, List<EndedAttempt> list) in ended)
            if (State.TryGet(number, out JobRun? job))
                foreach (EndedAttempt[] part in list.InParts(int.MaxValue, SchedulerRecord.BytesMax, e => e.Result.WireBytes + 64))
                    SchedulerRecords.Append(journal, new SchedulerRecord.Ended(job.Id, Utc, [.. part]));
        ended.Clear();
    }

    /// <summary>Emits at once: for what may be lost or be wrong without harm.</summary>
    public void Emit(SchedulerEffect effect) => Effects.Add(effect);

    /// <summary>Emits when everything recorded so far is on disk.</summary>
    public void EmitDurable(SchedulerEffect effect)
    {
        AppendEnded();
        if (journal.LastSequence <= durable)
            Effects.Add(effect);
        else
            held.Enqueue((journal.LastSequence, effect));
    }

    /// <summary>The journal is on disk up to a record: what waited for it goes out.</summary>
    public void Persisted(long sequence)
    {
        durable = Math.Max(durable, sequence);
        while (held.TryPeek(out (long Sequence, SchedulerEffect Effect) first) && first.Sequence <= durable)
            Effects.Add(held.Dequeue().Effect);
    }

    /// <summary>The job, and one task of it or none, has to be looked at and told of.</summary>
    public void Touch(JobRun job, int task = 0)
    {
        Touched.Add(job.Number);
        if (!changed.TryGetValue(job.Number, out SortedSet<int>? tasks))
            changed[job.Number] = tasks = [];
        if (task <= 0)
            return;
        tasks.Add(task);
        if (job.HasGangs && job.SegmentOf(task) is { Spec.Nodes: not null } gang)
            TouchedGangs.Add((job.Number, gang.Index));
    }

    /// <summary>Tells of what changed since the last flush; what is told is durable.</summary>
    public void TellChanges()
    {
        foreach ((int number, SortedSet<int> tasks) in changed)
            if (State.TryGet(number, out JobRun? job))
                EmitDurable(new SchedulerEffect.Changed(job.Id, [.. tasks]));
        changed.Clear();
    }

    /// <summary>What workers said that was refused.</summary>
    public ComplaintBook Complaints { get; } = new();

    public void Complain(PeerId from, MessageKind kind, string what)
    {
        Complaints.Note(from, what);
        Emit(new SchedulerEffect.Observe(new SchedulerObservation.BadMessage(from, kind, what)));
    }
}
