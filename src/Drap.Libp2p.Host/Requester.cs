using System.Buffers;
using System.Text;
using Drap.Libp2p.Host.Requests;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.RequestResponse;

namespace Drap.Libp2p.Host;

/// <summary>
/// Asks peers and gets answers, one stream a request, through silence and broken connections: a request is sent again, with growing waits, over a new
/// connection if need be, and is all the same done once, since a <see cref="Responder"/> knows it again. Thread-safe.
/// </summary>
public sealed class Requester
{
    // Peers whose numbers are kept though nothing is under way; a peer that was dropped is asked in a new session.
    private const int IdlePeersMax = 4096;

    private readonly Lock gate = new();
    private readonly Dictionary<PeerId, AskedPeer> peers = [];
    private readonly Libp2pHost host;
    private readonly string[] protocol;
    private readonly RequestOptions options;
    private readonly Prng random = SystemRandom.NewPrng();

    /// <summary>Asks over the given protocol, which peers answer with a <see cref="Responder"/>.</summary>
    public Requester(Libp2pHost host, string protocol, RequestOptions? options = null)
    {
        this.host = host;
        this.protocol = [protocol];
        this.options = options ?? new RequestOptions();
    }

    /// <summary>
    /// The peer's answer. A cancelled request, and one that timed out, may have been done.
    /// </summary>
    /// <exception cref="RequestFailedException">The peer was asked, and failed or keeps the answer no more.</exception>
    /// <exception cref="Libp2pException">No answer could be had in the time and with the attempts allowed; the message says what failed last.</exception>
    public async Task<byte[]> AskAsync(PeerId peer, ReadOnlyMemory<byte> body, CancellationToken ct = default)
    {
        if (body.Length > options.BodyMax)
            throw new ArgumentException($"a request has at most {options.BodyMax} bytes", nameof(body));
        AskedPeer asked = Of(peer);
        long number = 0;
        try
        {
            number = await TakeAsync(asked, ct).ConfigureAwait(false);
            return await AskAsync(peer, asked, number, body, ct).ConfigureAwait(false);
        }
        finally
        {
            lock (gate)
            {
                if (number > 0)
                    Settle(asked, number);
                asked.Users--;
                if (asked.Users == 0 && peers.Count > IdlePeersMax)
                    peers.Remove(peer);
            }
        }
    }

    // In the order of asking.
    private ValueTask<long> TakeAsync(AskedPeer asked, CancellationToken ct)
    {
        TaskCompletionSource<long> turn;
        lock (gate)
        {
            if (asked.Waiting.Count == 0 && asked.Numbers.CanTake(options))
                return new ValueTask<long>(asked.Numbers.Take());
            turn = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            asked.Waiting.Enqueue(turn);
        }
        return new ValueTask<long>(WaitAsync(turn, ct));
    }

    private static async Task<long> WaitAsync(TaskCompletionSource<long> turn, CancellationToken ct)
    {
        await using (ct.UnsafeRegister(static (t, token) => ((TaskCompletionSource<long>)t!).TrySetCanceled(token), turn).ConfigureAwait(false))
            return await turn.Task.ConfigureAwait(false);
    }

    // Under the lock.
    private void Settle(AskedPeer asked, long number)
    {
        asked.Numbers.Settle(number);
        while (asked.Waiting.Count > 0 && asked.Numbers.CanTake(options))
        {
            TaskCompletionSource<long> turn = asked.Waiting.Dequeue();
            // A turn that is taken by nobody is not taken from the numbers.
            if (turn.Task.IsCompleted)
                continue;
            long next = asked.Numbers.Take();
            if (!turn.TrySetResult(next))
                asked.Numbers.Settle(next);
        }
    }

    private async Task<byte[]> AskAsync(PeerId peer, AskedPeer asked, long number, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        using var call = new Call(host.Hub, options, ct);
        for (int failed = 0; ;)
        {
            Exception failure;
            try
            {
                P2pStream stream = await host.OpenStreamAsync(peer, protocol, call.Token).ConfigureAwait(false);
                call.Watch(stream);
                byte[]? answer = await ExchangeAsync(stream, asked, number, body).ConfigureAwait(false);
                if (answer is not null)
                    return answer;
                failure = new Libp2pException("the peer has too much under way");
            }
            catch (Libp2pException problem) when (problem is not (RequestFailedException or ProtocolRefusedException))
            {
                failure = problem;
            }
            catch (OperationCanceledException problem)
            {
                failure = problem;
            }
            finally
            {
                call.Unwatch();
            }
            ct.ThrowIfCancellationRequested();
            if (call.IsOver)
                throw new Libp2pException($"no answer within {options.Timeout.TotalSeconds:0.#} s: {failure.Message}", failure);
            if (++failed == options.AttemptsMax)
                throw new Libp2pException($"no answer in {failed} attempts: {failure.Message}", failure);
            TimeSpan wait;
            lock (gate)
                wait = options.WaitAfter(failed, random);
            await call.WaitAsync(wait).ConfigureAwait(false);
        }
    }

    // Null: the peer is busy.
    private async Task<byte[]?> ExchangeAsync(P2pStream stream, AskedPeer asked, long number, ReadOnlyMemory<byte> body)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Max(RequestHeader.BytesMax + body.Length, Responder.FirstReadBytes));
        bool isDone = false;
        try
        {
            long settled;
            lock (gate)
                settled = asked.Numbers.Settled;
            int length = new RequestHeader(asked.Session, number, settled, body.Length).Write(buffer);
            body.CopyTo(buffer.AsMemory(length));
            await stream.WriteAndCloseAsync(buffer.AsMemory(0, length + body.Length)).ConfigureAwait(false);

            int filled = 0;
            ResponseHeader header;
            int consumed;
            VarintStatus status;
            do
            {
                int read = await stream.ReadAsync(buffer.AsMemory(filled)).ConfigureAwait(false);
                if (read == 0)
                    throw new Libp2pException("the peer ended the stream before it answered");
                filled += read;
                status = ResponseHeader.TryRead(buffer.AsSpan(0, filled), options.BodyMax, out header, out consumed);
            }
            while (status == VarintStatus.Incomplete);
            if (status == VarintStatus.Malformed)
                throw new RequestFailedException(ResponseStatus.Failed, "the peer's answer is none, or too long");
            byte[] answer = new byte[header.Length];
            int have = Math.Min(filled - consumed, answer.Length);
            buffer.AsSpan(consumed, have).CopyTo(answer);
            while (have < answer.Length)
            {
                int read = await stream.ReadAsync(answer.AsMemory(have)).ConfigureAwait(false);
                if (read == 0)
                    throw new Libp2pException("the peer ended the stream within its answer");
                have += read;
            }
            isDone = true;
            return header.Status switch
            {
                ResponseStatus.Answered => answer,
                ResponseStatus.Busy => null,
                ResponseStatus.Gone => throw new RequestFailedException(ResponseStatus.Gone, "the request was done, but its answer is not kept any more"),
                _ => throw new RequestFailedException(ResponseStatus.Failed, Encoding.UTF8.GetString(answer)),
            };
        }
        finally
        {
            // A write that failed halfway may still read from the buffer only as long as its stream stands.
            if (isDone)
                host.Hub.Negotiator.Leave(stream);
            else
                stream.Dispose();
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private AskedPeer Of(PeerId peer)
    {
        lock (gate)
        {
            if (!peers.TryGetValue(peer, out AskedPeer? asked))
                peers.Add(peer, asked = new AskedPeer(SystemRandom.NextUInt64()));
            asked.Users++;
            return asked;
        }
    }

    private sealed class AskedPeer(ulong session)
    {
        public readonly ulong Session = session;
        public readonly SettledNumbers Numbers = new();
        public readonly Queue<TaskCompletionSource<long>> Waiting = new();
        public int Users;
    }
}

/// <summary>The peer got the request and did not answer it.</summary>
public sealed class RequestFailedException(ResponseStatus status, string message) : Libp2pException(message)
{
    /// <summary>How it went.</summary>
    public ResponseStatus Status { get; } = status;
}
