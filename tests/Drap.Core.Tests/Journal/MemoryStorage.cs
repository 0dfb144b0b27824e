using Drap.Core.Journal;

namespace Drap.Core.Tests.Journal;

/// <summary>A disk that works, and on which any call can be made to fail.</summary>
internal sealed class MemoryStorage : IJournalStorage
{
    private readonly Dictionary<string, string> moved = new(StringComparer.Ordinal);

    public SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>Calls that change or sync anything, as words.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>The call whose words begin so fails.</summary>
    public string? Fail { get; set; }

    public MemoryStorage Copy()
    {
        var copy = new MemoryStorage();
        foreach ((string name, byte[] content) in Files)
            copy.Files.Add(name, [.. content]);
        return copy;
    }

    public long FreeBytes => long.MaxValue;

    public IReadOnlyList<string> List() => [.. Files.Keys.Reverse()];

    public IJournalFile Open(string name) => new File(this, name);

    public IJournalFile Create(string name)
    {
        Note($"create {name}");
        moved.Remove(name);
        Files[name] = [];
        return new File(this, name);
    }

    public void Rename(string from, string to)
    {
        Note($"rename {from}");
        Files[to] = Files[from];
        Files.Remove(from);
        moved[from] = to;
    }

    public void Delete(string name)
    {
        Note($"delete {name}");
        Files.Remove(name);
    }

    public void SyncDirectory() => Note("sync directory");

    private void Note(string call)
    {
        Calls.Add(call);
        if (Fail is not null && call.StartsWith(Fail, StringComparison.Ordinal))
            throw new JournalStorageException(JournalStorageFault.Failed, call, $"cannot {call}: told so");
    }

    private sealed class File(MemoryStorage disk, string opened) : IJournalFile
    {
        public string Path => disk.moved.GetValueOrDefault(opened, opened);

        public long Length => disk.Files[Path].Length;

        public int Read(long offset, Span<byte> buffer)
        {
            ReadOnlySpan<byte> rest = disk.Files[Path].AsSpan((int)Math.Min(offset, Length));
            rest = rest[..Math.Min(rest.Length, buffer.Length)];
            rest.CopyTo(buffer);
            return rest.Length;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            disk.Note($"write {Path}");
            byte[] content = disk.Files[Path];
            if (content.Length < offset + bytes.Length)
                Array.Resize(ref content, (int)offset + bytes.Length);
            bytes.CopyTo(content.AsSpan((int)offset));
            disk.Files[Path] = content;
        }

        public void Sync() => disk.Note($"sync {Path}");

        public void Dispose()
        {
        }
    }
}
