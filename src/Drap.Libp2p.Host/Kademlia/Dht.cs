using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Kademlia;

namespace Drap.Libp2p.Host.Kademlia;

/// <summary>
/// A host's part in a DHT: asks and, as a server, answers. Its peers come from the host's connections: whoever says in identify that it
/// speaks the protocol is a server. Thread-safe.
/// </summary>
public sealed class Dht : IHostObserver, IAsyncDisposable
{
    /// <summary>How long a question waits for connected peers to be identified while few are known: mostly they take a round trip or two.</summary>
    private static readonly TimeSpan MeetTime = TimeSpan.FromSeconds(1);

    private readonly Libp2pHost host;
    private readonly KadOptions options;
    private readonly KadMachine machine;
    private readonly Dictionary<long, CancellationTokenSource> sending = [];
    private readonly Dictionary<long, Question> questions = [];
    private readonly BesideHost frame;
    private readonly DhtServer server;

    /// <summary>Takes part from now on. A server is one that others can reach; a client only asks.</summary>
    public Dht(Libp2pHost host, KadOptions options, bool isServer)
    {
        this.host = host;
        this.options = options;
        machine = new KadMachine(
            host.Self, options, isServer, SystemRandom.NewPrng(), host.Hub.Clock.Now,
            new UtcTime(host.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds()));
        frame = new BesideHost(host, () => Step(Advance));
        server = new DhtServer(host, options.Protocol, Handle);
        if (isServer)
            server.Start();
        frame.Observe(this);
        foreach (PeerConnection connection in host.Connections)
        {
            if (connection.Identified.IsCompleted)
                Learn(host.PeerBook[connection.Remote]);
        }
    }

    /// <summary>Servers in the routing table.</summary>
    public int TableCount
    {
        get
        {
            lock (frame.Gate)
                return machine.Table.Count;
        }
    }

    /// <summary>The servers in the routing table.</summary>
    public IReadOnlyList<PeerId> Table
    {
        get
        {
            lock (frame.Gate)
                return [.. machine.Table.Peers.Select(peer => peer.Id)];
        }
    }

    /// <summary>Whether it answers; a change is told to connected peers by identify.</summary>
    public bool IsServer
    {
        get
        {
            lock (frame.Gate)
                return machine.IsServer;
        }
        set
        {
            lock (frame.Gate)
            {
                if (machine.IsServer == value || frame.IsStopped)
                    return;
                machine.IsServer = value;
            }
            if (value)
                server.Start();
            else
                server.Stop();
        }
    }

    /// <summary>About how many other servers there are; null while nothing is known.</summary>
    public long? EstimateSize()
    {
        lock (frame.Gate)
            return machine.EstimateSize(host.Hub.Clock.Now);
    }

    /// <summary>Where a peer is; null if nobody who was asked knows.</summary>
    /// <exception cref="Libp2pException">Too many questions are under way.</exception>
    public async Task<KadPeer?> FindPeerAsync(PeerId peer, CancellationToken ct = default) =>
        (await AskAsync<KadOutcome.Peers>((now, effects) => machine.FindPeer(peer, now, effects), ct).ConfigureAwait(false)).Found.FirstOrDefault();

    /// <summary>The k servers nearest to a key, which is not hashed.</summary>
    /// <exception cref="Libp2pException">Too many questions are under way.</exception>
    public async Task<ImmutableArray<KadPeer>> FindClosestAsync(byte[] key, CancellationToken ct = default) =>
        (await AskAsync<KadOutcome.Peers>((now, effects) => machine.FindClosest(key, now, effects), ct).ConfigureAwait(false)).Found;

    /// <summary>
    /// The value under a key; null if none was found. After <paramref name="quorum"/> peers have said one it is believed, with 0 after all that are
    /// nearest to the key were asked.
    /// </summary>
    /// <exception cref="Libp2pException">Nobody could say which values of the key are valid, or too many questions are under way.</exception>
    public async Task<byte[]?> GetValueAsync(byte[] key, int quorum = 3, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(quorum);
        return (await AskAsync<KadOutcome.Value>((now, effects) => machine.GetValue(key, quorum, now, effects), ct).ConfigureAwait(false)).Best;
    }

    /// <summary>Puts a value and goes on putting it; returns how many peers keep it.</summary>
    /// <exception cref="Libp2pException">The value is not valid, there are too many, or too many questions are under way.</exception>
    public async Task<int> PutValueAsync(byte[] key, byte[] value, CancellationToken ct = default) =>
        (await AskAsync<KadOutcome.Kept>((now, effects) => machine.PutValue(key, value, now, effects), ct).ConfigureAwait(false)).By;

    /// <summary>Puts a value no more.</summary>
    public void StopPutting(byte[] key)
    {
        lock (frame.Gate)
            machine.StopPutting(key);
    }

    /// <summary>Says that this host provides a content, named by its multihash, and goes on saying so; returns how many peers keep it.</summary>
    /// <exception cref="Libp2pException">That is no multihash, there are too many, or too many questions are under way.</exception>
    public async Task<int> ProvideAsync(byte[] multihash, CancellationToken ct = default) =>
        (await AskAsync<KadOutcome.Kept>((now, effects) => machine.Provide(multihash, now, effects), ct).ConfigureAwait(false)).By;

    /// <summary>Provides a content no more.</summary>
    public void StopProviding(byte[] multihash)
    {
        lock (frame.Gate)
            machine.StopProviding(multihash);
    }

    /// <summary>Who provides a content, each once, as they are found.</summary>
    /// <exception cref="Libp2pException">That is no multihash, or too many questions are under way.</exception>
    public IAsyncEnumerable<KadPeer> FindProvidersAsync(byte[] multihash, int wanted, CancellationToken ct = default) =>
        ListAsync((now, effects) => machine.FindProviders(multihash, wanted, now, effects), ct);

    /// <summary>
    /// Servers that stand in a region of the DHT, each once, as they answer, and then whether those are all. A search that has not ended after ten
    /// minutes (<see cref="KadOptions.SearchTimeout"/>) ends with what it has.
    /// </summary>
    /// <exception cref="Libp2pException">Too many searches are under way; comes when they are read.</exception>
    public MemberSearch FindMembersAsync(KeyPrefix region, int wanted, CancellationToken ct = default) => new(ended =>
        ListAsync((now, effects) => machine.FindMembers(region, wanted, now, effects), ct, outcome => ended((KadOutcome.Members)outcome)));

    /// <summary>Looks around now, as is done every ten minutes.</summary>
    public void Refresh() => Step(machine.RefreshNow);

    /// <summary>Takes no part any more; questions under way fail.</summary>
    public async ValueTask DisposeAsync()
    {
        Question[] open = [];
        CancellationTokenSource[] abandoned = [];
        bool isFirst = frame.TryStop(() =>
        {
            abandoned = [.. sending.Values];
            open = [.. questions.Values];
            questions.Clear();
        });
        if (!isFirst)
            return;
        server.Stop();
        foreach (CancellationTokenSource source in abandoned)
            await source.CancelAsync().ConfigureAwait(false);
        foreach (Question question in open)
            question.Fail(new ConnectionClosedException("the DHT was stopped"));
        await frame.DisposeAsync().ConfigureAwait(false);
        await server.DisposeAsync().ConfigureAwait(false);
    }

    void IHostObserver.Identified(PeerConnection connection, KnownPeer peer) => Learn(peer);

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast)
    {
        if (!isLast)
            return;
        lock (frame.Gate)
            machine.Disconnected(connection.Remote);
    }

    private void Learn(KnownPeer peer) => Step((now, effects) =>
        machine.Identified(new KadPeer(peer.Id, peer.Addresses), peer.Speaks(options.Protocol), now, effects));

    // What is provided is said again with the addresses of now.
    private void Advance(Instant now, List<KadEffect> effects)
    {
        machine.Addresses = [.. host.ListenAddresses];
        machine.Advance(now, effects);
    }

    private KadReply Handle(PeerId from, KadMessage request)
    {
        lock (frame.Gate)
        {
            machine.Addresses = [.. host.ListenAddresses];
            return machine.Handle(from, request, host.Hub.Clock.Now);
        }
    }

    private async Task<T> AskAsync<T>(Func<Instant, List<KadEffect>, long> question, CancellationToken ct)
        where T : KadOutcome
    {
        var asked = new Question();
        await MeetAsync(ct).ConfigureAwait(false);
        Ask(asked, question);
        using CancellationTokenRegistration registration = ct.UnsafeRegister(_ => Cancel(asked, ct), null);
        return (T)await asked.Outcome.ConfigureAwait(false);
    }

    private async IAsyncEnumerable<KadPeer> ListAsync(
        Func<Instant, List<KadEffect>, long> question, [EnumeratorCancellation] CancellationToken ct, Action<KadOutcome>? ended = null)
    {
        var asked = new Question();
        await MeetAsync(ct).ConfigureAwait(false);
        Ask(asked, question);
        try
        {
            await foreach (KadPeer peer in asked.Found.ReadAllAsync(ct).ConfigureAwait(false))
                yield return peer;
            ended?.Invoke(await asked.Outcome.ConfigureAwait(false));
        }
        finally
        {
            Cancel(asked, ct);
        }
    }

    // A question begins with the peers that are known to be servers, which a connection says only when its peer is identified. Who asks as soon as it is connected
    // would else find nothing: with nobody known, it waits until somebody is, or all have said what they are; with few, no more than a moment.
    private async Task MeetAsync(CancellationToken ct)
    {
        Instant end = host.Hub.Clock.Now + MeetTime;
        while (TableCount is var servers && servers < options.K)
        {
            Task[] unknown = [.. host.Connections.Select(connection => connection.Identified).Where(identified => !identified.IsCompleted)];
            TimeSpan left = servers == 0 ? Timeout.InfiniteTimeSpan : end - host.Hub.Clock.Now;
            if (unknown.Length == 0 || (servers > 0 && left <= TimeSpan.Zero))
                return;
            await ((Task)Task.WhenAny(unknown)).WaitAsync(left, host.TimeProvider, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ct.ThrowIfCancellationRequested();
        }
    }

    private void Ask(Question asked, Func<Instant, List<KadEffect>, long> question)
    {
        bool isRefused = false;
        Step((now, effects) =>
        {
            machine.Addresses = [.. host.ListenAddresses];
            asked.Number = question(now, effects);
            isRefused = asked.Number == 0;
            if (!isRefused)
                questions.Add(asked.Number, asked);
        });
        if (isRefused || asked.Number == 0)
            throw new Libp2pException("the DHT does not take this question: it is not valid, or too many are under way");
    }

    private void Cancel(Question asked, CancellationToken ct)
    {
        Step((now, effects) =>
        {
            if (questions.Remove(asked.Number))
                machine.Cancel(asked.Number, now, effects);
        });
        asked.Cancel(ct);
    }

    // What the machine wants is done outside the lock; what it tells those who wait is handed on within it, so that it stays in order.
    private void Step(Action<Instant, List<KadEffect>> step)
    {
        var effects = new List<KadEffect>();
        List<KadEffect.Send>? sends = null;
        List<CancellationTokenSource>? abandoned = null;
        lock (frame.Gate)
        {
            if (frame.IsStopped)
                return;
            step(frame.Now, effects);
            foreach (KadEffect effect in effects)
            {
                switch (effect)
                {
                    case KadEffect.Send send:
                        sending.Add(send.Request, new CancellationTokenSource());
                        (sends ??= []).Add(send);
                        break;
                    case KadEffect.Abandon abandon:
                        if (sending.Remove(abandon.Request, out CancellationTokenSource? source))
                            (abandoned ??= []).Add(source);
                        break;
                    case KadEffect.Found found:
                        questions.GetValueOrDefault(found.Query)?.Add(found.Peers);
                        break;
                    case KadEffect.Done done:
                        if (questions.Remove(done.Query, out Question? question))
                            question.End(done.Outcome);
                        break;
                }
            }
            if (machine.NextDeadline is var next && next != Instant.Never)
                frame.WakeAt(next);
        }
        foreach (CancellationTokenSource source in abandoned ?? [])
            source.Cancel();
        foreach (KadEffect.Send send in sends ?? [])
            frame.Run(() => SendAsync(send));
    }

    private async Task SendAsync(KadEffect.Send send)
    {
        await Task.Yield();
        CancellationToken ct;
        lock (frame.Gate)
        {
            if (!sending.TryGetValue(send.Request, out CancellationTokenSource? source))
                return;
            ct = source.Token;
        }
        KadMessage? answer = null;
        bool isDone = false;
        try
        {
            try
            {
                answer = await ExchangeAsync(send, ct).ConfigureAwait(false);
            }
            catch (Libp2pException failure) when (failure is ConnectionClosedException or StreamResetException { End: StreamEnd.ConnectionClosed })
            {
                // The connection closed just then, as the one of two does that nobody uses: the peer is as well reached over another. Asking twice does no harm.
                answer = await ExchangeAsync(send, ct).ConfigureAwait(false);
            }
            isDone = answer is not null || !send.IsAnswered;
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException)
        {
            // The peer cannot be reached, does not speak the protocol, or speaks it badly: all the same to who looks for others.
        }
        Step((now, effects) =>
        {
            if (!sending.Remove(send.Request, out CancellationTokenSource? source))
                return;
            source.Dispose();
            if (isDone)
                machine.Answered(send.Request, answer, now, effects);
            else
                machine.Failed(send.Request, now, effects);
        });
    }

    private async Task<KadMessage?> ExchangeAsync(KadEffect.Send send, CancellationToken ct)
    {
        if (host.Find(send.To.Id) is null)
            host.PeerBook.AddAddresses(send.To.Id, send.To.Addresses);
        P2pStream stream = await host.OpenStreamAsync(send.To.Id, [options.Protocol], ct).ConfigureAwait(false);
        try
        {
            await stream.WriteMessageAsync(KadCodec.Encode(send.Message), ct).ConfigureAwait(false);
            await stream.CloseWriteAsync().ConfigureAwait(false);
            // A message without an answer has come when the peer has read to the end, and closes.
            byte[]? bytes = await stream.ReadMessageAsync(KadCodec.MessageBytesMax, ct).ConfigureAwait(false);
            // Not reset: the peer may be about to close its half.
            host.Hub.Negotiator.Leave(stream);
            return bytes is not null && KadCodec.TryDecode(bytes, out KadMessage? answer) ? answer : null;
        }
        catch (Exception)
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Whoever waits for an outcome, or for peers one after another.</summary>
    private sealed class Question
    {
        // A question finds a few hundred at most (providers and members wanted), so nobody is held up by who reads slowly.
        private readonly Channel<KadPeer> found = Channel.CreateUnbounded<KadPeer>();
        private readonly TaskCompletionSource<KadOutcome> outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long Number { get; set; }

        public Task<KadOutcome> Outcome => outcome.Task;

        public ChannelReader<KadPeer> Found => found.Reader;

        public void Add(ImmutableArray<KadPeer> peers)
        {
            foreach (KadPeer peer in peers)
                found.Writer.TryWrite(peer);
        }

        public void End(KadOutcome result)
        {
            found.Writer.TryComplete();
            outcome.TrySetResult(result);
        }

        public void Fail(Exception failure)
        {
            found.Writer.TryComplete(failure);
            outcome.TrySetException(failure);
            // Observed here; nobody may wait.
            _ = outcome.Task.Exception;
        }

        public void Cancel(CancellationToken ct)
        {
            found.Writer.TryComplete();
            outcome.TrySetCanceled(ct);
        }
    }
}
