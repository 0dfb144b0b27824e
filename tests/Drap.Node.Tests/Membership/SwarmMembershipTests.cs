using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Core.Membership;
using Drap.Core.Messages;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Keys;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Identity;
using Drap.Node.Membership;
using Drap.Node.Overlay;
using Drap.Node.Tests.Overlay;
using Drap.Node.Time;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Drap.Node.Tests.Membership;

/// <summary>Members, strangers and removed nodes on real connections, all in this process.</summary>
public sealed class SwarmMembershipTests : IAsyncLifetime
{
    private readonly List<IOverlay> joined = [];
    private string folder = "";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static TimeSpan Patience => OverlayRecorder.Patience;

    public ValueTask InitializeAsync()
    {
        folder = Directory.CreateTempSubdirectory("drap-members-").FullName;
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IOverlay overlay in joined)
            await overlay.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Who_was_let_in_by_a_ticket_is_a_member_and_keeps_its_place()
    {
        Node founder = await FoundAsync("alpha");
        string ticket = TicketText.Encode(founder.Membership.Invite(RoleWords.Usual, new Principal("lab"), TimeSpan.FromHours(1), TimeSpan.FromDays(30))!);
        Node guest = await JoinAsync("beta", ticket, founder);
        await MeetAsync(founder, guest);
        Member seen = Assert.Single(founder.Membership.Present);
        Assert.Equal(("beta", "lab", RoleWords.Usual), (seen.Name, seen.Principal.Name, seen.Roles));
        Assert.Equal(guest.Overlay.Self, Assert.Single(founder.Membership.Invitations.All).Guest!.Peer);
        // A frame goes each way.
        Assert.True(guest.Overlay.Send(founder.Overlay.Self, new byte[] { 1, 2, 3, 4 }));
        await UntilAsync(() => founder.Recorder.Count == 1, "the frame does not arrive");
    }

    [Fact]
    public async Task A_ticket_serves_one_node_which_may_ask_again()
    {
        Node founder = await FoundAsync("alpha");
        Ticket ticket = founder.Membership.Invite(RoleWords.Usual, new Principal("lab"), TimeSpan.FromHours(1), TimeSpan.FromDays(30))!;
        NodeIdentity first = Identity("first"), second = Identity("second");
        JoinReply reply = await AskAsync(ticket, first), again = await AskAsync(ticket, first);
        Assert.Equal(reply.Chain, again.Chain);
        JoinException refused = await Assert.ThrowsAsync<JoinException>(() => AskAsync(ticket, second));
        Assert.Contains("used by another node", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Guessed_and_expired_secrets_open_nothing()
    {
        Node founder = await FoundAsync("alpha");
        Ticket ticket = founder.Membership.Invite(RoleWords.Usual, new Principal("lab"), TimeSpan.FromTicks(1), TimeSpan.FromDays(30))!;
        // The ticket itself says that it is over; a thief writes another time into it.
        Assert.Contains("was good until", (await Assert.ThrowsAsync<JoinException>(() => AskAsync(ticket, Identity("late")))).Message, StringComparison.Ordinal);
        Ticket forged = ticket with { Expires = BootClock.UtcNow + TimeSpan.FromDays(1), Roles = RoleWords.All };
        Assert.Contains("time is over", (await Assert.ThrowsAsync<JoinException>(() => AskAsync(forged, Identity("thief")))).Message, StringComparison.Ordinal);
        Ticket guessed = forged with { Secret = [.. new byte[Ticket.SecretBytes]] };
        Assert.Contains("does not know it", (await Assert.ThrowsAsync<JoinException>(() => AskAsync(guessed, Identity("thief")))).Message, StringComparison.Ordinal);
        Assert.Empty(founder.Membership.Present);
    }

    [Fact]
    public async Task Nodes_of_another_swarm_and_of_none_stay_outside()
    {
        Node founder = await FoundAsync("alpha"), other = await FoundAsync("omega");
        other.Overlay.Know(founder.Overlay.Self, founder.Overlay.Addresses);
        await Assert.ThrowsAsync<OverlayException>(() => other.Overlay.OpenStreamAsync(founder.Overlay.Self, "/test/1.0.0", Cancel).AsTask());
        var open = new OverlayRecorder();
        IOverlay stranger = await OverlayFactory.JoinAsync(Options(null), Identity("stranger"), open, Cancel);
        joined.Add(stranger);
        stranger.Know(founder.Overlay.Self, founder.Overlay.Addresses);
        await Assert.ThrowsAsync<OverlayException>(async () =>
        {
            await using OverlayStream stream = await stranger.OpenStreamAsync(founder.Overlay.Self, "/test/1.0.0", Cancel);
            await stream.WriteAsync("hello"u8.ToArray(), Cancel);
            Assert.Equal(0, await stream.ReadAsync(new byte[1], Cancel));
            throw new OverlayException(OverlayFailure.Reset, "it says nothing");
        });
        Assert.Empty(founder.Overlay.Peers);
        Assert.Empty(founder.Membership.Present);
        Assert.Equal(0, founder.Recorder.Count);
    }

    [Fact]
    public async Task A_certificate_that_was_copied_serves_nobody_else()
    {
        Node founder = await FoundAsync("alpha");
        JoinReply card = MembershipFolder.Of(HomeFolder.At(Path.Combine(folder, "alpha"))).ReadCard();
        NodeIdentity thief = Identity("thief");
        var stolen = new MembershipFolder(Path.Combine(folder, "stolen"));
        stolen.WriteCard(card);
        HomeException refused = Assert.Throws<HomeException>(() => SwarmMembership.Open(stolen, thief, NodeRoles.Worker, NullLogger.Instance, _ => { }));
        Assert.Contains("NotItsOwn", refused.Message, StringComparison.Ordinal);
        Assert.NotNull(founder.Membership.Self);
    }

    [Fact]
    public async Task A_removal_shuts_out_everywhere_and_who_was_away_hears_of_it()
    {
        Node founder = await FoundAsync("alpha");
        Node near = await JoinAsync("near", Invite(founder), founder), bad = await JoinAsync("bad", Invite(founder), founder);
        Node away = await JoinAsync("away", Invite(founder), founder);
        await MeetAsync(founder, near);
        await MeetAsync(founder, bad);
        await MeetAsync(near, bad);
        // The founder says it while one of them is away.
        await away.Overlay.DisposeAsync();
        Assert.True(await founder.Membership.RemoveAsync(bad.Overlay.Self, "it lies"));
        await UntilAsync(() => !founder.Overlay.Peers.Contains(bad.Overlay.Self) && !near.Overlay.Peers.Contains(bad.Overlay.Self), "the removed node is still connected");
        await Assert.ThrowsAsync<OverlayException>(() => bad.Overlay.OpenStreamAsync(near.Overlay.Self, "/test/1.0.0", Cancel).AsTask());
        await UntilAsync(() => bad.Warnings.Any(w => w.Contains("was removed", StringComparison.Ordinal)), "the removed node is not told");
        // It comes back and meets the removed node first, then somebody who knows.
        away = await StartAsync("away");
        await MeetAsync(away, near);
        await UntilAsync(() => away.Membership.Removed.Any(r => r.Body.Subject == bad.Overlay.Self), "who was away does not hear of the removal");
        // And it has it on disk.
        Assert.Equal(bad.Overlay.Self, Assert.Single(MembershipFolder.Of(HomeFolder.At(Path.Combine(folder, "away"))).ReadRevocations()).Body.Subject);
        Assert.Equal(JoinRefusal.Removed, (await RefusalAsync(founder, bad.Identity)));
    }

    [Fact]
    public async Task Nobody_removes_who_did_not_let_him_in()
    {
        Node founder = await FoundAsync("alpha");
        Node one = await JoinAsync("one", Invite(founder), founder), other = await JoinAsync("other", Invite(founder), founder);
        await MeetAsync(founder, one);
        await MeetAsync(founder, other);
        await MeetAsync(one, other);
        Assert.False(one.Membership.MayRemove(other.Overlay.Self));
        // It says it all the same; the others keep it, and nothing comes of it.
        await one.Membership.RemoveAsync(other.Overlay.Self, "because");
        await UntilAsync(() => founder.Membership.Removed.Length == 1 && other.Membership.Removed.Length == 1, "the word does not spread");
        Assert.Contains(other.Overlay.Self, founder.Overlay.Peers);
        Assert.Empty(other.Warnings);
    }

    [Fact]
    public async Task Frames_of_a_member_without_the_role_are_dropped()
    {
        Node founder = await FoundAsync("alpha");
        Node gateway = await JoinAsync("gateway", Invite(founder, NodeRoles.Gateway), founder), worker = await JoinAsync("worker", Invite(founder, NodeRoles.Worker), founder);
        await MeetAsync(founder, gateway);
        await MeetAsync(founder, worker);
        for (byte i = 0; i < 10; i++)
        {
            Assert.True(gateway.Overlay.Send(founder.Overlay.Self, new byte[] { i, 0, 0, 0 }));
            Assert.True(worker.Overlay.Send(founder.Overlay.Self, new byte[] { i, 0, 0, 0 }));
        }
        await UntilAsync(() => founder.Recorder.Numbers(worker.Overlay.Self).Length == 10, "the worker's frames do not arrive");
        // They went over a connection of their own, so a stream shows that they were through.
        founder.Overlay.Handle("/test/1.0.0", async (_, stream, ct) => await stream.WriteAsync(new byte[1], ct));
        await using OverlayStream seen = await gateway.Overlay.OpenStreamAsync(founder.Overlay.Self, "/test/1.0.0", Cancel);
        Assert.Equal(1, await seen.ReadAsync(new byte[1], Cancel));
        Assert.Empty(founder.Recorder.Numbers(gateway.Overlay.Self));
        Assert.True(founder.Membership.MaySpeakFor(worker.Overlay.Self, new Principal("lab")));
        Assert.False(founder.Membership.MaySpeakFor(worker.Overlay.Self, founder.Membership.Self.Principal));
    }

    [Fact]
    public async Task An_ad_of_an_author_who_is_not_connected_is_judged_by_the_certificates_that_come_with_it()
    {
        Node founder = await FoundAsync("alpha");
        PeerId neighbour = Identity("neighbour").Peer;
        (PeerId author, ImmutableArray<Wrapped> chain) = Certify("guest", NodeRoles.Scheduler);
        Assert.Equal(MessageVerdict.Ignore, founder.Membership.Judge(author, neighbour, AdOf(author, "lab", [])));
        Assert.Equal(MessageVerdict.Reject, founder.Membership.Judge(author, neighbour, AdOf(author, founder.Membership.Self.Principal.Name, chain)));
        (PeerId honest, chain) = Certify("honest", NodeRoles.Scheduler);
        // Another's, one with a bent signature, and one that gives no work.
        Assert.Equal(MessageVerdict.Reject, founder.Membership.Judge(neighbour, neighbour, AdOf(neighbour, "lab", chain)));
        Assert.Equal(MessageVerdict.Reject, founder.Membership.Judge(neighbour, neighbour, AdOf(neighbour, "lab", [new Wrapped([.. chain[0].Bytes.SkipLast(1), (byte)(chain[0].Bytes[^1] ^ 1)])])));
        (PeerId worker, ImmutableArray<Wrapped> workers) = Certify("worker", NodeRoles.Worker);
        Assert.Equal(MessageVerdict.Reject, founder.Membership.Judge(worker, neighbour, AdOf(worker, "lab", workers)));
        Assert.False(founder.Membership.MaySpeakFor(honest, new Principal("lab")));
        Assert.Equal(MessageVerdict.Accept, founder.Membership.Judge(honest, neighbour, AdOf(honest, "lab", chain)));
        // From then on it is known, and speaks for that principal alone.
        Assert.True(founder.Membership.MaySpeakFor(honest, new Principal("lab")));
        Assert.Equal(MessageVerdict.Accept, founder.Membership.Judge(honest, neighbour, AdOf(honest, "lab", [])));
        Assert.Equal(MessageVerdict.Ignore, founder.Membership.Judge(honest, neighbour, AdOf(honest, "other", chain)));
        await founder.Membership.RemoveAsync(honest, "it lies");
        Assert.Equal(MessageVerdict.Ignore, founder.Membership.Judge(honest, neighbour, AdOf(honest, "lab", chain)));
    }

    [Fact]
    public async Task Who_passes_on_many_ads_of_unknown_authors_has_no_more_signatures_looked_at_than_its_rate()
    {
        Node founder = await FoundAsync("alpha");
        PeerId flooder = Identity("flooder").Peer, other = Identity("other").Peer, stranger = Identity("stranger").Peer;
        (_, ImmutableArray<Wrapped> chain) = Certify("guest", NodeRoles.Scheduler);
        Ad foreign = AdOf(stranger, "lab", chain);
        int looked = 0;
        for (int i = 0; i < 10_000; i++)
            looked += founder.Membership.Judge(stranger, flooder, foreign) == MessageVerdict.Reject ? 1 : 0;
        // 32 at once and ten a second: the loop may take a while on a busy machine, but surely not minutes.
        Assert.InRange(looked, 32, 640);
        Assert.Equal(MessageVerdict.Reject, founder.Membership.Judge(stranger, other, foreign));
    }

    [Fact]
    public async Task An_ad_in_the_name_of_another_principal_reaches_nobody()
    {
        const string topic = "/drap/1.0.0/tasks/cpu/local/all";
        Node founder = await FoundAsync("alpha");
        Node liar = await JoinAsync("liar", Invite(founder), founder);
        await MeetAsync(founder, liar);
        founder.Overlay.Subscribe(topic);
        liar.Overlay.Watch(topic);
        await UntilAsync(() => liar.Recorder.AudienceOf(topic).Contains(founder.Overlay.Self), "nobody hears the topic");
        liar.Overlay.Publish(topic, MessageCodec.Encode(AdOf(liar.Overlay.Self, founder.Membership.Self.Principal.Name, liar.Membership.Certificates)));
        Ad good = AdOf(liar.Overlay.Self, "lab", liar.Membership.Certificates);
        liar.Overlay.Publish(topic, MessageCodec.Encode(good));
        // What one publishes comes in its order.
        await UntilAsync(() => founder.Recorder.Count > 0, "the honest ad does not arrive");
        Assert.True(MessageCodec.TryDecode(founder.Recorder.Frames[0].Bytes.Span, out Message? heard, out _));
        Assert.Equal("lab", Assert.IsType<Ad>(heard).Principal.Name);
    }

    [Fact]
    public async Task A_node_drains_when_somebody_orders_it_whom_it_heeds()
    {
        Node founder = await FoundAsync("alpha");
        Node one = await JoinAsync("one", Invite(founder), founder), other = await JoinAsync("other", Invite(founder), founder);
        int drained = 0;
        one.Membership.Drain = () => drained++;
        Assert.Null(await one.Membership.DrainAsync(other.Overlay.Self, Cancel));
        await MeetAsync(founder, one);
        await MeetAsync(one, other);
        Assert.Equal(DrainAnswer.Draining, await founder.Membership.DrainAsync(one.Overlay.Self, Cancel));
        // Of the same principal.
        Assert.Equal(DrainAnswer.Draining, await other.Membership.DrainAsync(one.Overlay.Self, Cancel));
        Assert.Equal(2, drained);
        founder.Membership.Drain = () => drained++;
        Assert.Equal(DrainAnswer.NotYours, await one.Membership.DrainAsync(founder.Overlay.Self, Cancel));
        Assert.Equal(DrainAnswer.NoWorker, await one.Membership.DrainAsync(other.Overlay.Self, Cancel));
        Assert.Equal(2, drained);
    }

    private (PeerId Peer, ImmutableArray<Wrapped> Chain) Certify(string name, NodeRoles roles)
    {
        using PrivateKey key = NodeIdentity.Open(MembershipFolder.Of(HomeFolder.At(Path.Combine(folder, "alpha"))).FounderKeyFile).OpenKey();
        PeerId peer = Identity(name).Peer;
        UtcTime now = BootClock.UtcNow;
        return (peer, [SignedPapers.Seal(new Certificate(key.PeerId, peer, name, new Principal("lab"), roles, now, now + TimeSpan.FromDays(1)), key)]);
    }

    private static Ad AdOf(PeerId author, string principal, ImmutableArray<Wrapped> chain) => new()
    {
        Id = default, Scheduler = author, Principal = new Principal(principal), Epoch = new Epoch(1), Sequence = 1, Groups = [], Chain = chain,
    };

    private static string Invite(Node founder, NodeRoles roles = RoleWords.Usual) =>
        TicketText.Encode(founder.Membership.Invite(roles, new Principal("lab"), TimeSpan.FromHours(1), TimeSpan.FromDays(30))!);

    private static async Task<JoinReply> AskAsync(Ticket ticket, NodeIdentity identity)
    {
        using PrivateKey key = identity.OpenKey();
        return await JoinCall.JoinAsync(ticket, key, "guest", Cancel).WaitAsync(Patience);
    }

    private static async Task<JoinRefusal> RefusalAsync(Node founder, NodeIdentity identity)
    {
        JoinException refused = await Assert.ThrowsAsync<JoinException>(
            () => AskAsync(founder.Membership.Invite(RoleWords.Usual, new Principal("lab"), TimeSpan.FromHours(1), TimeSpan.FromDays(1))!, identity));
        return refused.Message.StartsWith("this node was removed", StringComparison.Ordinal) ? JoinRefusal.Removed : JoinRefusal.Unknown;
    }

    private static async Task UntilAsync(Func<bool> holds, string lacking)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!holds())
        {
            Assert.False(late.IsCancellationRequested, lacking);
            await Task.Delay(5, Cancel);
        }
    }

    private static async Task MeetAsync(Node one, Node other)
    {
        other.Overlay.Know(one.Overlay.Self, one.Overlay.Addresses);
        try
        {
            await using OverlayStream stream = await other.Overlay.OpenStreamAsync(one.Overlay.Self, "/none/1.0.0", Cancel);
        }
        catch (OverlayException e) when (e.Failure == OverlayFailure.NotServed)
        {
            // They are connected; that was all that was wanted.
        }
        await UntilAsync(
            () => one.Membership.Present.Any(m => m.Peer == other.Overlay.Self) && other.Membership.Present.Any(m => m.Peer == one.Overlay.Self), "they do not meet");
    }

    private static OverlayOptions Options(SwarmMembership? membership) => new() { Kind = OverlayKind.Libp2p, Gate = membership };

    private NodeIdentity Identity(string name) => NodeIdentity.Open(Path.Combine(folder, name, "identity.key"));

    private Task<Node> FoundAsync(string name) => EnterAsync(name, new SwarmOptions { Name = name });

    private Task<Node> StartAsync(string name) => EnterAsync(name, new SwarmOptions());

    private Task<Node> JoinAsync(string name, string ticket, Node founder)
    {
        Assert.True(TicketText.TryDecode(ticket, out Ticket? read, out string? fault), fault);
        // Loopback has no name on other machines, so a ticket of a node that listens there leads there.
        Assert.Equal(founder.Overlay.Self, read.Inviter);
        return EnterAsync(name, new SwarmOptions { Name = name, Ticket = read });
    }

    private async Task<Node> EnterAsync(string name, SwarmOptions options)
    {
        HomeFolder home = HomeFolder.At(Path.Combine(folder, name));
        home.Create();
        NodeIdentity identity = Identity(name);
        MembershipFolder its = await SwarmEntry.EnterAsync(home, identity, options, Cancel).WaitAsync(Patience);
        var warnings = new ConcurrentQueue<string>();
        SwarmMembership membership = SwarmMembership.Open(its, identity, NodeRoles.Worker, NullLogger.Instance, warnings.Enqueue);
        var recorder = new OverlayRecorder();
        IOverlay overlay = await OverlayFactory.JoinAsync(Options(membership), identity, recorder, Cancel);
        joined.Add(overlay);
        return new Node(identity, membership, overlay, recorder, warnings);
    }

    private sealed record Node(NodeIdentity Identity, SwarmMembership Membership, IOverlay Overlay, OverlayRecorder Recorder, ConcurrentQueue<string> Warnings);
}
