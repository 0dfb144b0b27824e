namespace Drap.Core.Journal;

/// <summary>
/// Hears from whoever drives a log (a thread of the node, or the simulator) what became of what was handed to it. Calls come one at a
/// time and in order, on the driver's thread: they only pass the news on to the owner.
/// </summary>
public interface IJournalListener
{
    /// <summary>All records up to <paramref name="sequence"/> are safe; numbers only grow. Effects that waited for them may go out.</summary>
    void Committed(long sequence);

    /// <summary>The journal has stopped for good; no <see cref="Committed"/> follows. Called at most once.</summary>
    void Failed(JournalException reason);

    /// <summary>The snapshot of record <paramref name="sequence"/> is in place, and what it covers is gone.</summary>
    void SnapshotInstalled(long sequence);

    /// <summary>The snapshot could not be written; the log goes on, and grows until a later one succeeds.</summary>
    void SnapshotFailed(long sequence, JournalException reason);
}
