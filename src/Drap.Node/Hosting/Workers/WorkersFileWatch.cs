using System.Collections.Immutable;
using Drap.Api;

namespace Drap.Node.Hosting.Workers;

/// <summary>
/// Looks at a file once a second: by its time and length, so that it works where notifications do not (network folders, editors that
/// replace the file). It is one stat a second, in a process that a person started by hand.
/// </summary>
internal sealed class WorkersFileWatch : IDisposable
{
    private static readonly TimeSpan interval = TimeSpan.FromSeconds(1);

    private readonly string path;
    private readonly Action<ImmutableArray<WorkerSpec>> changed;
    private readonly Action<string> warn;
    private readonly Timer timer;
    private readonly Lock gate = new();
    private (DateTime, long) seen;
    private bool isDisposed;

    public WorkersFileWatch(string path, Action<ImmutableArray<WorkerSpec>> changed, Action<string> warn)
    {
        this.path = Path.GetFullPath(path);
        this.changed = changed;
        this.warn = warn;
        seen = Stamp();
        timer = new Timer(_ => Look(), null, interval, interval);
    }

    /// <summary>Looks now.</summary>
    internal void Look()
    {
        // A call that finds another one inside is late and has nothing to add.
        if (!gate.TryEnter())
            return;
        try
        {
            (DateTime, long) stamp = Stamp();
            if (isDisposed || stamp == seen)
                return;
            seen = stamp;
            changed(WorkersFile.Read(path));
        }
        catch (ApiException e)
        {
            warn($"the workers stay as they were, since the file is not right:\n{e.Message}");
        }
        finally
        {
            gate.Exit();
        }
    }

    /// <summary>Returns when no call is under way.</summary>
    public void Dispose()
    {
        lock (gate)
            isDisposed = true;
        timer.Dispose();
    }

    private (DateTime, long) Stamp()
    {
        var file = new FileInfo(path);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
    }
}
