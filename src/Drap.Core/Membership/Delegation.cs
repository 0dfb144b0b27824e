using System.Collections.Immutable;

namespace Drap.Core.Membership;

/// <summary>Lets another node be a scheduler in this one's place when its machine is gone. Signed by the scheduler. [MEM-13]</summary>
/// <param name="Swarm">The swarm.</param>
/// <param name="Scheduler">The scheduler that lends its name.</param>
/// <param name="Standby">The node that may take its place.</param>
/// <param name="Issued">When it was signed.</param>
/// <param name="Expires">From when on it says nothing any more; at most <see cref="LifetimeMax"/> after <paramref name="Issued"/>.</param>
public sealed record Delegation(PeerId Swarm, PeerId Scheduler, PeerId Standby, UtcTime Issued, UtcTime Expires) : MembershipRecord
{
    /// <summary>How long one lasts: longer than a machine stays broken, and it is given anew while both are up.</summary>
    public static readonly TimeSpan LifetimeMax = TimeSpan.FromDays(60);
}

/// <summary>A delegation whose signature was checked.</summary>
/// <param name="Body">What it says.</param>
/// <param name="Signer">Who signed it.</param>
public sealed record SignedDelegation(Delegation Body, PeerId Signer);

/// <summary>A delegation as a node shows it to others.</summary>
/// <param name="Envelope">The delegation in its envelope.</param>
/// <param name="Chain">The certificates of the scheduler that signed it.</param>
public sealed record DelegationShown(Wrapped Envelope, ImmutableArray<Wrapped> Chain) : MembershipRecord;

/// <summary>Asks a scheduler for a delegation. Who asks the connection has proved.</summary>
/// <param name="Scheduler">The scheduler that is meant: a node that stands in for it is another.</param>
public sealed record StandbyRequest(PeerId Scheduler) : MembershipRecord;

/// <summary>What a scheduler answers to who wants to stand by for it.</summary>
/// <param name="Refusal">Why not; <see cref="StandbyRefusal.None"/> if it may.</param>
/// <param name="Delegation">What it shows from now on; null when refused.</param>
/// <param name="SecretKey">The key with which the scheduler seals its jobs' secrets; empty when refused.</param>
public sealed record StandbyReply(StandbyRefusal Refusal, DelegationShown? Delegation, ImmutableArray<byte> SecretKey) : MembershipRecord
{
    /// <summary>Bytes of a key: of AES-256.</summary>
    public const int SecretKeyBytes = 32;
}

/// <summary>Why a node may not stand by.</summary>
public enum StandbyRefusal
{
    /// <summary>It may.</summary>
    None = 1,

    /// <summary>The node that was asked is not that scheduler.</summary>
    OtherScheduler,

    /// <summary>It keeps its journal on its own disk, where nobody else finds it.</summary>
    JournalOnDisk,

    /// <summary>Who asks is of another principal.</summary>
    OtherPrincipal,

    /// <summary>Who asks may not be a scheduler, as its certificate says.</summary>
    NoScheduler,
}
