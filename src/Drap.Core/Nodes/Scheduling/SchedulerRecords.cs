using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Cbor;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// The scheduler's records as bytes: a CBOR map each, in the same form as messages, with the kind and its version in the journal's
/// frame. A field that is not known is skipped; a kind or a version that is not known ends the replay, since what follows rests on it.
/// </summary>
public static class SchedulerRecords
{
    private const byte Version = 1;

    private enum Kind : byte
    {
        EpochBegan = 1,
        Submitted = 2,
        Placed = 3,
        Ended = 4,
        Acted = 5,
        Changed = 6,
        Closed = 7,
        JobOver = 8,
        Forgotten = 9,
        GangWent = 10,
        Nodes = 11,
        Standing = 12,
        Rows = 13,
        Reopened = 14,
        OutputsLost = 15,
    }

    /// <summary>Appends a record to the journal's buffer.</summary>
    public static void Append(JournalBuffer journal, SchedulerRecord record) => Write(record, (kind, version, body) => journal.Append(kind, version, body));

    /// <summary>Adds a record to a snapshot.</summary>
    public static void Add(JournalSnapshot snapshot, SchedulerRecord record) => Write(record, snapshot.Add);

    /// <summary>Reads a record.</summary>
    /// <returns>False with a message if it is of a later version, or cannot be read.</returns>
    public static bool TryRead(in JournalRecord record, [NotNullWhen(true)] out SchedulerRecord? read, [NotNullWhen(false)] out string? error)
    {
        read = null;
        error = null;
        if (record.Version != Version || record.Kind is < (byte)Kind.EpochBegan or > (byte)Kind.OutputsLost)
        {
            error = $"a record of kind {record.Kind} version {record.Version}, which this version of drap does not know";
            return false;
        }
        var reader = new FieldReader(record.Body.Span);
        (int, int) map = reader.OpenMap("record");
        SchedulerRecord value = Walk((Kind)record.Kind, ref reader, null);
        reader.CloseMap(map);
        reader.ReadEnd();
        if (reader.Failed)
        {
            error = $"a record of kind {(Kind)record.Kind} that cannot be read: {reader.Error}";
            return false;
        }
        read = value;
        return true;
    }

    private delegate void Sink(byte kind, byte version, ReadOnlySpan<byte> body);

    private static void Write(SchedulerRecord record, Sink sink)
    {
        Kind kind = KindOf(record);
        var writer = new FieldWriter(JournalLimits.RecordBytesMax);
        try
        {
            (int, int) map = writer.OpenMap();
            Walk(kind, ref writer, record);
            writer.CloseMap(map);
            if (!writer.TryFinish(out ReadOnlySpan<byte> body, out CodecError error))
                Invariant.Fail($"a record of kind {kind} cannot be written: {error}");
            sink((byte)kind, Version, body);
        }
        finally
        {
            writer.Dispose();
        }
    }

    private static Kind KindOf(SchedulerRecord record) => record switch
    {
        SchedulerRecord.EpochBegan => Kind.EpochBegan,
        SchedulerRecord.Submitted => Kind.Submitted,
        SchedulerRecord.Placed => Kind.Placed,
        SchedulerRecord.Ended => Kind.Ended,
        SchedulerRecord.Acted => Kind.Acted,
        SchedulerRecord.Changed => Kind.Changed,
        SchedulerRecord.Closed => Kind.Closed,
        SchedulerRecord.JobOver => Kind.JobOver,
        SchedulerRecord.Forgotten => Kind.Forgotten,
        SchedulerRecord.GangWent => Kind.GangWent,
        SchedulerRecord.Nodes => Kind.Nodes,
        SchedulerRecord.Standing => Kind.Standing,
        SchedulerRecord.Rows => Kind.Rows,
        SchedulerRecord.Reopened => Kind.Reopened,
        SchedulerRecord.OutputsLost => Kind.OutputsLost,
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static SchedulerRecord Walk<TFields>(Kind kind, scoped ref TFields f, SchedulerRecord? r)
        where TFields : IFields, allows ref struct
    {
        switch (kind)
        {
            case Kind.EpochBegan:
                var began = (SchedulerRecord.EpochBegan?)r;
                return new SchedulerRecord.EpochBegan(
                    new Epoch(f.LongOr(1, "epoch", began?.Epoch.Value ?? 0, 0, 0, CborLimits.EpochMax)), Utc(2, ref f, began?.At));
            case Kind.Submitted:
                var submitted = (SchedulerRecord.Submitted?)r;
                return new SchedulerRecord.Submitted(
                    Job(1, ref f, submitted?.Job), f.Int(2, "number", submitted?.Number ?? 1, 1, int.MaxValue),
                    new Principal(f.Text(3, "principal", submitted?.Principal.Name ?? "", CborLimits.NameBytes)), Utc(4, ref f, submitted?.At),
                    f.Bytes(5, "spec", submitted?.Spec ?? [], JournalLimits.RecordBytesMax), f.TextOrEmpty(6, "out", submitted?.OutFolder ?? "", PathBytes),
                    f.Bytes(7, "secrets", submitted?.Secrets ?? [], JobSecrets.SealedBytesMax));
            case Kind.Placed:
                var placed = (SchedulerRecord.Placed?)r;
                return new SchedulerRecord.Placed(
                    Job(1, ref f, placed?.Job), f.Peer(2, "worker", placed?.Worker ?? default), f.TextOrEmpty(3, "node", placed?.Node ?? "", CborLimits.NameBytes),
                    f.Price(4, "ask", placed?.Ask ?? default), Utc(5, ref f, placed?.At), f.Attempts(6, "attempts", placed?.Attempts ?? [], Confirm.TasksMax));
            case Kind.Ended:
                var ended = (SchedulerRecord.Ended?)r;
                return new SchedulerRecord.Ended(
                    Job(1, ref f, ended?.Job), Utc(2, ref f, ended?.At), f.List<EndedAttempt, EndedAttemptShape>(3, "attempts", ended?.Attempts ?? [], CborLimits.CountMax));
            case Kind.Acted:
                var acted = (SchedulerRecord.Acted?)r;
                return new SchedulerRecord.Acted(
                    Job(1, ref f, acted?.Job), Utc(2, ref f, acted?.At), f.Enum(3, "deed", acted?.Deed ?? JobDeed.Hold, JobDeed.Rerun, JobDeed.Hold),
                    f.Ints(4, "tasks", acted?.Tasks ?? [], CborLimits.CountMax, 1, int.MaxValue));
            case Kind.Changed:
                var changed = (SchedulerRecord.Changed?)r;
                return new SchedulerRecord.Changed(
                    Job(1, ref f, changed?.Job), Utc(2, ref f, changed?.At), f.Record<JobChange, JobChangeShape>(3, "change", changed?.Change ?? JobChangeShape.Blank));
            case Kind.Closed:
                var closed = (SchedulerRecord.Closed?)r;
                return new SchedulerRecord.Closed(
                    Job(1, ref f, closed?.Job), Utc(2, ref f, closed?.At), (TaskState)f.IntOr(3, "state", (int)(closed?.State ?? 0), 0, 0, (int)TaskState.Held),
                    f.TextOrEmpty(4, "detail", closed?.Detail ?? "", CborLimits.TextBytes), f.Ints(5, "tasks", closed?.Tasks ?? [], CborLimits.CountMax, 1, int.MaxValue));
            case Kind.JobOver:
                var over = (SchedulerRecord.JobOver?)r;
                return new SchedulerRecord.JobOver(
                    Job(1, ref f, over?.Job), Utc(2, ref f, over?.At), (JobEnd)f.IntOr(3, "end", (int)(over?.End ?? 0), 0, 0, (int)JobEnd.TimedOut),
                    f.TextOrEmpty(4, "reason", over?.Reason ?? "", ReasonBytes));
            case Kind.Forgotten:
                return new SchedulerRecord.Forgotten(Job(1, ref f, ((SchedulerRecord.Forgotten?)r)?.Job));
            case Kind.GangWent:
                var went = (SchedulerRecord.GangWent?)r;
                return new SchedulerRecord.GangWent(
                    Job(1, ref f, went?.Job), f.IntOr(2, "segment", went?.Segment ?? 0, 0, 0, JobLimits.SegmentsMax), Utc(3, ref f, went?.At));
            case Kind.Nodes:
                return new SchedulerRecord.Nodes(f.List<KnownNode, KnownNodeShape>(1, "nodes", ((SchedulerRecord.Nodes?)r)?.Known ?? [], CborLimits.CountMax));
            case Kind.Standing:
                var standing = (SchedulerRecord.Standing?)r;
                return new SchedulerRecord.Standing(
                    Job(1, ref f, standing?.Job), f.Flag(2, "held", standing?.Held ?? false),
                    (JobEnd)f.IntOr(3, "end", (int)(standing?.End ?? 0), 0, 0, (int)JobEnd.TimedOut), f.TextOrEmpty(4, "reason", standing?.Reason ?? "", ReasonBytes),
                    Utc(5, ref f, standing?.EndedAt), Utc(6, ref f, standing?.ChangedAt), f.Credits(7, "spent", standing?.Spent ?? default),
                    f.Ints(8, "gone_gangs", standing?.GoneGangs ?? [], JobLimits.SegmentsMax, 0, JobLimits.SegmentsMax));
            case Kind.Rows:
                var rows = (SchedulerRecord.Rows?)r;
                return new SchedulerRecord.Rows(
                    Job(1, ref f, rows?.Job), f.List<TaskRow, TaskRowShape>(2, "tasks", rows?.Tasks ?? [], SchedulerRecord.Rows.CountMax));
            case Kind.OutputsLost:
                var lost = (SchedulerRecord.OutputsLost?)r;
                return new SchedulerRecord.OutputsLost(
                    Job(1, ref f, lost?.Job), Utc(2, ref f, lost?.At), f.Ints(3, "tasks", lost?.Tasks ?? [], CborLimits.CountMax, 1, int.MaxValue));
            default:
                var reopened = (SchedulerRecord.Reopened?)r;
                JobId job = Job(1, ref f, reopened?.Job);
                PeerId worker = f.Peer(2, "worker", reopened?.Worker ?? default);
                Price ask = f.Price(3, "ask", reopened?.Ask ?? default);
                ImmutableArray<AttemptId> attempts = f.Attempts(4, "attempts", reopened?.Attempts ?? [], Confirm.TasksMax);
                return new SchedulerRecord.Reopened(job, worker, ask, Utc(5, ref f, reopened?.At), attempts);
        }
    }

    private const int PathBytes = 16 * 1024;

    private const int ReasonBytes = 4 * 1024;

    private static JobId Job<TFields>(int key, scoped ref TFields f, JobId? job)
        where TFields : IFields, allows ref struct => new(f.Uuid(key, "job", job?.Value ?? default));

    internal static UtcTime Utc<TFields>(int key, scoped ref TFields f, UtcTime? at)
        where TFields : IFields, allows ref struct => new(f.LongOr(key, "at", at?.Milliseconds ?? 0, 0, 0, ResourceRequest.AmountMax));
}

internal readonly struct EndedAttemptShape : IShape<EndedAttempt>
{
    public static EndedAttempt Blank { get; } = new(AttemptResultShape.Blank, Verdict.Lost, default, Credits.Zero);

    public static EndedAttempt Walk<TFields>(scoped ref TFields f, EndedAttempt m)
        where TFields : IFields, allows ref struct =>
        new(f.Record<AttemptResult, AttemptResultShape>(1, "result", m.Result), f.Enum(2, "verdict", m.Verdict, Verdict.Returned, Verdict.Lost),
            f.Peer(3, "worker", m.Worker), f.Credits(4, "cost", m.Cost));
}

internal readonly struct KnownNodeShape : IShape<KnownNode>
{
    public static KnownNode Blank { get; } = new(default, "");

    public static KnownNode Walk<TFields>(scoped ref TFields f, KnownNode m)
        where TFields : IFields, allows ref struct =>
        new(f.Peer(1, "peer", m.Peer), f.TextOrEmpty(2, "name", m.Name, CborLimits.NameBytes));
}

internal readonly struct JobChangeShape : IShape<JobChange>
{
    public static JobChange Blank { get; } = new();

    public static JobChange Walk<TFields>(scoped ref TFields f, JobChange m)
        where TFields : IFields, allows ref struct => new()
        {
            Segment = f.TextOrEmpty(1, "segment", m.Segment, CborLimits.NameBytes),
            Priority = Number(2, ref f, m.Priority) is { } priority ? (int)priority : null,
            Bid = Number(3, ref f, m.Bid?.MicroPerHour) is { } bid ? new Price(bid) : null,
            Limit = Number(4, ref f, m.Limit?.MicroPerHour) is { } limit ? new Price(limit) : null,
            Budget = Number(5, ref f, m.Budget?.Micro) is { } budget ? new Credits(budget) : null,
            Timeout = f.DurationOrNull(6, "timeout", m.Timeout),
            Retries = Number(7, ref f, m.Retries) is { } retries ? (int)retries : null,
            MaxFails = Number(8, ref f, m.MaxFails) is { } maxFails ? (int)maxFails : null,
            Concurrency = Number(9, ref f, m.Concurrency) is { } concurrency ? (int)concurrency : null,
            Deadline = f.DurationOrNull(10, "deadline", m.Deadline),
        };

    // A number that may be absent: the least 64-bit one stands for none, which no field takes.
    private static long? Number<TFields>(int key, scoped ref TFields f, long? value)
        where TFields : IFields, allows ref struct =>
        f.LongOr(key, "value", value ?? long.MinValue, long.MinValue, -1_000_000, Credits.LimitMax.Micro) is var read && read == long.MinValue ? null : read;
}

internal readonly struct TaskRowShape : IShape<TaskRow>
{
    public static TaskRow Blank { get; } = new() { Number = 1 };

    public static TaskRow Walk<TFields>(scoped ref TFields f, TaskRow m)
        where TFields : IFields, allows ref struct => new()
        {
            Number = f.Int(1, "number", m.Number, 1, int.MaxValue),
            State = (TaskState)f.IntOr(2, "state", (int)m.State, 0, 0, (int)TaskState.Held),
            Attempts = f.IntOr(3, "attempts", m.Attempts, 0, 0, CborLimits.AttemptMax),
            Failures = f.IntOr(4, "failures", m.Failures, 0, 0, short.MaxValue),
            ExitCode = f.IntOr(5, "exit_code", m.ExitCode, 0, short.MinValue, short.MaxValue),
            Node = f.IntOr(6, "node", m.Node, -1, -1, int.MaxValue),
            Price = f.Price(7, "price", m.Price),
            Cost = f.Credits(8, "cost", m.Cost),
            Wall = f.Duration(9, "wall", m.Wall),
            Cpu = f.Duration(10, "cpu", m.Cpu),
            PeakMemoryBytes = f.LongOr(11, "peak", m.PeakMemoryBytes, 0, 0, ResourceRequest.AmountMax),
            EndedAt = SchedulerRecords.Utc(12, ref f, m.EndedAt),
            Outputs = f.List<TaskOutput, TaskOutputShape>(13, "outputs", m.Outputs, AttemptResult.OutputsMax),
            Detail = f.TextOrEmpty(14, "detail", m.Detail, CborLimits.TextBytes),
            History = f.List<PastAttempt, PastAttemptShape>(15, "history", m.History, PastAttempt.PerTaskMax),
            Votes = f.List<Vote, VoteShape>(16, "votes", m.Votes, JobLimits.AcceptOfMax),
            Discarded = f.IntOr(17, "discarded", m.Discarded, 0, 0, CborLimits.AttemptMax),
            Losses = f.IntOr(18, "losses", m.Losses, 0, 0, CborLimits.AttemptMax),
            Faults = f.IntOr(19, "faults", m.Faults, 0, 0, CborLimits.AttemptMax),
            Returned = f.IntOr(20, "returned", m.Returned, 0, 0, CborLimits.AttemptMax),
        };
}

internal readonly struct PastAttemptShape : IShape<PastAttempt>
{
    public static PastAttempt Blank { get; } = new(1, -1, Outcome.Failed, Verdict.Lost, 0, "", TimeSpan.Zero, Credits.Zero, default, Price.Zero);

    public static PastAttempt Walk<TFields>(scoped ref TFields f, PastAttempt m)
        where TFields : IFields, allows ref struct =>
        new(f.Int(1, "number", m.Number, 1, CborLimits.AttemptMax), f.IntOr(2, "node", m.Node, -1, -1, int.MaxValue),
            f.Enum(3, "outcome", m.Outcome, Outcome.Signalled, Outcome.Failed), f.Enum(4, "verdict", m.Verdict, Verdict.Returned, Verdict.Lost),
            f.IntOr(5, "exit_code", m.ExitCode, 0, int.MinValue, int.MaxValue), f.TextOrEmpty(6, "detail", m.Detail, CborLimits.TextBytes),
            f.Duration(7, "wall", m.Wall), f.Credits(8, "cost", m.Cost), SchedulerRecords.Utc(9, ref f, m.EndedAt), f.Price(10, "price", m.Price));
}

internal readonly struct VoteShape : IShape<Vote>
{
    public static Vote Blank { get; } = new(default, default, []);

    public static Vote Walk<TFields>(scoped ref TFields f, Vote m)
        where TFields : IFields, allows ref struct =>
        new(f.Attempt(1, "attempt", m.Attempt), f.Peer(2, "worker", m.Worker),
            f.List<TaskOutput, TaskOutputShape>(3, "outputs", m.Outputs, AttemptResult.OutputsMax));
}
