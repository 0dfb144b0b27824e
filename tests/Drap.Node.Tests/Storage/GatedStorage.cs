using Drap.Core.Journal;
using Drap.Node.Storage;

namespace Drap.Node.Tests.Storage;

/// <summary>Real files whose syncs a test holds up or lets fail.</summary>
internal sealed class GatedStorage(FileJournalStorage inner) : IJournalStorage, IDisposable
{
    private readonly ManualResetEventSlim gate = new(initialState: true);
    private readonly SemaphoreSlim arrived = new(0);

    public volatile bool FailSyncs;

    public volatile bool FailCreates;

    public void Close() => gate.Reset();

    public void Open() => gate.Set();

    /// <summary>Waits until a sync is held up.</summary>
    public void AwaitSync() => Assert(arrived.Wait(TimeSpan.FromSeconds(30)), "no sync came within 30 s");

    public long FreeBytes => inner.FreeBytes;

    public IReadOnlyList<string> List() => inner.List();

    public IJournalFile Open(string name) => new File(this, inner.Open(name));

    public IJournalFile Create(string name)
    {
        if (FailCreates)
            throw new JournalStorageException(JournalStorageFault.Failed, name, "cannot create: told so");
        return new File(this, inner.Create(name));
    }

    public void Rename(string from, string to) => inner.Rename(from, to);

    public void Delete(string name) => inner.Delete(name);

    public void SyncDirectory() => inner.SyncDirectory();

    public void Dispose()
    {
        inner.Dispose();
        gate.Dispose();
        arrived.Dispose();
    }

    private static void Assert(bool condition, string what) => Xunit.Assert.True(condition, what);

    private sealed class File(GatedStorage storage, IJournalFile inner) : IJournalFile
    {
        public string Path => inner.Path;

        public long Length => inner.Length;

        public int Read(long offset, Span<byte> buffer) => inner.Read(offset, buffer);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => inner.Write(offset, bytes);

        public void Sync()
        {
            if (!storage.gate.IsSet)
            {
                storage.arrived.Release();
                storage.gate.Wait();
            }
            if (storage.FailSyncs)
                throw new JournalStorageException(JournalStorageFault.Failed, Path, "cannot sync: told so");
            inner.Sync();
        }

        public void Dispose() => inner.Dispose();
    }
}
