using System.Collections.Immutable;
using System.Text;
using Drap.Api;
using Drap.Core.Cbor;
using Drap.Core.Membership;
using Drap.Libp2p.Host;
using Drap.Node.Overlay;
using Drap.Node.Service;

namespace Drap.Node.Membership;

/// <summary>The swarm for its user: who is there, who may come, who must go.</summary>
/// <param name="membership">The node's place in it.</param>
/// <param name="overlay">Where the node is reached.</param>
/// <param name="roles">What it is of what its certificate allows.</param>
internal sealed class SwarmDesk(SwarmMembership membership, IOverlay overlay, NodeRoles roles) : ISwarmDesk
{
    public Task<MembershipDocument> SwarmAsync(CancellationToken cancel)
    {
        Member self = membership.Self;
        ImmutableArray<Member> present = membership.Present;
        return Task.FromResult(new MembershipDocument
        {
            Name = membership.SwarmName,
            Swarm = membership.Swarm,
            IsFounder = membership.IsFounder,
            MayInvite = membership.IsInviter,
            Roles = RoleWords.Of(roles),
            Nodes =
            [
                Of(self, isHere: true),
                .. present.Select(m => Of(m, isHere: m.Issuers[0] == self.Peer && m.Principal == self.Principal && m.Roles == NodeRoles.Worker))
                    .OrderByDescending(n => n.IsHere).ThenBy(n => n.Name, StringComparer.Ordinal).ThenBy(n => n.Peer),
            ],
            Invitations =
            [
                .. membership.Invitations.All.Reverse().Select(i => new InvitationDocument
                {
                    Roles = RoleWords.Of(i.Roles), Principal = i.Principal.Name, Expires = i.Expires, UsedBy = i.Guest?.Peer, UsedByName = i.Guest?.Name,
                }),
            ],
            Removed = [.. membership.Removed.Select(r => Of(r.Body.Subject, r.Signer, r.Body.At, r.Body.Reason))],
        });
    }

    public Task<TicketDocument> InviteAsync(InviteRequest request, CancellationToken cancel)
    {
        if (!membership.IsInviter)
            throw new ApiException(ErrorCodes.Conflict, "this node may let nobody in", null, "drap invite on the node that founded the swarm, or on one with the role inviter");
        NodeRoles roles = RoleWords.Usual;
        if (!request.Roles.IsDefaultOrEmpty && !RoleWords.TryParse(string.Join(',', request.Roles), out roles))
            throw new ApiException(ErrorCodes.BadRequest, $"'{string.Join(',', request.Roles)}' are no roles", "roles", RoleWords.Form);
        if ((roles & ~membership.Self.Roles) != 0)
            throw new ApiException(
                ErrorCodes.BadRequest, "a node gives no role that it has not itself", "roles", string.Join(", ", RoleWords.Of(membership.Self.Roles)));
        var principal = request.Principal is { } said ? new Principal(said) : membership.Self.Principal;
        if (Encoding.UTF8.GetByteCount(principal.Name) is < 1 or > CborLimits.NameBytes)
            throw new ApiException(ErrorCodes.BadRequest, "a principal's name is too long, or empty", "principal", $"1 to {CborLimits.NameBytes} bytes");
        TimeSpan life = Within(request.GoodForSeconds, Ticket.LifetimeDefault, Ticket.LifetimeMax, "good_for_seconds");
        TimeSpan member = Within(request.MemberForSeconds, Certificate.LifetimeDefault, Certificate.LifetimeMax, "member_for_seconds");
        Ticket ticket = membership.Invite(roles, principal, life, member)
            ?? throw new ApiException(ErrorCodes.Busy, $"{InvitationBook.InvitationsMax} tickets are out", null, "wait until some have expired");
        return Task.FromResult(new TicketDocument
        {
            Ticket = TicketText.Encode(ticket), Expires = ticket.Expires, Roles = RoleWords.Of(roles), Principal = principal.Name,
        });
    }

    public async Task<RemovalReply> RemoveAsync(RemovalRequest request, CancellationToken cancel)
    {
        (PeerId peer, string? name) = Find(request.Node);
        if (peer == membership.Self.Peer)
            throw new ApiException(ErrorCodes.Conflict, "that is this node itself", "node", "drap leave");
        if (peer == membership.Swarm)
            throw new ApiException(ErrorCodes.Conflict, "that is the founder's key, and no node", "node", "a node of drap node list");
        if (!membership.MayRemove(peer))
            throw new ApiException(
                ErrorCodes.Conflict, $"{name ?? request.Node} was not let in by this node", "node", "drap node remove on the node that founded the swarm, or that let it in");
        if (Encoding.UTF8.GetByteCount(request.Reason) > Revocation.ReasonBytesMax)
            throw new ApiException(ErrorCodes.TooLarge, "the reason is too long", "reason", $"at most {Revocation.ReasonBytesMax} bytes");
        await membership.RemoveAsync(peer, request.Reason).ConfigureAwait(false);
        SignedRevocation kept = membership.Removed.FirstOrDefault(r => r.Body.Subject == peer)
            ?? throw new ApiException(ErrorCodes.Busy, $"{RevocationList.CountMax} nodes are removed already", null, "wait until the oldest of those are forgotten");
        return new RemovalReply { Removed = Of(peer, kept.Signer, kept.Body.At, kept.Body.Reason) with { Name = name } };
    }

    public Task LeaveAsync(CancellationToken cancel) => membership.RemoveAsync(membership.Self.Peer, "it left");

    public async Task<DrainedDocument> DrainAsync(DrainRequest request, CancellationToken cancel)
    {
        (PeerId peer, string? name) = request.Node is { } said ? Find(said) : (membership.Self.Peer, membership.Self.Name);
        var drained = new DrainedDocument { Name = name ?? peer.Short, Peer = peer };
        if (peer == membership.Self.Peer)
        {
            if (membership.Drain is not { } drain)
                throw NoWorker(drained.Name);
            drain();
            return drained;
        }
        DrainAnswer? answer;
        try
        {
            answer = await membership.DrainAsync(peer, cancel).ConfigureAwait(false);
        }
        catch (Libp2pException e)
        {
            throw new ApiException(ErrorCodes.Conflict, $"{drained.Name} was not reached, or its drap is older: {e.Message}", null, "drap node drain on that machine");
        }
        return answer switch
        {
            DrainAnswer.Draining => drained,
            null => throw new ApiException(ErrorCodes.Conflict, $"{drained.Name} is not connected", null, "a node of drap node list"),
            DrainAnswer.NoWorker => throw NoWorker(drained.Name),
            DrainAnswer.NotYours => throw new ApiException(
                ErrorCodes.Conflict, $"{drained.Name} does not heed this node", null, "drap node drain on that machine, where the swarm was founded, on the node that let it in, or on another of its principal"),
            _ => throw new ApiException(ErrorCodes.Conflict, $"{drained.Name} did not understand the order", null, "drap node drain on that machine"),
        };
    }

    public string? WhyNoJobs
    {
        get
        {
            if (roles.HasFlag(NodeRoles.Scheduler))
                return null;
            string[] others = [.. membership.Present.Where(m => m.Roles.HasFlag(NodeRoles.Scheduler)).Select(m => m.Name).Order(StringComparer.Ordinal)];
            string who = others.Length == 0 ? "no node that is connected has it"
                : $"{string.Join(", ", others.Take(5))}{(others.Length > 5 ? $" and {others.Length - 5} more" : "")} may have it";
            return $"this node takes no jobs: its roles are {string.Join(", ", RoleWords.Of(roles))}, without scheduler; {who}";
        }
    }

    private static ApiException NoWorker(string name) => new(ErrorCodes.Conflict, $"{name} runs no tasks: there is nothing to drain", null, "a node with the role worker");

    private static TimeSpan Within(TimeSpan? said, TimeSpan usual, TimeSpan max, string where) => said is not { } span ? usual
        : span > TimeSpan.Zero && span <= max ? span
        : throw new ApiException(ErrorCodes.BadRequest, $"{span} is not allowed", where, $"above 0, at most {max.TotalDays} days");

    private MemberDocument Of(Member member, bool isHere) => new(member.Name, member.Peer)
    {
        Principal = member.Principal.Name, Roles = RoleWords.Of(member.Roles), Expires = member.Expires, Issuer = member.Issuers[0], IsHere = isHere,
        Addresses = member.Peer == overlay.Self ? overlay.Addresses : membership.AddressesOf(member.Peer),
    };

    private static RemovedDocument Of(PeerId peer, PeerId by, UtcTime at, string reason) => new(peer, by, at) { Reason = reason };

    /// <summary>The node that is meant; one that is not connected can be named by its peer id, or by the name under which it came here.</summary>
    private (PeerId Peer, string? Name) Find(string text)
    {
        (PeerId Peer, string Name)[] known =
        [
            .. membership.Present.Append(membership.Self).Select(m => (m.Peer, m.Name))
                .Concat(membership.Invitations.All.Where(i => i.Guest is not null).Select(i => (i.Guest!.Peer, i.Guest.Name))).DistinctBy(k => k.Item1),
        ];
        if (PeerId.TryParse(text, out PeerId whole))
            return (whole, known.FirstOrDefault(k => k.Peer == whole).Name);
        (PeerId Peer, string Name)[] meant = [.. known.Where(k => k.Name == text)];
        if (meant.Length == 0 && text.Length >= 4)
            meant = [.. known.Where(k => k.Peer.ToString().EndsWith(text, StringComparison.Ordinal))];
        return meant switch
        {
            [var one] => one,
            [] => throw new ApiException(ErrorCodes.NotFound, $"no node is called '{text}'", "node", "a name or a peer id of drap node list"),
            _ => throw new ApiException(
                ErrorCodes.Ambiguous, $"{meant.Length} nodes are called '{text}': {string.Join(", ", meant.Take(5).Select(m => m.Peer.Short))}", "node", "the peer id, or its end"),
        };
    }
}
