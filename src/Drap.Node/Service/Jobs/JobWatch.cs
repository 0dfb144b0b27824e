using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using Drap.Api;

namespace Drap.Node.Service;

/// <summary>
/// Passes the scheduler's news on to who asked for a job's. It only notes task numbers: what they are now is read when the listener comes
/// for it, so that a task that changes ten times meanwhile costs one look, and nobody's slowness holds the loop. A job of many short tasks
/// changes thousands of times a second, and each look takes a turn of the loop: after a first burst a listener is woken at a pace.
/// </summary>
internal sealed class JobWatch
{
    private readonly ConcurrentDictionary<JobId, ImmutableArray<Listener>> listeners = [];

    /// <summary>Listens to a job until disposed.</summary>
    /// <param name="tasks">Whether its tasks are of interest.</param>
    /// <param name="pace">Between two wakes of a job that changes all the time; its end never waits. Null for 20 ms after a burst of sixteen.</param>
    public Listener Listen(JobId job, bool tasks, TimeSpan? pace = null)
    {
        var listener = new Listener(this, job, tasks, pace);
        listeners.AddOrUpdate(job, [listener], (_, all) => all.Add(listener));
        return listener;
    }

    public void Changed(JobId job, ImmutableArray<int> tasks, bool hasEnded)
    {
        if (listeners.TryGetValue(job, out ImmutableArray<Listener> all))
            foreach (Listener listener in all)
                listener.Note(tasks, hasEnded);
    }

    /// <summary>Nothing will change any more: who waits is to ask, and hears why.</summary>
    public void WakeAll()
    {
        foreach (ImmutableArray<Listener> all in listeners.Values)
            foreach (Listener listener in all)
                listener.Wake();
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
    internal sealed class Listener : IDisposable
    {
        private static readonly TimeSpan usualPace = TimeSpan.FromMilliseconds(20);

        /// <summary>Wakes that need not keep the usual pace: a job of a few tasks never meets it.</summary>
        private const int UsualBurst = 16;

        private readonly Lock gate = new();
        private readonly SemaphoreSlim signal = new(0, 1);
        private readonly JobWatch watch;
        private readonly JobId job;
        private readonly bool wantsTasks;
        private readonly TimeSpan pace, creditMax;
        private readonly Timer timer;
        private HashSet<int> tasks = [];
        private TimeSpan credit;
        private long creditAt = Stopwatch.GetTimestamp();
        private bool hasGap;
        private bool hasNews;
        private bool hasEnd;

        public Listener(JobWatch watch, JobId job, bool wantsTasks, TimeSpan? pace)
        {
            (this.watch, this.job, this.wantsTasks) = (watch, job, wantsTasks);
            this.pace = pace ?? usualPace;
            credit = creditMax = this.pace * (pace is null ? UsualBurst : 1);
            timer = new Timer(_ => Wake(), null, Timeout.Infinite, Timeout.Infinite);
        }

        public JobId Job => job;

        public void Note(ImmutableArray<int> changed, bool hasEnded)
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
                hasEnd |= hasEnded;
                if (hasNews && !hasEnded)
                    return;
                hasNews = true;
                if (!hasEnded && !TrySpend())
                {
                    timer.Change(pace, Timeout.InfiniteTimeSpan);
                    return;
                }
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

        /// <summary>The tasks noted since the last call, in order, or that some were dropped; and whether the job ended, as far as was said.</summary>
        public (bool HasNews, bool HasEnd, bool HasGap, List<int> Tasks) Take()
        {
            lock (gate)
            {
                (bool, bool, bool, List<int>) taken = (hasNews, hasEnd, hasGap, [.. tasks.Order()]);
                tasks = [];
                (hasNews, hasEnd, hasGap) = (false, false, false);
                return taken;
            }
        }

        public void Dispose()
        {
            watch.Leave(this);
            timer.Dispose();
        }

        private bool TrySpend()
        {
            credit = TimeSpan.FromTicks(Math.Min((credit + Stopwatch.GetElapsedTime(creditAt)).Ticks, creditMax.Ticks));
            creditAt = Stopwatch.GetTimestamp();
            if (credit < pace)
                return false;
            credit -= pace;
            return true;
        }
    }
}
