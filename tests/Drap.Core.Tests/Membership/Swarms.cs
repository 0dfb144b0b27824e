using System.Collections.Immutable;
using Drap.Core.Membership;

namespace Drap.Core.Tests.Membership;

/// <summary>A made-up swarm: keys by numbers, the founder's is 0. Signatures are taken for granted; they are checked elsewhere.</summary>
internal static class Swarms
{
    public static readonly UtcTime Now = new(1_800_000_000_000);

    public static readonly PeerId Founder = Peer(0);

    public static PeerId Peer(int number)
    {
        byte[] key = new byte[32];
        BitConverter.TryWriteBytes(key, number);
        return PeerId.FromEd25519(key);
    }

    /// <summary>A certificate for a peer, signed by another; usual in all that is not said.</summary>
    public static SignedCertificate Certify(
        int subject, int issuer, NodeRoles roles = RoleWords.Usual, string principal = "lab", TimeSpan? age = null, TimeSpan? life = null, int swarm = 0)
    {
        UtcTime issued = Now + -(age ?? TimeSpan.Zero);
        return new SignedCertificate(
            new Certificate(Peer(swarm), Peer(subject), $"node-{subject}", new Principal(principal), roles, issued, issued + (life ?? Certificate.LifetimeDefault)), Peer(issuer));
    }

    public static SignedRevocation Revoke(int subject, int signer, TimeSpan? age = null, int swarm = 0) =>
        new(new Revocation(Peer(swarm), Peer(subject), Now + -(age ?? TimeSpan.Zero), ""), Peer(signer), new Wrapped([(byte)subject, (byte)signer]));

    public static Invitation Invite(byte[] secret, TimeSpan? life = null) =>
        new(InvitationBook.HashOf(secret), RoleWords.Usual, new Principal("lab"), Now + (life ?? Ticket.LifetimeDefault), Certificate.LifetimeDefault, null);

    public static byte[] Secret(int number)
    {
        byte[] secret = new byte[Ticket.SecretBytes];
        BitConverter.TryWriteBytes(secret, number);
        return secret;
    }

    public static ImmutableArray<SignedCertificate> Chain(params SignedCertificate[] chain) => [.. chain];
}
