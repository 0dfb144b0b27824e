using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Membership;
using Drap.Node.Home;
using Drap.Node.Membership;
using Drap.Node.Time;

namespace Drap.Node.Doctor;

/// <summary>How long the home's certificate still lets it in.</summary>
internal static class MembershipCheck
{
    private static readonly TimeSpan Soon = TimeSpan.FromDays(14);

    public static Finding Examine(MembershipFolder swarm)
    {
        const string remedy = "drap invite on a machine that may let others in, then drap join with that ticket here";
        try
        {
            JoinReply card = swarm.ReadCard();
            if (!SignedPapers.TryOpen(card.Chain, out ImmutableArray<SignedCertificate> chain) || chain.IsEmpty)
                return Finding.Fail("swarm", $"the certificate of {swarm.Path} is damaged", "restore the folder from a copy; or drap leave, then drap join with a new ticket");
            TimeSpan left = chain.Select(c => c.Body.Expires).Min() - BootClock.UtcNow;
            string name = $"{chain[0].Body.Name} in the swarm {card.SwarmName}";
            // The founder's own is made anew at each start.
            if (swarm.IsFounders)
                return Finding.Ok("swarm", $"{name}, founded here; keep a copy of {swarm.FounderKeyFile} elsewhere");
            return left <= TimeSpan.Zero ? Finding.Fail("swarm", $"{name}: its certificate has expired", remedy)
                : left < Soon ? Finding.Warn("swarm", $"{name}: its certificate expires in {Duration.Format(TimeSpan.FromMinutes((long)left.TotalMinutes))}", remedy)
                : Finding.Ok("swarm", $"{name}, by a certificate for another {(int)left.TotalDays} days");
        }
        catch (HomeException e)
        {
            return Finding.Fail("swarm", e.Message, e.Remedy);
        }
    }
}
