using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Api;
using Drap.Core.Nodes;
using Drap.Node.Overlay;
using Drap.Node.Service;

namespace Drap.Node.Hosting;

/// <summary>
/// Where a home's scheduler sits, or will sit: on a node that stands by it comes later than the overlay and whoever asks it. Until then questions are answered by why
/// it is empty, and messages are dropped, as on a wire. Thread-safe.
/// </summary>
internal sealed class SchedulerSeat : ISchedulerPort, IOverlayEvents
{
    private readonly Lock gate = new();
    private readonly ConcurrentDictionary<string, ImmutableArray<PeerId>> audiences = new(StringComparer.Ordinal);
    private readonly Dictionary<PeerId, SchedulerInput> names = [];
    private readonly List<Watching> waiting = [];
    private volatile SchedulerLoop? loop;

    /// <summary>Who sits there; null while it is empty.</summary>
    public SchedulerLoop? Loop => loop;

    /// <summary>For which scheduler the node stands by; null where it does not, or could not take its place yet.</summary>
    public PeerId? StandsByFor { get; set; }

    /// <summary>What it waits for while the seat is empty, for people.</summary>
    public string Waits { get; set; } = "it is starting";

    /// <summary>Who hears a topic that the node watches changed; on the overlay's threads.</summary>
    public event Action? AudienceChanged;

    /// <summary>Who hears a topic that the node watches.</summary>
    public ImmutableArray<PeerId> AudienceOf(string topic) => audiences.GetValueOrDefault(topic, []);

    /// <summary>The scheduler comes. What it would have heard of the swarm it hears now.</summary>
    public void Sit(SchedulerLoop scheduler)
    {
        lock (gate)
        {
            Invariant.Check(loop is null);
            foreach (SchedulerInput name in names.Values)
                scheduler.Post(name);
            foreach ((string topic, ImmutableArray<PeerId> members) in audiences)
                scheduler.Audience(topic, members);
            foreach (Watching watching in waiting)
                watching.Begin(scheduler);
            names.Clear();
            waiting.Clear();
            StandsByFor = null;
            loop = scheduler;
        }
    }

    /// <inheritdoc/>
    public Task<SchedulerReply> AskAsync(Func<Ticket, SchedulerInput> request, CancellationToken cancel) => Present().AskAsync(request, cancel);

    /// <inheritdoc/>
    public Task<T> ReadAsync<T>(Func<SchedulerNode, Instant, T> read, CancellationToken cancel) => Present().ReadAsync(read, cancel);

    /// <inheritdoc/>
    public void Post(SchedulerInput input)
    {
        lock (gate)
        {
            if (loop is { } present)
                present.Post(input);
            else if (input is SchedulerInput.Named named)
                names[named.Worker] = named;
        }
    }

    /// <inheritdoc/>
    public IDisposable Watch(ISchedulerWatcher watcher)
    {
        lock (gate)
        {
            if (loop is { } present)
                return present.Watch(watcher);
            var watching = new Watching(this, watcher);
            waiting.Add(watching);
            return watching;
        }
    }

    /// <inheritdoc/>
    public bool Frame(PeerId from, ReadOnlyMemory<byte> frame) => loop?.Frame(from, frame) ?? true;

    /// <inheritdoc/>
    public int Frames(PeerId from, ReadOnlySpan<ReadOnlyMemory<byte>> frames) => loop?.Frames(from, frames) ?? frames.Length;

    /// <inheritdoc/>
    public void WaitForRoom() => loop?.WaitForRoom();

    /// <inheritdoc/>
    public void Audience(string topic, ImmutableArray<PeerId> members)
    {
        lock (gate)
        {
            audiences[topic] = members;
            loop?.Audience(topic, members);
        }
        AudienceChanged?.Invoke();
    }

    /// <inheritdoc/>
    public void PeerGone(PeerId peer)
    {
        lock (gate)
        {
            names.Remove(peer);
            loop?.PeerGone(peer);
        }
    }

    private SchedulerLoop Present() => loop ?? throw new ApiException(
        ErrorCodes.Conflict,
        StandsByFor is { } leader ? $"this node stands by for the scheduler {leader}, and has no jobs until that is gone" : $"this node leads no scheduler yet: {Waits}",
        null, StandsByFor is null ? "" : "ask there");

    /// <summary>Who watches from before the scheduler came.</summary>
    private sealed class Watching(SchedulerSeat seat, ISchedulerWatcher watcher) : IDisposable
    {
        private IDisposable? begun;

        public void Begin(SchedulerLoop scheduler) => begun = scheduler.Watch(watcher);

        public void Dispose()
        {
            lock (seat.gate)
            {
                seat.waiting.Remove(this);
                begun?.Dispose();
            }
        }
    }
}
