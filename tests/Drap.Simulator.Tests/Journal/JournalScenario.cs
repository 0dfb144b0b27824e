using System.Buffers.Binary;
using Drap.Core.Journal;
using Drap.Simulator.Storage;
using Xunit;

namespace Drap.Simulator.Tests.Journal;

/// <summary>
/// A machine whose whole state is the list of records it ever made, kept in a journal on a bad disk. It remembers outside of the disk what
/// was acknowledged, and after each start asserts that all of that is there, that what is there is a prefix of what was made, and that no
/// batch is there in part.
/// </summary>
internal sealed class JournalScenario : IJournalReplay
{
    private readonly Prng prng;
    private readonly JournalOptions options;
    private readonly ulong seed;
    private readonly long reserve;

    // What each record ever made says, record n at n - 1; where batches end; and the state as the machine has it after the last start.
    private readonly List<ulong> made = [];
    private readonly HashSet<int> batchEnds = [0];
    private readonly List<ulong> state = [];
    private JournalLog? log;
    private JournalBuffer? buffer;

    public JournalScenario(ulong seed, long reserve = 0)
    {
        this.reserve = reserve;
        this.seed = seed;
        prng = new Prng(seed);
        options = new JournalOptions(prng.NextUInt64())
        {
            SegmentBytes = prng.Between(100, 3000),
            ReserveBytes = prng.Below(3) * 700,
        };
        Disk = new FaultyStorage(new Prng(prng.NextUInt64()));
    }

    public FaultyStorage Disk { get; }

    /// <summary>The disk as the journal sees it.</summary>
    public ReservedStorage Room { get; private set; } = null!;

    /// <summary>Records that were acknowledged, or found at a start and built upon.</summary>
    public int Acknowledged { get; private set; }

    public void Start()
    {
        state.Clear();
        Room = new ReservedStorage(Disk, reserve);
        Room.Look();
        log = JournalLog.Open(Room, options with { Salt = prng.NextUInt64() }, this);
        buffer = log.CreateBuffer();
        Check(state.Count >= Acknowledged, $"{Acknowledged} records were acknowledged, {state.Count} are there");
        Check(state.SequenceEqual(made.Take(state.Count)), "the records there are not those made");
        Check(batchEnds.Contains(state.Count), $"a batch is there in part: {state.Count} records");
        made.RemoveRange(state.Count, made.Count - state.Count);
        batchEnds.RemoveWhere(end => end > state.Count);
        Acknowledged = state.Count;
    }

    /// <summary>Some groups of some batches, and now and then a snapshot.</summary>
    public void Work(int groups)
    {
        for (int group = 0; group < groups; group++)
        {
            JournalBatch[] batches = [.. Enumerable.Range(0, 1 + prng.Below(3)).Select(_ => MakeBatch())];
            Acknowledged = (int)log!.Write(batches);
            if (prng.Chance(1, 4))
                TakeSnapshot();
        }
    }

    public void Snapshot(long sequence, in JournalRecord record) => state.Add(Read(record));

    public void Record(long sequence, in JournalRecord record)
    {
        state.Add(Read(record));
        Check(sequence == state.Count, $"record {sequence} came after {state.Count - 1} records");
    }

    private JournalBatch MakeBatch()
    {
        for (int i = prng.Below(4); i >= 0; i--)
        {
            // The number says which record it is; the rest makes the length, and sometimes spans several sectors.
            byte[] body = new byte[8 + prng.Below(prng.Chance(1, 10) ? 2000 : 60)];
            ulong content = prng.NextUInt64();
            BinaryPrimitives.WriteUInt64LittleEndian(body, content);
            buffer!.Append(1, 1, body);
            made.Add(content);
            state.Add(content);
        }
        batchEnds.Add(made.Count);
        return buffer!.TakeBatch()!;
    }

    private void TakeSnapshot()
    {
        // It would be refused, and the log goes on without it.
        if (Room.IsShort)
            return;
        JournalSnapshot snapshot = buffer!.BeginSnapshot();
        byte[] body = new byte[8];
        foreach (ulong content in state)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(body, content);
            snapshot.Add(2, 1, body);
        }
        buffer.EndSnapshot(snapshot);
        try
        {
            snapshot.WriteTo(Room);
        }
        catch (JournalStorageException e) when (e.Fault == JournalStorageFault.DiskFull && reserve > 0)
        {
            return;
        }
        log!.Install(snapshot);
    }

    private static ulong Read(JournalRecord record) => BinaryPrimitives.ReadUInt64LittleEndian(record.Body.Span);

    private void Check(bool condition, string what) => Assert.True(condition, $"seed {seed}, storage call {Disk.Calls}: {what}");
}
