using Drap.Core.Membership;
using Drap.Node.Blobs;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Identity;
using Drap.Node.Membership;
using Drap.Node.Overlay;
using Drap.Node.Tests.Overlay;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Drap.Node.Tests.Blobs;

/// <summary>Nodes of a swarm with certificates, each with a store that it serves, on real connections.</summary>
internal sealed class MemberRoom : IAsyncDisposable
{
    private readonly List<MemberPlace> places = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public string Folder { get; } = Directory.CreateTempSubdirectory("drap-rights-").FullName;

    /// <summary>What live leases name.</summary>
    public HashSet<(PeerId Worker, Cid Content)> Leases { get; } = [];

    public async ValueTask DisposeAsync()
    {
        foreach (MemberPlace place in places)
        {
            place.Exchange.Dispose();
            await place.Overlay.DisposeAsync();
            place.Store.Dispose();
        }
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>A node of its own principal. A home's store is all its principal's; a worker's has what tasks brought.</summary>
    public async Task<MemberPlace> EnterAsync(string name, Principal principal, MemberPlace? founder, bool isHome = true)
    {
        isHome &= name != "worker";
        HomeFolder home = HomeFolder.At(Path.Combine(Folder, name));
        home.Create();
        NodeIdentity identity = NodeIdentity.Open(Path.Combine(Folder, name, "identity.key"));
        var options = new SwarmOptions { Name = name, Principal = principal.Name };
        if (founder is not null)
            options = options with { Ticket = founder.Membership.Invite(RoleWords.Usual, principal, TimeSpan.FromHours(1), TimeSpan.FromDays(30))! };
        MembershipFolder its = await SwarmEntry.EnterAsync(home, identity, options, Cancel).WaitAsync(OverlayRecorder.Patience);
        SwarmMembership membership = SwarmMembership.Open(its, identity, NodeRoles.Worker, NullLogger.Instance, _ => { });
        IOverlay overlay = await OverlayFactory.JoinAsync(new OverlayOptions { Kind = OverlayKind.Libp2p, Gate = membership }, identity, new OverlayRecorder(), Cancel);
        BlobStore store = BlobStore.Open(new BlobStoreOptions { Folder = Path.Combine(Folder, name, "blobs") });
        var rights = new BlobRights(principal, membership.PrincipalOf)
        {
            IsHome = isHome,
            LeaseNames = (worker, cid, _) => ValueTask.FromResult(Leases.Contains((worker, cid))),
        };
        var place = new MemberPlace(Path.Combine(Folder, name), membership, overlay, store, rights, new BlobExchange(store, overlay, rights));
        foreach (MemberPlace there in places)
        {
            overlay.Know(there.Overlay.Self, there.Overlay.Addresses);
            there.Overlay.Know(overlay.Self, overlay.Addresses);
        }
        places.Add(place);
        Assert.Equal(principal, membership.Self.Principal);
        return place;
    }
}

internal sealed record MemberPlace(string Folder, SwarmMembership Membership, IOverlay Overlay, BlobStore Store, BlobRights Rights, BlobExchange Exchange);
