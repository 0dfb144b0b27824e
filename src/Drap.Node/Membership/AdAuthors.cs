using System.Collections.Immutable;
using Drap.Core.Health;
using Drap.Core.Membership;
using Drap.Core.Messages;
using Drap.Libp2p.Gossipsub;
using Drap.Node.Time;

namespace Drap.Node.Membership;

/// <summary>Whose ads are heard: a member's that gives work, for the principal that its certificate names, whether it is a neighbour or not. [MEM-12]</summary>
/// <param name="members">Who belongs to the swarm.</param>
/// <param name="gate">Guards it.</param>
internal sealed class AdAuthors(SwarmMembers members, Lock gate)
{
    /// <summary>
    /// How often certificates of authors who are not known are looked at, of what one neighbour passes on and in all: fifty chains of four signatures a second cost a fiftieth of a
    /// processor. An ad beyond that is as one that was lost.
    /// </summary>
    private static readonly RateTerms Rate = new(TimeSpan.FromMilliseconds(100), 32), RateOfAll = new(TimeSpan.FromMilliseconds(20), 256);

    /// <summary>Neighbours that are counted for it: as many as have connections.</summary>
    private const int NeighboursMax = 1024;

    private readonly RateTable<PeerId> checks = new(Rate, RateOfAll, NeighboursMax);

    /// <summary>Whether an ad may be heard and passed on.</summary>
    /// <param name="author">Whose signature the message bears.</param>
    /// <param name="neighbour">Who passed it on.</param>
    /// <param name="ad">The ad.</param>
    public MessageVerdict Judge(PeerId author, PeerId neighbour, Ad ad)
    {
        UtcTime utc = BootClock.UtcNow;
        lock (gate)
        {
            // Whoever may have known others of it, or another certificate, is not to blame for passing it on.
            if (members.Know(author, utc) is { } member)
                return MayAdvertise(member, ad) ? MessageVerdict.Accept : MessageVerdict.Ignore;
            if (ad.Chain.IsEmpty || !checks.TryTake(neighbour, BootClock.Now))
                return MessageVerdict.Ignore;
        }
        if (!SignedPapers.TryOpen(ad.Chain, out ImmutableArray<SignedCertificate> chain))
            return MessageVerdict.Reject;
        lock (gate)
            return members.See(author, chain.AsSpan(), utc) switch
            {
                MembershipFault.None => MayAdvertise(members.Know(author, utc)!, ad) ? MessageVerdict.Accept : MessageVerdict.Reject,
                // By another's clock it may still hold, and the word of a removal takes its time.
                MembershipFault.Expired or MembershipFault.Removed => MessageVerdict.Ignore,
                _ => MessageVerdict.Reject,
            };
    }

    private static bool MayAdvertise(Member member, Ad ad) => member.Roles.HasFlag(NodeRoles.Scheduler) && member.Principal == ad.Principal;
}
