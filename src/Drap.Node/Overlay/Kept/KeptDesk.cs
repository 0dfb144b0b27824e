using System.Collections.Concurrent;

namespace Drap.Node.Overlay.Kept;

/// <summary>
/// The kept streams of a node: for peers whose streams break without their doing, because a daemon carries them (docs/decisions/0203). A node over a
/// daemon has no others; one over our own libp2p opens them to those that serve nothing else.
/// </summary>
internal sealed class KeptDesk : IAsyncDisposable
{
    /// <summary>A beat: how often each side says that it is there.</summary>
    public static readonly TimeSpan BeatTime = TimeSpan.FromSeconds(1);

    /// <summary>How long who leaves waits until others have heard of it: on a network that works some milliseconds.</summary>
    private static readonly TimeSpan GoodbyeTime = TimeSpan.FromMilliseconds(500);

    private readonly Func<PeerId, CancellationToken, ValueTask<OverlayStream>> open;
    private readonly ConcurrentDictionary<(PeerId Peer, UInt128 Name), KeptStream> accepted = new();
    private readonly ConcurrentDictionary<KeptStream, bool> opened = new();
    private readonly ConcurrentDictionary<string, Func<PeerId, OverlayStream, CancellationToken, Task>> served = new(StringComparer.Ordinal);
    private readonly Timer beating;

    /// <summary>Opens and serves nothing yet.</summary>
    /// <param name="open">Opens a stream of <see cref="KeptWire.Protocol"/>, or says as an <see cref="OverlayException"/> why there is none.</param>
    /// <param name="isByDaemon">Whether a daemon brings the carriers that others open.</param>
    /// <param name="beat">How long a beat is.</param>
    /// <param name="left">Cancelled when the overlay is left.</param>
    public KeptDesk(Func<PeerId, CancellationToken, ValueTask<OverlayStream>> open, bool isByDaemon, TimeSpan beat, CancellationToken left)
    {
        this.open = open;
        IsByDaemon = isByDaemon;
        Left = left;
        beating = new Timer(_ => Beat(), null, beat, beat);
    }

    public bool IsByDaemon { get; }

    public CancellationToken Left { get; }

    /// <summary>Serves a protocol; false if it is served already.</summary>
    public bool TryHandle(string protocol, Func<PeerId, OverlayStream, CancellationToken, Task> serve) => served.TryAdd(protocol, serve);

    /// <summary>Opens a stream to a peer; <paramref name="first"/> carries it at first, if there is one already.</summary>
    /// <exception cref="OverlayException">The peer cannot be reached, does not serve the protocol, or there are too many streams.</exception>
    public async ValueTask<OverlayStream> OpenAsync(PeerId peer, string protocol, OverlayStream? first, CancellationToken ct)
    {
        if (opened.Count + accepted.Count >= KeptLimits.StreamsMax)
            throw new OverlayException(OverlayFailure.Unreachable, $"{KeptLimits.StreamsMax} streams are open");
        var stream = new KeptStream(this, peer, NewName(), isOpener: true);
        opened.TryAdd(stream, true);
        KeptAnswer answer = KeptAnswer.Gone;
        try
        {
            for (int tries = 1; ; tries++)
            {
                try
                {
                    OverlayStream carrier = tries == 1 && first is not null ? first : await open(peer, ct).ConfigureAwait(false);
                    answer = await CarryAsync(stream, carrier, isNew: true, protocol, ct).ConfigureAwait(false);
                    break;
                }
                catch (Exception failure) when (failure is OverlayException { Failure: OverlayFailure.Reset } or EndOfStreamException
                    or OperationCanceledException && !ct.IsCancellationRequested && tries < KeptLimits.GreetingsMax)
                {
                    // The carrier broke before the answer came; whether the stream has begun there does not matter, it has its name.
                }
            }
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            throw failure as OverlayException ?? new OverlayException(OverlayFailure.Unreachable, $"{peer} does not answer", failure);
        }
        finally
        {
            if (answer != KeptAnswer.Here)
                stream.Break();
        }
        return answer switch
        {
            KeptAnswer.Here => stream,
            KeptAnswer.NotServed => throw new OverlayException(OverlayFailure.NotServed, $"{peer} does not serve {protocol}"),
            _ => throw new OverlayException(OverlayFailure.Reset, $"{peer} takes no more streams"),
        };
    }

    /// <summary>Brings a stream that this side has opened another carrier.</summary>
    /// <exception cref="IOException">There is none to be had now.</exception>
    public async Task<KeptAnswer> GoOnAsync(KeptStream stream, CancellationToken ct) =>
        await CarryAsync(stream, await open(stream.Peer, ct).ConfigureAwait(false), isNew: false, "", ct).ConfigureAwait(false);

    private static async Task<KeptAnswer> CarryAsync(KeptStream stream, OverlayStream carrier, bool isNew, string protocol, CancellationToken ct)
    {
        bool isCarrying = false;
        try
        {
            using var late = new CancellationTokenSource(KeptLimits.AnswerTimeout);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, ct);
            (int number, long has) = stream.Prepare();
            await carrier.WriteAsync(KeptWire.Greeting(isNew, stream.Name, number, has, protocol), either.Token).ConfigureAwait(false);
            (KeptAnswer answer, long received) = await KeptWire.ReadAnswerAsync(carrier, either.Token).ConfigureAwait(false);
            isCarrying = answer == KeptAnswer.Here && stream.Attach(carrier, number, received) is not null;
            // It has ended here meanwhile.
            if (answer == KeptAnswer.Here && !isCarrying)
                await SayResetAsync(carrier, either.Token).ConfigureAwait(false);
            return answer;
        }
        finally
        {
            if (!isCarrying)
                carrier.Reset();
        }
    }

    /// <summary>Serves a carrier that a peer has opened, to its end.</summary>
    public async Task ServeAsync(PeerId from, OverlayStream carrier)
    {
        using var late = new CancellationTokenSource(KeptLimits.AnswerTimeout);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, Left);
        KeptGreeting greeting = await KeptWire.ReadGreetingAsync(carrier, either.Token).ConfigureAwait(false);
        KeptAnswer answer = Find(from, greeting, out KeptStream? stream, out var serve);
        (int Number, long Received) mine = default;
        if (stream is not null && !stream.TryPrepare(greeting.Number, out mine))
            return;
        if (stream is null)
        {
            await carrier.WriteAsync(KeptWire.Answer(answer, 0), either.Token).ConfigureAwait(false);
            await carrier.CompleteWritesAsync(either.Token).ConfigureAwait(false);
            return;
        }
        if (serve is not null)
            _ = RunAsync(stream, serve);
        await carrier.WriteAsync(KeptWire.Answer(answer, mine.Received), either.Token).ConfigureAwait(false);
        KeptCarrier? carrying = stream.Attach(carrier, mine.Number, greeting.Received);
        if (carrying is not null)
            await carrying.Ended.ConfigureAwait(false);
    }

    /// <summary>A peer's last connection is closed: its streams have ended.</summary>
    public void Gone(PeerId peer)
    {
        foreach (KeptStream stream in All().Where(s => s.Peer == peer))
            stream.Break();
    }

    public void Remove(KeptStream stream)
    {
        if (stream.IsOpener)
            opened.TryRemove(stream, out _);
        else
            accepted.TryRemove((stream.Peer, stream.Name), out _);
    }

    /// <summary>Ends all streams; who is connected is told, if that goes at once.</summary>
    public async ValueTask DisposeAsync()
    {
        await beating.DisposeAsync().ConfigureAwait(false);
        Task told = Task.WhenAll(All().Select(s => s.ResetAsync()));
        await Task.WhenAny(told, Task.Delay(GoodbyeTime)).ConfigureAwait(false);
    }

    private static async Task SayResetAsync(OverlayStream carrier, CancellationToken ct)
    {
        byte[] reset = new byte[KeptWire.HeadBytes];
        KeptWire.WriteHead(reset, KeptFrame.Reset, 0);
        await carrier.WriteAsync(reset, ct).ConfigureAwait(false);
        await carrier.CompleteWritesAsync(ct).ConfigureAwait(false);
    }

    private static UInt128 NewName()
    {
        Span<byte> name = stackalloc byte[16];
        System.Security.Cryptography.RandomNumberGenerator.Fill(name);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(name);
    }

    private IEnumerable<KeptStream> All() => opened.Keys.Concat(accepted.Values);

    private KeptAnswer Find(PeerId from, in KeptGreeting greeting, out KeptStream? stream, out Func<PeerId, OverlayStream, CancellationToken, Task>? serve)
    {
        serve = null;
        if (accepted.TryGetValue((from, greeting.Name), out stream))
            return KeptAnswer.Here;
        if (!greeting.IsNew || accepted.Count + opened.Count >= KeptLimits.StreamsMax || Left.IsCancellationRequested)
            return KeptAnswer.Gone;
        if (!served.TryGetValue(greeting.Protocol, out serve))
            return KeptAnswer.NotServed;
        stream = new KeptStream(this, from, greeting.Name, isOpener: false);
        // Two greetings of one stream at the same time: one of them begins it.
        if (!accepted.TryAdd((from, greeting.Name), stream))
        {
            serve = null;
            accepted.TryGetValue((from, greeting.Name), out stream);
        }
        return stream is null ? KeptAnswer.Gone : KeptAnswer.Here;
    }

    private async Task RunAsync(KeptStream stream, Func<PeerId, OverlayStream, CancellationToken, Task> serve)
    {
        await Task.Yield();
        await OverlayRules.ServeAsync(stream.Peer, stream, serve, Left).ConfigureAwait(false);
        stream.Leave();
    }

    private void Beat()
    {
        foreach (KeptStream stream in All())
            stream.Beat();
    }
}
