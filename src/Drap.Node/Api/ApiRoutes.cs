using Drap.Api;
using Drap.Api.Json;
using Microsoft.AspNetCore.Http;

namespace Drap.Node.Api;

/// <summary>Everything that the API can do.</summary>
internal static class ApiRoutes
{
    private const int pageMax = 10_000;
    private const string bytes = "application/octet-stream", lines = "application/x-ndjson";

    private static readonly ApiJson json = ApiJson.Default;

    public static IReadOnlyList<ApiRoute> All { get; } = [.. Node(), .. Swarm(), .. Jobs(), .. JobStreams(), .. Market(), .. Blobs()];

    private static IEnumerable<ApiRoute> Node() =>
    [
        new("GET", "/v1/node", "Who answers", async c => await c.WriteAsync(await c.Service.NodeAsync(c.Cancel).ConfigureAwait(false), json.NodeDocument).ConfigureAwait(false))
        {
            Reply = json.NodeDocument,
        },
        new("POST", "/v1/node/shutdown", "End the node in order; its jobs are resumed by the next start", async c =>
        {
            await c.Service.ShutdownAsync(c.Cancel).ConfigureAwait(false);
            c.Done();
        }),
        new("GET", "/openapi.json", "This document", c =>
        {
            c.Http.Response.ContentType = "application/json";
            return c.Http.Response.WriteAsync(OpenApi.Text, c.Cancel);
        }) { ReplyType = "application/json" },
    ];

    private static IEnumerable<ApiRoute> Swarm() =>
    [
        new("GET", "/v1/swarm", "The swarm that the node belongs to", async c =>
            await c.WriteAsync(await c.Service.SwarmAsync(c.Cancel).ConfigureAwait(false), json.MembershipDocument).ConfigureAwait(false))
        {
            Reply = json.MembershipDocument,
        },
        new("POST", "/v1/swarm/invitations", "Hand out a ticket", async c =>
        {
            InviteRequest request = await c.ReadAsync(json.InviteRequest).ConfigureAwait(false);
            await c.WriteAsync(await c.Service.InviteAsync(request, c.Cancel).ConfigureAwait(false), json.TicketDocument, StatusCodes.Status201Created).ConfigureAwait(false);
        }) { Body = json.InviteRequest, Reply = json.TicketDocument },
        new("POST", "/v1/swarm/removals", "Remove a node from the swarm, and all that it let in", async c =>
        {
            RemovalRequest request = await c.ReadAsync(json.RemovalRequest).ConfigureAwait(false);
            await c.WriteAsync(await c.Service.RemoveAsync(request, c.Cancel).ConfigureAwait(false), json.RemovalReply).ConfigureAwait(false);
        }) { Body = json.RemovalRequest, Reply = json.RemovalReply },
        new("POST", "/v1/swarm/leave", "Say to the swarm that this node leaves it, for good", async c =>
        {
            await c.Service.LeaveAsync(c.Cancel).ConfigureAwait(false);
            c.Done();
        }),
        new("POST", "/v1/node/drain", "The workers of this home, or of another node of the swarm, take nothing new until their next start", async c =>
        {
            DrainRequest request = await c.ReadAsync(json.DrainRequest).ConfigureAwait(false);
            await c.WriteAsync(await c.Service.DrainAsync(request, c.Cancel).ConfigureAwait(false), json.DrainedDocument).ConfigureAwait(false);
        }) { Body = json.DrainRequest, Reply = json.DrainedDocument },
    ];

    private static IEnumerable<ApiRoute> Jobs() =>
    [
        new("POST", "/v1/jobs", "Submit a job; the same id again changes nothing", async c =>
        {
            SubmitRequest request = await c.ReadAsync(json.SubmitRequest).ConfigureAwait(false);
            SubmitReply reply = await c.Service.SubmitAsync(request, c.Cancel).ConfigureAwait(false);
            await c.WriteAsync(reply, json.SubmitReply, reply.Created ? StatusCodes.Status201Created : StatusCodes.Status200OK).ConfigureAwait(false);
        }) { Body = json.SubmitRequest, Reply = json.SubmitReply },
        new("POST", "/v1/plan", "Validate a job and ask the market for a non-binding quote", async c =>
        {
            SubmitRequest request = await c.ReadAsync(json.SubmitRequest).ConfigureAwait(false);
            await c.WriteAsync(await c.Service.PlanAsync(request, c.Cancel).ConfigureAwait(false), json.PlanDocument).ConfigureAwait(false);
        }) { Body = json.SubmitRequest, Reply = json.PlanDocument },
        new("GET", "/v1/jobs", "Jobs, the youngest first", async c =>
            await c.WriteAsync(
                await c.Service.JobsAsync(c.Flag("open"), c.Number("limit", 100, 1, pageMax), c.Cancel).ConfigureAwait(false), json.JobListDocument).ConfigureAwait(false))
        {
            Reply = json.JobListDocument,
            Queries = [new("open", "boolean", "Only those that have not ended; default false"), new("limit", "integer", $"At most so many, 1 to {pageMax}; default 100")],
        },
        new("GET", "/v1/jobs/{job}", "One job with its segments", async c =>
            await c.WriteAsync(await c.Service.JobAsync(await c.JobAsync().ConfigureAwait(false), c.Cancel).ConfigureAwait(false), json.JobDocument).ConfigureAwait(false))
        {
            Reply = json.JobDocument,
        },
        new("GET", "/v1/jobs/{job}/tasks", "A job's tasks by number", async c =>
            await c.WriteAsync(
                await c.Service.TasksAsync(
                    await c.JobAsync().ConfigureAwait(false), c.Number("from", 1, 1, int.MaxValue), c.Number("limit", pageMax, 1, pageMax), c.Flag("history"),
                    c.Cancel).ConfigureAwait(false), json.TaskListDocument).ConfigureAwait(false))
        {
            Reply = json.TaskListDocument,
            Queries =
            [
                new("from", "integer", "The first number; default 1"), new("limit", "integer", $"At most so many, 1 to {pageMax}; default {pageMax}"),
                new("history", "boolean", "With each task's attempts; default false"),
            ],
        },
        new("POST", "/v1/jobs/{job}/actions", "Cancel, hold, release, requeue or rerun a job or some of its tasks", async c =>
        {
            ActionRequest request = Checked(await c.ReadAsync(json.ActionRequest).ConfigureAwait(false));
            await c.WriteAsync(
                await c.Service.ActAsync(await c.JobAsync().ConfigureAwait(false), request, c.Cancel).ConfigureAwait(false), json.ActionReply).ConfigureAwait(false);
        }) { Body = json.ActionRequest, Reply = json.ActionReply },
        new("PATCH", "/v1/jobs/{job}", "Give a job new values", async c =>
        {
            ChangeRequest request = await c.ReadAsync(json.ChangeRequest).ConfigureAwait(false);
            await c.WriteAsync(
                await c.Service.ChangeAsync(await c.JobAsync().ConfigureAwait(false), request, c.Cancel).ConfigureAwait(false), json.ActionReply).ConfigureAwait(false);
        }) { Body = json.ChangeRequest, Reply = json.ActionReply },
        new("GET", "/v1/jobs/{job}/explain", "Why a job or a task is where it is, or why it waits", async c =>
            await c.WriteAsync(
                await c.Service.ExplainAsync(
                    await c.JobAsync().ConfigureAwait(false), (int?)c.NumberOrNull("task", 1, int.MaxValue), c.Cancel).ConfigureAwait(false),
                json.ExplainDocument).ConfigureAwait(false))
        {
            Reply = json.ExplainDocument,
            Queries = [new("task", "integer", "Only this task; default all, like ones together")],
        },
        new("GET", "/v1/jobs/{job}/results", "What a job has to give so far", async c =>
            await c.WriteAsync(await c.Service.ResultsAsync(await c.JobAsync().ConfigureAwait(false), c.Cancel).ConfigureAwait(false), json.ResultsDocument).ConfigureAwait(false))
        {
            Reply = json.ResultsDocument,
        },
    ];

    private static IEnumerable<ApiRoute> JobStreams() =>
    [
        new("GET", "/v1/jobs/{job}/events", "A job's events until it has ended: lines of JSON, or server-sent events where text/event-stream is asked for", async c =>
            await JsonLines.WriteAsync(
                c, c.Service.EventsAsync(await c.JobAsync().ConfigureAwait(false), c.Flag("tasks"), c.Cancel), ApiJson.Line.JobEvent).ConfigureAwait(false))
        {
            Reply = json.JobEvent,
            ReplyType = lines,
            Queries = [new("tasks", "boolean", "With an event for each task's change; default false")],
        },
        new("GET", "/v1/jobs/{job}/logs", "What tasks wrote, as lines of JSON", async c =>
            await JsonLines.WriteAsync(c, c.Service.LogsAsync(await c.JobAsync().ConfigureAwait(false), Logs(c), c.Cancel), ApiJson.Line.LogChunk).ConfigureAwait(false))
        {
            Reply = json.LogChunk,
            ReplyType = lines,
            Queries =
            [
                new("tasks", "string", "Only these: 1-3,7; default all"), new("stream", "string", "stdout or stderr; default both"),
                new("attempt", "integer", "Only this attempt; default the accepted or the last one"),
                new("follow", "boolean", "Until the tasks have ended; default false"), new("tail", "integer", "About so many bytes from the end; default all"),
            ],
        },
        new("PUT", "/v1/jobs/{job}/stdin", "The standard input of a job's only task, which begins with this call at the earliest", async c =>
        {
            await c.Service.FeedAsync(await c.JobAsync().ConfigureAwait(false), c.Http.Request.Body, c.Cancel).ConfigureAwait(false);
            c.Done();
        }) { BodyType = bytes },
    ];

    private static IEnumerable<ApiRoute> Market() =>
    [
        new("GET", "/v1/market", "The machines, what they have free and what they ask", async c =>
            await c.WriteAsync(await c.Service.MarketAsync(c.Flag("explain"), c.Cancel).ConfigureAwait(false), json.MarketDocument).ConfigureAwait(false))
        {
            Reply = json.MarketDocument,
            Queries = [new("explain", "boolean", "With the factors of each price; default false")],
        },
        new("GET", "/v1/ledger", "Accounts and the last receipts", async c =>
            await c.WriteAsync(
                await c.Service.LedgerAsync(await c.JobOfQueryAsync().ConfigureAwait(false), c.Number("limit", 100, 0, pageMax), c.Cancel).ConfigureAwait(false),
                json.LedgerDocument).ConfigureAwait(false))
        {
            Reply = json.LedgerDocument,
            Queries = [new("job", "string", "Only this job's"), new("limit", "integer", $"At most so many receipts, 0 to {pageMax}; default 100")],
        },
        new("GET", "/v1/usage", "Asked against used, by segment", async c =>
            await c.WriteAsync(
                await c.Service.UsageAsync(await c.JobOfQueryAsync().ConfigureAwait(false), c.Cancel).ConfigureAwait(false), json.UsageDocument).ConfigureAwait(false))
        {
            Reply = json.UsageDocument,
            Queries = [new("job", "string", "Only this job's")],
        },
    ];

    private static IEnumerable<ApiRoute> Blobs() =>
    [
        new("POST", "/v1/blobs", "Take bytes into the store as one file", async c =>
            await c.WriteAsync(await c.Service.AddBlobAsync(c.Http.Request.Body, c.Cancel).ConfigureAwait(false), json.BlobDocument, StatusCodes.Status201Created).ConfigureAwait(false))
        {
            BodyType = bytes,
            Reply = json.BlobDocument,
        },
        new("POST", "/v1/paths", "Take a file or folder of this machine into the store", async c =>
        {
            PathRequest request = Checked(await c.ReadAsync(json.PathRequest).ConfigureAwait(false));
            await c.WriteAsync(
                await c.Service.AddPathAsync(request, c.Cancel).ConfigureAwait(false), json.BlobDocument, StatusCodes.Status201Created).ConfigureAwait(false);
        }) { Body = json.PathRequest, Reply = json.BlobDocument },
        new("GET", "/v1/blobs/{cid}", "A file's bytes", async c =>
        {
            Stream content = await c.Service.OpenBlobAsync(c.Cid, c.Cancel).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
            {
                c.Http.Response.ContentType = bytes;
                if (content.CanSeek)
                    c.Http.Response.ContentLength = content.Length;
                await content.CopyToAsync(c.Http.Response.Body, c.Cancel).ConfigureAwait(false);
            }
        }) { ReplyType = bytes },
        new("GET", "/v1/blobs", "What is kept in the store by its user", async c =>
            await c.WriteAsync(await c.Service.BlobsAsync(c.Flag("all"), c.Cancel).ConfigureAwait(false), json.BlobListDocument).ConfigureAwait(false))
        {
            Reply = json.BlobListDocument,
            Queries = [new("all", "boolean", "Also what jobs keep; default false")],
        },
        new("POST", "/v1/blobs/{cid}/fetch", "Bring a file or folder from whoever in the swarm has it", async c =>
            await c.WriteAsync(await c.Service.FetchBlobAsync(c.Cid, c.Cancel).ConfigureAwait(false), json.BlobDocument).ConfigureAwait(false))
        {
            Reply = json.BlobDocument,
        },
        new("POST", "/v1/blobs/{cid}/pin", "Keep a file or folder, or keep it no more, and say who may read it", async c =>
        {
            PinRequest request = Checked(await c.ReadAsync(json.PinRequest).ConfigureAwait(false));
            await c.WriteAsync(await c.Service.PinBlobAsync(c.Cid, request, c.Cancel).ConfigureAwait(false), json.BlobDocument).ConfigureAwait(false);
        }) { Body = json.PinRequest, Reply = json.BlobDocument },
        new("POST", "/v1/blobs/collect", "Delete what nothing keeps", async c =>
        {
            CollectRequest request = await c.ReadAsync(json.CollectRequest).ConfigureAwait(false);
            if (request.KeepBytes < 0)
                throw new ApiException(ErrorCodes.BadRequest, $"{request.KeepBytes} bytes cannot stay", "keep_bytes", "0 or more");
            await c.WriteAsync(await c.Service.CollectBlobsAsync(request, c.Cancel).ConfigureAwait(false), json.CollectReply).ConfigureAwait(false);
        }) { Body = json.CollectRequest, Reply = json.CollectReply },
        new("GET", "/v1/blobs/{cid}/info", "What is known of a file or folder", async c =>
            await c.WriteAsync(await c.Service.BlobAsync(c.Cid, c.Cancel).ConfigureAwait(false), json.BlobDocument).ConfigureAwait(false))
        {
            Reply = json.BlobDocument,
        },
        new("POST", "/v1/blobs/{cid}/export", "Write a file or folder to a path of this machine", async c =>
        {
            PathRequest request = Checked(await c.ReadAsync(json.PathRequest).ConfigureAwait(false));
            await c.Service.ExportBlobAsync(c.Cid, request, c.Cancel).ConfigureAwait(false);
            c.Done();
        }) { Body = json.PathRequest },
    ];

    private static ActionRequest Checked(ActionRequest request)
    {
        if (request.Tasks.Length > ActionRequest.RangesMax)
            throw new ApiException(ErrorCodes.TooLarge, $"{request.Tasks.Length} ranges of tasks", "tasks", $"at most {ActionRequest.RangesMax}");
        foreach (TaskRange range in request.Tasks)
            if (range.First < 1 || range.Last < range.First)
                throw new ApiException(ErrorCodes.BadRequest, $"{range.First}-{range.Last} is no range of task numbers", "tasks", "1 or more, the first not above the last");
        return request;
    }

    private static PinRequest Checked(PinRequest request) => request.Name is not { } name || (name.Length is > 0 and <= PinRequest.NameCharsMax && !name.Any(char.IsControl))
        ? request
        : throw new ApiException(ErrorCodes.BadRequest, $"'{name}' is no name", "name", $"1 to {PinRequest.NameCharsMax} characters, none of them a control character");

    private static PathRequest Checked(PathRequest request) => Path.IsPathFullyQualified(request.Path)
        ? request
        : throw new ApiException(ErrorCodes.BadRequest, $"'{request.Path}' is not absolute, and the node has another current folder", "path", "an absolute path");

    private static LogQuery Logs(ApiCall call) => new()
    {
        Tasks = call.Query("tasks") is { } tasks
            ? TaskRanges.TryParse(tasks, out var ranges)
                ? ranges : throw new ApiException(ErrorCodes.BadRequest, $"'{tasks}' names no tasks", "tasks", TaskRanges.Form)
            : [],
        Stream = call.Query("stream") switch
        {
            null => null,
            "stdout" => LogStream.Stdout,
            "stderr" => LogStream.Stderr,
            string other => throw new ApiException(ErrorCodes.BadRequest, $"'{other}' is no stream", "stream", "stdout or stderr"),
        },
        Attempt = (int?)call.NumberOrNull("attempt", 1, 1 << Fence.AttemptBits),
        Follow = call.Flag("follow"),
        TailBytes = call.NumberOrNull("tail", 0, long.MaxValue),
    };
}
