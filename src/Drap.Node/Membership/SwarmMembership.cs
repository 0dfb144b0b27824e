using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Runtime.CompilerServices;
using Drap.Core.Membership;
using Drap.Core.Messages;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Node.Home;
using Drap.Node.Identity;
using Drap.Node.Time;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Membership;

/// <summary>
/// A node's place in its swarm: the gate through which every connection must come, the word about who was removed, and the desk where newcomers are let in.
/// Thread-safe. An overlay whose gate this is attaches it to its host.
/// </summary>
public sealed class SwarmMembership : IConnectionGate, IHostObserver, IAsyncDisposable
{
    /// <summary>What a stranger may speak. [MEM-9]</summary>
    public const string JoinProtocol = "/drap/1.0.0/join";

    /// <summary>Where removals are published. [MEM-7]</summary>
    public const string Topic = "/drap/1.0.0/membership";

    private const string CertificateProtocol = "/drap/1.0.0/certificate";

    /// <summary>How often it is looked whose certificate has expired: connections outlive one by this at most.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    private readonly MembershipFolder folder;
    private readonly NodeIdentity identity;
    private readonly JoinReply card;
    private readonly SwarmMembers members;
    private readonly AdAuthors authors;
    private readonly JoinDesk? desk;
    private readonly NodeRoles hears;
    private readonly ILogger logger;
    private readonly Action<string> warn;
    private readonly Lock gate = new();
    private readonly ConditionalWeakTable<PeerConnection, Shown> shown = [];
    private readonly ConcurrentDictionary<Task, byte> running = [];
    private readonly RevocationExchange exchange;
    private readonly CancellationTokenSource stopping = new();
    private ImmutableArray<Wrapped> remembered = [];
    private Attachment? attached;
    private bool isToldOutside;

    private SwarmMembership(MembershipFolder folder, NodeIdentity identity, NodeRoles hears, ILogger logger, Action<string> warn)
    {
        this.folder = folder;
        this.identity = identity;
        this.hears = hears;
        this.logger = logger;
        this.warn = warn;
        card = folder.ReadCard();
        if (!SignedPapers.TryOpen(card.Chain, out ImmutableArray<SignedCertificate> chain) || chain.IsEmpty)
            throw NotMember(MembershipFault.Unreadable);
        members = new SwarmMembers(chain[^1].Issuer, identity.Peer, chain, folder.ReadRevocations(), BootClock.UtcNow, out MembershipFault fault);
        if (members.Self is null)
            throw NotMember(fault);
        if (folder.IsFounders || members.Self.Roles.HasFlag(NodeRoles.Inviter))
            desk = new JoinDesk(folder, identity, card);
        authors = new AdAuthors(members, gate);
        exchange = new RevocationExchange(() => Removed, IsKnown, envelope => HearAsync(envelope, isPublished: false));
        Standby = new StandbyDesk(folder, identity, Swarm, card.Chain, JudgeStandby, Show);
    }

    /// <summary>The swarm: its founder's key.</summary>
    public PeerId Swarm => members.Swarm;

    /// <summary>What people call it.</summary>
    public string SwarmName => card.SwarmName;

    /// <summary>Who this node is there.</summary>
    public Member Self => members.Self!;

    /// <summary>Whether it may let others in.</summary>
    public bool IsInviter => desk is not null;

    /// <summary>Whether the swarm was founded here.</summary>
    public bool IsFounder => folder.IsFounders;

    /// <summary>Tickets that were handed out here.</summary>
    public InvitationList Invitations => desk?.Invitations ?? new InvitationList([]);

    /// <summary>Members that are connected now, in the order of their ids.</summary>
    public ImmutableArray<Member> Present
    {
        get
        {
            lock (gate)
                return [.. members.Present];
        }
    }

    /// <summary>Who was removed.</summary>
    public ImmutableArray<SignedRevocation> Removed
    {
        get
        {
            lock (gate)
                return members.Revocations.All;
        }
    }

    /// <summary>By whom the swarm is found, besides those who find this node: as told when it joined, and by those it met since.</summary>
    public ImmutableArray<Multiaddr> Known => [.. card.Addresses.Select(a => Multiaddr.TryFromBytes(a.Bytes.AsSpan(), out Multiaddr? address) ? address : null).OfType<Multiaddr>()];

    /// <summary>Where schedulers lend their names.</summary>
    internal StandbyDesk Standby { get; }

    /// <summary>Makes the node take nothing new, when a node orders it that may; null where it runs no tasks.</summary>
    public Action? Drain { get; set; }

    /// <summary>Hears of each member that is let in, and where it is; must be short. Default nobody.</summary>
    public Action<Member, Multiaddr>? Met { get; set; }

    /// <inheritdoc/>
    public string Protocol => CertificateProtocol;

    /// <inheritdoc/>
    public string? StrangersProtocol => desk is null ? null : JoinProtocol;

    /// <summary>Takes up a node's place.</summary>
    /// <param name="folder">What it keeps.</param>
    /// <param name="identity">The node.</param>
    /// <param name="hears">Whose frames concern it: a worker's those of schedulers, and the other way round.</param>
    /// <param name="logger">For its lines.</param>
    /// <param name="warn">For what the owner must know.</param>
    /// <exception cref="HomeException">It is no member any more, or its folder cannot be read.</exception>
    public static SwarmMembership Open(MembershipFolder folder, NodeIdentity identity, NodeRoles hears, ILogger logger, Action<string> warn) =>
        new(folder, identity, hears, logger, warn);

    /// <summary>
    /// Speaks on a host's connections from now on; ends with the overlay, which disposes it. Who was let in before this is looked at now.
    /// </summary>
    internal void Attach(Libp2pHost host, PubSub pubsub)
    {
        host.Handle(RevocationExchange.Protocol, stream => exchange.RunAsync(stream, stopping.Token));
        Standby.Attach(host, stopping.Token);
        host.Handle(DrainCall.Protocol, stream => DrainCall.ServeAsync(stream, (order, signer) => Judge(order, signer, stream.Connection.Remote), Drain, stopping.Token));
        attached = new Attachment(
            host, pubsub, pubsub.Listen(Topic, Check, message => Run(() => HearAsync(message.Content.Data, isPublished: true))), host.Observe(this),
            new Timer(_ => Run(WakeAsync), null, LookEvery, LookEvery));
        foreach (PeerConnection connection in host.Connections)
            ((IHostObserver)this).Connected(connection, isFirst: true);
    }

    /// <summary>Whether frames of this peer concern the node: it is a member of a role whose frames do.</summary>
    internal bool Hears(PeerId peer)
    {
        lock (gate)
            return peer == identity.Peer || (members.Know(peer, BootClock.UtcNow) is { } member && (member.Roles & hears) != 0);
    }

    /// <summary>Whether the certificate of a peer names this principal: one that it showed on a connection, or with an ad. Who has shown none speaks for nobody.</summary>
    internal bool MaySpeakFor(PeerId peer, Principal principal)
    {
        lock (gate)
            return members.Know(peer, BootClock.UtcNow) is { } member && member.Principal == principal;
    }

    /// <summary>The node's certificates, for what it publishes.</summary>
    internal ImmutableArray<Wrapped> Certificates => card.Chain;

    /// <summary>Whether an ad that was published may be heard and passed on. [MEM-12]</summary>
    /// <param name="author">Whose signature the message bears.</param>
    /// <param name="neighbour">Who passed it on.</param>
    /// <param name="ad">The ad.</param>
    internal MessageVerdict Judge(PeerId author, PeerId neighbour, Ad ad) => author == identity.Peer ? MessageVerdict.Accept : authors.Judge(author, neighbour, ad);

    /// <summary>Who stands behind a peer, as its certificate says; null for one that is not connected.</summary>
    internal Principal? PrincipalOf(PeerId peer)
    {
        lock (gate)
            return members.Find(peer)?.Principal;
    }

    /// <summary>Whether a peer may be taken for a scheduler: for itself, or for one whose name it was lent and has shown. [MEM-13]</summary>
    internal bool MayActFor(PeerId peer, PeerId scheduler)
    {
        lock (gate)
            return members.MayActFor(peer, scheduler, BootClock.UtcNow);
    }

    /// <summary>A new ticket, which leads here; null if there is no room for one more.</summary>
    /// <exception cref="InvalidOperationException">The node may let nobody in.</exception>
    public Ticket? Invite(NodeRoles roles, Principal principal, TimeSpan life, TimeSpan certificateLife) =>
        (desk ?? throw new InvalidOperationException("this node may let nobody in")).Invite(roles, principal, life, certificateLife, OwnAddresses());

    /// <summary>Shows a node out, for good. It takes effect here at once, and elsewhere as word of it spreads.</summary>
    /// <returns>Whether it was new.</returns>
    public async Task<bool> RemoveAsync(PeerId subject, string reason)
    {
        using PrivateKey key = subject != identity.Peer && folder.IsFounders ? NodeIdentity.Open(folder.FounderKeyFile).OpenKey() : identity.OpenKey();
        SignedRevocation revocation = SignedPapers.Seal(new Revocation(Swarm, subject, BootClock.UtcNow, reason), key);
        return await TakeAsync(revocation, isPublished: false).ConfigureAwait(false);
    }

    /// <summary>Orders a node that is connected to take nothing new.</summary>
    /// <returns>Its answer; null where no connection leads there.</returns>
    /// <exception cref="Libp2pException">It does not answer, or does not know this.</exception>
    public async Task<DrainAnswer?> DrainAsync(PeerId subject, CancellationToken cancel)
    {
        if (attached?.Host.Connections.FirstOrDefault(c => c.Remote == subject) is not { } connection)
            return null;
        using PrivateKey key = folder.IsFounders ? NodeIdentity.Open(folder.FounderKeyFile).OpenKey() : identity.OpenKey();
        return await DrainCall.AskAsync(connection, Swarm, identity.Peer, key, cancel).ConfigureAwait(false);
    }

    /// <summary>Where a peer is reached, as far as is known.</summary>
    public ImmutableArray<string> AddressesOf(PeerId peer) => attached is { } here ? [.. here.Host.PeerBook[peer].Addresses.Select(a => a.ToString())] : [];

    /// <summary>Whether a removal of this peer by this node would count, for all that is known of it here.</summary>
    public bool MayRemove(PeerId subject)
    {
        lock (gate)
            return folder.IsFounders || subject == identity.Peer || (members.Find(subject)?.Issuers.Contains(identity.Peer) ?? false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> AdmitAsync(PeerConnection connection, P2pStream stream, CancellationToken ct)
    {
        ulong digest;
        lock (gate)
            digest = members.Revocations.Digest;
        DelegationShown? lent = Standby.Own;
        await RecordStream.WriteAsync(stream, new Hello(card.Chain, digest, lent), ct).ConfigureAwait(false);
        Hello hello = await RecordStream.ReadAsync<Hello>(stream, ct).ConfigureAwait(false);
        MembershipFault fault = MembershipFault.Unreadable;
        if (SignedPapers.TryOpen(hello.Chain, out ImmutableArray<SignedCertificate> chain))
            lock (gate)
                fault = members.Judge(connection.Remote, chain.AsSpan(), BootClock.UtcNow);
        await RecordStream.WriteAsync(stream, new Verdict(fault), ct).ConfigureAwait(false);
        Verdict verdict = await RecordStream.ReadAsync<Verdict>(stream, ct).ConfigureAwait(false);
        if (fault != MembershipFault.None)
            MembershipLog.Refused(logger, connection.Remote, connection.RemoteAddress, fault);
        if (verdict.Fault != MembershipFault.None)
            RefusedBy(connection, verdict.Fault);
        if (fault != MembershipFault.None || verdict.Fault != MembershipFault.None)
        {
            // Whoever dialed waits for the verdict; it is not to be overtaken by the connection's end.
            await stream.CloseWriteAsync().ConfigureAwait(false);
            await RecordStream.ReadEndAsync(stream, ct).ConfigureAwait(false);
            return false;
        }
        // Before anything of it is heard.
        lock (gate)
            members.See(connection.Remote, chain.AsSpan(), BootClock.UtcNow);
        shown.AddOrUpdate(connection, new Shown(chain, hello.Revocations != digest && !connection.IsInbound, hello.Delegation, lent));
        return true;
    }

    /// <inheritdoc/>
    public ValueTask ServeStrangerAsync(PeerConnection connection, P2pStream stream, CancellationToken ct) => desk is null ? ValueTask.CompletedTask
        : desk.ServeAsync(connection, stream, IsRemoved, Leads, ct);

    /// <summary>Says no more, and lets nobody in.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        if (attached is { } here)
        {
            here.Host.Unhandle(RevocationExchange.Protocol);
            Standby.Dispose();
            here.Host.Unhandle(DrainCall.Protocol);
            here.Listening.Dispose();
            here.Observing.Dispose();
            await here.Looking.DisposeAsync().ConfigureAwait(false);
        }
        await Task.WhenAll(running.Keys).ConfigureAwait(false);
        exchange.Dispose();
        stopping.Dispose();
    }

    void IHostObserver.Connected(PeerConnection connection, bool isFirst)
    {
        if (!shown.TryGetValue(connection, out Shown? what))
            return;
        var effects = new List<MembershipEffect>();
        // Judged again: it may have been removed since the gate has let it in.
        lock (gate)
            members.Step(new MembershipInput.Presented(connection.Remote, what.Chain), BootClock.UtcNow, effects);
        if (effects is not [MembershipEffect.Admit admitted])
        {
            Run(() => connection.CloseAsync());
            return;
        }
        if (what.Delegation is { } lent)
            Show(connection.Remote, lent);
        // It may have been lent since this side spoke.
        if (Standby.Own is { } own && own != what.Sent)
            Run(() => StandbyDesk.ShowAsync(connection, own, stopping.Token));
        Met?.Invoke(admitted.Member, connection.RemoteAddress);
        if (what.Differs)
            Run(() => exchange.AskAsync(connection, stopping.Token));
    }

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast)
    {
        if (!isLast)
            return;
        lock (gate)
            members.Step(new MembershipInput.Left(connection.Remote), BootClock.UtcNow, []);
    }

    private HomeException NotMember(MembershipFault fault) => new(
        HomeProblem.NotUsable,
        fault switch
        {
            MembershipFault.Removed => "this node was removed from its swarm",
            MembershipFault.Expired => "this node's certificate has expired",
            _ => $"{folder.Path} holds no certificate that makes this node a member: {fault}",
        },
        fault == MembershipFault.Expired
            ? "drap join with a new ticket; or set this machine's clock, if it is wrong"
            : "drap leave, then drap join with a new ticket; or drap up for a swarm of its own");

    private void RefusedBy(PeerConnection connection, MembershipFault fault)
    {
        MembershipLog.RefusedBy(logger, connection.Remote, connection.RemoteAddress, fault);
        if (fault is not (MembershipFault.Removed or MembershipFault.Expired) || Interlocked.Exchange(ref isToldOutside, true))
            return;
        warn(fault == MembershipFault.Removed
            ? $"{connection.Remote} says that this node was removed from the swarm; drap leave ends that, drap join with a new ticket begins anew"
            : $"{connection.Remote} says that this node's certificate has expired; drap join with a new ticket, or set the clock that is wrong");
    }

    private DrainAnswer Judge(DrainOrder order, PeerId signer, PeerId from)
    {
        lock (gate)
            return members.Judge(order, signer, from);
    }

    private StandbyRefusal JudgeStandby(PeerId asker, PeerId scheduler, bool keepsJournalOutside)
    {
        lock (gate)
            return members.Judge(asker, scheduler, keepsJournalOutside);
    }

    private void Show(PeerId peer, DelegationShown shown)
    {
        if (!SignedPapers.TryOpen(shown, out SignedDelegation? delegation, out ImmutableArray<SignedCertificate> scheduler))
            return;
        lock (gate)
            members.Step(new MembershipInput.Delegated(peer, delegation, scheduler), BootClock.UtcNow, []);
    }

    private bool IsRemoved(PeerId peer)
    {
        lock (gate)
            return members.Revocations.All.Any(r => r.Body.Subject == peer && (r.Signer == Swarm || r.Signer == identity.Peer || r.Signer == peer));
    }

    private Multiaddr[] OwnAddresses()
    {
        Multiaddr[] all = [.. (attached?.Host.ListenAddresses ?? []).Select(a => a.WithoutPeer() ?? a).Where(a => !a.IsCircuit && a.Bytes.Length <= Ticket.AddressBytesMax)];
        Multiaddr[] outside = [.. all.Where(a => !IsLoopback(a))];
        return outside.Length > 0 ? outside : all;
    }

    /// <summary>Addresses by which a newcomer finds the swarm when this node is away: gateways first.</summary>
    internal ImmutableArray<Wrapped> Leads()
    {
        if (attached is not { Host: { } host })
            return [];
        IEnumerable<Multiaddr> others = Present.OrderByDescending(m => m.Roles.HasFlag(NodeRoles.Gateway))
            .SelectMany(m => host.PeerBook[m.Peer].Addresses.Where(a => !a.IsCircuit && !IsLoopback(a)).Take(2).Select(a => a.WithPeer(m.Peer)));
        return
        [
            .. OwnAddresses().Select(a => a.WithPeer(identity.Peer)).Concat(others).Where(a => a.Bytes.Length <= Ticket.AddressBytesMax).Distinct()
                .Take(JoinReply.AddressesMax).Select(a => new Wrapped([.. a.Bytes])),
        ];
    }

    private static bool IsLoopback(Multiaddr address) => address.TryGetTcp(out EndPoint? endPoint, out _) && endPoint is IPEndPoint ip && IPAddress.IsLoopback(ip.Address);

    private MessageVerdict Check(GossipMessage message)
    {
        ReadOnlySpan<byte> envelope = message.Content.Data.Span;
        if (IsKnown(new Wrapped([.. envelope])))
            return MessageVerdict.Ignore;
        return SignedPapers.TryOpen(envelope, out SignedRevocation? revocation) && revocation.Body.Swarm == Swarm ? MessageVerdict.Accept : MessageVerdict.Reject;
    }

    private bool IsKnown(Wrapped envelope)
    {
        lock (gate)
            return members.Revocations.Contains(envelope);
    }

    private Task HearAsync(ReadOnlyMemory<byte> envelope, bool isPublished) =>
        SignedPapers.TryOpen(envelope.Span, out SignedRevocation? revocation) ? TakeAsync(revocation, isPublished) : Task.CompletedTask;

    /// <summary>Takes a removal in, wherever it comes from; whether it was new.</summary>
    private async Task<bool> TakeAsync(SignedRevocation revocation, bool isPublished)
    {
        var effects = new List<MembershipEffect>();
        lock (gate)
        {
            members.Step(new MembershipInput.Heard(revocation), BootClock.UtcNow, effects);
            // Under the lock, so that an older list does not replace a newer one.
            foreach (MembershipEffect.Store store in effects.OfType<MembershipEffect.Store>())
                Keep(store.All);
        }
        await PerformAsync(effects, isPublished).ConfigureAwait(false);
        return effects.Count > 0;
    }

    private void Keep(ImmutableArray<SignedRevocation> all)
    {
        try
        {
            folder.WriteRevocations(all);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It holds as long as the process does; after a restart the others say it again.
            MembershipLog.NotKept(logger, e.Message);
        }
    }

    private async Task PerformAsync(List<MembershipEffect> effects, bool isPublished)
    {
        foreach (MembershipEffect effect in effects)
            switch (effect)
            {
                case MembershipEffect.Spread spread when !isPublished && attached is { } here:
                    await here.PubSub.PublishAsync(Topic, spread.Revocation.Envelope.Bytes.AsMemory(), stopping.Token).ConfigureAwait(false);
                    break;
                case MembershipEffect.Close close:
                    MembershipLog.ShownOut(logger, close.Member.Name, close.Member.Peer, close.Why);
                    if (attached is { } there)
                        await there.Host.DisconnectAsync(close.Member.Peer).ConfigureAwait(false);
                    break;
                case MembershipEffect.Outside outside when !Interlocked.Exchange(ref isToldOutside, true):
                    warn(NotMember(outside.Why) is var fault ? $"{fault.Message}; {fault.Remedy}" : "");
                    break;
            }
    }

    private Task WakeAsync()
    {
        var effects = new List<MembershipEffect>();
        lock (gate)
            members.Step(new MembershipInput.Woke(), BootClock.UtcNow, effects);
        Remember();
        return PerformAsync(effects, isPublished: true);
    }

    /// <summary>The card's addresses are those of nodes that were met last: a node that comes back after weeks still finds somebody.</summary>
    private void Remember()
    {
        ImmutableArray<Wrapped> leads = [.. Leads().Where(a => !Multiaddr.TryFromBytes(a.Bytes.AsSpan(), out Multiaddr? address) || address.Peer != identity.Peer)];
        if (leads.IsEmpty || leads.SequenceEqual(remembered))
            return;
        remembered = leads;
        try
        {
            folder.WriteCard(card with { Addresses = leads });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            MembershipLog.NotKept(logger, e.Message);
        }
    }

    private void Run(Func<Task> work)
    {
        if (stopping.IsCancellationRequested)
            return;
        Task task = Task.Run(async () =>
        {
            try
            {
                await work().ConfigureAwait(false);
            }
            catch (Exception e) when (e is Libp2pException or OperationCanceledException or ObjectDisposedException)
            {
                // The peer has gone, or this node goes: whoever still needs to know hears it elsewhere.
            }
        });
        running.TryAdd(task, 0);
        _ = task.ContinueWith(done => running.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>What a peer showed at the gate.</summary>
    /// <param name="Chain">Its certificates, whose signatures are good.</param>
    /// <param name="Differs">Whether it knows of other removals, and this side is to ask.</param>
    /// <param name="Delegation">For whom else it says it may speak; its signatures are not looked at yet.</param>
    /// <param name="Sent">What this side said of that.</param>
    private sealed record Shown(ImmutableArray<SignedCertificate> Chain, bool Differs, DelegationShown? Delegation, DelegationShown? Sent);

    private sealed record Attachment(Libp2pHost Host, PubSub PubSub, TopicListener Listening, IDisposable Observing, Timer Looking);
}
