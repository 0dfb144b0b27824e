using Drap.Core.Journal;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Storage;

/// <summary>A journal's files in a directory of a local disk. Who may use the directory is settled before, by the lock of the home.</summary>
public sealed class FileJournalStorage : IJournalStorage, IDisposable
{
    private readonly string directory;
    private readonly SafeFileHandle handle;

    private FileJournalStorage(string directory, SafeFileHandle handle)
    {
        this.directory = directory;
        this.handle = handle;
    }

    /// <summary>
    /// Opens the directory, or makes it. Throws <see cref="JournalStorageException"/> when that cannot be, or when it lies on a network
    /// file system.
    /// </summary>
    public static FileJournalStorage OpenDirectory(string directory)
    {
        directory = Path.GetFullPath(directory);
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var fault = e is UnauthorizedAccessException ? JournalStorageFault.Forbidden : JournalStorageFault.Failed;
            throw new JournalStorageException(fault, directory, $"cannot make the directory {directory}: {e.Message}", e);
        }
        if (NetworkFileSystems.Name(FileCalls.FileSystemType(directory)) is { } name)
            throw new JournalStorageException(
                JournalStorageFault.NetworkFileSystem,
                directory,
                $"{directory} is on a network file system ({name}), where a journal is not safe; choose a folder on a local disk (DRAP_HOME)");
        return new FileJournalStorage(directory, FileCalls.Open(directory, FileCalls.OpenReadOnly));
    }

    public long FreeBytes => FileCalls.FreeBytes(directory);

    public IReadOnlyList<string> List()
    {
        try
        {
            return [.. Directory.EnumerateFiles(directory).Select(path => Path.GetFileName(path))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var fault = e is UnauthorizedAccessException ? JournalStorageFault.Forbidden : JournalStorageFault.Failed;
            throw new JournalStorageException(fault, directory, $"cannot list {directory}: {e.Message}", e);
        }
    }

    public IJournalFile Open(string name) => new File(PathOf(name), FileCalls.OpenReadWrite);

    public IJournalFile Create(string name) =>
        new File(PathOf(name), FileCalls.OpenReadWrite | FileCalls.OpenCreate | FileCalls.OpenTruncate);

    public void Rename(string from, string to) => FileCalls.Rename(PathOf(from), PathOf(to));

    public void Delete(string name) => FileCalls.Delete(PathOf(name));

    public void SyncDirectory() => FileCalls.SyncAll(handle, directory);

    public void Dispose() => handle.Dispose();

    private string PathOf(string name) => Path.Combine(directory, name);

    private sealed class File(string path, int flags) : IJournalFile
    {
        private readonly SafeFileHandle handle = FileCalls.Open(path, flags);

        public string Path => path;

        public long Length => FileCalls.Length(handle, path);

        public int Read(long offset, Span<byte> buffer) => FileCalls.Read(handle, path, offset, buffer);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => FileCalls.Write(handle, path, offset, bytes);

        public void Sync() => FileCalls.SyncData(handle, path);

        public void Dispose() => handle.Dispose();
    }
}
