using System.Collections.Immutable;

namespace Drap.Core.Membership;

/// <summary>What membership says on wires, on disks and in tickets; docs/protocol/membership.md.</summary>
public abstract record MembershipRecord
{
    /// <summary>Bytes of a node's name.</summary>
    public const int NameBytesMax = 64;

    /// <summary>Bytes of a signed certificate or revocation: an envelope with the longest names has some 600.</summary>
    public const int EnvelopeBytesMax = 1024;

    private protected MembershipRecord()
    {
    }
}

/// <summary>The numbers under which membership records travel.</summary>
public enum MembershipKind
{
    /// <summary>None.</summary>
    None,

    /// <summary><see cref="Membership.Certificate"/>.</summary>
    Certificate,

    /// <summary><see cref="Membership.Revocation"/>.</summary>
    Revocation,

    /// <summary><see cref="Membership.Ticket"/>.</summary>
    Ticket,

    /// <summary><see cref="Membership.Hello"/>.</summary>
    Hello,

    /// <summary><see cref="Membership.Verdict"/>.</summary>
    Verdict,

    /// <summary><see cref="Membership.JoinRequest"/>.</summary>
    JoinRequest,

    /// <summary><see cref="Membership.JoinReply"/>.</summary>
    JoinReply,

    /// <summary><see cref="Membership.InvitationList"/>.</summary>
    InvitationList,

    /// <summary><see cref="Membership.DrainOrder"/>.</summary>
    DrainOrder,

    /// <summary><see cref="Membership.DrainReply"/>.</summary>
    DrainReply,

    /// <summary><see cref="Membership.Delegation"/>.</summary>
    Delegation,

    /// <summary><see cref="Membership.StandbyRequest"/>.</summary>
    StandbyRequest,

    /// <summary><see cref="Membership.StandbyReply"/>.</summary>
    StandbyReply,

    /// <summary><see cref="Membership.DelegationShown"/>.</summary>
    DelegationShown,

    /// <summary><see cref="Membership.Statement"/>.</summary>
    Statement,
}

/// <summary>Says that a node belongs to a swarm, for whom it stands there and what it may do. Signed by who let it in.</summary>
/// <param name="Swarm">The swarm: the peer id of its founder's key.</param>
/// <param name="Subject">The node.</param>
/// <param name="Name">What people call it; need not be the only one of that name.</param>
/// <param name="Principal">Who is behind it.</param>
/// <param name="Roles">What it may do.</param>
/// <param name="Issued">When it was signed.</param>
/// <param name="Expires">From when on it says nothing any more; at most <see cref="LifetimeMax"/> after <paramref name="Issued"/>.</param>
public sealed record Certificate(PeerId Swarm, PeerId Subject, string Name, Principal Principal, NodeRoles Roles, UtcTime Issued, UtcTime Expires) : MembershipRecord
{
    /// <summary>The longest life: 400 days, a year and room to renew it. It also bounds how long a revocation must be remembered.</summary>
    public static readonly TimeSpan LifetimeMax = TimeSpan.FromDays(400);

    /// <summary>How long one lasts unless said otherwise: a year.</summary>
    public static readonly TimeSpan LifetimeDefault = TimeSpan.FromDays(365);
}

/// <summary>Says that a node belongs to its swarm no more, nor whom it let in. Signed by the founder, by who let it in, or by itself.</summary>
/// <param name="Swarm">The swarm.</param>
/// <param name="Subject">The node.</param>
/// <param name="At">When it was signed; it is remembered for <see cref="Certificate.LifetimeMax"/> from then.</param>
/// <param name="Reason">A line for people; may be empty.</param>
public sealed record Revocation(PeerId Swarm, PeerId Subject, UtcTime At, string Reason) : MembershipRecord
{
    /// <summary>Bytes of a reason.</summary>
    public const int ReasonBytesMax = 256;
}

/// <summary>What one machine shows another to be let in: where to ask, whom, and a secret that is good once.</summary>
/// <param name="Inviter">Who let it be made, and will answer.</param>
/// <param name="Addresses">Where that one may be reached, each a multiaddr in its binary form, without its name; none: it is to be found on the same network.</param>
/// <param name="Secret">The secret.</param>
/// <param name="Roles">What the newcomer will be allowed.</param>
/// <param name="Expires">Until when it is good.</param>
public sealed record Ticket(PeerId Inviter, ImmutableArray<Wrapped> Addresses, ImmutableArray<byte> Secret, NodeRoles Roles, UtcTime Expires) : MembershipRecord
{
    /// <summary>Addresses of one ticket: a machine has few that lead to it, and a ticket is to stay short.</summary>
    public const int AddressesMax = 8;

    /// <summary>Bytes of an address.</summary>
    public const int AddressBytesMax = 256;

    /// <summary>Bytes of a secret: as many as nobody guesses.</summary>
    public const int SecretBytes = 16;

    /// <summary>How long one is good unless said otherwise: long enough to walk over to the other machine, short enough to be forgotten in a chat.</summary>
    public static readonly TimeSpan LifetimeDefault = TimeSpan.FromHours(24);

    /// <summary>The longest it may be good.</summary>
    public static readonly TimeSpan LifetimeMax = TimeSpan.FromDays(90);
}

/// <summary>Bytes that stand in a list: an envelope, an address.</summary>
/// <param name="Bytes">The bytes.</param>
public readonly record struct Wrapped(ImmutableArray<byte> Bytes)
{
    /// <inheritdoc/>
    public bool Equals(Wrapped other) => Bytes.AsSpan().SequenceEqual(other.Bytes.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(Bytes.AsSpan());
        return hash.ToHashCode();
    }
}

/// <summary>The first word of both sides on each connection: who lets me in.</summary>
/// <param name="Chain">Envelopes of certificates: the node's own, its issuer's, and so on to the one that the founder signed.</param>
/// <param name="Revocations">What <see cref="RevocationList.Digest"/> gives: where the two differ they exchange them.</param>
/// <param name="Delegation">For which scheduler it may speak besides itself; null for none.</param>
public sealed record Hello(ImmutableArray<Wrapped> Chain, ulong Revocations, DelegationShown? Delegation) : MembershipRecord;

/// <summary>The second word of both sides: whether the other one may stay.</summary>
/// <param name="Fault">Why not; <see cref="MembershipFault.None"/> for yes.</param>
public sealed record Verdict(MembershipFault Fault) : MembershipRecord;

/// <summary>What a newcomer asks. Who it is the connection has proved.</summary>
/// <param name="Secret">The ticket's secret.</param>
/// <param name="Name">What the newcomer's owner calls it.</param>
public sealed record JoinRequest(ImmutableArray<byte> Secret, string Name) : MembershipRecord;

/// <summary>What the inviter answers.</summary>
/// <param name="Refusal">Why not; <see cref="JoinRefusal.None"/> if the newcomer is in.</param>
/// <param name="Chain">As <see cref="Hello.Chain"/>: what the newcomer shows from now on.</param>
/// <param name="SwarmName">What people call the swarm.</param>
/// <param name="Addresses">Further nodes by which the swarm is found: multiaddrs in binary form that end with a name.</param>
public sealed record JoinReply(JoinRefusal Refusal, ImmutableArray<Wrapped> Chain, string SwarmName, ImmutableArray<Wrapped> Addresses) : MembershipRecord
{
    /// <summary>Addresses of one reply.</summary>
    public const int AddressesMax = 32;
}

/// <summary>Lets a node take nothing new. Signed by the founder's key, or by the node that asks; good only on a connection of that node's.</summary>
/// <param name="Swarm">The swarm.</param>
/// <param name="Subject">The node that is to drain.</param>
/// <param name="Asker">The node that asks.</param>
public sealed record DrainOrder(PeerId Swarm, PeerId Subject, PeerId Asker) : MembershipRecord;

/// <summary>What came of an order to drain.</summary>
/// <param name="Answer">Whether it is done.</param>
public sealed record DrainReply(DrainAnswer Answer) : MembershipRecord;

/// <summary>Says that its signer sent messages to a member, so that this one can show it to others. [MEM-14]</summary>
/// <param name="Swarm">The swarm.</param>
/// <param name="Receiver">To whom.</param>
/// <param name="Hashes">SHA-256 of each message's frame, one after the other, in the order in which they were sent; see <see cref="Messages.Evidence"/>.</param>
public sealed record Statement(PeerId Swarm, PeerId Receiver, ImmutableArray<byte> Hashes) : MembershipRecord
{
    /// <summary>Messages of one statement.</summary>
    public const int MessagesMax = 256;

    /// <summary>Bytes of a hash.</summary>
    public const int HashBytes = 32;

    /// <summary>Bytes of a statement in its envelope: the hashes, two names, a key and a signature.</summary>
    public const int SealBytesMax = MessagesMax * HashBytes + 1024;
}

/// <summary>What a node answers to an order to drain.</summary>
public enum DrainAnswer
{
    /// <summary>It takes nothing new from now on.</summary>
    Draining = 1,

    /// <summary>Who asks may not: it is neither the founder, nor who let the node in, nor of the node's own principal.</summary>
    NotYours,

    /// <summary>The order cannot be read, or is another's.</summary>
    Unreadable,

    /// <summary>The node runs no tasks: there is nothing to drain.</summary>
    NoWorker,
}

/// <summary>Why a newcomer is not let in.</summary>
public enum JoinRefusal
{
    /// <summary>It is.</summary>
    None = 1,

    /// <summary>No invitation has this secret: it was withdrawn or forgotten, or made by another node.</summary>
    Unknown,

    /// <summary>Another node came with it before.</summary>
    Used,

    /// <summary>Its time is over.</summary>
    Expired,

    /// <summary>Too many ask just now, from there or in all: to be tried again later.</summary>
    Busy,

    /// <summary>The newcomer was removed from this swarm: it comes back only as another node.</summary>
    Removed,

    /// <summary>The inviter may let nobody in any more, or cannot keep what it must.</summary>
    Unable,
}

/// <summary>Why a node is no member.</summary>
public enum MembershipFault
{
    /// <summary>It is one.</summary>
    None = 1,

    /// <summary>It shows no certificate, or more than a chain may have.</summary>
    NoCertificate,

    /// <summary>A certificate cannot be read, or its signature is not right.</summary>
    Unreadable,

    /// <summary>Its certificate is for another swarm.</summary>
    OtherSwarm,

    /// <summary>Its certificate is another node's.</summary>
    NotItsOwn,

    /// <summary>The chain does not lead to the founder.</summary>
    NotFromFounder,

    /// <summary>An issuer gave what it may not give.</summary>
    BeyondRights,

    /// <summary>A certificate of the chain has expired.</summary>
    Expired,

    /// <summary>The node, or one who let it in, was removed.</summary>
    Removed,
}
