using System.Collections.Immutable;
using System.Net;
using Drap.Core.Membership;
using Drap.Libp2p.Multiformats;
using Drap.Node.Home;
using Drap.Node.Identity;
using Drap.Node.Membership;
using Drap.Node.Overlay;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>A home's place in its swarm while it is up: its own membership, and the certificates of its workers.</summary>
internal sealed class SwarmPlace
{
    private readonly HomeFolder home;
    private readonly MembershipFolder folder;
    private readonly NodeIdentity identity;

    private SwarmPlace(HomeFolder home, MembershipFolder folder, NodeIdentity identity, SwarmMembership membership, SwarmOptions options)
    {
        this.home = home;
        this.folder = folder;
        this.identity = identity;
        Membership = membership;
        Roles = options.Roles ?? membership.Self.Roles & (options.IsOnlyGateway ? NodeRoles.Gateway | NodeRoles.Inviter : ~NodeRoles.Gateway);
        Overlay = SwarmEntry.Overlay(folder, membership, options with { Roles = Roles }, folder.ReadPort());
    }

    /// <summary>Who it is there.</summary>
    public SwarmMembership Membership { get; }

    /// <summary>How it joins the overlay.</summary>
    public OverlayOptions Overlay { get; }

    /// <summary>What it is of what its certificate allows.</summary>
    public NodeRoles Roles { get; }

    /// <summary>Whether it has workers.</summary>
    public bool Works => Roles.HasFlag(NodeRoles.Worker);

    /// <summary>What people call a worker of the home in the swarm, where others have workers of the same name.</summary>
    public string NameOf(string worker) => SwarmEntry.WorkerName(Membership.Self, worker);

    /// <summary>Founds a swarm, comes in by a ticket, or takes up the place that the home has.</summary>
    /// <exception cref="HomeException">The home cannot be what is wanted.</exception>
    /// <exception cref="JoinException">The ticket opens nothing.</exception>
    public static async Task<SwarmPlace> TakeAsync(
        HomeFolder home, NodeIdentity identity, SwarmOptions options, ILogger logger, Action<string> warn, CancellationToken cancel)
    {
        MembershipFolder folder = await SwarmEntry.EnterAsync(home, identity, options, cancel).ConfigureAwait(false);
        SwarmMembership membership = SwarmMembership.Open(folder, identity, NodeRoles.Worker, logger, warn);
        if ((options.Roles ?? (options.IsOnlyGateway ? NodeRoles.Gateway : NodeRoles.None)) is var wanted && (wanted & ~membership.Self.Roles) != 0)
            throw new HomeException(
                HomeProblem.NotUsable, $"this node's certificate does not give the role {string.Join(", ", RoleWords.Of(wanted & ~membership.Self.Roles))}",
                $"it gives {string.Join(", ", RoleWords.Of(membership.Self.Roles))}; for more drap leave, then drap join with a ticket that gives it (drap invite --role)");
        return new SwarmPlace(home, folder, identity, membership, options);
    }

    /// <summary>Remembers the port by which others know the node, where the system chose it.</summary>
    public void Listens(ImmutableArray<string> addresses)
    {
        foreach (string text in addresses)
        {
            if (!Multiaddr.TryParse(text, out Multiaddr? address) || address.IsCircuit || !address.TryGetTcp(out EndPoint? at, out _) || at is not IPEndPoint ip)
                continue;
            if (folder.ReadPort() != ip.Port)
                folder.WritePort(ip.Port);
            return;
        }
    }

    /// <summary>Gives a worker of the home its certificates.</summary>
    public void Certify(string worker)
    {
        var its = new WorkerFolder(home.WorkerFolder(worker));
        SwarmEntry.Certify(folder, identity, Membership.Self, worker, NodeIdentity.Open(its.IdentityFile), its.Membership);
    }
}
