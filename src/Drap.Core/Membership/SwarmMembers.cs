using System.Collections.Immutable;

namespace Drap.Core.Membership;

/// <summary>What happens to a swarm's members, as one node sees it.</summary>
public abstract record MembershipInput
{
    private MembershipInput()
    {
    }

    /// <summary>A peer shows its certificates, whose signatures are good.</summary>
    public sealed record Presented(PeerId Peer, ImmutableArray<SignedCertificate> Chain) : MembershipInput;

    /// <summary>A member shows that it may speak for a scheduler; the signatures are good.</summary>
    public sealed record Delegated(PeerId Peer, SignedDelegation Delegation, ImmutableArray<SignedCertificate> Scheduler) : MembershipInput;

    /// <summary>No connection with the peer is left.</summary>
    public sealed record Left(PeerId Peer) : MembershipInput;

    /// <summary>A revocation came, or was made here; its signature is good.</summary>
    public sealed record Heard(SignedRevocation Revocation) : MembershipInput;

    /// <summary>The time of day is looked at.</summary>
    public sealed record Woke : MembershipInput;
}

/// <summary>What is to be done, in this order.</summary>
public abstract record MembershipEffect
{
    private MembershipEffect()
    {
    }

    /// <summary>The peer may stay.</summary>
    public sealed record Admit(Member Member) : MembershipEffect;

    /// <summary>The peer may not stay.</summary>
    public sealed record Refuse(PeerId Peer, MembershipFault Why) : MembershipEffect;

    /// <summary>Keep the list of revocations.</summary>
    public sealed record Store(ImmutableArray<SignedRevocation> All) : MembershipEffect;

    /// <summary>Tell everybody.</summary>
    public sealed record Spread(SignedRevocation Revocation) : MembershipEffect;

    /// <summary>Close every connection with the peer, which belongs here no more.</summary>
    public sealed record Close(Member Member, MembershipFault Why) : MembershipEffect;

    /// <summary>This node itself belongs to the swarm no more; said once.</summary>
    public sealed record Outside(MembershipFault Why) : MembershipEffect;
}

/// <summary>
/// Who belongs to a swarm, as one of its nodes knows: its own certificates, the peers that it has let in, and who was removed. Pure; one caller at a time. [MEM-2]
/// </summary>
public sealed class SwarmMembers
{
    private readonly SortedDictionary<PeerId, Member> present = [];
    private readonly KnownMembers known = new();
    private readonly Dictionary<PeerId, HeldDelegation> delegations = [];
    private readonly RevocationList revocations;
    private bool isOutside;

    /// <summary>Begins with what a node has on disk.</summary>
    /// <param name="swarm">The swarm: its founder's key.</param>
    /// <param name="self">The node.</param>
    /// <param name="chain">Its certificates.</param>
    /// <param name="stored">Revocations that it knows.</param>
    /// <param name="utc">The time of day.</param>
    /// <param name="fault">Why it is no member, if it is none: then nobody is one for it.</param>
    public SwarmMembers(
        PeerId swarm, PeerId self, ImmutableArray<SignedCertificate> chain, ImmutableArray<SignedRevocation> stored, UtcTime utc, out MembershipFault fault)
    {
        Swarm = swarm;
        revocations = new RevocationList(swarm);
        foreach (SignedRevocation one in stored)
            revocations.Add(one, utc);
        fault = Judge(self, chain.AsSpan(), utc, out Member? own);
        Self = own;
        isOutside = own is null;
    }

    /// <summary>The swarm: its founder's key.</summary>
    public PeerId Swarm { get; }

    /// <summary>The node itself; null while it is no member.</summary>
    public Member? Self { get; private set; }

    /// <summary>Peers that were let in and are connected, in the order of their ids. As many as there are connections at most.</summary>
    public IEnumerable<Member> Present => present.Values;

    /// <summary>Who was removed.</summary>
    public RevocationList Revocations => revocations;

    /// <summary>When a certificate expires next, by the time of day; null if none does.</summary>
    public UtcTime? NextExpiry
    {
        get
        {
            UtcTime? next = isOutside ? null : Self?.Expires;
            foreach (Member member in present.Values)
                if (next is null || member.Expires.CompareTo(next.Value) < 0)
                    next = member.Expires;
            return next;
        }
    }

    /// <summary>The member of this name on a connection that stands; null if there is none.</summary>
    public Member? Find(PeerId peer) => present.GetValueOrDefault(peer);

    /// <summary>
    /// Whether an order to drain binds this node: its founder's, that of a node through which it came in, or of one of its own principal that gives work or lets others in.
    /// </summary>
    /// <param name="order">The order.</param>
    /// <param name="signer">Whose signature it bears.</param>
    /// <param name="from">On whose connection it came.</param>
    public DrainAnswer Judge(DrainOrder order, PeerId signer, PeerId from)
    {
        if (Self is not { } self || order.Swarm != Swarm || order.Subject != self.Peer || order.Asker != from || (signer != Swarm && signer != from))
            return DrainAnswer.Unreadable;
        if (signer == Swarm || self.Issuers.Contains(signer))
            return DrainAnswer.Draining;
        return Find(from) is { } asker && asker.Principal == self.Principal && (asker.Roles & (NodeRoles.Scheduler | NodeRoles.Inviter)) != 0
            ? DrainAnswer.Draining : DrainAnswer.NotYours;
    }

    /// <summary>
    /// Whether a node may be taken for a scheduler: for itself, or for one that has lent it its name, while both belong to the swarm. [MEM-13]
    /// </summary>
    /// <param name="peer">Who speaks.</param>
    /// <param name="scheduler">In whose name.</param>
    /// <param name="utc">The time of day.</param>
    public bool MayActFor(PeerId peer, PeerId scheduler, UtcTime utc) => peer == scheduler
        || (delegations.TryGetValue(peer, out HeldDelegation? held) && held.Scheduler.Peer == scheduler
            && utc.CompareTo(held.Expires) < 0 && Standing(held.Scheduler, utc) == MembershipFault.None);

    /// <summary>
    /// What a scheduler answers to a member that wants to stand by for it: only one of its own principal may, which could be a scheduler itself.
    /// </summary>
    /// <param name="asker">Who asks.</param>
    /// <param name="scheduler">Which scheduler is meant.</param>
    /// <param name="keepsJournalOutside">Whether the scheduler's journal is where another machine finds it.</param>
    public StandbyRefusal Judge(PeerId asker, PeerId scheduler, bool keepsJournalOutside) =>
        Self is not { } self || scheduler != self.Peer ? StandbyRefusal.OtherScheduler
        : !keepsJournalOutside ? StandbyRefusal.JournalOnDisk
        : Find(asker) is not { } member || member.Principal != self.Principal ? StandbyRefusal.OtherPrincipal
        : !member.Roles.HasFlag(NodeRoles.Scheduler) ? StandbyRefusal.NoScheduler
        : StandbyRefusal.None;

    /// <summary>Whether the chain makes the peer a member now; changes nothing.</summary>
    public MembershipFault Judge(PeerId peer, ReadOnlySpan<SignedCertificate> chain, UtcTime utc) => Judge(peer, chain, utc, out _);

    /// <summary>The member of this name, connected or not, if its certificates were seen and hold; null of whom nothing is known.</summary>
    public Member? Know(PeerId peer, UtcTime utc) =>
        (present.TryGetValue(peer, out Member? member) || known.TryGet(peer, out member)) && Standing(member, utc) == MembershipFault.None ? member : null;

    /// <summary>Certificates of a peer came with what it has published, and their signatures are good. It need not be connected.</summary>
    /// <returns>Why they make it no member; else <see cref="Know"/> knows it now.</returns>
    public MembershipFault See(PeerId peer, ReadOnlySpan<SignedCertificate> chain, UtcTime utc)
    {
        MembershipFault fault = Judge(peer, chain, utc, out Member? member);
        if (member is not null)
            known.See(member);
        return fault;
    }

    /// <summary>Takes an input in. Effects are performed in their order.</summary>
    public void Step(MembershipInput input, UtcTime utc, IList<MembershipEffect> effects)
    {
        switch (input)
        {
            case MembershipInput.Presented shown:
                Meet(shown, utc, effects);
                break;
            case MembershipInput.Left left:
                present.Remove(left.Peer);
                delegations.Remove(left.Peer);
                break;
            case MembershipInput.Delegated delegated:
                Take(delegated, utc);
                break;
            case MembershipInput.Heard heard:
                Hear(heard.Revocation, utc, effects);
                break;
            case MembershipInput.Woke:
                revocations.Expire(utc);
                Sweep(utc, effects);
                break;
        }
    }

    private void Meet(MembershipInput.Presented shown, UtcTime utc, IList<MembershipEffect> effects)
    {
        MembershipFault fault = Judge(shown.Peer, shown.Chain.AsSpan(), utc, out Member? member);
        if (member is null)
        {
            effects.Add(new MembershipEffect.Refuse(shown.Peer, fault));
            return;
        }
        present[shown.Peer] = member;
        known.See(member);
        effects.Add(new MembershipEffect.Admit(member));
    }

    private void Take(MembershipInput.Delegated shown, UtcTime utc)
    {
        Delegation said = shown.Delegation.Body;
        // Whose name is lent was a scheduler of the same principal: so nobody gets by it what its own certificate does not give.
        if (Find(shown.Peer) is not { } member || !member.Roles.HasFlag(NodeRoles.Scheduler)
            || said.Swarm != Swarm || said.Standby != shown.Peer || shown.Delegation.Signer != said.Scheduler || said.Expires - said.Issued > Delegation.LifetimeMax
            || Judge(said.Scheduler, shown.Scheduler.AsSpan(), utc, out Member? scheduler) != MembershipFault.None || scheduler is null
            || !scheduler.Roles.HasFlag(NodeRoles.Scheduler) || scheduler.Principal != member.Principal)
            return;
        // The last one counts: a node has one journal, and so stands in for one scheduler.
        delegations[shown.Peer] = new HeldDelegation(scheduler, said.Expires);
    }

    private void Hear(SignedRevocation revocation, UtcTime utc, IList<MembershipEffect> effects)
    {
        if (revocations.Add(revocation, utc) != RevocationNews.Taken)
            return;
        effects.Add(new MembershipEffect.Store(revocations.All));
        // Before the connections go over which it is told.
        effects.Add(new MembershipEffect.Spread(revocation));
        Sweep(utc, effects);
    }

    /// <summary>Closes to those who are members no more.</summary>
    private void Sweep(UtcTime utc, IList<MembershipEffect> effects)
    {
        known.Forget(member => Standing(member, utc) != MembershipFault.None);
        foreach (Member member in present.Values.ToArray())
        {
            MembershipFault fault = Standing(member, utc);
            if (fault == MembershipFault.None)
                continue;
            present.Remove(member.Peer);
            delegations.Remove(member.Peer);
            effects.Add(new MembershipEffect.Close(member, fault));
        }
        if (!isOutside && Self is { } self && Standing(self, utc) is not MembershipFault.None and var own)
        {
            isOutside = true;
            effects.Add(new MembershipEffect.Outside(own));
        }
    }

    private MembershipFault Judge(PeerId peer, ReadOnlySpan<SignedCertificate> chain, UtcTime utc, out Member? member)
    {
        MembershipFault fault = CertificateChain.Check(chain, peer, Swarm, utc, out member);
        if (member is null)
            return fault;
        fault = Standing(member, utc);
        if (fault != MembershipFault.None)
            member = null;
        return fault;
    }

    private MembershipFault Standing(Member member, UtcTime utc) =>
        revocations.Against(member) is not null ? MembershipFault.Removed
        : utc.CompareTo(member.Expires) >= 0 ? MembershipFault.Expired
        : MembershipFault.None;

    private sealed record HeldDelegation(Member Scheduler, UtcTime Expires);
}
