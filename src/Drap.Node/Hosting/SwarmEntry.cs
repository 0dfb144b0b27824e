using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text;
using Drap.Core.Cbor;
using Drap.Core.Membership;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Node.Blobs;
using Drap.Node.Home;
using Drap.Node.Identity;
using Drap.Node.Membership;
using Drap.Node.Overlay;
using Drap.Node.Time;

namespace Drap.Node.Hosting;

/// <summary>How a home comes to belong to a swarm: it founds one, comes with a ticket, or belongs to one already.</summary>
public static class SwarmEntry
{
    /// <summary>Sees to it that the home belongs to a swarm. The caller holds the home's lock.</summary>
    /// <param name="home">The home.</param>
    /// <param name="identity">Its node.</param>
    /// <param name="options">What is wanted.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="JoinException">The ticket opens nothing.</exception>
    /// <exception cref="HomeException">The home belongs to another swarm.</exception>
    public static async Task<MembershipFolder> EnterAsync(HomeFolder home, NodeIdentity identity, SwarmOptions options, CancellationToken cancel)
    {
        MembershipFolder folder = MembershipFolder.Of(home);
        if (options.Ticket is { } ticket)
        {
            // Who starts the same command again, as a service does, is in already.
            if (folder.Exists && folder.CameWith(ticket))
                return folder;
            if (folder.Exists && (IsGood(folder, identity, out JoinReply card) || folder.IsFounders))
                throw new HomeException(
                    HomeProblem.NotUsable, $"{home} belongs to the swarm {card.SwarmName} already", "drap up starts it; drap leave ends that; or set DRAP_HOME to another folder");
            using PrivateKey key = identity.OpenKey();
            JoinReply reply = await JoinCall.JoinAsync(ticket, key, NameOf(options), cancel).ConfigureAwait(false);
            folder.Forget();
            folder.WriteCard(reply);
            folder.WriteTicket(ticket);
        }
        else if (!folder.Exists)
        {
            Begin(folder, identity, options);
        }
        else if (folder.IsFounders)
        {
            Renew(folder, identity);
        }
        return folder;
    }

    /// <summary>Gives one of the home's own workers its certificates, of the home's principal and for as long as the home's.</summary>
    public static void Certify(MembershipFolder folder, NodeIdentity home, Member self, string name, NodeIdentity worker, MembershipFolder its)
    {
        using PrivateKey key = home.OpenKey();
        JoinReply card = folder.ReadCard();
        UtcTime now = BootClock.UtcNow;
        UtcTime expires = self.Expires - now > Certificate.LifetimeMax ? now + Certificate.LifetimeMax : self.Expires;
        Wrapped own = SignedPapers.Seal(
            new Certificate(SwarmOf(card), worker.Peer, WorkerName(self, name), self.Principal, NodeRoles.Worker, now, expires), key);
        Keep(its, worker, () =>
        {
            its.WriteCard(card with { Chain = [own, .. card.Chain], Addresses = [] });
            its.WriteRevocations(folder.ReadRevocations());
        });
    }

    /// <summary>What people call a worker: its node's name, then its own.</summary>
    public static string WorkerName(Member self, string name) => Short($"{self.Name}/{name}");

    /// <summary>
    /// The home belongs to no swarm any more, and its nodes are others from now on: a removed peer id does not come back. The caller holds the home's lock.
    /// </summary>
    public static void Forget(HomeFolder home)
    {
        MembershipFolder.Of(home).Forget();
        File.Delete(home.SchedulerIdentityFile);
        string workers = System.IO.Path.GetDirectoryName(home.WorkerFolder("any"))!;
        foreach (string worker in Directory.Exists(workers) ? Directory.GetDirectories(workers) : [])
        {
            var folder = new WorkerFolder(worker);
            folder.Membership.Forget();
            File.Delete(folder.IdentityFile);
        }
    }

    /// <summary>How the node joins its overlay.</summary>
    public static OverlayOptions Overlay(MembershipFolder folder, SwarmMembership membership, SwarmOptions options, int? port) => new()
    {
        Kind = OverlayKind.Libp2p,
        Listen = options.Listen.IsEmpty ? [Multiaddr.FromTcp(IPAddress.Any, port ?? 0)] : options.Listen,
        Announce = options.Announce,
        Bootstrap = [.. membership.Known.Where(a => a.Peer is { } peer && peer != membership.Self.Peer)],
        Mdns = options.Mdns,
        IsReachable = options.Hidden ? false : null,
        Relay = options.Roles?.HasFlag(NodeRoles.Gateway) ?? false,
        Gate = membership,
    };

    private static void Begin(MembershipFolder folder, NodeIdentity identity, SwarmOptions options)
    {
        using PrivateKey founder = folder.Found().OpenKey();
        string principal = Cut(options.Principal is { Length: > 0 } said ? said : Environment.UserName is { Length: > 0 } user ? user : "owner", CborLimits.NameBytes);
        string name = NameOf(options);
        folder.WriteCard(new JoinReply(
            JoinRefusal.None, [Own(founder, identity, name, new Principal(principal))], Short(options.SwarmName is { Length: > 0 } swarm ? swarm : name), []));
    }

    /// <summary>The founder's own node never expires while it is started now and then.</summary>
    private static void Renew(MembershipFolder folder, NodeIdentity identity)
    {
        JoinReply card = folder.ReadCard();
        if (!SignedPapers.TryOpen(card.Chain, out ImmutableArray<SignedCertificate> chain) || chain is not [var own, ..])
            return;
        using PrivateKey founder = NodeIdentity.Open(folder.FounderKeyFile).OpenKey();
        Keep(folder, identity, () => folder.WriteCard(card with { Chain = [Own(founder, identity, own.Body.Name, own.Body.Principal)] }));
    }

    /// <summary>A full disk takes no new papers: those of an earlier start serve as well, while they are good.</summary>
    private static void Keep(MembershipFolder folder, NodeIdentity whose, Action write)
    {
        try
        {
            write();
        }
        catch (IOException e) when (FileCalls.IsFull(e) && folder.Exists && IsGood(folder, whose, out _))
        {
        }
    }

    private static Wrapped Own(PrivateKey founder, NodeIdentity identity, string name, Principal principal)
    {
        UtcTime now = BootClock.UtcNow;
        return SignedPapers.Seal(
            new Certificate(founder.PeerId, identity.Peer, name, principal, RoleWords.All, now, now + Certificate.LifetimeDefault), founder);
    }

    private static bool IsGood(MembershipFolder folder, NodeIdentity identity, out JoinReply card)
    {
        card = folder.ReadCard();
        return SignedPapers.TryOpen(card.Chain, out ImmutableArray<SignedCertificate> chain) && !chain.IsEmpty
            && CertificateChain.Check(chain.AsSpan(), identity.Peer, chain[^1].Issuer, BootClock.UtcNow, out _) == MembershipFault.None;
    }

    private static PeerId SwarmOf(JoinReply card)
    {
        Invariant.Check(SignedPapers.TryOpen(card.Chain[^1], out SignedCertificate? last));
        return last.Issuer;
    }

    private static string NameOf(SwarmOptions options) =>
        Short(options.Name is { Length: > 0 } name ? name : Environment.MachineName is { Length: > 0 } machine ? machine : "node");

    private static string Short(string name) => Cut(name, MembershipRecord.NameBytesMax);

    private static string Cut(string text, int bytesMax)
    {
        var enumerator = StringInfo.GetTextElementEnumerator(text);
        var kept = new StringBuilder();
        int bytes = 0;
        while (enumerator.MoveNext() && (bytes += Encoding.UTF8.GetByteCount(enumerator.GetTextElement())) <= bytesMax)
            kept.Append(enumerator.GetTextElement());
        return kept.ToString();
    }
}
