using Drap.Core.Health;

namespace Drap.Core.Market.Allocation;

/// <summary>What the allocator knows of a worker beyond its groups.</summary>
internal sealed class WorkerStanding
{
    public BackOff BackOff { get; } = new();

    /// <summary>Of its attempts, how many ended well: smoothed over about 32, trusted at first.</summary>
    public int TrustPermille { get; private set; } = 1000;

    /// <summary>What it says that it owns; null while it has not said.</summary>
    public NodeResources? Owns { get; set; }

    /// <summary>When it was asked last.</summary>
    public Instant AskedAt { get; set; } = Instant.Never;

    /// <summary>
    /// Confirmations that it may refuse in a row: in an overloaded swarm a third are refused, and of sixteen in a row that is one in forty million.
    /// </summary>
    public const int RefusalsMax = 16;

    private int refusals;

    public void Took() => refusals = 0;

    public void Refused(Instant now)
    {
        if (++refusals >= RefusalsMax)
            Failed(now, $"it refused {refusals} confirmations in a row of what it had offered");
    }

    public void Succeeded()
    {
        BackOff.Success();
        TrustPermille += (1000 - TrustPermille + 31) / 32;
    }

    public void Failed(Instant now, string reason)
    {
        BackOff.Fault(now, reason);
        TrustPermille -= TrustPermille / 16;
    }
}
