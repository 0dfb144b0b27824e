using System.Collections.Immutable;
using Drap.Libp2p.Kademlia.Queries;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// A node of the DHT (libp2p/specs, kad-dht): its routing table, what it keeps for others, and its questions to them. Each call takes the
/// time and adds what is to be done to a list; the caller does that in order, tells how each request ended, and calls
/// <see cref="Advance"/> at <see cref="NextDeadline"/>. Not thread-safe.
/// </summary>
/// <remarks>
/// Questions have numbers above zero. Their bounds: <see cref="QueriesMax"/> questions, <see cref="RequestsMax"/> requests under way and
/// <see cref="RequestsToPeerMax"/> to one peer; beyond them a question is refused and a request waits.
/// </remarks>
public sealed class KadMachine
{
    /// <summary>Questions under way. Each may wait for k peers; more than this would only wait for each other. Then a question is refused.</summary>
    public const int QueriesMax = 256;

    /// <summary>
    /// Searches of a region under way, of the questions: each is up to <see cref="RegionQuery.PartsMax"/> walks. Then another is refused.
    /// </summary>
    public const int SearchesMax = 8;

    /// <summary>Requests under way, each a stream and perhaps a dial. Others wait.</summary>
    public const int RequestsMax = 128;

    /// <summary>Requests under way to one peer: js takes 32 streams of a protocol. Others wait.</summary>
    public const int RequestsToPeerMax = 16;

    private readonly KadOptions options;
    private readonly KadKey self;
    private readonly Prng random;
    private readonly KadServer server;
    private readonly KnownPeers known = new();
    private readonly Upkeep upkeep;
    private readonly NetworkSize size = new();
    private readonly RequestTable requests;
    private readonly List<KadQuery> queries = [];
    private readonly Func<PeerId, bool> isBusy;
    private readonly Instant startedAt;
    private readonly UtcTime startedAtUtc;
    private long lastQuery;
    private int turn;

    /// <summary>A node that knows nobody. <paramref name="utc"/> is the wall clock's time at <paramref name="now"/>.</summary>
    public KadMachine(PeerId self, KadOptions options, bool isServer, Prng random, Instant now, UtcTime utc)
    {
        Invariant.Check(options.K is > 0 and <= 20 && options.Alpha > 0);
        Self = self;
        this.self = KadKey.Of(self);
        this.options = options;
        this.random = random;
        IsServer = isServer;
        startedAt = now;
        startedAtUtc = utc;
        Table = new RoutingTable(this.self, options.K);
        upkeep = new Upkeep(options, Table, this.self, random);
        requests = new RequestTable(options.RequestTimeout);
        isBusy = peer => requests.CountTo(peer) >= RequestsToPeerMax;
        server = new KadServer(self, options, Table, known)
        {
            OwnRecord = key => upkeep.Own.Value(key) is { } value ? new KadRecord(key, value, startedAtUtc) : null,
            IsProvided = upkeep.Own.IsProvided,
        };
    }

    /// <summary>Who the node is.</summary>
    public PeerId Self { get; }

    /// <summary>The servers it knows.</summary>
    public RoutingTable Table { get; }

    /// <summary>Values kept for others.</summary>
    public RecordStore Records => server.Records;

    /// <summary>Provider records kept for others.</summary>
    public ProviderStore Providers => server.Providers;

    /// <summary>
    /// Whether it answers. A server can be reached by everybody and is told to others; a client only asks. When it becomes a client its
    /// host must also stop saying in identify that it speaks the protocol.
    /// </summary>
    public bool IsServer { get; set; }

    /// <summary>Where the node itself can be reached: told with what it provides. At most 8 are.</summary>
    public ImmutableArray<Multiaddr> Addresses
    {
        get => server.Addresses;
        set => server.Addresses = Fit(value, KadServer.AddressesMax);
    }

    /// <summary>Questions under way, of the machine's own too.</summary>
    public int QueryCount => queries.Count;

    /// <summary>Requests under way.</summary>
    public int RequestCount => requests.Count;

    /// <summary>When <see cref="Advance"/> has something to do; it may be called at any time.</summary>
    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Min(Instant.Min(requests.NextDeadline, server.NextDeadline), upkeep.NextDeadline);
            foreach (KadQuery query in queries)
                next = Instant.Min(next, query.NextDeadline);
            return next;
        }
    }

    /// <summary>About how many other servers the network has, from how densely they stand; null while nothing is known.</summary>
    public long? EstimateSize(Instant now) => size.Estimate(now);

    /// <summary>A connected peer has said who it is, and whether it speaks the protocol: it is a server then.</summary>
    public void Identified(KadPeer peer, bool speaks, Instant now, List<KadEffect> effects)
    {
        peer = peer with { Addresses = Fit(peer.Addresses, KadCodec.AddressesMax) };
        known.Add(peer, isServer: speaks);
        if (speaks)
            Heard(peer, now, effects);
        else
            Table.Remove(peer.Id);
        Settle(now, effects);
    }

    /// <summary>The last connection to a peer is gone. It stays in the table: it may well be dialed again.</summary>
    public void Disconnected(PeerId peer) => known.Remove(peer);

    /// <summary>Answers what a peer asks on a stream of the protocol.</summary>
    public KadReply Handle(PeerId from, KadMessage request, Instant now) =>
        IsServer ? server.Handle(from, request, startedAtUtc + (now - startedAt), now) : KadReply.Refused;

    /// <summary>
    /// Finds the k nearest servers to a key, which is not hashed. Ends with <see cref="KadOutcome.Peers"/>. 0: refused, also when the key is
    /// empty or too long: every peer would refuse it, and be forgotten for that.
    /// </summary>
    public long FindClosest(byte[] key, Instant now, List<KadEffect> effects)
    {
        if (key.Length is 0 or > KadCodec.KeyBytesMax)
            return 0;
        return Start(
            id => new WalkQuery(id, now + options.QueryTimeout, Walk(KadKey.Of(key)), new KadMessage(KadMessageType.FindNode, key)), now, effects);
    }

    /// <summary>Finds where a peer is. Ends with <see cref="KadOutcome.Peers"/>: it, or nobody. 0: refused.</summary>
    public long FindPeer(PeerId peer, Instant now, List<KadEffect> effects)
    {
        if (known.TryGet(peer, out KadPeer? found) || Table.TryGet(peer, out found))
        {
            if (!found.Addresses.IsEmpty)
                return StartDone(new KadOutcome.Peers([found]), effects);
        }
        return Start(id => new PeerQuery(id, now + options.QueryTimeout, peer, Walk(KadKey.Of(peer))), now, effects);
    }

    /// <summary>
    /// Finds the value under a key. Ends with <see cref="KadOutcome.Value"/>, once <paramref name="quorum"/> peers, ourselves among them,
    /// have said a valid one or nobody is left to be asked; with a quorum of 0 all that are nearest are asked. 0: refused, also when nobody
    /// could say which values are valid.
    /// </summary>
    public long GetValue(byte[] key, int quorum, Instant now, List<KadEffect> effects)
    {
        if (key.Length is 0 or > KadCodec.KeyBytesMax || RecordStore.ValidatorOf(key, options) is not { } validator)
            return 0;
        Invariant.Check(quorum >= 0);
        byte[]? local = server.Best(key, now)?.Value;
        if (local is not null && quorum == 1)
            return StartDone(new KadOutcome.Value(local), effects);
        return Start(
            id => new ValueQuery(id, now + options.QueryTimeout, key, quorum, validator, local, Walk(KadKey.Of(key))), now, effects);
    }

    /// <summary>
    /// Puts a value, and goes on putting it, or a better one that is put here meanwhile, until <see cref="StopPutting"/>. Ends with
    /// <see cref="KadOutcome.Kept"/>. 0: refused, since the value is not valid, not as good as the one that is known here, there are too many,
    /// or too many questions.
    /// </summary>
    public long PutValue(byte[] key, byte[] value, Instant now, List<KadEffect> effects)
    {
        if (key.Length is 0 or > KadCodec.KeyBytesMax || value.Length > KadCodec.ValueBytesMax
            || RecordStore.ValidatorOf(key, options) is not { } validator || !validator.IsValid(key, value)
            || (server.Best(key, now) is { } best && !best.Value.AsSpan().SequenceEqual(value) && !validator.IsBetter(key, value, best.Value))
            || !upkeep.Own.TryPut(key, value))
            return 0;
        // What was put here before is worse now, also where the last one put is the best.
        Records.Remove(key);
        upkeep.Say(key, isValue: true, now);
        return Spread(PutMessage(key, value, now), now, effects);
    }

    /// <summary>Forgets a value of our own; those who keep it do so until it lapses.</summary>
    public void StopPutting(byte[] key) => upkeep.Own.Remove(key, isValue: true);

    /// <summary>
    /// Says that the node provides a content, named by its multihash, and goes on saying so until <see cref="StopProviding"/>. Ends with
    /// <see cref="KadOutcome.Kept"/>. 0: refused. Nobody takes a provider without an address: while there is none nobody is told.
    /// </summary>
    public long Provide(byte[] content, Instant now, List<KadEffect> effects)
    {
        if (content.Length is < 4 or > 80 || !upkeep.Own.TryProvide(content))
            return 0;
        upkeep.Say(content, isValue: false, now);
        if (!Addresses.IsEmpty)
            return Spread(ProvideMessage(content), now, effects);
        upkeep.Said(content, isValue: false, by: 0, now);
        return StartDone(new KadOutcome.Kept(0), effects);
    }

    /// <summary>Provides a content no more; those who keep the record do so until it lapses.</summary>
    public void StopProviding(byte[] content) => upkeep.Own.Remove(content, isValue: false);

    /// <summary>
    /// Finds who provides a content, named by its multihash. Tells them as <see cref="KadEffect.Found"/> and ends with
    /// <see cref="KadOutcome.Peers"/>, all of them, once <paramref name="wanted"/> are found or nobody is left to be asked. 0: refused.
    /// </summary>
    public long FindProviders(byte[] content, int wanted, Instant now, List<KadEffect> effects)
    {
        if (content.Length is < 4 or > 80 || wanted <= 0)
            return 0;
        List<KadPeer> local = Providers.Find(KadKey.Of(content), wanted, now);
        long started = Start(
            id => new ProvidersQuery(id, now + options.QueryTimeout, content, wanted, local, Walk(KadKey.Of(content))), now, effects,
            local.Count == 0 ? null : id => new KadEffect.Found(id, [.. local]));
        return started;
    }

    /// <summary>
    /// Finds servers that stand in a region. Tells them as <see cref="KadEffect.Found"/> as they answer and ends with
    /// <see cref="KadOutcome.Members"/>, all of them, once <paramref name="wanted"/> are found, the region is searched through, or
    /// <see cref="KadOptions.SearchTimeout"/> is over. 0: refused, also when <see cref="SearchesMax"/> are under way.
    /// </summary>
    public long FindMembers(KeyPrefix region, int wanted, Instant now, List<KadEffect> effects)
    {
        if (wanted <= 0 || queries.Count(query => query is RegionQuery) >= SearchesMax)
            return 0;
        return Start(id => new RegionQuery(id, now, region, wanted, options, Table, Walk, random), now, effects);
    }

    /// <summary>Gives a question up; its end is not told.</summary>
    public void Cancel(long query, Instant now, List<KadEffect> effects)
    {
        if (queries.Find(running => running.Id == query) is { } found)
        {
            Close(found, now, effects);
            Note(found, by: 0, now);
        }
        Settle(now, effects);
    }

    /// <summary>A request got its answer, or, if it has none, was written.</summary>
    public void Answered(long request, KadMessage? answer, Instant now, List<KadEffect> effects)
    {
        if (!requests.TryEnd(request, out PendingRequest? pending))
            return;
        // An answer to another question than was asked is none.
        if (answer is not null ? answer.Type != pending.Message.Type : pending.IsAnswered)
        {
            Fail(pending, effects);
            Settle(now, effects);
            return;
        }
        // What was only written may have come to one who does not speak the protocol.
        if (answer is not null)
            Heard(known.TryGet(pending.To.Id, out KadPeer? identified) ? identified : pending.To, now, effects);
        if (pending.Query is { } query)
            query.Answered(pending, answer, effects);
        Settle(now, effects);
    }

    /// <summary>A request failed: the peer cannot be reached, does not speak the protocol, or reset the stream.</summary>
    public void Failed(long request, Instant now, List<KadEffect> effects)
    {
        if (!requests.TryEnd(request, out PendingRequest? pending))
            return;
        Fail(pending, effects);
        Settle(now, effects);
    }

    /// <summary>Does what is due.</summary>
    public void Advance(Instant now, List<KadEffect> effects)
    {
        server.Advance(now);
        while (requests.TryTakeDue(now, out PendingRequest? late))
        {
            effects.Add(new KadEffect.Abandon(late.Number));
            Fail(late, effects);
        }
        foreach (KadQuery query in queries)
            query.Advance(now);
        upkeep.Advance(now);
        Settle(now, effects);
    }

    /// <summary>Begins to refresh the table now: each bucket and the neighbourhood are looked up.</summary>
    public void RefreshNow(Instant now, List<KadEffect> effects)
    {
        upkeep.Refresh(now);
        Settle(now, effects);
    }

    /// <summary>The parts agree and the bounds hold.</summary>
    public void CheckInvariants()
    {
        Invariant.Check(queries.Count(query => query is RegionQuery) <= SearchesMax);
        Table.CheckInvariants();
        Records.CheckInvariants();
        Providers.CheckInvariants();
        requests.CheckInvariants();
        Invariant.Check(queries.Count <= QueriesMax && requests.Count <= RequestsMax);
        Invariant.Check(queries.All(query => !query.IsOver));
    }

    // What identify takes, the DHT's messages may not.
    private static ImmutableArray<Multiaddr> Fit(ImmutableArray<Multiaddr> addresses, int max) =>
        [.. addresses.Where(address => address.Bytes.Length <= KadCodec.AddressBytesMax).Take(max)];

    private Lookup Walk(KadKey target)
    {
        var walk = new Lookup(target, self, options.K, options.Alpha, options.SlowAfter, options.HopelessAfter);
        walk.Add(Table.Closest(target, options.K, withStale: true));
        // Among few peers none that is connected is left out, also if it failed when it was asked last and lost its place.
        if (Table.Count < options.K)
            walk.Add(known.Servers);
        return walk;
    }

    private long Spread(KadMessage message, Instant now, List<KadEffect> effects) =>
        Start(id => NewSpread(id, message, now), now, effects);

    private SpreadQuery NewSpread(long id, KadMessage message, Instant now) =>
        new(id, now + options.QueryTimeout, message, Walk(KadKey.Of(message.Key)), options.Alpha);

    private long Start(
        Func<long, KadQuery> create, Instant now, List<KadEffect> effects, Func<long, KadEffect>? first = null)
    {
        if (queries.Count >= QueriesMax)
            return 0;
        long id = ++lastQuery;
        if (first is not null)
            effects.Add(first(id));
        queries.Add(create(id));
        Settle(now, effects);
        return id;
    }

    private long StartDone(KadOutcome outcome, List<KadEffect> effects)
    {
        effects.Add(new KadEffect.Done(++lastQuery, outcome));
        return lastQuery;
    }

    private KadMessage PutMessage(byte[] key, byte[] value, Instant now) =>
        new(KadMessageType.PutValue, key) { Record = new KadRecord(key, value, startedAtUtc + (now - startedAt)) };

    private KadMessage ProvideMessage(byte[] content) =>
        new(KadMessageType.AddProvider, content) { Providers = [new KadPeer(Self, self, Addresses)] };

    private void Heard(KadPeer peer, Instant now, List<KadEffect> effects)
    {
        bool wasEmpty = Table.Count == 0;
        Table.Heard(peer, now, out KadPeer? check);
        if (check is not null && requests.Count < RequestsMax && !isBusy(check.Id))
        {
            var ask = new KadMessage(KadMessageType.FindNode, Self.Bytes.ToArray());
            effects.Add(requests.Add(check, ask, query: null, isAnswered: true, now));
        }
        if (wasEmpty && Table.Count > 0)
            upkeep.Begin(now);
    }

    private void Fail(PendingRequest pending, List<KadEffect> effects)
    {
        Table.Failed(pending.To.Id, pending.SentAt);
        pending.Query?.Failed(pending);
    }

    // Ends what is over, starts what is due, and sends what may be sent, until nothing more comes of it.
    private void Settle(Instant now, List<KadEffect> effects)
    {
        bool moved = true;
        while (moved)
        {
            moved = false;
            for (int i = queries.Count - 1; i >= 0; i--)
            {
                if (!queries[i].IsOver && queries[i].Deadline > now)
                    continue;
                End(queries[i], now, effects);
                moved = true;
            }
            while (upkeep.HasPlace && queries.Count < QueriesMax && TryStartUpkeep(now))
                moved = true;
            moved |= Send(now, effects);
        }
    }

    private bool TryStartUpkeep(Instant now)
    {
        long id = lastQuery + 1;
        if (upkeep.TryTakeLookup(Self, out byte[]? target))
            queries.Add(new WalkQuery(id, now + options.QueryTimeout, Walk(KadKey.Of(target)), new KadMessage(KadMessageType.FindNode, target)));
        else if (!upkeep.TryTakeOwn(now, out byte[] key, out bool isValue))
            return false;
        else if (isValue)
            queries.Add(NewSpread(id, PutMessage(key, server.Best(key, now)!.Value, now), now));
        else if (!Addresses.IsEmpty)
            queries.Add(NewSpread(id, ProvideMessage(key), now));
        else
        {
            upkeep.Said(key, isValue: false, by: 0, now);
            return true;
        }
        upkeep.Started(id);
        lastQuery = id;
        return true;
    }

    // Requests of all questions in turn, so that none waits for a greedy one.
    private bool Send(Instant now, List<KadEffect> effects)
    {
        bool sent = false, isOver = false;
        int idle = 0;
        while (queries.Count > 0 && idle < queries.Count && requests.Count < RequestsMax)
        {
            KadQuery query = queries[turn++ % queries.Count];
            if (!query.TryNext(now, isBusy, out KadPeer? peer, out KadMessage? message))
            {
                // One that has nobody else to ask where it has yet to look is over then.
                isOver |= query is RegionQuery { IsOver: true };
                idle++;
                continue;
            }
            idle = 0;
            sent = true;
            effects.Add(requests.Add(peer, message, query, message.Type != KadMessageType.AddProvider, now));
        }
        turn = queries.Count == 0 ? 0 : turn % queries.Count;
        return isOver || (sent && queries.Exists(query => query.IsOver));
    }

    private void End(KadQuery query, Instant now, List<KadEffect> effects)
    {
        if (query is WalkQuery { Walk: var walk } && walk.IsOver && walk.Closest is { Length: > 0 } closest)
            size.Add(walk.Target, closest, walk.Heard.Take(options.K).Count() < options.K, now);
        KadQuery? successor = query.Deadline > now ? query.Successor(now) : null;
        KadOutcome outcome = query.Outcome;
        Close(query, now, effects);
        if (successor is not null)
        {
            queries.Add(successor);
            return;
        }
        if (query is ValueQuery value)
            Correct(value, now, effects);
        if (outcome is KadOutcome.Kept kept)
            Note(query, kept.By, now);
        if (!upkeep.TryEnd(query.Id))
            effects.Add(new KadEffect.Done(query.Id, outcome));
    }

    private void Note(KadQuery query, int by, Instant now)
    {
        if (query.Kept is { } told)
            upkeep.Said(told.Key, told.Type == KadMessageType.PutValue, by, now);
    }

    // Young requests of a question that is over are given up; those that have kept us waiting stay, so that the table learns who is dead.
    private void Close(KadQuery query, Instant now, List<KadEffect> effects)
    {
        queries.Remove(query);
        foreach (PendingRequest pending in requests.Of(query))
        {
            if (now - pending.SentAt >= options.SlowAfter)
            {
                pending.Query = null;
                continue;
            }
            requests.TryEnd(pending.Number, out _);
            effects.Add(new KadEffect.Abandon(pending.Number));
        }
    }

    private void Correct(ValueQuery value, Instant now, List<KadEffect> effects)
    {
        KadMessage? message = null;
        foreach (KadPeer peer in value.Corrected.Take(options.K))
        {
            if (requests.Count >= RequestsMax || isBusy(peer.Id))
                break;
            message ??= value.Correction(startedAtUtc + (now - startedAt));
            effects.Add(requests.Add(peer, message, query: null, isAnswered: true, now));
        }
    }
}
