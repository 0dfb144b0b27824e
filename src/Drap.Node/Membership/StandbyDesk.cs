using System.Collections.Immutable;
using Drap.Core.Membership;
using Drap.Libp2p.Host;
using Drap.Libp2p.Keys;
using Drap.Node.Identity;
using Drap.Node.Time;

namespace Drap.Node.Membership;

/// <summary>A node's scheduler lends its name to nodes that stand by for it, and the node has one lent. [MEM-13]</summary>
internal sealed class StandbyDesk : IDisposable
{
    private readonly MembershipFolder folder;
    private readonly NodeIdentity identity;
    private readonly PeerId swarm;
    private readonly ImmutableArray<Wrapped> chain;
    private readonly Func<PeerId, PeerId, bool, StandbyRefusal> judge;
    private readonly Action<PeerId, DelegationShown> take;
    private Libp2pHost? host;

    /// <summary>A desk of a node.</summary>
    /// <param name="folder">What it keeps.</param>
    /// <param name="identity">The node.</param>
    /// <param name="swarm">Its swarm.</param>
    /// <param name="chain">Its certificates.</param>
    /// <param name="judge">What is answered to whom, by which scheduler is meant and whether another machine finds this one's journal.</param>
    /// <param name="take">Takes in what a member shows.</param>
    public StandbyDesk(
        MembershipFolder folder, NodeIdentity identity, PeerId swarm, ImmutableArray<Wrapped> chain, Func<PeerId, PeerId, bool, StandbyRefusal> judge,
        Action<PeerId, DelegationShown> take)
    {
        this.folder = folder;
        this.identity = identity;
        this.swarm = swarm;
        this.chain = chain;
        this.judge = judge;
        this.take = take;
        Own = folder.ReadDelegation();
    }

    /// <summary>What the node shows: for which scheduler it may speak besides itself; null for none.</summary>
    public DelegationShown? Own { get; private set; }

    /// <summary>
    /// Gives the key with which this home's scheduler seals secrets, where its journal is such that another may go on with it; null, the default, where it is not.
    /// </summary>
    public Func<ImmutableArray<byte>>? Lends { get; set; }

    /// <summary>Serves a host's peers from now on.</summary>
    public void Attach(Libp2pHost served, CancellationToken stopping)
    {
        host = served;
        served.Handle(StandbyCall.AskProtocol, stream => StandbyCall.ServeAskAsync(stream, request => Answer(stream.Connection.Remote, request), stopping));
        served.Handle(StandbyCall.ShowProtocol, stream => StandbyCall.ServeShowAsync(stream, shown => take(stream.Connection.Remote, shown), stopping));
    }

    /// <summary>Whether the node may speak for this scheduler for at least so long.</summary>
    public bool Holds(PeerId scheduler, TimeSpan length) =>
        Own is { } own && SignedPapers.TryOpen(own, out SignedDelegation? delegation, out _)
        && delegation.Body.Scheduler == scheduler && delegation.Body.Expires - BootClock.UtcNow > length;

    /// <summary>Asks a scheduler for its name, keeps the answer, and shows it to everybody who is connected.</summary>
    /// <returns>Its answer; null where no connection leads there.</returns>
    /// <exception cref="Libp2pException">It does not answer, or does not know this.</exception>
    public async Task<StandbyReply?> AskAsync(PeerId scheduler, CancellationToken cancel)
    {
        if (host?.Connections.FirstOrDefault(c => c.Remote == scheduler) is not { } connection)
            return null;
        StandbyReply reply = await StandbyCall.AskAsync(connection, cancel).ConfigureAwait(false);
        if (reply is not { Refusal: StandbyRefusal.None, Delegation: { } lent })
            return reply;
        folder.WriteDelegation(lent);
        Own = lent;
        await Task.WhenAll(host.Connections.Select(c => ShowAsync(c, lent, cancel))).ConfigureAwait(false);
        return reply;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        host?.Unhandle(StandbyCall.AskProtocol);
        host?.Unhandle(StandbyCall.ShowProtocol);
    }

    /// <summary>Shows it to a node that is connected.</summary>
    public static async Task ShowAsync(PeerConnection connection, DelegationShown lent, CancellationToken cancel)
    {
        try
        {
            await StandbyCall.ShowAsync(connection, lent, cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is Libp2pException or IOException)
        {
            // It sees it when it connects again.
        }
    }

    private StandbyReply Answer(PeerId asker, StandbyRequest request)
    {
        Func<ImmutableArray<byte>>? lends = Lends;
        StandbyRefusal refusal = judge(asker, request.Scheduler, lends is not null);
        if (refusal != StandbyRefusal.None)
            return new StandbyReply(refusal, null, []);
        UtcTime now = BootClock.UtcNow;
        using PrivateKey key = identity.OpenKey();
        Wrapped envelope = SignedPapers.Seal(new Delegation(swarm, identity.Peer, asker, now, now + Delegation.LifetimeMax), key);
        return new StandbyReply(refusal, new DelegationShown(envelope, chain), lends!());
    }
}
