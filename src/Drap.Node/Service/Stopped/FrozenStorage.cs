using Drap.Core.Journal;

namespace Drap.Node.Service;

/// <summary>
/// A journal's folder as it lies there: what opening the journal would write goes into memory and is lost. So one can read it while
/// nothing changes, and beside another who reads.
/// </summary>
internal sealed class FrozenStorage(string folder) : IJournalStorage
{
    private readonly Dictionary<string, MemoryFile> made = new(StringComparer.Ordinal);
    private readonly HashSet<string> deleted = new(StringComparer.Ordinal);

    public long FreeBytes => long.MaxValue;

    public IReadOnlyList<string> List()
    {
        try
        {
            IEnumerable<string> there = Directory.Exists(folder) ? Directory.EnumerateFiles(folder).Select(p => Path.GetFileName(p)!) : [];
            return [.. there.Where(n => !deleted.Contains(n)).Union(made.Keys)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault(folder, "list", e);
        }
    }

    public IJournalFile Open(string name)
    {
        if (made.TryGetValue(name, out MemoryFile? file))
            return file;
        string path = Path.Combine(folder, name);
        try
        {
            // Copied when it is opened: a journal that a starting node goes on with meanwhile does not change under the reader.
            return new MemoryFile(path, File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault(path, "read", e);
        }
    }

    public IJournalFile Create(string name)
    {
        deleted.Remove(name);
        return made[name] = new MemoryFile(Path.Combine(folder, name), []);
    }

    public void Rename(string from, string to)
    {
        made[to] = made.TryGetValue(from, out MemoryFile? file) ? file : (MemoryFile)Open(from);
        Delete(from);
        deleted.Remove(to);
    }

    public void Delete(string name)
    {
        made.Remove(name);
        deleted.Add(name);
    }

    public void SyncDirectory()
    {
    }

    private static JournalStorageException Fault(string path, string what, Exception e) =>
        new(e is UnauthorizedAccessException ? JournalStorageFault.Forbidden : JournalStorageFault.Failed, path, $"cannot {what} {path}: {e.Message}", e);

    private sealed class MemoryFile(string path, byte[] content) : IJournalFile
    {
        private byte[] content = content;

        public string Path => path;

        public long Length => content.Length;

        public int Read(long offset, Span<byte> buffer)
        {
            int count = (int)Math.Clamp(content.Length - offset, 0, buffer.Length);
            if (count > 0)
                content.AsSpan((int)offset, count).CopyTo(buffer);
            return count;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            if (offset + bytes.Length > content.Length)
                Array.Resize(ref content, checked((int)(offset + bytes.Length)));
            bytes.CopyTo(content.AsSpan((int)offset));
        }

        public void Sync()
        {
        }

        public void Dispose()
        {
        }
    }
}
