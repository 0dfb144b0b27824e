namespace Drap.Core.Journal;

/// <summary>What can go wrong with a journal; the root of its exceptions.</summary>
public abstract class JournalException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>Why the storage refused.</summary>
public enum JournalStorageFault
{
    /// <summary>The device failed, or any other reason that the message names.</summary>
    Failed,

    /// <summary>No space, or the user's disk quota is used up.</summary>
    DiskFull,

    /// <summary>The file system is mounted read-only.</summary>
    ReadOnly,

    /// <summary>This user may not do that here.</summary>
    Forbidden,

    /// <summary>There is no such file or directory.</summary>
    Missing,

    /// <summary>The file system is a network one, where neither locks nor syncs mean what a journal needs.</summary>
    NetworkFileSystem,

    /// <summary>Another has taken over what is stored there: this process has no say any more.</summary>
    Superseded,
}

/// <summary>The storage under the journal refused a call.</summary>
/// <param name="fault">Why.</param>
/// <param name="path">The file or directory.</param>
/// <param name="message">What was tried, where, and the system's own words.</param>
/// <param name="cause">The exception below, if any.</param>
public sealed class JournalStorageException(JournalStorageFault fault, string path, string message, Exception? cause = null)
    : JournalException(message, cause)
{
    /// <summary>Why.</summary>
    public JournalStorageFault Fault { get; } = fault;

    /// <summary>The file or directory.</summary>
    public string Path { get; } = path;
}

/// <summary>
/// The journal's files are not what was written: bytes that were once safe have changed, or a file is missing. Never repaired, never
/// skipped; a person decides (restore a copy, or start anew).
/// </summary>
/// <param name="path">The file.</param>
/// <param name="offset">The byte in it where the damage was noticed.</param>
/// <param name="what">What is wrong there.</param>
public sealed class JournalCorruptException(string path, long offset, string what)
    : JournalException($"the journal is damaged: {path} at byte {offset}: {what}")
{
    /// <summary>The file.</summary>
    public string Path { get; } = path;

    /// <summary>The byte in it where the damage was noticed.</summary>
    public long Offset { get; } = offset;
}

/// <summary>
/// An earlier write or sync did not succeed, so that nobody knows what is on the disk: the log accepts and acknowledges nothing any
/// more. Opening it again finds out.
/// </summary>
/// <param name="durable">The last sequence number that was acknowledged.</param>
/// <param name="cause">What went wrong first.</param>
public sealed class JournalFailedException(long durable, Exception? cause)
    : JournalException($"the journal has stopped after record {durable}: {cause?.Message ?? "a write was broken off"}", cause)
{
    /// <summary>The last sequence number that was acknowledged.</summary>
    public long DurableSequence { get; } = durable;
}
