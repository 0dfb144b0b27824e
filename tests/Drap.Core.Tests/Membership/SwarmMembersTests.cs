using Drap.Core.Membership;
using Xunit;
using static Drap.Core.Tests.Membership.Swarms;

namespace Drap.Core.Tests.Membership;

/// <summary>[MEM-2]</summary>
public sealed class SwarmMembersTests
{
    private readonly List<MembershipEffect> effects = [];
    private readonly SwarmMembers members = new(Founder, Peer(1), Chain(Certify(1, 0)), [], Now, out _);

    [Fact]
    public void Members_are_let_in_and_others_are_told_why_not()
    {
        Assert.IsType<MembershipEffect.Admit>(Assert.Single(Meet(2, Certify(2, 0))));
        Assert.Equal([new MembershipEffect.Refuse(Peer(3), MembershipFault.OtherSwarm)], Meet(3, Certify(3, 9, swarm: 9)));
        Assert.Equal([Peer(2)], members.Present.Select(m => m.Peer));
        Step(new MembershipInput.Left(Peer(2)));
        Assert.Empty(members.Present);
    }

    [Fact]
    public void A_removal_is_stored_then_spread_then_done()
    {
        Meet(2, Certify(2, 0));
        Meet(3, Certify(3, 2, NodeRoles.Worker), Certify(2, 0));
        Meet(4, Certify(4, 0));
        Assert.Collection(
            Step(new MembershipInput.Heard(Revoke(2, 0))), e => Assert.Single(Assert.IsType<MembershipEffect.Store>(e).All), e => Assert.IsType<MembershipEffect.Spread>(e),
            // With the node goes its worker.
            e => Assert.Equal((Peer(2), MembershipFault.Removed), (((MembershipEffect.Close)e).Member.Peer, ((MembershipEffect.Close)e).Why)),
            e => Assert.Equal(Peer(3), ((MembershipEffect.Close)e).Member.Peer));
        Assert.Equal([Peer(4)], members.Present.Select(m => m.Peer));
        Assert.Equal([new MembershipEffect.Refuse(Peer(2), MembershipFault.Removed)], Meet(2, Certify(2, 0)));
        // Told a second time, nothing happens: gossip ends.
        Assert.Empty(Step(new MembershipInput.Heard(Revoke(2, 0))));
    }

    [Fact]
    public void Who_has_expired_is_shown_out_at_that_time()
    {
        Meet(2, Certify(2, 0, life: TimeSpan.FromHours(1)));
        Meet(4, Certify(4, 0));
        Assert.Equal(Now + TimeSpan.FromHours(1), members.NextExpiry);
        Assert.Empty(Step(new MembershipInput.Woke(), Now + TimeSpan.FromMilliseconds(3_599_999)));
        var closed = Assert.IsType<MembershipEffect.Close>(Assert.Single(Step(new MembershipInput.Woke(), Now + TimeSpan.FromHours(1))));
        Assert.Equal((Peer(2), MembershipFault.Expired), (closed.Member.Peer, closed.Why));
    }

    [Fact]
    public void That_it_was_removed_itself_a_node_hears_once()
    {
        Assert.Equal(new MembershipEffect.Outside(MembershipFault.Removed), Step(new MembershipInput.Heard(Revoke(1, 0)))[^1]);
        Assert.DoesNotContain(Step(new MembershipInput.Heard(Revoke(1, 1))), e => e is MembershipEffect.Outside);
    }

    [Theory]
    [InlineData(4, 0, 4, DrainAnswer.Draining)] // the founder's key, on the machine where it lies
    [InlineData(2, 2, 2, DrainAnswer.Draining)] // who let it in
    [InlineData(3, 3, 3, DrainAnswer.Draining)] // its own principal, who gives work
    [InlineData(4, 4, 4, DrainAnswer.NotYours)] // another principal
    [InlineData(6, 6, 6, DrainAnswer.NotYours)] // its own principal's, which only runs tasks
    [InlineData(7, 7, 7, DrainAnswer.NotYours)] // nobody who is connected
    [InlineData(4, 0, 3, DrainAnswer.Unreadable)] // another's order, kept and shown again
    [InlineData(4, 2, 4, DrainAnswer.Unreadable)] // signed by neither the founder nor who asks
    public void An_order_to_drain_binds_if_it_is_of_the_founder_or_who_let_the_node_in_or_its_own_principal(int asker, int signer, int from, DrainAnswer answer)
    {
        var own = new SwarmMembers(Founder, Peer(5), Chain(Certify(5, 2, principal: "own"), Certify(2, 0, RoleWords.All)), [], Now, out MembershipFault fault);
        Assert.Equal(MembershipFault.None, fault);
        own.Step(new MembershipInput.Presented(Peer(2), Chain(Certify(2, 0, RoleWords.All))), Now, effects);
        own.Step(new MembershipInput.Presented(Peer(3), Chain(Certify(3, 0, principal: "own"))), Now, effects);
        own.Step(new MembershipInput.Presented(Peer(4), Chain(Certify(4, 0))), Now, effects);
        own.Step(new MembershipInput.Presented(Peer(6), Chain(Certify(6, 0, NodeRoles.Worker, "own"))), Now, effects);
        Assert.Equal(answer, own.Judge(new DrainOrder(Founder, Peer(5), Peer(asker)), Peer(signer), Peer(from)));
        Assert.Equal(DrainAnswer.Unreadable, own.Judge(new DrainOrder(Founder, Peer(6), Peer(asker)), Peer(signer), Peer(from)));
        Assert.Equal(DrainAnswer.Unreadable, own.Judge(new DrainOrder(Peer(9), Peer(5), Peer(asker)), Peer(signer), Peer(from)));
    }

    /// <summary>[MEM-13]</summary>
    [Fact]
    public void A_scheduler_lends_its_name_to_a_node_of_its_principal()
    {
        Meet(3, Certify(3, 0));
        Assert.True(members.MayActFor(Peer(3), Peer(3), Now));
        Assert.False(members.MayActFor(Peer(3), Peer(2), Now));
        Show(3, Lend(2, 3, life: TimeSpan.FromHours(1)), Certify(2, 0));
        Assert.True(members.MayActFor(Peer(3), Peer(2), Now));
        Assert.False(members.MayActFor(Peer(3), Peer(4), Now));
        Assert.False(members.MayActFor(Peer(4), Peer(2), Now));
        Assert.True(members.MayActFor(Peer(3), Peer(2), Now + TimeSpan.FromMilliseconds(3_599_999)));
        Assert.False(members.MayActFor(Peer(3), Peer(2), Now + TimeSpan.FromHours(1)));
        // It is shown on each connection.
        Step(new MembershipInput.Left(Peer(3)));
        Meet(3, Certify(3, 0));
        Assert.False(members.MayActFor(Peer(3), Peer(2), Now));
        Show(3, Lend(2, 3), Certify(2, 0));
        Assert.True(members.MayActFor(Peer(3), Peer(2), Now));
        // A name that was removed is nobody's.
        Step(new MembershipInput.Heard(Revoke(2, 0)));
        Assert.False(members.MayActFor(Peer(3), Peer(2), Now));
        Assert.True(members.MayActFor(Peer(3), Peer(3), Now));
    }

    public static TheoryData<string, SignedDelegation, SignedCertificate> Worthless => new()
    {
        { "another signed it", Lend(2, 3) with { Signer = Peer(3) }, Certify(2, 0) },
        { "it is for another node", Lend(2, 4), Certify(2, 0) },
        { "it is of another swarm", Lend(2, 3, swarm: 9), Certify(2, 0) },
        { "it would last too long", Lend(2, 3, life: Delegation.LifetimeMax + TimeSpan.FromMilliseconds(1)), Certify(2, 0) },
        { "the scheduler is of another principal", Lend(2, 3), Certify(2, 0, principal: "other") },
        { "the scheduler may not be one", Lend(2, 3), Certify(2, 0, NodeRoles.Worker) },
        { "the scheduler's certificate is another's", Lend(2, 3), Certify(4, 0) },
        { "the scheduler's certificate has expired", Lend(2, 3), Certify(2, 0, age: TimeSpan.FromDays(2), life: TimeSpan.FromDays(1)) },
    };

    [Theory]
    [MemberData(nameof(Worthless))]
    public void A_name_that_was_not_lent_so_is_not_had(string why, SignedDelegation delegation, SignedCertificate scheduler)
    {
        Meet(3, Certify(3, 0));
        Show(3, delegation, scheduler);
        Assert.False(members.MayActFor(Peer(3), Peer(2), Now), why);
    }

    [Fact]
    public void Only_a_scheduler_that_is_connected_has_a_name_lent()
    {
        Show(3, Lend(2, 3), Certify(2, 0));
        Assert.False(members.MayActFor(Peer(3), Peer(2), Now));
        Meet(3, Certify(3, 0, NodeRoles.Worker));
        Show(3, Lend(2, 3), Certify(2, 0));
        Assert.False(members.MayActFor(Peer(3), Peer(2), Now));
    }

    [Theory]
    [InlineData(2, 1, true, StandbyRefusal.None)]
    [InlineData(2, 4, true, StandbyRefusal.OtherScheduler)]
    [InlineData(2, 1, false, StandbyRefusal.JournalOnDisk)]
    [InlineData(3, 1, true, StandbyRefusal.OtherPrincipal)]
    [InlineData(4, 1, true, StandbyRefusal.NoScheduler)]
    [InlineData(5, 1, true, StandbyRefusal.OtherPrincipal)] // not connected
    public void Whoever_may_stand_by_is_told_so(int asker, int scheduler, bool outside, StandbyRefusal answer)
    {
        Meet(2, Certify(2, 0));
        Meet(3, Certify(3, 0, principal: "other"));
        Meet(4, Certify(4, 0, NodeRoles.Worker));
        Assert.Equal(answer, members.Judge(Peer(asker), Peer(scheduler), outside));
    }

    [Fact]
    public void A_node_that_is_no_member_knows_it_from_the_start()
    {
        var late = new SwarmMembers(Founder, Peer(1), Chain(Certify(1, 0)), [Revoke(1, 0)], Now, out MembershipFault fault);
        Assert.Equal(MembershipFault.Removed, fault);
        Assert.Null(late.Self);
        _ = new SwarmMembers(Founder, Peer(1), Chain(Certify(1, 0, life: TimeSpan.FromDays(1))), [], Now + TimeSpan.FromDays(1), out fault);
        Assert.Equal(MembershipFault.Expired, fault);
    }

    /// <summary>Whatever order they come in, nodes that have heard the same let in and keep the same.</summary>
    [Fact]
    public void Nodes_that_know_the_same_keep_the_same()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            var random = new Prng(seed);
            SignedCertificate[][] chains =
            [
                [Certify(2, 0, RoleWords.All)], [Certify(3, 2), Certify(2, 0, RoleWords.All)], [Certify(4, 3, NodeRoles.Worker), Certify(3, 2), Certify(2, 0, RoleWords.All)],
                [Certify(5, 0)], [Certify(6, 5, NodeRoles.Worker), Certify(5, 0)],
            ];
            MembershipInput[] inputs =
            [
                .. chains.Select((c, i) => new MembershipInput.Presented(Peer(i + 2), [.. c])),
                .. Enumerable.Range(0, random.Below(4)).Select(_ => new MembershipInput.Heard(Revoke(2 + random.Below(5), random.Below(7)))),
            ];
            string[] ends = [.. Enumerable.Range(0, 2).Select(_ =>
            {
                MembershipInput[] order = [.. inputs];
                for (int i = order.Length - 1; i > 0; i--)
                {
                    int j = random.Below(i + 1);
                    (order[i], order[j]) = (order[j], order[i]);
                }
                var node = new SwarmMembers(Founder, Peer(1), Chain(Certify(1, 0)), [], Now, out MembershipFault _);
                foreach (MembershipInput input in order)
                    node.Step(input, Now, []);
                return string.Join(' ', node.Present.Select(m => m.Name)) + node.Revocations.Digest;
            })];
            Assert.True(ends[0] == ends[1], $"seed {seed}: {ends[0]} against {ends[1]}");
        }
    }

    private MembershipEffect[] Meet(int peer, params SignedCertificate[] chain) => Step(new MembershipInput.Presented(Peer(peer), [.. chain]));

    private void Show(int peer, SignedDelegation delegation, params SignedCertificate[] scheduler) =>
        Assert.Empty(Step(new MembershipInput.Delegated(Peer(peer), delegation, [.. scheduler])));

    private static SignedDelegation Lend(int scheduler, int standby, TimeSpan? life = null, int swarm = 0) =>
        new(new Delegation(Peer(swarm), Peer(scheduler), Peer(standby), Now, Now + (life ?? Delegation.LifetimeMax)), Peer(scheduler));

    private MembershipEffect[] Step(MembershipInput input, UtcTime? utc = null)
    {
        effects.Clear();
        members.Step(input, utc ?? Now, effects);
        return [.. effects];
    }
}
