using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Drap.Node.Storage.Etcd;

/// <summary>
/// The few calls of etcd's v3 API that a journal needs, over its JSON gateway (etcd 3.4 and later). All are synchronous, for the journal's own
/// threads, and any thread may make them. A call goes to the member that answered last, and if that one does not answer to the next; each request may therefore come twice, and all
/// that are made here may.
/// </summary>
public sealed class EtcdClient : IDisposable
{
    /// <summary>How long one member is given. A healthy one answers within milliseconds; an election takes a second or two.</summary>
    private static readonly TimeSpan MemberPatience = TimeSpan.FromSeconds(2);

    private readonly EtcdAddress address;
    private readonly HttpClient http;
    private volatile int preferred;
    private long revision;

    /// <summary>A client of the cluster; nothing is asked yet.</summary>
    public EtcdClient(EtcdAddress address)
    {
        this.address = address;
        http = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = MemberPatience, PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1), AllowAutoRedirect = false, UseProxy = false,
        })
        {
            Timeout = MemberPatience,
        };
    }

    /// <summary>Keys of a range with what they hold, in the order of the keys.</summary>
    /// <param name="first">The first key.</param>
    /// <param name="end">The first key behind the range.</param>
    /// <param name="limit">How many at most; 0 for all.</param>
    /// <param name="keysOnly">Whether values are left out.</param>
    public IReadOnlyList<EtcdEntry> Range(string first, string end, int limit = 0, bool keysOnly = false)
    {
        JsonNode answer = Call("kv/range", new JsonObject
        {
            ["key"] = Key(first), ["range_end"] = Key(end), ["limit"] = limit, ["keys_only"] = keysOnly, ["sort_order"] = "ASCEND",
        });
        return [.. (answer["kvs"]?.AsArray() ?? []).Select(kv => new EtcdEntry(
            Encoding.UTF8.GetString(Convert.FromBase64String(Text(kv!["key"]))), Convert.FromBase64String(Text(kv["value"])), Number(kv["create_revision"])))];
    }

    /// <summary>Writes all of it in one step, if the key <paramref name="guard"/> was made at <paramref name="guardRevision"/> (0: is not there); else none.</summary>
    /// <returns>Whether it was written.</returns>
    public bool TryWrite(string guard, long guardRevision, params IReadOnlyList<EtcdWrite> writes) => TryWrite([Made(guard, guardRevision)], writes);

    /// <summary>The same, if also a key still holds a value.</summary>
    public bool TryWrite(string guard, long guardRevision, EtcdWrite.Put still, params IReadOnlyList<EtcdWrite> writes) => TryWrite([Made(guard, guardRevision), new JsonObject
    {
        ["key"] = Key(still.Key), ["target"] = "VALUE", ["result"] = "EQUAL", ["value"] = Convert.ToBase64String(still.Value.Span),
    }], writes);

    /// <summary>The store's revision after a late write, if not the last; 0 before the first.</summary>
    public long Revision => Interlocked.Read(ref revision);

    /// <summary>A lease that ends so long after it was kept alive last, and with it the keys that were put under it. etcd may make it longer.</summary>
    public long GrantLease(TimeSpan length) =>
        Number(Call("lease/grant", new JsonObject { ["TTL"] = ((long)length.TotalSeconds).ToString(CultureInfo.InvariantCulture) })["ID"]);

    /// <summary>Keeps a lease alive.</summary>
    /// <returns>How long it lasts from when etcd answered; zero when it is over.</returns>
    public TimeSpan KeepAlive(long lease) =>
        TimeSpan.FromSeconds(Number(Call("lease/keepalive", new JsonObject { ["ID"] = lease.ToString(CultureInfo.InvariantCulture) })["result"]?["TTL"]));

    /// <summary>Ends a lease, and with it its keys.</summary>
    public void RevokeLease(long lease) => Call("lease/revoke", new JsonObject { ["ID"] = lease.ToString(CultureInfo.InvariantCulture) });

    /// <summary>Forgets what keys held before <paramref name="revision"/>: what was deleted takes no room from then on.</summary>
    public void Compact(long revision) => Call("kv/compaction", new JsonObject { ["revision"] = revision.ToString(CultureInfo.InvariantCulture) });

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    internal static string Key(string key) => Convert.ToBase64String(Encoding.UTF8.GetBytes(key));

    private static JsonObject Made(string key, long revision) => new()
    {
        ["key"] = Key(key), ["target"] = "CREATE", ["result"] = "EQUAL", ["create_revision"] = revision.ToString(CultureInfo.InvariantCulture),
    };

    private bool TryWrite(JsonNode[] conditions, IReadOnlyList<EtcdWrite> writes)
    {
        JsonNode answer = Call("kv/txn", new JsonObject
        {
            ["compare"] = new JsonArray(conditions),
            ["success"] = new JsonArray([.. writes.Select(w => (JsonNode)w.ToJson())]),
        });
        Interlocked.Exchange(ref revision, Number(answer["header"]?["revision"]));
        return (bool?)answer["succeeded"] ?? false;
    }

    private JsonNode Call(string method, JsonObject request)
    {
        byte[] body = Encoding.UTF8.GetBytes(request.ToJsonString());
        EtcdException? last = null;
        for (int i = 0; i < address.Members.Length; i++)
        {
            int member = (preferred + i) % address.Members.Length;
            try
            {
                JsonNode answer = Ask(address.Members[member], method, body);
                preferred = member;
                return answer;
            }
            catch (EtcdException e) when (e.Fault == EtcdFault.Unavailable)
            {
                last = e;
            }
        }
        throw last!;
    }

    private JsonNode Ask(Uri member, string method, byte[] body)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(member, $"v3/{method}"));
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using HttpResponseMessage response = http.Send(request);
            using Stream stream = response.Content.ReadAsStream();
            JsonNode answer = JsonNode.Parse(stream) ?? throw new JsonException("null");
            return response.IsSuccessStatusCode && answer["error"] is null ? answer : throw Refusal(member, (int)response.StatusCode, answer);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
        {
            throw new EtcdException(EtcdFault.Unavailable, $"etcd at {member.Authority} does not answer: {(e is TaskCanceledException ? "timed out" : e.Message)}", e);
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            throw new EtcdException(EtcdFault.Refused, $"what answers at {member.Authority} is no etcd of version 3.4 or later: {e.Message}", e);
        }
    }

    /// <summary>The codes are gRPC's: 8 is a resource that is used up, 4, 13 and 14 pass.</summary>
    private static EtcdException Refusal(Uri member, int status, JsonNode answer)
    {
        // A stream tells its fault inside a field, with other names.
        JsonNode? inner = answer["error"] as JsonObject;
        string message = (answer["message"] ?? inner?["message"] ?? answer["error"])?.ToString() ?? $"status {status}";
        EtcdFault fault = Number(answer["code"] ?? inner?["grpc_code"]) switch
        {
            8 when message.Contains("space", StringComparison.Ordinal) => EtcdFault.NoSpace,
            4 or 8 or 13 or 14 => EtcdFault.Unavailable,
            0 when status >= 500 => EtcdFault.Unavailable,
            _ => EtcdFault.Refused,
        };
        return new EtcdException(fault, $"etcd at {member.Authority}: {message}");
    }

    // The gateway writes 64-bit numbers as text, small ones as numbers, and leaves zeros out.
    private static long Number(JsonNode? node) => node is null ? 0 : long.Parse(node.ToString(), CultureInfo.InvariantCulture);

    private static string Text(JsonNode? node) => node?.ToString() ?? "";
}
