using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Multistream;

namespace Drap.Libp2p.Host.Protocols;

/// <summary>
/// Which protocols this host speaks, and how the two sides of a stream agree on one (multistream-select 1.0). Where the peer is known to speak it, nothing is
/// waited for: the proposal goes out with the first bytes, and the answer is taken off the front of what comes back.
/// </summary>
internal sealed class Negotiator(ConnectionHub hub)
{
    private readonly ConcurrentDictionary<string, Registered> handlers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte[]> greetings = new(StringComparer.Ordinal);
    private readonly RunningTasks running = new();

    // Proposals are mostly of a few protocols of ours; beyond this many names each is made anew.
    private const int GreetingsMax = 1024;

    private sealed record Registered(string Protocol, byte[] Greeting, Func<P2pStream, Task> Handler);

    /// <summary>The protocols for which there are handlers, in ordinal order.</summary>
    public IReadOnlyList<string> Protocols => [.. handlers.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The handlers have changed.</summary>
    public Action Changed { get; set; } = () => { };

    public void Handle(string protocol, Func<P2pStream, Task> handler)
    {
        if (Encoding.UTF8.GetByteCount(protocol) is < 1 or > 1023 || protocol.Contains('\n', StringComparison.Ordinal))
            throw new ArgumentException("a protocol's name has 1 to 1023 bytes and no line break", nameof(protocol));
        if (!handlers.TryAdd(protocol, new Registered(protocol, ProtocolGreeting.Of(protocol), handler)))
            throw new InvalidOperationException($"{protocol} has a handler");
        Changed();
    }

    public void Unhandle(string protocol)
    {
        if (handlers.TryRemove(protocol, out _))
            Changed();
    }

    /// <summary>Opens a stream of the first of the protocols that the peer speaks.</summary>
    public async Task<P2pStream> OpenAsync(PeerConnection connection, IReadOnlyList<string> protocols, CancellationToken ct)
    {
        if (protocols.Count == 0)
            throw new ArgumentException("a stream needs a protocol", nameof(protocols));
        string? spoken = null;
        for (int i = 0; i < protocols.Count && spoken is null; i++)
            spoken = connection.Spoken.Contains(protocols[i]) ? protocols[i] : null;
        if (spoken is not null)
            return await OpenSpokenAsync(connection, spoken, ct).ConfigureAwait(false);
        P2pStream stream = await connection.Mux.OpenAsync(ct).ConfigureAwait(false);
        try
        {
            await ProposeAsync(stream, protocols, ct).ConfigureAwait(false);
            connection.Spoken = connection.Spoken.With(stream.Protocol);
            return stream;
        }
        catch (Exception)
        {
            stream.Reset();
            throw;
        }
    }

    /// <summary>Opens a stream of a protocol that the peer speaks for all that is known: nothing is waited for but for room.</summary>
    public async ValueTask<P2pStream> OpenSpokenAsync(PeerConnection connection, string protocol, CancellationToken ct)
    {
        P2pStream stream = await connection.Mux.OpenAsync(ct).ConfigureAwait(false);
        byte[] greeting = Greeting(protocol);
        stream.Protocol = protocol;
        stream.Prelude = greeting;
        stream.Expect(greeting);
        return stream;
    }

    /// <summary>Lets the handler of a peer's stream run, on this thread as far as it goes without waiting.</summary>
    public void Serve(P2pStream stream)
    {
        // It catches all there is, and is counted, so that the host can wait for it.
        running.Begin();
        Task serving = ServeAsync(stream);
        Invariant.Check(!serving.IsFaulted);
    }

    /// <summary>Ends when no handler runs any more. None is to be started after this.</summary>
    public Task StopAsync() => running.DrainAsync();

    /// <summary>The gate's stream that the peer opened, when it has come and its protocol is agreed on: the gate's own, or the one for strangers.</summary>
    public static async Task<P2pStream> AcceptGateAsync(PeerConnection connection, IConnectionGate gate, CancellationToken ct)
    {
        P2pStream stream = await connection.GateStream.WaitAsync(ct).ConfigureAwait(false);
        var responder = new MultistreamResponder(
            offered => offered.SequenceEqual(gate.Protocol) ? gate.Protocol
                : gate.StrangersProtocol is { } strangers && offered.SequenceEqual(strangers) ? strangers : null);
        if (!await RespondAsync(stream, responder, ct).ConfigureAwait(false))
            throw new ProtocolRefusedException(connection.Remote, [gate.Protocol]);
        stream.Protocol = responder.Protocol!;
        return stream;
    }

    /// <summary>Nobody needs the stream any more: closes it, and resets it if the peer does not do the same in time.</summary>
    public void Leave(P2pStream stream) => stream.Abandon(hub.Clock.Now + hub.Limits.LingerTimeout);

    private async Task ServeAsync(P2pStream stream)
    {
        try
        {
            Registered? registered = Accept(stream) ?? await NegotiateAsync(stream).ConfigureAwait(false);
            if (registered is null)
            {
                stream.Reset();
                return;
            }
            Task handling = registered.Handler(stream);
            // The answer rides on the handler's first bytes; one that waits for something else first does not keep the peer waiting for it.
            if (!handling.IsCompleted)
                stream.SendAnswer();
            await handling.ConfigureAwait(false);
            Leave(stream);
        }
        catch (Exception failure)
        {
            // So that the peer takes the reset for what it is, and not for a protocol that is not spoken.
            stream.SendAnswer();
            stream.Dispose();
            // That the peer ends a stream, or the host, is no failure of a handler.
            if (failure is not (Libp2pException or OperationCanceledException))
                hub.Observers.Post(observer => observer.HandlerFailed(stream, failure));
        }
        finally
        {
            stream.Connection.Served();
            running.End();
        }
    }

    /// <summary>The usual case: the whole proposal is there, and there is a handler.</summary>
    private Registered? Accept(P2pStream stream)
    {
        var found = new Found(this);
        stream.Peek(found, static (found, bytes) =>
        {
            int length = ProtocolGreeting.Measure(bytes, out ReadOnlySpan<byte> protocol);
            if (length == 0)
                return 0;
            found.Registered = found.Negotiator.Find(protocol);
            return found.Registered is null ? 0 : length;
        });
        if (found.Registered is null)
            return null;
        stream.Protocol = found.Registered.Protocol;
        stream.Prelude = found.Registered.Greeting;
        return found.Registered;
    }

    private sealed class Found(Negotiator negotiator)
    {
        public readonly Negotiator Negotiator = negotiator;
        public Registered? Registered;
    }

    private Registered? Find(ReadOnlySpan<byte> protocol)
    {
        Span<char> text = stackalloc char[128];
        return Encoding.UTF8.TryGetChars(protocol, text, out int length)
            && handlers.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text[..length], out Registered? registered)
            ? registered
            : null;
    }

    private async Task<Registered?> NegotiateAsync(P2pStream stream)
    {
        Registered? registered = null;
        var responder = new MultistreamResponder(
            offered => handlers.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(offered, out registered) ? registered.Protocol : null);
        using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + hub.Limits.NegotiationTimeout, default);
        if (!await RespondAsync(stream, responder, limit.Token).ConfigureAwait(false))
            return null;
        stream.Protocol = responder.Protocol!;
        return registered;
    }

    private static async Task<bool> RespondAsync(P2pStream stream, MultistreamResponder responder, CancellationToken ct)
    {
        var answer = new ArrayBufferWriter<byte>(128);
        while (true)
        {
            stream.Peek((responder, answer), static (s, bytes) => s.responder.Receive(bytes, s.answer));
            if (answer.WrittenCount > 0)
            {
                await stream.WriteAsync(answer.WrittenMemory, ct).ConfigureAwait(false);
                answer.Clear();
            }
            if (responder.Status != MultistreamStatus.Negotiating || stream.IsAtEnd)
                return responder.Status == MultistreamStatus.Done;
            await stream.ReadAsync(Memory<byte>.Empty, ct).ConfigureAwait(false);
        }
    }

    private async Task ProposeAsync(P2pStream stream, IReadOnlyList<string> protocols, CancellationToken ct)
    {
        using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + hub.Limits.NegotiationTimeout, ct);
        var initiator = new MultistreamInitiator(protocols);
        var output = new ArrayBufferWriter<byte>(128);
        initiator.Start(output);
        try
        {
            while (true)
            {
                if (output.WrittenCount > 0)
                {
                    await stream.WriteAsync(output.WrittenMemory, limit.Token).ConfigureAwait(false);
                    output.Clear();
                }
                if (initiator.Status != MultistreamStatus.Negotiating)
                    break;
                await stream.ReadAsync(Memory<byte>.Empty, limit.Token).ConfigureAwait(false);
                if (stream.IsAtEnd)
                    break;
                stream.Peek((initiator, output), static (s, bytes) => s.initiator.Receive(bytes, s.output));
            }
        }
        catch (StreamResetException failure) when (failure.End == StreamEnd.ResetByPeer)
        {
            // js and go reset streams of protocols that they do not speak after their answer, which the reset may overtake.
            throw new ProtocolRefusedException(stream.Remote, protocols);
        }
        catch (OperationCanceledException) when (limit.HasPassed)
        {
            throw new Libp2pException($"{stream.Remote} did not answer in time which protocol it speaks");
        }
        if (initiator.Status != MultistreamStatus.Done)
            throw new ProtocolRefusedException(stream.Remote, protocols);
        stream.Protocol = initiator.Protocol;
    }

    private byte[] Greeting(string protocol)
    {
        if (greetings.TryGetValue(protocol, out byte[]? greeting))
            return greeting;
        greeting = ProtocolGreeting.Of(protocol);
        if (greetings.Count < GreetingsMax)
            greetings.TryAdd(protocol, greeting);
        return greeting;
    }
}
