namespace Drap.Core.Journal;

/// <summary>
/// The few file calls that the journal needs, on one flat directory that holds it. All are synchronous. Each failure is a
/// <see cref="JournalStorageException"/>. Nothing is promised to survive a crash before the sync that covers it: writes are covered
/// by <see cref="IJournalFile.Sync"/>, names by <see cref="SyncDirectory"/>. One thread at a time calls a storage's methods
/// on one file; different files may be used at once.
/// </summary>
public interface IJournalStorage
{
    /// <summary>Bytes that this process may still write there, as the file system says it: a hint, which quotas and other programs make wrong.</summary>
    long FreeBytes { get; }

    /// <summary>Names of the files in the directory, in any order; those that are not the journal's own are ignored by it.</summary>
    IReadOnlyList<string> List();

    /// <summary>Opens an existing file for reading and writing.</summary>
    IJournalFile Open(string name);

    /// <summary>Makes an empty file, in place of an older one of that name.</summary>
    IJournalFile Create(string name);

    /// <summary>Gives a file another name, in one step, in place of an older one of that name. Open files stay usable.</summary>
    void Rename(string from, string to);

    /// <summary>Removes a file.</summary>
    void Delete(string name);

    /// <summary>Makes all creations, renames and deletions so far survive a crash.</summary>
    void SyncDirectory();
}

/// <summary>An open file of an <see cref="IJournalStorage"/>.</summary>
public interface IJournalFile : IDisposable
{
    /// <summary>Where the file is, as a person should read it in an error.</summary>
    string Path { get; }

    /// <summary>Length in bytes.</summary>
    long Length { get; }

    /// <summary>Reads up to <paramref name="buffer"/>'s length from <paramref name="offset"/>; fewer only at the end of the file.</summary>
    int Read(long offset, Span<byte> buffer);

    /// <summary>Writes all of <paramref name="bytes"/> at <paramref name="offset"/>; the file grows as needed.</summary>
    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Makes all writes so far survive a crash (fdatasync). After a failure what is on the disk is unknown for good.</summary>
    void Sync();
}
