using Drap.Core.Journal;
using Drap.Core.Nodes;
using Drap.Simulator.Storage;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>A scheduler's state as the records of a snapshot, and back.</summary>
internal static class StateRecords
{
    /// <summary>Each record as it is written, and the state that they make when they are read.</summary>
    public static (List<string> Records, SchedulerState Made) Of(SchedulerState state)
    {
        var storage = new FaultyStorage(new Prng(1), new TraceHash());
        JournalLog log = JournalLog.Open(storage, new JournalOptions(1), new Reader(new SchedulerState(), []));
        JournalBuffer buffer = log.CreateBuffer();
        foreach (SchedulerRecord record in state.ToRecords())
        {
            SchedulerRecords.Append(buffer, record);
            if (!buffer.HasRoom)
                log.Write(buffer.TakeBatch()!);
        }
        if (buffer.TakeBatch() is { } rest)
            log.Write(rest);
        log.Dispose();
        var reader = new Reader(new SchedulerState(), []);
        JournalLog.Open(storage, new JournalOptions(1), reader).Dispose();
        return (reader.Records, reader.State);
    }

    private sealed class Reader(SchedulerState state, List<string> records) : IJournalReplay
    {
        public SchedulerState State => state;

        public List<string> Records => records;

        public void Snapshot(long sequence, in JournalRecord record) => Record(sequence, record);

        public void Record(long sequence, in JournalRecord record)
        {
            if (!SchedulerRecords.TryRead(record, out SchedulerRecord? read, out string? error))
                throw new InvalidOperationException(error);
            records.Add($"{read.GetType().Name} {Convert.ToHexString(record.Body.Span)}");
            state.Apply(read);
        }
    }
}
