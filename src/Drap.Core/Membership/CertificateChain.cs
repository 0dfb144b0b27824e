using System.Collections.Immutable;

namespace Drap.Core.Membership;

/// <summary>A certificate whose signature was checked.</summary>
/// <param name="Body">What it says.</param>
/// <param name="Issuer">Who signed it.</param>
public sealed record SignedCertificate(Certificate Body, PeerId Issuer);

/// <summary>A node that belongs to the swarm, as its certificate says.</summary>
/// <param name="Peer">The node.</param>
/// <param name="Name">What people call it.</param>
/// <param name="Principal">Who is behind it.</param>
/// <param name="Roles">What it may do.</param>
/// <param name="Expires">When the first certificate of its chain expires.</param>
/// <param name="Issuers">Who let it in, who let that one in, and so on; the founder last.</param>
public sealed record Member(PeerId Peer, string Name, Principal Principal, NodeRoles Roles, UtcTime Expires, ImmutableArray<PeerId> Issuers);

/// <summary>Certificates from a node's own to the one that the founder signed, and whether they make it a member. [MEM-3]</summary>
public static class CertificateChain
{
    /// <summary>
    /// The longest chain: a worker of a node that somebody let in who was let in by the founder has three. Each costs a signature check of every connection.
    /// </summary>
    public const int LengthMax = 4;

    /// <summary>Whether the chain makes <paramref name="peer"/> a member, revocations aside.</summary>
    /// <param name="chain">The certificates, the peer's own first.</param>
    /// <param name="peer">Who shows them.</param>
    /// <param name="swarm">The swarm: its founder's key.</param>
    /// <param name="now">The time of day.</param>
    /// <param name="member">Who it is, if it is one.</param>
    public static MembershipFault Check(ReadOnlySpan<SignedCertificate> chain, PeerId peer, PeerId swarm, UtcTime now, out Member? member)
    {
        member = null;
        if (chain.Length is 0 or > LengthMax)
            return MembershipFault.NoCertificate;
        foreach (SignedCertificate one in chain)
            if (one.Body.Swarm != swarm)
                return MembershipFault.OtherSwarm;
        if (chain[0].Body.Subject != peer)
            return MembershipFault.NotItsOwn;
        for (int i = 0; i < chain.Length; i++)
            if (chain[i].Issuer != (i == chain.Length - 1 ? swarm : chain[i + 1].Body.Subject))
                return MembershipFault.NotFromFounder;
        for (int i = 0; i < chain.Length; i++)
            if (!IsWithinRights(chain[i].Body, i == chain.Length - 1 ? null : chain[i + 1].Body))
                return MembershipFault.BeyondRights;
        UtcTime expires = chain[0].Body.Expires;
        foreach (SignedCertificate one in chain)
            if (one.Body.Expires.CompareTo(expires) < 0)
                expires = one.Body.Expires;
        if (now.CompareTo(expires) >= 0)
            return MembershipFault.Expired;
        var issuers = ImmutableArray.CreateBuilder<PeerId>(chain.Length);
        foreach (SignedCertificate one in chain)
            issuers.Add(one.Issuer);
        Certificate own = chain[0].Body;
        member = new Member(peer, own.Name, own.Principal, own.Roles, expires, issuers.MoveToImmutable());
        return MembershipFault.None;
    }

    /// <summary>
    /// The founder (null) may give everything. A node gives no role that it has not itself; and unless it is an inviter, only to nodes of its own principal,
    /// such as the workers that it runs.
    /// </summary>
    private static bool IsWithinRights(Certificate given, Certificate? giver) =>
        given.Expires - given.Issued <= Certificate.LifetimeMax
        && (giver is null || ((given.Roles & ~giver.Roles) == 0 && (giver.Roles.HasFlag(NodeRoles.Inviter) || given.Principal == giver.Principal)));
}
