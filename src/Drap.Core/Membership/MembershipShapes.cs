using System.Collections.Immutable;
using Drap.Core.Cbor;

namespace Drap.Core.Membership;

internal readonly struct CertificateShape : IShape<Certificate>
{
    /// <summary>A later version may know further roles, which are carried and mean nothing here.</summary>
    internal const int RolesMax = (1 << 16) - 1;

    public static Certificate Blank { get; } = new(default, default, "", default, NodeRoles.None, default, default);

    public static Certificate Walk<TFields>(scoped ref TFields f, Certificate m)
        where TFields : IFields, allows ref struct
    {
        PeerId swarm = f.Peer(1, nameof(m.Swarm), m.Swarm);
        PeerId subject = f.Peer(2, nameof(m.Subject), m.Subject);
        string name = f.Text(3, nameof(m.Name), m.Name, MembershipRecord.NameBytesMax);
        var principal = new Principal(f.Text(4, nameof(m.Principal), m.Principal.Name, CborLimits.NameBytes));
        var roles = (NodeRoles)f.Int(5, nameof(m.Roles), (int)m.Roles, 1, RolesMax);
        UtcTime issued = Utc(6, ref f, nameof(m.Issued), m.Issued);
        UtcTime expires = Utc(7, ref f, nameof(m.Expires), m.Expires);
        return !f.Reads ? m : new Certificate(swarm, subject, name, principal, roles, issued, expires);
    }

    /// <summary>UTC milliseconds from 1970 to 2248, as epochs have them.</summary>
    internal static UtcTime Utc<TFields>(int key, scoped ref TFields f, string name, UtcTime value)
        where TFields : IFields, allows ref struct => new(f.Long(key, name, value.Milliseconds, 0, CborLimits.EpochMax));
}

internal readonly struct RevocationShape : IShape<Revocation>
{
    public static Revocation Blank { get; } = new(default, default, default, "");

    public static Revocation Walk<TFields>(scoped ref TFields f, Revocation m)
        where TFields : IFields, allows ref struct
    {
        PeerId swarm = f.Peer(1, nameof(m.Swarm), m.Swarm);
        PeerId subject = f.Peer(2, nameof(m.Subject), m.Subject);
        UtcTime at = CertificateShape.Utc(3, ref f, nameof(m.At), m.At);
        string reason = f.TextOrEmpty(4, nameof(m.Reason), m.Reason, Revocation.ReasonBytesMax);
        return !f.Reads ? m : new Revocation(swarm, subject, at, reason);
    }
}

internal readonly struct WrappedShape : IShape<Wrapped>
{
    public static Wrapped Blank { get; } = new([]);

    public static Wrapped Walk<TFields>(scoped ref TFields f, Wrapped m)
        where TFields : IFields, allows ref struct
    {
        ImmutableArray<byte> bytes = f.Bytes(1, nameof(m.Bytes), m.Bytes, MembershipRecord.EnvelopeBytesMax);
        return !f.Reads ? m : new Wrapped(bytes);
    }
}

internal readonly struct TicketShape : IShape<Ticket>
{
    public static Ticket Blank { get; } = new(default, [], [], NodeRoles.None, default);

    public static Ticket Walk<TFields>(scoped ref TFields f, Ticket m)
        where TFields : IFields, allows ref struct
    {
        PeerId inviter = f.Peer(1, nameof(m.Inviter), m.Inviter);
        var addresses = f.List<Wrapped, WrappedShape>(2, nameof(m.Addresses), m.Addresses, Ticket.AddressesMax);
        ImmutableArray<byte> secret = f.Bytes(3, nameof(m.Secret), m.Secret, Ticket.SecretBytes);
        var roles = (NodeRoles)f.Int(4, nameof(m.Roles), (int)m.Roles, 1, CertificateShape.RolesMax);
        UtcTime expires = CertificateShape.Utc(5, ref f, nameof(m.Expires), m.Expires);
        return !f.Reads ? m : new Ticket(inviter, addresses, secret, roles, expires);
    }
}

internal readonly struct HelloShape : IShape<Hello>
{
    public static Hello Blank { get; } = new([], 0, null);

    public static Hello Walk<TFields>(scoped ref TFields f, Hello m)
        where TFields : IFields, allows ref struct
    {
        var chain = f.List<Wrapped, WrappedShape>(1, nameof(m.Chain), m.Chain, CertificateChain.LengthMax);
        ulong revocations = f.Word(2, nameof(m.Revocations), m.Revocations);
        DelegationShown? delegation = f.RecordOrNull<DelegationShown, DelegationShownShape>(3, nameof(m.Delegation), m.Delegation);
        return !f.Reads ? m : new Hello(chain, revocations, delegation);
    }
}

internal readonly struct VerdictShape : IShape<Verdict>
{
    public static Verdict Blank { get; } = new(MembershipFault.None);

    public static Verdict Walk<TFields>(scoped ref TFields f, Verdict m)
        where TFields : IFields, allows ref struct
    {
        MembershipFault fault = f.Enum(1, nameof(m.Fault), m.Fault, MembershipFault.Removed, MembershipFault.BeyondRights);
        return !f.Reads ? m : new Verdict(fault);
    }
}

internal readonly struct JoinRequestShape : IShape<JoinRequest>
{
    public static JoinRequest Blank { get; } = new([], "");

    public static JoinRequest Walk<TFields>(scoped ref TFields f, JoinRequest m)
        where TFields : IFields, allows ref struct
    {
        ImmutableArray<byte> secret = f.Bytes(1, nameof(m.Secret), m.Secret, Ticket.SecretBytes);
        string name = f.Text(2, nameof(m.Name), m.Name, MembershipRecord.NameBytesMax);
        return !f.Reads ? m : new JoinRequest(secret, name);
    }
}

internal readonly struct JoinReplyShape : IShape<JoinReply>
{
    public static JoinReply Blank { get; } = new(JoinRefusal.None, [], "", []);

    public static JoinReply Walk<TFields>(scoped ref TFields f, JoinReply m)
        where TFields : IFields, allows ref struct
    {
        JoinRefusal refusal = f.Enum(1, nameof(m.Refusal), m.Refusal, JoinRefusal.Unable, JoinRefusal.Unable);
        var chain = f.List<Wrapped, WrappedShape>(2, nameof(m.Chain), m.Chain, CertificateChain.LengthMax);
        string name = f.TextOrEmpty(3, nameof(m.SwarmName), m.SwarmName, MembershipRecord.NameBytesMax);
        var addresses = f.List<Wrapped, WrappedShape>(4, nameof(m.Addresses), m.Addresses, JoinReply.AddressesMax);
        return !f.Reads ? m : new JoinReply(refusal, chain, name, addresses);
    }
}

internal readonly struct InvitationShape : IShape<Invitation>
{
    public static Invitation Blank { get; } = new([], NodeRoles.None, default, default, TimeSpan.Zero, null);

    public static Invitation Walk<TFields>(scoped ref TFields f, Invitation m)
        where TFields : IFields, allows ref struct
    {
        ImmutableArray<byte> hash = f.Bytes(1, nameof(m.SecretHash), m.SecretHash, Invitation.HashBytes);
        var roles = (NodeRoles)f.Int(2, nameof(m.Roles), (int)m.Roles, 1, CertificateShape.RolesMax);
        var principal = new Principal(f.Text(3, nameof(m.Principal), m.Principal.Name, CborLimits.NameBytes));
        UtcTime expires = CertificateShape.Utc(4, ref f, nameof(m.Expires), m.Expires);
        TimeSpan lifetime = f.Duration(5, nameof(m.Lifetime), m.Lifetime);
        Guest? guest = f.RecordOrNull<Guest, GuestShape>(6, nameof(m.Guest), m.Guest);
        return !f.Reads ? m : new Invitation(hash, roles, principal, expires, lifetime, guest);
    }
}

internal readonly struct GuestShape : IShape<Guest>
{
    public static Guest Blank { get; } = new(default, "", default);

    public static Guest Walk<TFields>(scoped ref TFields f, Guest m)
        where TFields : IFields, allows ref struct
    {
        PeerId peer = f.Peer(1, nameof(m.Peer), m.Peer);
        string name = f.Text(2, nameof(m.Name), m.Name, MembershipRecord.NameBytesMax);
        UtcTime at = CertificateShape.Utc(3, ref f, nameof(m.At), m.At);
        return !f.Reads ? m : new Guest(peer, name, at);
    }
}

internal readonly struct InvitationListShape : IShape<InvitationList>
{
    public static InvitationList Blank { get; } = new([]);

    public static InvitationList Walk<TFields>(scoped ref TFields f, InvitationList m)
        where TFields : IFields, allows ref struct
    {
        var all = f.List<Invitation, InvitationShape>(1, nameof(m.All), m.All, InvitationBook.InvitationsMax);
        return !f.Reads ? m : new InvitationList(all);
    }
}

internal readonly struct DrainOrderShape : IShape<DrainOrder>
{
    public static DrainOrder Blank { get; } = new(default, default, default);

    public static DrainOrder Walk<TFields>(scoped ref TFields f, DrainOrder m)
        where TFields : IFields, allows ref struct
    {
        PeerId swarm = f.Peer(1, nameof(m.Swarm), m.Swarm);
        PeerId subject = f.Peer(2, nameof(m.Subject), m.Subject);
        PeerId asker = f.Peer(3, nameof(m.Asker), m.Asker);
        return !f.Reads ? m : new DrainOrder(swarm, subject, asker);
    }
}

internal readonly struct DrainReplyShape : IShape<DrainReply>
{
    public static DrainReply Blank { get; } = new(DrainAnswer.Draining);

    public static DrainReply Walk<TFields>(scoped ref TFields f, DrainReply m)
        where TFields : IFields, allows ref struct
    {
        DrainAnswer answer = f.Enum(1, nameof(m.Answer), m.Answer, DrainAnswer.NoWorker, DrainAnswer.Unreadable);
        return !f.Reads ? m : new DrainReply(answer);
    }
}

internal readonly struct DelegationShape : IShape<Delegation>
{
    public static Delegation Blank { get; } = new(default, default, default, default, default);

    public static Delegation Walk<TFields>(scoped ref TFields f, Delegation m)
        where TFields : IFields, allows ref struct
    {
        PeerId swarm = f.Peer(1, nameof(m.Swarm), m.Swarm);
        PeerId scheduler = f.Peer(2, nameof(m.Scheduler), m.Scheduler);
        PeerId standby = f.Peer(3, nameof(m.Standby), m.Standby);
        UtcTime issued = CertificateShape.Utc(4, ref f, nameof(m.Issued), m.Issued);
        UtcTime expires = CertificateShape.Utc(5, ref f, nameof(m.Expires), m.Expires);
        return !f.Reads ? m : new Delegation(swarm, scheduler, standby, issued, expires);
    }
}

internal readonly struct DelegationShownShape : IShape<DelegationShown>
{
    public static DelegationShown Blank { get; } = new(new Wrapped([]), []);

    public static DelegationShown Walk<TFields>(scoped ref TFields f, DelegationShown m)
        where TFields : IFields, allows ref struct
    {
        Wrapped envelope = f.Record<Wrapped, WrappedShape>(1, nameof(m.Envelope), m.Envelope);
        var chain = f.List<Wrapped, WrappedShape>(2, nameof(m.Chain), m.Chain, CertificateChain.LengthMax);
        return !f.Reads ? m : new DelegationShown(envelope, chain);
    }
}

internal readonly struct StandbyRequestShape : IShape<StandbyRequest>
{
    public static StandbyRequest Blank { get; } = new(default(PeerId));

    public static StandbyRequest Walk<TFields>(scoped ref TFields f, StandbyRequest m)
        where TFields : IFields, allows ref struct
    {
        PeerId scheduler = f.Peer(1, nameof(m.Scheduler), m.Scheduler);
        return !f.Reads ? m : new StandbyRequest(scheduler);
    }
}

internal readonly struct StandbyReplyShape : IShape<StandbyReply>
{
    public static StandbyReply Blank { get; } = new(StandbyRefusal.None, null, []);

    public static StandbyReply Walk<TFields>(scoped ref TFields f, StandbyReply m)
        where TFields : IFields, allows ref struct
    {
        StandbyRefusal refusal = f.Enum(1, nameof(m.Refusal), m.Refusal, StandbyRefusal.NoScheduler, StandbyRefusal.NoScheduler);
        DelegationShown? delegation = f.RecordOrNull<DelegationShown, DelegationShownShape>(2, nameof(m.Delegation), m.Delegation);
        ImmutableArray<byte> key = f.Bytes(3, nameof(m.SecretKey), m.SecretKey, StandbyReply.SecretKeyBytes);
        return !f.Reads ? m : new StandbyReply(refusal, delegation, key);
    }
}

internal readonly struct StatementShape : IShape<Statement>
{
    public static Statement Blank { get; } = new(default, default, []);

    public static Statement Walk<TFields>(scoped ref TFields f, Statement m)
        where TFields : IFields, allows ref struct
    {
        PeerId swarm = f.Peer(1, nameof(m.Swarm), m.Swarm);
        PeerId receiver = f.Peer(2, nameof(m.Receiver), m.Receiver);
        ImmutableArray<byte> hashes = f.Bytes(3, nameof(m.Hashes), m.Hashes, Statement.MessagesMax * Statement.HashBytes);
        return !f.Reads ? m : new Statement(swarm, receiver, hashes);
    }
}
