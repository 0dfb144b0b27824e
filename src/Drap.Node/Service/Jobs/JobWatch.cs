using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Api;

namespace Drap.Node.Service;

/// <summary>
/// Passes the scheduler's news on to who asked for a job's. It only notes task numbers: what they are now is read when the listener comes
/// for it, so that a task that changes ten times meanwhile costs one look, and nobody's slowness holds the loop.
/// </summary>
internal sealed class JobWatch
{
    private readonly ConcurrentDictionary<JobId, ImmutableArray<Listener>> listeners = [];

    /// <summary>Listens to a job until disposed.</summary>
    /// <param name="tasks">Whether its tasks are of interest.</param>
    public Listener Listen(JobId job, bool tasks)
    {
        var listener = new Listener(this, job, tasks);
        listeners.AddOrUpdate(job, [listener], (_, all) => all.Add(listener));
        return listener;
    }

    public void Changed(JobId job, ImmutableArray<int> tasks)
    {
        if (listeners.TryGetValue(job, out ImmutableArray<Listener> all))
            foreach (Listener listener in all)
                listener.Note(tasks);
    }

    private void Leave(Listener listener)
    {
        while (listeners.TryGetValue(listener.Job, out ImmutableArray<Listener> all))
        {
            ImmutableArray<Listener> rest = all.Remove(listener);
            bool left = rest.IsEmpty
                ? listeners.TryRemove(KeyValuePair.Create(listener.Job, all))
                : listeners.TryUpdate(listener.Job, rest, all);
            if (left)
                return;
        }
    }

    /// <summary>One who listens.</summary>
    internal sealed class Listener(JobWatch watch, JobId job, bool wantsTasks) : IDisposable
    {
        private readonly Lock gate = new();
        private readonly SemaphoreSlim signal = new(0, 1);
        private HashSet<int> tasks = [];
        private bool hasGap;
        private bool hasNews;

        public JobId Job => job;

        public void Note(ImmutableArray<int> changed)
        {
            lock (gate)
            {
                if (wantsTasks && !hasGap)
                {
                    hasGap = tasks.Count + changed.Length > JobEvent.BacklogMax;
                    if (hasGap)
                        tasks.Clear();
                    else
                        tasks.UnionWith(changed);
                }
                if (hasNews)
                    return;
                hasNews = true;
            }
            Wake();
        }

        /// <summary>Wakes the waiter without news.</summary>
        public void Wake()
        {
            lock (gate)
                if (signal.CurrentCount == 0)
                    signal.Release();
        }

        /// <summary>True when there is news or somebody woke it, false when the time passed without.</summary>
        public Task<bool> WaitAsync(TimeSpan most, CancellationToken cancel) => signal.WaitAsync(most, cancel);

        /// <summary>The tasks noted since the last call, in order; or that some were dropped.</summary>
        public (bool HasNews, bool HasGap, List<int> Tasks) Take()
        {
            lock (gate)
            {
                (bool, bool, List<int>) taken = (hasNews, hasGap, [.. tasks.Order()]);
                tasks = [];
                (hasNews, hasGap) = (false, false);
                return taken;
            }
        }

        public void Dispose() => watch.Leave(this);
    }
}
