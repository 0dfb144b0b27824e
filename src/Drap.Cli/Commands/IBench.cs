using Drap.Cli.Output;
using Drap.Node.Overlay;

namespace Drap.Cli.Commands;

/// <summary>What <c>drap bench</c> runs.</summary>
internal interface IBench
{
    /// <summary>Measures one task at a time on an idle swarm; writes the figures and returns the exit code.</summary>
    Task<int> PlacementAsync(Screen screen, OverlayOptions overlay, int tasks, CancellationToken cancel);

    /// <summary>Measures tasks per second; writes the figures and returns the exit code.</summary>
    Task<int> ThroughputAsync(Screen screen, OverlayOptions overlay, CancellationToken cancel);

    /// <summary>Measures tasks per second in the sandbox, beside bubblewrap's own; writes the figures and returns the exit code.</summary>
    Task<int> SandboxAsync(Screen screen, int tasks, CancellationToken cancel);

    /// <summary>Measures what the death of a worker and of the scheduler cost; writes the figures and returns the exit code.</summary>
    Task<int> RecoveryAsync(Screen screen, CancellationToken cancel);

    /// <summary>Measures how near to the optimum each strategy packs, and in what time; writes the figures and returns the exit code.</summary>
    Task<int> PackingAsync(Screen screen, int instances, CancellationToken cancel);
}
