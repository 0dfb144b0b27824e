using Drap.Core.Journal;

namespace Drap.Simulator.Storage;

/// <summary>A disk that takes everything and keeps only lengths: for schedulers of large worlds, which never come up again.</summary>
public sealed class SinkStorage : IJournalStorage
{
    private readonly Dictionary<string, SinkFile> files = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public long FreeBytes => long.MaxValue;

    /// <inheritdoc/>
    public IReadOnlyList<string> List() => [.. files.Keys];

    /// <inheritdoc/>
    public IJournalFile Open(string name) => files.TryGetValue(name, out SinkFile? file) ? file : throw new InvalidOperationException($"{name} was never made");

    /// <inheritdoc/>
    public IJournalFile Create(string name) => files[name] = new SinkFile(name);

    /// <inheritdoc/>
    public void Rename(string from, string to)
    {
        files[to] = files[from];
        files.Remove(from);
    }

    /// <inheritdoc/>
    public void Delete(string name) => files.Remove(name);

    /// <inheritdoc/>
    public void SyncDirectory()
    {
    }

    private sealed class SinkFile(string name) : IJournalFile
    {
        public string Path { get; } = name;

        public long Length { get; private set; }

        public int Read(long offset, Span<byte> buffer) => throw new InvalidOperationException($"{Path} keeps nothing");

        public void Write(long offset, ReadOnlySpan<byte> bytes) => Length = Math.Max(Length, offset + bytes.Length);

        public void Sync()
        {
        }

        public void Dispose()
        {
        }
    }
}
