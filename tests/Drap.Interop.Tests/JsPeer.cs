using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>A js-libp2p peer as a process (tests/interop/peer.js): commands are calls, what it sees comes as events.</summary>
internal sealed class JsPeer : IAsyncDisposable
{
    private readonly ChildProgram program;
    private readonly Task reading;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode?>> waiting = [];
    private readonly Channel<JsonObject> events = Channel.CreateUnbounded<JsonObject>();
    private readonly TaskCompletionSource<JsonObject> ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim writing = new(1);
    private int commands;

    private JsPeer(ChildProgram program)
    {
        this.program = program;
        reading = ReadAsync();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public PeerId Id { get; private set; }

    /// <summary>Where it listens, as text with its peer id.</summary>
    public string[] Addresses { get; private set; } = [];

    /// <summary>Starts one; the options are those of peer.js. It may live in a network of its own.</summary>
    public static Task<JsPeer> StartAsync(JsonObject options, string? network = null) =>
        StartAsync(network, "node", Path.Combine(JsPackages.Folder, "peer.js"), options);

    /// <summary>Starts a drap host that is told what to do in the same words; the options are those of interop/DrapPeer.</summary>
    public static Task<JsPeer> StartDrapAsync(JsonObject options, string? network = null) =>
        StartAsync(network, "dotnet", Path.Combine(AppContext.BaseDirectory, "DrapPeer.dll"), options);

    private static async Task<JsPeer> StartAsync(string? network, string runtime, string program, JsonObject options)
    {
        var peer = new JsPeer(ChildProgram.Start(network, runtime, program, options.ToJsonString()));
        JsonObject about = await peer.ready.Task.WaitAsync(ChildProgram.Patience, Cancel);
        Assert.True(PeerId.TryParse(about["id"]!.GetValue<string>(), out PeerId id));
        peer.Id = id;
        peer.Addresses = [.. about["addresses"]!.AsArray().Select(a => a!.GetValue<string>())];
        return peer;
    }

    /// <summary>Starts one that has gossipsub and listens on loopback.</summary>
    public static Task<JsPeer> StartGossipAsync(JsonObject? gossipsub = null) =>
        StartAsync(new JsonObject { ["pubsub"] = "gossipsub", ["gossipsub"] = gossipsub });

    /// <summary>Gives a command and waits for its result; a command that fails throws <see cref="JsPeerException"/>.</summary>
    public async Task<JsonNode?> DoAsync(string command, JsonObject? parameters = null)
    {
        int id = Interlocked.Increment(ref commands);
        var answer = new TaskCompletionSource<JsonNode?>(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting[id] = answer;
        JsonObject line = parameters ?? [];
        line["id"] = id;
        line["do"] = command;
        await writing.WaitAsync(Cancel);
        try
        {
            await program.Input.WriteLineAsync(line.ToJsonString().AsMemory(), Cancel);
            await program.Input.FlushAsync(Cancel);
        }
        finally
        {
            writing.Release();
        }
        return await answer.Task.WaitAsync(ChildProgram.Patience, Cancel);
    }

    public Task DialAsync(string address) => DoAsync("dial", new() { ["address"] = address });

    public Task SubscribeAsync(string topic) => DoAsync("subscribe", new() { ["topic"] = topic });

    public Task UnsubscribeAsync(string topic) => DoAsync("unsubscribe", new() { ["topic"] = topic });

    public Task PublishAsync(string topic, ReadOnlySpan<byte> data) =>
        DoAsync("publish", new() { ["topic"] = topic, ["data"] = Convert.ToBase64String(data) });

    /// <summary>How many of each kind of message it received and sent, from and to some peers or all: <c>["received"]["graft"]</c>.</summary>
    public async Task<JsonNode> SeenAsync(params PeerId[] peers) =>
        (await DoAsync("seen", peers.Length == 0 ? null : new() { ["peers"] = new JsonArray([.. peers.Select(peer => JsonValue.Create(peer.ToString()))]) }))!;

    /// <summary>Who is in its mesh of a topic.</summary>
    public async Task<string[]> MeshAsync(string topic) => Names(await DoAsync("mesh", new() { ["topic"] = topic }));

    /// <summary>Of whom it knows that they hear a topic.</summary>
    public async Task<string[]> SubscribersAsync(string topic) => Names(await DoAsync("subscribers", new() { ["topic"] = topic }));

    /// <summary>The next event that fits, past those that do not.</summary>
    public async Task<JsonObject> NextAsync(string name, Func<JsonObject, bool>? fits = null)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        late.CancelAfter(ChildProgram.Patience);
        try
        {
            while (true)
            {
                JsonObject next = await events.Reader.ReadAsync(late.Token);
                if (next["event"]!.GetValue<string>() == name && fits?.Invoke(next) != false)
                    return next;
            }
        }
        catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
        {
            throw new TimeoutException($"the js peer {Id.Short} saw no {name} that fits within {ChildProgram.Patience.TotalSeconds} s");
        }
    }

    /// <summary>The events that have come and were not taken, without waiting.</summary>
    public IEnumerable<JsonObject> Taken()
    {
        while (events.Reader.TryRead(out JsonObject? next))
            yield return next;
    }

    /// <summary>Ends it from one moment to the next, as a crash does.</summary>
    public void Kill() => program.Kill();

    public async ValueTask DisposeAsync()
    {
        program.Input.Close();
        await reading.WaitAsync(ChildProgram.Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await program.DisposeAsync();
        writing.Dispose();
    }

    private static string[] Names(JsonNode? list) => [.. list!.AsArray().Select(name => name!.GetValue<string>())];

    private async Task ReadAsync()
    {
        while (await program.Output.ReadLineAsync(CancellationToken.None) is { } line)
        {
            JsonObject message = JsonNode.Parse(line)!.AsObject();
            if (message["id"]?.GetValueKind() == JsonValueKind.Number && waiting.TryRemove(message["id"]!.GetValue<int>(), out var answer))
            {
                if (message["error"] is { } error)
                    answer.SetException(new JsPeerException(error.GetValue<string>()));
                else
                    answer.SetResult(message["result"]?.DeepClone());
            }
            else if (message["event"]?.GetValue<string>() == "ready")
            {
                ready.TrySetResult(message);
            }
            else
            {
                events.Writer.TryWrite(message);
            }
        }
        var ended = new JsPeerException($"the js peer ended; it wrote: {await program.Errors}");
        ready.TrySetException(ended);
        events.Writer.TryComplete();
        foreach (TaskCompletionSource<JsonNode?> answer in waiting.Values)
            answer.TrySetException(ended);
    }
}

/// <summary>What went wrong in a js peer, in its words.</summary>
internal sealed class JsPeerException(string message) : Exception(message);
