using System.Collections.Immutable;
using Drap.Core.Cbor;
using Drap.Core.Membership;

namespace Drap.Core.Messages;

internal readonly struct ResultShape : IShape<Result>
{
    public static Result Blank { get; } = new(default, []);

    public static Result Walk<TFields>(scoped ref TFields f, Result m)
        where TFields : IFields, allows ref struct
    {
        PeerId scheduler = f.Peer(1, nameof(m.Scheduler), m.Scheduler);
        var entries = f.List<AttemptResult, AttemptResultShape>(2, nameof(m.Entries), m.Entries, Result.EntriesMax);
        return !f.Reads ? m : new Result(scheduler, entries);
    }
}

internal readonly struct AttemptResultShape : IShape<AttemptResult>
{
    public static AttemptResult Blank { get; } = new() { Attempt = default, Outcome = Outcome.Failed };

    public static AttemptResult Walk<TFields>(scoped ref TFields f, AttemptResult m)
        where TFields : IFields, allows ref struct
    {
        AttemptId attempt = f.Attempt(1, nameof(m.Attempt), m.Attempt);
        // An end that is not known here is surely no success, and as a failure it is bounded by the task's retries.
        Outcome outcome = f.Enum(2, nameof(m.Outcome), m.Outcome, Outcome.Signalled, Outcome.Failed);
        int exitCode = f.IntOr(3, nameof(m.ExitCode), m.ExitCode, 0, int.MinValue, int.MaxValue);
        string detail = f.TextOrEmpty(4, nameof(m.Detail), m.Detail, CborLimits.TextBytes);
        var outputs = f.List<TaskOutput, TaskOutputShape>(5, nameof(m.Outputs), m.Outputs, AttemptResult.OutputsMax);
        TimeSpan wall = f.Duration(6, nameof(m.Wall), m.Wall);
        TimeSpan waited = f.Duration(7, nameof(m.Waited), m.Waited);
        TimeSpan cpu = f.Duration(8, nameof(m.Cpu), m.Cpu);
        long peakMemory = f.LongOr(9, nameof(m.PeakMemoryBytes), m.PeakMemoryBytes, 0, 0, ResourceRequest.AmountMax);
        long logBytes = f.LongOr(10, nameof(m.LogBytes), m.LogBytes, 0, 0, ResourceRequest.AmountMax);
        var missing = f.List<MissingInput, MissingInputShape>(11, nameof(m.Missing), m.Missing, AttemptResult.MissingMax);
        return !f.Reads ? m : new AttemptResult
        {
            Attempt = attempt, Outcome = outcome, ExitCode = exitCode, Detail = detail, Outputs = outputs, Wall = wall,
            Waited = waited, Cpu = cpu, PeakMemoryBytes = peakMemory, LogBytes = logBytes, Missing = missing,
        };
    }
}

internal readonly struct MissingInputShape : IShape<MissingInput>
{
    public static MissingInput Blank { get; } = new(default(Cid));

    public static MissingInput Walk<TFields>(scoped ref TFields f, MissingInput m)
        where TFields : IFields, allows ref struct
    {
        Cid content = f.Cid(1, nameof(m.Content), m.Content);
        return !f.Reads ? m : new MissingInput(content);
    }
}

internal readonly struct TaskOutputShape : IShape<TaskOutput>
{
    public static TaskOutput Blank { get; } = new("", default, 0);

    public static TaskOutput Walk<TFields>(scoped ref TFields f, TaskOutput m)
        where TFields : IFields, allows ref struct
    {
        string name = f.Text(1, nameof(m.Name), m.Name, CborLimits.NameBytes);
        Cid content = f.Cid(2, nameof(m.Content), m.Content);
        long bytes = f.LongOr(3, nameof(m.Bytes), m.Bytes, 0, 0, ResourceRequest.AmountMax);
        bool executable = f.Flag(4, nameof(m.Executable), m.Executable);
        return !f.Reads ? m : new TaskOutput(name, content, bytes, executable);
    }
}

internal readonly struct ResultAckShape : IShape<ResultAck>
{
    public static ResultAck Blank { get; } = new(ImmutableArray<AttemptId>.Empty);

    public static ResultAck Walk<TFields>(scoped ref TFields f, ResultAck m)
        where TFields : IFields, allows ref struct
    {
        var attempts = f.Attempts(1, nameof(m.Attempts), m.Attempts, Confirm.TasksMax);
        ImmutableArray<byte> seal = f.Bytes(2, nameof(m.Seal), m.Seal, Statement.SealBytesMax);
        return !f.Reads ? m : new ResultAck(attempts) { Seal = seal };
    }
}

internal readonly struct ReceiptShape : IShape<Receipt>
{
    public static Receipt Blank { get; } = new(default, []);

    public static Receipt Walk<TFields>(scoped ref TFields f, Receipt m)
        where TFields : IFields, allows ref struct
    {
        var principal = new Principal(f.Text(1, nameof(m.Principal), m.Principal.Name, CborLimits.NameBytes));
        var entries = f.List<ReceiptEntry, ReceiptEntryShape>(2, nameof(m.Entries), m.Entries, Result.EntriesMax);
        ImmutableArray<byte> seal = f.Bytes(3, nameof(m.Seal), m.Seal, Statement.SealBytesMax);
        return !f.Reads ? m : new Receipt(principal, entries) { Seal = seal };
    }
}

internal readonly struct ReceiptEntryShape : IShape<ReceiptEntry>
{
    public static ReceiptEntry Blank { get; } = new(default, Price.Zero, TimeSpan.Zero, Credits.Zero);

    public static ReceiptEntry Walk<TFields>(scoped ref TFields f, ReceiptEntry m)
        where TFields : IFields, allows ref struct
    {
        AttemptId attempt = f.Attempt(1, nameof(m.Attempt), m.Attempt);
        Price price = f.Price(2, nameof(m.Price), m.Price);
        TimeSpan billed = f.Duration(3, nameof(m.Billed), m.Billed);
        Credits amount = f.Credits(4, nameof(m.Amount), m.Amount);
        return !f.Reads ? m : new ReceiptEntry(attempt, price, billed, amount);
    }
}

internal readonly struct LogChunkShape : IShape<LogChunk>
{
    private const int Stderr = 2;

    public static LogChunk Blank { get; } = new(default, 1, 0, []);

    public static LogChunk Walk<TFields>(scoped ref TFields f, LogChunk m)
        where TFields : IFields, allows ref struct
    {
        AttemptId attempt = f.Attempt(1, nameof(m.Attempt), m.Attempt);
        int stream = f.IntOr(2, nameof(m.Stream), m.Stream, 1, 1, Stderr);
        long offset = f.LongOr(3, nameof(m.Offset), m.Offset, 0, 0, ResourceRequest.AmountMax);
        ImmutableArray<byte> bytes = f.Bytes(4, nameof(m.Bytes), m.Bytes, LogChunk.BytesMax);
        return !f.Reads ? m : new LogChunk(attempt, stream, offset, bytes);
    }
}

internal readonly struct StdinChunkShape : IShape<StdinChunk>
{
    public static StdinChunk Blank { get; } = new(default, 0, [], false);

    public static StdinChunk Walk<TFields>(scoped ref TFields f, StdinChunk m)
        where TFields : IFields, allows ref struct
    {
        AttemptId attempt = f.Attempt(1, nameof(m.Attempt), m.Attempt);
        long offset = f.LongOr(2, nameof(m.Offset), m.Offset, 0, 0, ResourceRequest.AmountMax);
        ImmutableArray<byte> bytes = f.Bytes(3, nameof(m.Bytes), m.Bytes, LogChunk.BytesMax);
        bool end = f.Flag(4, nameof(m.End), m.End);
        return !f.Reads ? m : new StdinChunk(attempt, offset, bytes, end);
    }
}

internal readonly struct StdinCreditShape : IShape<StdinCredit>
{
    public static StdinCredit Blank { get; } = new(default, 0);

    public static StdinCredit Walk<TFields>(scoped ref TFields f, StdinCredit m)
        where TFields : IFields, allows ref struct
    {
        AttemptId attempt = f.Attempt(1, nameof(m.Attempt), m.Attempt);
        long until = f.Long(2, nameof(m.Until), m.Until, 0, ResourceRequest.AmountMax);
        return !f.Reads ? m : new StdinCredit(attempt, until);
    }
}
