using Drap.Core.Membership;
using Xunit;
using static Drap.Core.Tests.Membership.Swarms;

namespace Drap.Core.Tests.Membership;

/// <summary>[MEM-3]</summary>
public sealed class CertificateChainTests
{
    [Fact]
    public void Whom_the_founder_let_in_is_a_member_and_so_is_its_worker()
    {
        Assert.Equal(MembershipFault.None, CertificateChain.Check(Chain(Certify(1, 0)).AsSpan(), Peer(1), Founder, Now, out Member? member));
        Assert.Equal(("node-1", "lab", RoleWords.Usual), (member!.Name, member.Principal.Name, member.Roles));
        Assert.Equal([Founder], member.Issuers);
        SignedCertificate worker = Certify(2, 1, NodeRoles.Worker, life: TimeSpan.FromDays(1));
        Assert.Equal(MembershipFault.None, CertificateChain.Check(Chain(worker, Certify(1, 0)).AsSpan(), Peer(2), Founder, Now, out member));
        Assert.Equal([Peer(1), Founder], member!.Issuers);
        // The first of the chain's ends is the member's.
        Assert.Equal(Now + TimeSpan.FromDays(1), member.Expires);
    }

    public static TheoryData<string, MembershipFault> Wrong => new()
    {
        { "none", MembershipFault.NoCertificate },
        { "too long", MembershipFault.NoCertificate },
        { "another swarm", MembershipFault.OtherSwarm },
        { "another swarm above", MembershipFault.OtherSwarm },
        { "another's", MembershipFault.NotItsOwn },
        { "signed by itself", MembershipFault.NotFromFounder },
        { "a gap", MembershipFault.NotFromFounder },
        { "the end is missing", MembershipFault.NotFromFounder },
        { "a role too many", MembershipFault.BeyondRights },
        { "another principal", MembershipFault.BeyondRights },
        { "lets in without the right", MembershipFault.BeyondRights },
        { "lives too long", MembershipFault.BeyondRights },
        { "over", MembershipFault.Expired },
        { "over above", MembershipFault.Expired },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Anything_else_is_none_and_says_why(string what, MembershipFault expected)
    {
        SignedCertificate inviter = Certify(2, 0, RoleWords.All);
        SignedCertificate[] chain = what switch
        {
            "none" => [],
            "too long" => [Certify(1, 2, RoleWords.All), inviter, inviter, inviter, inviter],
            "another swarm" => [Certify(1, 0, swarm: 9)],
            "another swarm above" => [Certify(1, 2), Certify(2, 0, RoleWords.All, swarm: 9)],
            "another's" => [Certify(3, 0)],
            "signed by itself" => [Certify(1, 1)],
            "a gap" => [Certify(1, 3), inviter],
            "the end is missing" => [Certify(1, 2)],
            "a role too many" => [Certify(1, 2, NodeRoles.Gateway), Certify(2, 0, NodeRoles.Worker | NodeRoles.Inviter)],
            "another principal" => [Certify(1, 2, NodeRoles.Worker, "others"), Certify(2, 0)],
            "lets in without the right" => [Certify(1, 2, RoleWords.All), Certify(2, 0)],
            "lives too long" => [Certify(1, 0, life: Certificate.LifetimeMax + TimeSpan.FromMilliseconds(1))],
            "over" => [Certify(1, 0, age: TimeSpan.FromDays(2), life: TimeSpan.FromDays(2))],
            "over above" => [Certify(1, 2), Certify(2, 0, RoleWords.All, age: TimeSpan.FromDays(2), life: TimeSpan.FromDays(2))],
            _ => throw new ArgumentOutOfRangeException(nameof(what)),
        };
        Assert.Equal(expected, CertificateChain.Check(chain, Peer(1), Founder, Now, out Member? member));
        Assert.Null(member);
    }

    [Fact]
    public void An_inviter_lets_in_others_of_any_principal()
    {
        SignedCertificate[] chain = [Certify(1, 2, principal: "others"), Certify(2, 0, RoleWords.All)];
        Assert.Equal(MembershipFault.None, CertificateChain.Check(chain, Peer(1), Founder, Now, out Member? member));
        Assert.Equal("others", member!.Principal.Name);
    }

    [Fact]
    public void A_certificate_is_good_until_its_last_moment_and_no_longer()
    {
        SignedCertificate[] chain = [Certify(1, 0, life: TimeSpan.FromHours(1))];
        Assert.Equal(MembershipFault.None, CertificateChain.Check(chain, Peer(1), Founder, Now + TimeSpan.FromMilliseconds(3_599_999), out _));
        Assert.Equal(MembershipFault.Expired, CertificateChain.Check(chain, Peer(1), Founder, Now + TimeSpan.FromHours(1), out _));
    }
}
