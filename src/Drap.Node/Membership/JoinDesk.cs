using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography;
using Drap.Core.Membership;
using Drap.Libp2p.Host;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Node.Identity;
using Drap.Node.Time;

namespace Drap.Node.Membership;

/// <summary>Where a node hands out tickets and lets in those who come with one: at the founder's, and at nodes with the role inviter. Any thread.</summary>
internal sealed class JoinDesk
{
    private readonly MembershipFolder folder;
    private readonly NodeIdentity self;
    private readonly JoinReply card;
    private readonly InvitationBook book;
    private readonly Lock gate = new();

    public JoinDesk(MembershipFolder folder, NodeIdentity self, JoinReply card)
    {
        this.folder = folder;
        this.self = self;
        this.card = card;
        book = new InvitationBook(folder.ReadInvitations());
    }

    /// <summary>All invitations that are remembered.</summary>
    public InvitationList Invitations
    {
        get
        {
            lock (gate)
                return book.List;
        }
    }

    /// <summary>A new ticket, which is on disk when this returns; null if there is no room for one more.</summary>
    public Ticket? Invite(NodeRoles roles, Principal principal, TimeSpan life, TimeSpan certificateLife, IReadOnlyList<Multiaddr> addresses)
    {
        byte[] secret = RandomNumberGenerator.GetBytes(Ticket.SecretBytes);
        UtcTime expires = BootClock.UtcNow + life;
        var effects = new List<InvitationEffect>();
        lock (gate)
        {
            book.Step(
                new InvitationInput.Made(new Invitation(InvitationBook.HashOf(secret), roles, principal, expires, certificateLife, null)),
                BootClock.Now, BootClock.UtcNow, effects);
            foreach (InvitationEffect effect in effects)
            {
                if (effect is InvitationEffect.Store store)
                    folder.WriteInvitations(store.List);
                else if (effect is InvitationEffect.Full)
                    return null;
            }
        }
        return new Ticket(
            self.Peer, [.. addresses.Take(Ticket.AddressesMax).Select(a => new Wrapped([.. a.Bytes]))], [.. secret], roles, expires);
    }

    /// <summary>Answers one stranger.</summary>
    public async ValueTask ServeAsync(PeerConnection connection, P2pStream stream, Func<PeerId, bool> isRemoved, Func<ImmutableArray<Wrapped>> addresses, CancellationToken ct)
    {
        JoinRequest request = await RecordStream.ReadAsync<JoinRequest>(stream, ct).ConfigureAwait(false);
        JoinReply reply = Answer(connection, request, isRemoved(connection.Remote), addresses);
        await RecordStream.WriteAsync(stream, reply, ct).ConfigureAwait(false);
        await stream.CloseWriteAsync().ConfigureAwait(false);
        // It ends its half when it has read: then nothing of the answer is cut off by the connection's end.
        await RecordStream.ReadEndAsync(stream, ct).ConfigureAwait(false);
    }

    private JoinReply Answer(PeerConnection connection, JoinRequest request, bool isRemoved, Func<ImmutableArray<Wrapped>> addresses)
    {
        string from = connection.RemoteAddress.TryGetTcp(out EndPoint? endPoint, out _) && endPoint is IPEndPoint ip ? ip.Address.ToString() : "";
        var effects = new List<InvitationEffect>();
        JoinReply reply = Refused(JoinRefusal.Unable);
        lock (gate)
        {
            book.Step(new InvitationInput.Asked(connection.Remote, from, request, isRemoved), BootClock.Now, BootClock.UtcNow, effects);
            try
            {
                foreach (InvitationEffect effect in effects)
                    switch (effect)
                    {
                        case InvitationEffect.Store store:
                            folder.WriteInvitations(store.List);
                            break;
                        case InvitationEffect.Admit admit:
                            reply = new JoinReply(JoinRefusal.None, Certify(admit), card.SwarmName, addresses());
                            break;
                        case InvitationEffect.Refuse refuse:
                            reply = Refused(refuse.Why);
                            break;
                    }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Not on disk that the ticket is used: nobody is let in by it. The same newcomer may come again.
                return Refused(JoinRefusal.Unable);
            }
        }
        return reply;
    }

    /// <summary>The same guest gets the same certificate, however often it asks.</summary>
    private ImmutableArray<Wrapped> Certify(InvitationEffect.Admit admit)
    {
        using PrivateKey key = folder.IsFounders ? NodeIdentity.Open(folder.FounderKeyFile).OpenKey() : self.OpenKey();
        Invariant.Check(SignedPapers.TryOpen(card.Chain[^1], out SignedCertificate? first));
        Wrapped own = SignedPapers.Seal(
            new Certificate(
                first.Issuer, admit.Peer, admit.Guest.Name, admit.Invitation.Principal, admit.Invitation.Roles, admit.Guest.At, admit.Guest.At + admit.Invitation.Lifetime),
            key);
        return folder.IsFounders ? [own] : [own, .. card.Chain];
    }

    private static JoinReply Refused(JoinRefusal why) => new(why, [], "", []);
}
