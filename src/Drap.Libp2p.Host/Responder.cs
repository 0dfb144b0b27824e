using System.Buffers;
using System.Text;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.RequestResponse;

namespace Drap.Libp2p.Host;

/// <summary>Answers the requests of a <see cref="Requester"/>, each once, however often it comes.</summary>
public sealed class Responder : IDisposable
{
    /// <summary>The first read's buffer: header and body of a usual request.</summary>
    internal const int FirstReadBytes = 2048;

    private readonly AnswerTable table;
    private readonly Libp2pHost host;
    private readonly string protocol;
    private readonly RequestOptions options;
    private readonly Func<PeerId, ReadOnlyMemory<byte>, CancellationToken, ValueTask<ReadOnlyMemory<byte>>> answer;
    private readonly CancellationTokenSource stopping = new();

    /// <summary>
    /// Answers over the given protocol. What <paramref name="answer"/> is given lies in a buffer that is its own until it returns; what it returns must not change
    /// afterwards. A <see cref="RequestFailedException"/> tells the asker its message; any other exception tells him nothing, and observers all.
    /// </summary>
    public Responder(
        Libp2pHost host, string protocol, Func<PeerId, ReadOnlyMemory<byte>, CancellationToken, ValueTask<ReadOnlyMemory<byte>>> answer,
        RequestOptions? options = null)
    {
        this.host = host;
        this.protocol = protocol;
        this.answer = answer;
        this.options = options ?? new RequestOptions();
        table = new AnswerTable(this.options);
        host.Handle(protocol, ServeAsync);
    }

    /// <summary>Answers no more; what is under way is cancelled.</summary>
    public void Dispose()
    {
        host.Unhandle(protocol);
        stopping.Cancel();
        stopping.Dispose();
    }

    private async Task ServeAsync(P2pStream stream)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstReadBytes);
        try
        {
            int filled = 0;
            RequestHeader header;
            int consumed;
            VarintStatus status;
            do
            {
                int read = await stream.ReadAsync(buffer.AsMemory(filled)).ConfigureAwait(false);
                if (read == 0)
                    throw new Libp2pException("the stream ended before the request did");
                filled += read;
                status = RequestHeader.TryRead(buffer.AsSpan(0, filled), options.BodyMax, out header, out consumed);
            }
            while (status == VarintStatus.Incomplete);
            if (status == VarintStatus.Malformed)
                throw new Libp2pException("that is no request, or too long a one");
            if (buffer.Length - consumed < header.Length)
            {
                byte[] larger = ArrayPool<byte>.Shared.Rent(consumed + header.Length);
                buffer.AsSpan(0, filled).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = larger;
            }
            while (filled < consumed + header.Length)
            {
                int read = await stream.ReadAsync(buffer.AsMemory(filled)).ConfigureAwait(false);
                if (read == 0)
                    throw new Libp2pException("the stream ended within the request");
                filled += read;
            }
            (ResponseStatus result, ReadOnlyMemory<byte> body) = await AnswerAsync(stream, header, buffer.AsMemory(consumed, header.Length)).ConfigureAwait(false);
            int needed = ResponseHeader.BytesMax + body.Length;
            if (buffer.Length < needed)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = ArrayPool<byte>.Shared.Rent(needed);
            }
            int length = new ResponseHeader(result, body.Length).Write(buffer);
            body.CopyTo(buffer.AsMemory(length));
            await stream.WriteAndCloseAsync(buffer.AsMemory(0, length + body.Length)).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask<(ResponseStatus, ReadOnlyMemory<byte>)> AnswerAsync(P2pStream stream, RequestHeader header, ReadOnlyMemory<byte> body)
    {
        AnswerTable.Verdict verdict;
        AnswerTable.Answer? known;
        Task? done = null;
        lock (table)
        {
            verdict = table.Ask(stream.Remote, header, host.Hub.Clock.Now, out known);
            if (verdict == AnswerTable.Verdict.Wait)
            {
                known!.Waiters ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                done = ((TaskCompletionSource)known.Waiters).Task;
            }
        }
        switch (verdict)
        {
            case AnswerTable.Verdict.Do:
                return await DoAsync(stream, known!, body).ConfigureAwait(false);
            case AnswerTable.Verdict.Busy:
                return (ResponseStatus.Busy, default);
            case AnswerTable.Verdict.Gone:
                return (ResponseStatus.Gone, default);
            case AnswerTable.Verdict.Wait:
                await done!.ConfigureAwait(false);
                break;
        }
        lock (table)
            return known!.Body is { } kept ? (known.Status, kept) : (ResponseStatus.Gone, default);
    }

    private async ValueTask<(ResponseStatus, ReadOnlyMemory<byte>)> DoAsync(P2pStream stream, AnswerTable.Answer known, ReadOnlyMemory<byte> request)
    {
        ResponseStatus status = ResponseStatus.Answered;
        ReadOnlyMemory<byte> body;
        try
        {
            body = await answer(stream.Remote, request, stopping.Token).ConfigureAwait(false);
            if (body.Length > options.BodyMax)
                throw new RequestFailedException(ResponseStatus.Failed, "the answer is too long");
        }
        catch (RequestFailedException failure)
        {
            status = ResponseStatus.Failed;
            body = Encoding.UTF8.GetBytes(failure.Message);
        }
        catch (Exception failure)
        {
            status = ResponseStatus.Failed;
            body = "the request failed"u8.ToArray();
            host.Hub.Observers.Post(observer => observer.HandlerFailed(stream, failure));
        }
        object? waiters;
        lock (table)
        {
            table.Complete(known, status, body);
            waiters = known.Waiters;
        }
        ((TaskCompletionSource?)waiters)?.TrySetResult();
        return (status, body);
    }
}
