using Drap.Core.Messages;

namespace Drap.Node.Service;

/// <summary>
/// What the tasks of a scheduler's jobs wrote: one append-only file a job, gone with the job's history. <see cref="Append"/> hands pieces
/// to one writer thread in their order; nothing is synced, since a log that a crash of the machine cuts short is no wrong answer. How much
/// an attempt may write is bounded where it runs.
/// </summary>
public sealed class LogStore : IDisposable
{
    /// <summary>Files that are open for writing at once; beyond it the one longest unused is closed.</summary>
    public const int FilesMax = 64;

    /// <summary>Bytes that wait for the writer: a second of a slow disk. At the limit <see cref="Append"/> waits, and with it the scheduler.</summary>
    private const int QueueBytesMax = 16 << 20;

    /// <summary>What an entry costs beside its bytes.</summary>
    private const int EntryBytes = 64;

    /// <summary>How long pieces are gathered for one write: a reader who follows does not see it, and small pieces share a system call.</summary>
    private static readonly TimeSpan gathering = TimeSpan.FromMilliseconds(5);

    private readonly string folder;
    private readonly Thread writer;
    private readonly Dictionary<JobId, LogFile> files = [];

    /// <summary>Jobs whose log has gaps, of which was told.</summary>
    private readonly HashSet<JobId> gaps = [];
    private long batches;

    // Under the gate.
    private readonly Lock watchGate = new();
    private readonly Dictionary<JobId, Action> watchers = [];
    private readonly object gate = new();
    private List<Entry> queue = [];
    private int queueBytes;
    private bool isIdle;
    private bool isUrgent;
    private bool isClosed;

    /// <summary>A store in a folder, which is made where it is not.</summary>
    /// <param name="folder">The folder.</param>
    public LogStore(string folder)
    {
        this.folder = Directory.CreateDirectory(folder).FullName;
        writer = new Thread(Run) { Name = "drap logs", IsBackground = true };
        writer.Start();
    }

    /// <summary>Whether the disk is full, and what is left of it kept for the journal: pieces are lost then as if it had refused them.</summary>
    public Func<bool> IsShort { get; init; } = static () => false;

    /// <summary>Pieces could not be written and are lost: told once a job, on the writer's thread, since a full disk refuses each piece.</summary>
    public event Action<JobId, Exception>? Failed;

    /// <summary>Keeps a piece. Waits only while <c>16 MiB</c> wait for the disk. For one thread, so that pieces stay in order.</summary>
    public void Append(LogChunk chunk) => Enqueue(new Entry(chunk, default, null), EntryBytes + chunk.Bytes.Length, urgent: false);

    /// <summary>Drops a job's log, once what was appended before is written.</summary>
    public void Delete(JobId job) => Enqueue(new Entry(null, job, null), EntryBytes, urgent: false);

    /// <summary>Completes when everything appended so far can be read.</summary>
    public Task FlushAsync()
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!Enqueue(new Entry(null, default, done), EntryBytes, urgent: true))
            done.SetResult();
        return done.Task;
    }

    /// <summary>Reads a job's log from its beginning.</summary>
    public LogReader Read(JobId job) => new(PathOf(folder, job));

    /// <summary>Calls <paramref name="written"/>, on the writer's thread, after more of a job's log can be read; until disposed.</summary>
    public IDisposable Watch(JobId job, Action written)
    {
        lock (watchGate)
            watchers[job] = watchers.TryGetValue(job, out Action? before) ? before + written : written;
        return new Watcher(this, job, written);
    }

    /// <summary>Deletes the logs of jobs that are not among these: at the start, those that were forgotten as the process ended.</summary>
    public void KeepOnly(IReadOnlySet<JobId> jobs)
    {
        foreach (string path in Directory.EnumerateFiles(folder, "*.log"))
            if (JobId.TryParse(Path.GetFileNameWithoutExtension(path), out JobId job) && !jobs.Contains(job))
                Delete(job);
    }

    /// <summary>Writes what waits, and ends.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (isClosed)
                return;
            isClosed = true;
            Monitor.PulseAll(gate);
        }
        writer.Join();
    }

    internal static string PathOf(string folder, JobId job) => Path.Combine(folder, $"{job}.log");

    private bool Enqueue(Entry entry, int bytes, bool urgent)
    {
        lock (gate)
        {
            while (queueBytes >= QueueBytesMax && !isClosed)
            {
                isUrgent = true;
                Monitor.PulseAll(gate);
                Monitor.Wait(gate);
            }
            if (isClosed)
                return false;
            queue.Add(entry);
            queueBytes += bytes;
            isUrgent |= urgent;
            // Waking a thread costs more than all else here: once a batch.
            if (isIdle || urgent)
            {
                isIdle = false;
                Monitor.PulseAll(gate);
            }
            return true;
        }
    }

    private void Run()
    {
        var taken = new List<Entry>();
        while (Take(ref taken))
        {
            batches++;
            Write(taken);
            taken.Clear();
        }
        foreach (LogFile file in files.Values)
            file.Dispose();
    }

    private bool Take(ref List<Entry> taken)
    {
        lock (gate)
        {
            while (queue.Count == 0)
            {
                if (isClosed)
                    return false;
                isIdle = true;
                Monitor.Wait(gate);
            }
            if (!isUrgent && !isClosed)
                Monitor.Wait(gate, gathering);
            (queue, taken) = (taken, queue);
            queueBytes = 0;
            isUrgent = false;
            Monitor.PulseAll(gate);
            return true;
        }
    }

    private void Write(List<Entry> entries)
    {
        var dirty = new List<JobId>();
        foreach (Entry entry in entries)
        {
            if (entry.Chunk is { } chunk)
                Add(chunk, dirty);
            else if (entry.Flushed is not null)
                WriteAll(dirty);
            else
                Remove(entry.Delete, dirty);
            entry.Flushed?.SetResult();
        }
        WriteAll(dirty);
    }

    private void Add(LogChunk chunk, List<JobId> dirty)
    {
        JobId job = chunk.Attempt.Task.Job;
        try
        {
            if (IsShort())
                throw new IOException("the disk is full; what is left of it is kept for the journal");
            if (!files.TryGetValue(job, out LogFile? file))
            {
                if (files.Count >= FilesMax)
                {
                    WriteAll(dirty);
                    CloseOldest();
                }
                files[job] = file = new LogFile(PathOf(folder, job));
            }
            if (!file.HasPending)
                dirty.Add(job);
            file.LastUse = batches;
            file.Add(chunk);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(job, e);
        }
    }

    private void WriteAll(List<JobId> dirty)
    {
        foreach (JobId job in dirty)
        {
            try
            {
                if (files.TryGetValue(job, out LogFile? file))
                    file.Write();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Fail(job, e);
            }
            Action? written;
            lock (watchGate)
                watchers.TryGetValue(job, out written);
            written?.Invoke();
        }
        dirty.Clear();
    }

    private void Remove(JobId job, List<JobId> dirty)
    {
        dirty.Remove(job);
        if (files.Remove(job, out LogFile? file))
            file.Dispose();
        try
        {
            File.Delete(PathOf(folder, job));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(job, e);
        }
        gaps.Remove(job);
    }

    private void Fail(JobId job, Exception e)
    {
        if (gaps.Add(job))
            Failed?.Invoke(job, e);
    }

    private void CloseOldest()
    {
        (JobId job, LogFile file) = files.MinBy(f => (f.Value.LastUse, f.Key));
        files.Remove(job);
        file.Dispose();
    }

    private readonly record struct Entry(LogChunk? Chunk, JobId Delete, TaskCompletionSource? Flushed);

    private sealed class Watcher(LogStore store, JobId job, Action written) : IDisposable
    {
        public void Dispose()
        {
            lock (store.watchGate)
            {
                if (store.watchers.TryGetValue(job, out Action? all) && all - written is { } rest)
                    store.watchers[job] = rest;
                else
                    store.watchers.Remove(job);
            }
        }
    }
}
