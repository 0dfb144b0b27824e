namespace Drap.Simulator.Network;

/// <summary>What happens to messages between two nodes, each way. Chances are per million messages.</summary>
public sealed record LinkConditions
{
    /// <summary>A good local network: 100 µs, no jitter, no loss, in order.</summary>
    public static readonly LinkConditions Lan = new() { Latency = TimeSpan.FromMicroseconds(100) };

    /// <summary>Time that every message takes.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>Up to this much more, evenly spread.</summary>
    public TimeSpan Jitter { get; init; }

    public int LossPerMillion { get; init; }

    /// <summary>A second copy comes, with a delay of its own.</summary>
    public int DuplicatePerMillion { get; init; }

    /// <summary>A message is held back by up to <see cref="ReorderDelay"/>, so that later ones pass it. Not on an ordered link.</summary>
    public int ReorderPerMillion { get; init; }

    public TimeSpan ReorderDelay { get; init; }

    /// <summary>Messages of one direction arrive in the order sent, as on one stream; jitter then delays those behind too.</summary>
    public bool IsOrdered { get; init; } = true;
}
