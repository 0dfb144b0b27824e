using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Drap.Api;
using Drap.Client;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Node.Api;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using TaskRange = Drap.Api.TaskRange;
using TaskState = Drap.Api.TaskState;

namespace Drap.Tests.Api;

public sealed class ApiServerTests : IAsyncLifetime
{
    private readonly TemporaryHome home = new();
    private readonly FakeNode node = new();
    private ApiServer server = null!;
    private DrapClient client = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        home.Folder.Create();
        server = await ApiServer.StartAsync(node, home.Folder, NullLoggerFactory.Instance, Cancel);
        client = new DrapClient(server.SocketPath);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await server.DisposeAsync();
        home.Dispose();
    }

    [Fact]
    public async Task A_submitted_job_arrives_as_it_was_sent()
    {
        SubmitRequest request = Request() with { Secrets = JobJson.EmptyMap<string>().Add("env:TOKEN", "hush") };
        SubmitReply reply = await client.SubmitAsync(request, Cancel);
        Assert.Equal((request.Id, 1, 3, true), (reply.Id, reply.Number, reply.Tasks, reply.Created));
        SubmitRequest arrived = Assert.Single(node.Submitted);
        Assert.Equal(JobJson.Write(request.Job), JobJson.Write(arrived.Job));
        Assert.Equal("hush", arrived.Secrets["env:TOKEN"]);
    }

    [Fact]
    public async Task The_same_submit_again_is_the_same_job()
    {
        SubmitRequest request = Request();
        await client.SubmitAsync(request, Cancel);
        SubmitReply again = await client.SubmitAsync(request, Cancel);
        Assert.False(again.Created);
        Assert.Single(node.Submitted);
    }

    [Fact]
    public async Task The_socket_is_for_its_owner_alone_and_goes_with_the_server()
    {
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(server.SocketPath));
        await server.DisposeAsync();
        Assert.False(File.Exists(server.SocketPath));
    }

    [Fact]
    public async Task A_refusal_keeps_its_code_words_and_place()
    {
        node.Fault = new ApiException(ErrorCodes.BadJob, "no segment", "segments", "at least one");
        var refused = await Assert.ThrowsAsync<ApiException>(() => client.SubmitAsync(Request(), Cancel));
        Assert.Equal(new ApiError(ErrorCodes.BadJob, "no segment", "segments", "at least one"), refused.Error);
    }

    [Fact]
    public async Task A_fault_of_ours_is_an_internal_error_and_the_server_goes_on()
    {
        node.Fault = new InvalidOperationException("boom");
        var fault = await Assert.ThrowsAsync<ApiException>(() => client.NodeAsync(Cancel));
        Assert.Equal(ErrorCodes.Internal, fault.Error.Code);
        node.Fault = null;
        Assert.Equal(Environment.ProcessId, (await client.NodeAsync(Cancel)).Pid);
    }

    [Theory]
    [InlineData("GET", "/v1/nothing", "", 404, "not_found")]
    [InlineData("DELETE", "/v1/jobs", "", 400, "bad_request")]
    [InlineData("POST", "/v1/jobs", "{", 400, "bad_request")]
    [InlineData("POST", "/v1/jobs", "null", 400, "bad_request")]
    [InlineData("POST", "/v1/jobs", "{\"version\":1}", 400, "bad_request")]
    [InlineData("POST", "/v1/jobs", "{\"version\":2,\"id\":\"0123456789abcdef0123456789abcdef\",\"job\":{}}", 400, "bad_request")]
    [InlineData("POST", "/v1/jobs", "{\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\",\"job\":{\"budget\":-1}}", 422, "bad_job")]
    [InlineData("POST", "/v1/paths", "{\"version\":1,\"path\":\"relative\"}", 400, "bad_request")]
    [InlineData("GET", "/v1/jobs?limit=0", "", 400, "bad_request")]
    [InlineData("GET", "/v1/jobs?limit=99999999999999999999", "", 400, "bad_request")]
    [InlineData("GET", "/v1/jobs/last", "", 404, "not_found")]
    [InlineData("GET", "/v1/jobs/%00", "", 400, "")]
    [InlineData("GET", "/v1/blobs/bafyno/info", "", 400, "bad_request")]
    public async Task Bad_requests_get_a_document_that_says_why(string method, string path, string body, int status, string code)
    {
        string answer = await RawAsync($"{method} {path} HTTP/1.1\r\nHost: drap\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}");
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        // What is no HTTP at all Kestrel refuses before us, without a body.
        if (code.Length == 0)
            return;
        using JsonDocument document = JsonDocument.Parse(answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        Assert.Equal(1, document.RootElement.GetProperty("version").GetInt32());
        Assert.Equal(code, document.RootElement.GetProperty("error").GetProperty("code").GetString());
        Assert.NotEmpty(document.RootElement.GetProperty("error").GetProperty("message").GetString()!);
    }

    [Fact]
    public async Task Waiting_ends_with_the_event_that_the_job_has_ended()
    {
        node.Ending = _ => null;
        SubmitReply job = await client.SubmitAsync(Request(), Cancel);
        Task<JobSummary> waiting = client.WaitAsync(job.Id, Cancel);
        await node.Watched.WaitAsync(Cancel);
        node.End(job.Id, new FakeNode.Outcome(TaskState.Failed, new Reason(ReasonCodes.ExitCode, "exit code 7"), 7));
        JobSummary ended = await waiting;
        Assert.Equal((JobState.Failed, "exit code 7"), (ended.State, ended.Reason!.Message));
    }

    [Fact]
    public async Task An_error_in_the_middle_of_a_stream_is_said_after_what_came_before()
    {
        SubmitReply job = await client.SubmitAsync(Request(), Cancel);
        node.Chunks.Add(FakeNode.Chunk(1, "first"));
        node.Fault = new ApiException(ErrorCodes.Storage, "the disk is gone");
        var read = new List<string>();
        var error = await Assert.ThrowsAsync<ApiException>(async () =>
        {
            await foreach (LogChunk chunk in client.LogsAsync(job.Id, new LogQuery(), Cancel))
                read.Add(Encoding.UTF8.GetString(chunk.Data.Span));
        });
        Assert.Equal(["first"], read);
        Assert.Equal(ErrorCodes.Storage, error.Error.Code);
    }

    [Fact]
    public async Task Events_come_as_server_sent_events_where_those_are_asked_for()
    {
        SubmitReply job = await client.SubmitAsync(Request(), Cancel);
        string answer = await RawAsync($"GET /v1/jobs/{job.Id}/events HTTP/1.1\r\nHost: drap\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n");
        Assert.Contains("Content-Type: text/event-stream", answer, StringComparison.Ordinal);
        // Between the two may stand the length of a chunk.
        Assert.Contains("data: ", answer, StringComparison.Ordinal);
        Assert.Contains("{\"kind\":\"snapshot\"", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Blobs_and_standard_input_pass_through_whole()
    {
        byte[] bytes = new byte[3_000_000];
        new Random(7).NextBytes(bytes);
        BlobDocument blob = await client.AddBlobAsync(new MemoryStream(bytes), Cancel);
        await using Stream content = await client.OpenBlobAsync(blob.Cid, Cancel);
        var back = new MemoryStream();
        await content.CopyToAsync(back, Cancel);
        Assert.Equal(bytes, back.ToArray());
        SubmitReply job = await client.SubmitAsync(Request(), Cancel);
        await client.FeedAsync(job.Id, new MemoryStream(bytes), Cancel);
        Assert.Equal(bytes, node.Fed.ToArray());
    }

    [Fact]
    public async Task A_node_that_is_not_there_is_unreachable_after_a_second_of_trying()
    {
        using var nobody = new DrapClient(Path.Combine(home.Root, "none.sock"));
        await Assert.ThrowsAsync<NodeUnreachableException>(() => nobody.NodeAsync(Cancel));
    }

    [Fact]
    public async Task Every_action_and_query_reaches_the_node()
    {
        SubmitReply job = await client.SubmitAsync(Request(), Cancel);
        ActionReply acted = await client.ActAsync(job.Id, new ActionRequest { Action = JobAction.Rerun, Tasks = [new TaskRange(1, 2)], FailedOnly = true }, Cancel);
        Assert.Equal(1, acted.Changed);
        (JobId Job, ActionRequest Request) sent = Assert.Single(node.Actions);
        Assert.Equal((job.Id, JobAction.Rerun, new TaskRange(1, 2), true), (sent.Job, sent.Request.Action, sent.Request.Tasks[0], sent.Request.FailedOnly));
        await client.ChangeAsync(job.Id, new ChangeRequest { Bid = new Price(1_500_000), TimeoutSeconds = TimeSpan.FromSeconds(1.5) }, Cancel);
        ChangeRequest change = Assert.Single(node.Changes);
        Assert.Equal((new Price(1_500_000), TimeSpan.FromSeconds(1.5)), (change.Bid, change.TimeoutSeconds));
        Assert.Equal(job.Id, await client.ResolveAsync("last", Cancel));
        Assert.Equal(2, (await client.TasksAsync(job.Id, 1, 2, false, Cancel)).Tasks.Length);
        Assert.Equal(3, await client.AllTasksAsync(job.Id, false, Cancel).CountAsync(Cancel));
        Assert.Single((await client.MarketAsync(true, Cancel)).Nodes[0].Factors);
        await client.ShutdownAsync(Cancel);
        Assert.True(node.ShutDown.Task.IsCompleted);
    }

    /// <summary>The figure of the API: p50 on a warm client; printed, and held to ten times the goal of 300 µs since the machine is shared.</summary>
    [Fact]
    public async Task A_warm_submit_is_quick()
    {
        const int rounds = 500;
        var times = new List<double>();
        for (int i = 0; i < 2 * rounds; i++)
        {
            SubmitRequest request = Request();
            long start = Stopwatch.GetTimestamp();
            await client.SubmitAsync(request, Cancel);
            if (i >= rounds)
                times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        times.Sort();
        TestContext.Current.TestOutputHelper?.WriteLine($"submit over the socket: p50 {times[rounds / 2]:0} µs, p99 {times[rounds * 99 / 100]:0} µs");
        Assert.True(times[rounds / 2] < 3_000, $"p50 {times[rounds / 2]:0} µs");
    }

    [Fact]
    public void The_committed_OpenAPI_document_is_the_one_that_is_served()
    {
        string path = Repository.Path("docs", "protocol", "openapi.json");
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") is "1")
            File.WriteAllText(path, OpenApi.Text);
        Assert.True(File.ReadAllText(path) == OpenApi.Text, "docs/protocol/openapi.json is not what the code says; run this test once with DRAP_RECORD=1");
    }

    [Fact]
    public async Task The_OpenAPI_document_is_served()
    {
        string answer = await RawAsync("GET /openapi.json HTTP/1.1\r\nHost: drap\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Contains("\"/v1/jobs/{job}/actions\"", answer, StringComparison.Ordinal);
    }

    private static SubmitRequest Request() => new()
    {
        Id = DrapClient.NewJobId(),
        Job = new JobSpec { Name = "test", Segments = [new SegmentSpec { Name = "map", Count = 3, Command = CommandSpec.Program("true"), Bid = new Price(250_000) }] },
    };

    private async Task<string> RawAsync(string request)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(server.SocketPath), Cancel);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), Cancel);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(Cancel);
    }
}
