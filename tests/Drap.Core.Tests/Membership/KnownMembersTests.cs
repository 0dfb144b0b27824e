using Drap.Core.Membership;
using Xunit;
using static Drap.Core.Tests.Membership.Swarms;

namespace Drap.Core.Tests.Membership;

/// <summary>[MEM-12]</summary>
public sealed class KnownMembersTests
{
    private readonly SwarmMembers members = new(Founder, Peer(1), Chain(Certify(1, 0)), [], Now, out _);

    [Fact]
    public void Who_has_shown_a_certificate_is_known_also_when_it_is_not_connected()
    {
        Assert.Null(members.Know(Peer(2), Now));
        Assert.Equal(MembershipFault.None, members.See(Peer(2), [Certify(2, 0, principal: "guest")], Now));
        Assert.Equal("guest", members.Know(Peer(2), Now)!.Principal.Name);
        Assert.Empty(members.Present);
        members.Step(new MembershipInput.Presented(Peer(3), Chain(Certify(3, 0))), Now, []);
        members.Step(new MembershipInput.Left(Peer(3)), Now, []);
        Assert.Equal("lab", members.Know(Peer(3), Now)!.Principal.Name);
    }

    [Fact]
    public void What_makes_nobody_a_member_is_not_remembered()
    {
        Assert.Equal(MembershipFault.NotItsOwn, members.See(Peer(2), [Certify(3, 0)], Now));
        Assert.Equal(MembershipFault.OtherSwarm, members.See(Peer(2), [Certify(2, 9, swarm: 9)], Now));
        Assert.Equal(MembershipFault.NotFromFounder, members.See(Peer(2), [Certify(2, 9)], Now));
        Assert.Equal(MembershipFault.BeyondRights, members.See(Peer(2), [Certify(2, 3, principal: "victim"), Certify(3, 0)], Now));
        Assert.Null(members.Know(Peer(2), Now));
    }

    [Fact]
    public void It_is_known_no_longer_than_it_holds()
    {
        members.See(Peer(2), [Certify(2, 0, life: TimeSpan.FromHours(1))], Now);
        members.See(Peer(3), [Certify(3, 4), Certify(4, 0, RoleWords.All)], Now);
        Assert.NotNull(members.Know(Peer(2), Now + TimeSpan.FromMilliseconds(3_599_999)));
        Assert.Null(members.Know(Peer(2), Now + TimeSpan.FromHours(1)));
        Assert.NotNull(members.Know(Peer(3), Now));
        // With the node that let it in it goes.
        members.Step(new MembershipInput.Heard(Revoke(4, 0)), Now, []);
        Assert.Null(members.Know(Peer(3), Now));
        Assert.Equal(MembershipFault.Removed, members.See(Peer(3), [Certify(3, 4), Certify(4, 0, RoleWords.All)], Now));
    }

    [Fact]
    public void Of_more_than_are_remembered_the_one_seen_longest_ago_goes()
    {
        var known = new KnownMembers();
        Member Of(int number) => new(Peer(number), "", new Principal("lab"), NodeRoles.Scheduler, Now, [Founder]);
        for (int i = 1; i <= KnownMembers.CountMax; i++)
            known.See(Of(i));
        known.See(Of(1));
        known.See(Of(KnownMembers.CountMax + 1));
        Assert.Equal(KnownMembers.CountMax, known.Count);
        Assert.True(known.TryGet(Peer(1), out _));
        Assert.False(known.TryGet(Peer(2), out _));
    }
}
