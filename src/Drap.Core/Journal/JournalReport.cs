namespace Drap.Core.Journal;

/// <summary>What opening a journal found; for the node's log and for people.</summary>
/// <param name="SnapshotSequence">The last record that the snapshot covers; 0 without one.</param>
/// <param name="SnapshotBytes">Size of the snapshot; 0 without one.</param>
/// <param name="Records">Records of the log that were handed over.</param>
/// <param name="LogBytes">Their bytes.</param>
/// <param name="CutBytes">Bytes of a torn tail that were left out: never acknowledged. 0 after an orderly end.</param>
public sealed record JournalReport(long SnapshotSequence, long SnapshotBytes, long Records, long LogBytes, long CutBytes);
