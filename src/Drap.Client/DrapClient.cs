using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Drap.Api;
using Drap.Api.Json;

namespace Drap.Client;

/// <summary>
/// A node on this machine, over its Unix socket. All members of <see cref="INodeService"/> are here with the same meaning; what the node refuses
/// is an <see cref="ApiException"/>, and a node that cannot be reached is a <see cref="NodeUnreachableException"/>. One client serves any number
/// of calls at a time.
/// </summary>
/// <example>
/// <code>
/// using var drap = new DrapClient("/home/me/.local/share/drap/api.sock");
/// SubmitReply job = await drap.SubmitAsync(new SubmitRequest { Id = DrapClient.NewJobId(), Job = spec }, cancel);
/// JobSummary ended = await drap.WaitAsync(job.Id, cancel);
/// </code>
/// </example>
public sealed class DrapClient : INodeService, IDisposable
{
    /// <summary>Connections kept at once; calls beyond them wait for one. Streams (events, logs, input) hold one each while they last.</summary>
    public const int ConnectionsMax = 64;

    /// <summary>
    /// How often a call that may safely be made twice is tried again when the connection breaks, with waits of 50 ms, 200 ms and 800 ms: a node
    /// that is restarted on purpose is back within a second.
    /// </summary>
    private const int retriesMax = 3;

    private static readonly ApiJson json = ApiJson.Line;

    private readonly HttpClient http;

    /// <summary>A client of the node that listens at <paramref name="socketPath"/>. Nothing is opened before the first call.</summary>
    public DrapClient(string socketPath)
    {
        SocketPath = socketPath;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            MaxConnectionsPerServer = ConnectionsMax,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            // Nothing on this path looks at trace headers, and making them is not free.
            ActivityHeadersPropagator = null,
        };
        http = new HttpClient(handler) { BaseAddress = new Uri("http://drap/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Where the node listens.</summary>
    public string SocketPath { get; }

    /// <summary>A new job id, so that a submit may be sent again without making a second job.</summary>
    public static JobId NewJobId() => new(Guid.NewGuid());

    /// <summary>Closes the connections; the node goes on.</summary>
    public void Dispose() => http.Dispose();

    /// <inheritdoc/>
    public Task<NodeDocument> NodeAsync(CancellationToken cancel) => GetAsync("v1/node", json.NodeDocument, cancel);

    /// <inheritdoc/>
    public Task<MembershipDocument> SwarmAsync(CancellationToken cancel) => GetAsync("v1/swarm", json.MembershipDocument, cancel);

    /// <inheritdoc/>
    public Task<TicketDocument> InviteAsync(InviteRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, "v1/swarm/invitations", request, json.InviteRequest, json.TicketDocument, repeatable: false, cancel);

    /// <inheritdoc/>
    public Task<RemovalReply> RemoveAsync(RemovalRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, "v1/swarm/removals", request, json.RemovalRequest, json.RemovalReply, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task LeaveAsync(CancellationToken cancel) => PostAsync("v1/swarm/leave", cancel);

    /// <inheritdoc/>
    public Task<DrainedDocument> DrainAsync(DrainRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, "v1/node/drain", request, json.DrainRequest, json.DrainedDocument, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task<SubmitReply> SubmitAsync(SubmitRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, "v1/jobs", request, json.SubmitRequest, json.SubmitReply, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task<PlanDocument> PlanAsync(SubmitRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, "v1/plan", request, json.SubmitRequest, json.PlanDocument, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task<JobListDocument> JobsAsync(bool openOnly, int limit, CancellationToken cancel) =>
        GetAsync(string.Create(CultureInfo.InvariantCulture, $"v1/jobs?open={Word(openOnly)}&limit={limit}"), json.JobListDocument, cancel);

    /// <inheritdoc/>
    public async Task<JobId> ResolveAsync(string text, CancellationToken cancel) =>
        (await GetAsync("v1/jobs/" + Uri.EscapeDataString(text), json.JobDocument, cancel).ConfigureAwait(false)).Job.Id;

    /// <inheritdoc/>
    public Task<JobDocument> JobAsync(JobId job, CancellationToken cancel) => GetAsync($"v1/jobs/{job}", json.JobDocument, cancel);

    /// <inheritdoc/>
    public Task<TaskListDocument> TasksAsync(JobId job, int from, int limit, bool history, CancellationToken cancel) => GetAsync(
        string.Create(CultureInfo.InvariantCulture, $"v1/jobs/{job}/tasks?from={from}&limit={limit}&history={Word(history)}"), json.TaskListDocument, cancel);

    /// <inheritdoc/>
    public Task<ActionReply> ActAsync(JobId job, ActionRequest request, CancellationToken cancel) => SendAsync(
        HttpMethod.Post, $"v1/jobs/{job}/actions", request, json.ActionRequest, json.ActionReply,
        // A second requeue or rerun would do something again.
        repeatable: request.Action is JobAction.Cancel or JobAction.Hold or JobAction.Release, cancel);

    /// <inheritdoc/>
    public Task<ActionReply> ChangeAsync(JobId job, ChangeRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Patch, $"v1/jobs/{job}", request, json.ChangeRequest, json.ActionReply, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task<ExplainDocument> ExplainAsync(JobId job, int? task, CancellationToken cancel) => GetAsync(
        string.Create(CultureInfo.InvariantCulture, $"v1/jobs/{job}/explain?task={task}"), json.ExplainDocument, cancel);

    /// <inheritdoc/>
    public IAsyncEnumerable<JobEvent> EventsAsync(JobId job, bool tasks, CancellationToken cancel) =>
        LinesAsync($"v1/jobs/{job}/events?tasks={Word(tasks)}", json.JobEvent, cancel);

    /// <inheritdoc/>
    public IAsyncEnumerable<LogChunk> LogsAsync(JobId job, LogQuery query, CancellationToken cancel)
    {
        string stream = query.Stream switch { LogStream.Stdout => "stdout", LogStream.Stderr => "stderr", _ => "" };
        string path = string.Create(
            CultureInfo.InvariantCulture,
            $"v1/jobs/{job}/logs?tasks={TaskRanges.Format(query.Tasks)}&stream={stream}&attempt={query.Attempt}&follow={Word(query.Follow)}&tail={query.TailBytes}");
        return LinesAsync(path, json.LogChunk, cancel);
    }

    /// <inheritdoc/>
    public async Task FeedAsync(JobId job, Stream input, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"v1/jobs/{job}/stdin") { Content = new EndlessContent(input) };
        using HttpResponseMessage response = await SendOnceAsync(request, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<ResultsDocument> ResultsAsync(JobId job, CancellationToken cancel) => GetAsync($"v1/jobs/{job}/results", json.ResultsDocument, cancel);

    /// <inheritdoc/>
    public Task<MarketDocument> MarketAsync(bool explain, CancellationToken cancel) =>
        GetAsync($"v1/market?explain={Word(explain)}", json.MarketDocument, cancel);

    /// <inheritdoc/>
    public Task<LedgerDocument> LedgerAsync(JobId? job, int limit, CancellationToken cancel) =>
        GetAsync(string.Create(CultureInfo.InvariantCulture, $"v1/ledger?job={job}&limit={limit}"), json.LedgerDocument, cancel);

    /// <inheritdoc/>
    public Task<UsageDocument> UsageAsync(JobId? job, CancellationToken cancel) => GetAsync($"v1/usage?job={job}", json.UsageDocument, cancel);

    /// <inheritdoc/>
    public async Task<BlobDocument> AddBlobAsync(Stream content, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/blobs") { Content = new StreamContent(content) };
        using HttpResponseMessage response = await SendOnceAsync(request, cancel).ConfigureAwait(false);
        return await ReadAsync(response, json.BlobDocument, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<BlobDocument> AddPathAsync(PathRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, "v1/paths", request, json.PathRequest, json.BlobDocument, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task<BlobDocument> BlobAsync(Cid cid, CancellationToken cancel) => GetAsync($"v1/blobs/{cid}/info", json.BlobDocument, cancel);

    /// <inheritdoc/>
    public async Task<Stream> OpenBlobAsync(Cid cid, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"v1/blobs/{cid}");
        HttpResponseMessage response = await SendOnceAsync(request, cancel).ConfigureAwait(false);
        // The stream owns the connection: disposing it gives that back.
        return await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task ExportBlobAsync(Cid cid, PathRequest request, CancellationToken cancel) =>
        SendAsync<PathRequest, ErrorDocument>(HttpMethod.Post, $"v1/blobs/{cid}/export", request, json.PathRequest, null, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task<BlobListDocument> BlobsAsync(bool all, CancellationToken cancel) => GetAsync($"v1/blobs?all={Word(all)}", json.BlobListDocument, cancel);

    /// <inheritdoc/>
    public Task<BlobDocument> FetchBlobAsync(Cid cid, CancellationToken cancel) =>
        SendAsync<ErrorDocument, BlobDocument>(HttpMethod.Post, $"v1/blobs/{cid}/fetch", null, null, json.BlobDocument, repeatable: true, cancel)!;

    /// <inheritdoc/>
    public Task<BlobDocument> PinBlobAsync(Cid cid, PinRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, $"v1/blobs/{cid}/pin", request, json.PinRequest, json.BlobDocument, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task<CollectReply> CollectBlobsAsync(CollectRequest request, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, "v1/blobs/collect", request, json.CollectRequest, json.CollectReply, repeatable: true, cancel);

    /// <inheritdoc/>
    public Task ShutdownAsync(CancellationToken cancel) => PostAsync("v1/node/shutdown", cancel);

    private async Task PostAsync(string path, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        using HttpResponseMessage response = await SendOnceAsync(request, cancel).ConfigureAwait(false);
    }

    private static string Word(bool flag) => flag ? "true" : "false";

    private Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel) where T : Document =>
        SendAsync<ErrorDocument, T>(HttpMethod.Get, path, null, null, type, repeatable: true, cancel)!;

    private async Task<TReply> SendAsync<TBody, TReply>(
        HttpMethod method, string path, TBody? body, JsonTypeInfo<TBody>? bodyType, JsonTypeInfo<TReply>? replyType, bool repeatable,
        CancellationToken cancel)
        where TBody : Document
        where TReply : Document
    {
        byte[]? bytes = body is null ? null : JsonSerializer.SerializeToUtf8Bytes(body, bodyType!);
        for (int tried = 0; ; tried++)
        {
            using var request = new HttpRequestMessage(method, path);
            if (bytes is not null)
                request.Content = new ByteArrayContent(bytes) { Headers = { { "Content-Type", "application/json" } } };
            try
            {
                using HttpResponseMessage response = await SendOnceAsync(request, cancel).ConfigureAwait(false);
                return replyType is null ? null! : await ReadAsync(response, replyType, cancel).ConfigureAwait(false);
            }
            catch (NodeUnreachableException) when (repeatable && tried < retriesMax)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50 << (2 * tried)), cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>One exchange; returns a success, whose body has not been read yet.</summary>
    private async Task<HttpResponseMessage> SendOnceAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        HttpResponseMessage? response = null;
        try
        {
            response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
                return response;
            ErrorDocument error = await ReadAsync(response, json.ErrorDocument, cancel).ConfigureAwait(false);
            throw new ApiException(error.Error);
        }
        catch (HttpRequestException e)
        {
            response?.Dispose();
            throw new NodeUnreachableException(SocketPath, e);
        }
        catch (Exception) when (response is not null)
        {
            response.Dispose();
            throw;
        }
    }

    private async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancel) where T : Document
    {
        try
        {
            Stream body = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            T? document = await JsonSerializer.DeserializeAsync(body, type, cancel).ConfigureAwait(false);
            return document ?? throw new JsonException("null, where a document must stand");
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new NodeUnreachableException(SocketPath, e);
        }
        catch (JsonException e)
        {
            throw new ApiException(ErrorCodes.Internal, $"the node's answer ({(int)response.StatusCode}) is not understood: {e.Message}", SocketPath, "a node of the same version");
        }
    }

    private async IAsyncEnumerable<T> LinesAsync<T>(string path, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using HttpResponseMessage response = await SendOnceAsync(request, cancel).ConfigureAwait(false);
        using var reader = new LineReader(await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false));
        while (await NextAsync(reader, cancel).ConfigureAwait(false) is { } line)
        {
            // Only an error has a version: it says why the stream ends here.
            if (line.AsSpan().StartsWith("{\"version\""u8))
                throw new ApiException(JsonSerializer.Deserialize(line, json.ErrorDocument)!.Error);
            yield return JsonSerializer.Deserialize(line, type)!;
        }
    }

    private async Task<byte[]?> NextAsync(LineReader reader, CancellationToken cancel)
    {
        try
        {
            return await reader.NextAsync(cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new NodeUnreachableException(SocketPath, e);
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), cancel).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends what a stream gives as it comes, each read at once: a person types into the other end.</summary>
    private sealed class EndlessContent(Stream input) : HttpContent
    {
        private const int chunkBytes = 64 * 1024;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, default);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            byte[] chunk = ArrayPool<byte>.Shared.Rent(chunkBytes);
            try
            {
                // The headers go out before the first byte of input: the task may begin.
                await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
                while (await input.ReadAsync(chunk, cancellationToken).ConfigureAwait(false) is > 0 and int read)
                {
                    await stream.WriteAsync(chunk.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                    await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(chunk);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
