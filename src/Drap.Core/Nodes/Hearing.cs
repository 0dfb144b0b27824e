using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Market;

namespace Drap.Core.Nodes;

/// <summary>Keeps a worker's subscriptions right: by its class, region and size, by the swarm's size, and by whether it is full.</summary>
internal sealed class Hearing(PeerId self)
{
    // Subscriptions cost the mesh some messages: a worker that fills and empties does not change its mind more often.
    private static readonly TimeSpan Settles = TimeSpan.FromSeconds(30);

    private ImmutableArray<string> heard = [];
    private int workers = 1;
    private bool isFull;
    private Instant fullChangedAt = Instant.Zero;
    private bool hasChanged = true;

    public void Changed() => hasChanged = true;

    public void SetSwarmSize(int size)
    {
        hasChanged |= size != workers;
        workers = Math.Max(size, 1);
    }

    public void Flush(WorkerOptions options, Capacity capacity, Instant now, List<WorkerEffect> effects)
    {
        // An eighth of the processors free is room for what one's own shards bring.
        bool full = capacity.Free.FreeMilliCpus < options.Resources.MilliCpus / 8;
        if (full != isFull && now - fullChangedAt > Settles)
        {
            (isFull, fullChangedAt) = (full, now);
            hasChanged = true;
        }
        if (!hasChanged)
            return;
        hasChanged = false;
        ImmutableArray<string> wanted = [.. options.AlsoHears.Append(options.Traits.Region).Distinct(StringComparer.Ordinal)
            .SelectMany(region => Audience.Heard(self, options.Resources, region, workers, isFull)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        foreach (string topic in wanted)
            if (!heard.Contains(topic))
                effects.Add(new WorkerEffect.Subscribe(topic));
        foreach (string topic in heard)
            if (!wanted.Contains(topic))
                effects.Add(new WorkerEffect.Unsubscribe(topic));
        heard = wanted;
    }
}
