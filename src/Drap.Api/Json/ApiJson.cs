using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Drap.Api.Json;

/// <summary>The one JSON of the local API, generated at compile time: snake_case, absent rather than null.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DictionaryKeyPolicy = JsonKnownNamingPolicy.Unspecified,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    AllowTrailingCommas = true,
    MaxDepth = 64,
    Converters = [
        typeof(JobIdConverter), typeof(CidConverter), typeof(PeerIdConverter), typeof(UtcTimeConverter), typeof(CreditsConverter),
        typeof(PriceConverter), typeof(SecondsConverter), typeof(JobSpecConverter), typeof(SnakeCaseEnumConverter<JobState>), typeof(SnakeCaseEnumConverter<TaskState>),
        typeof(SnakeCaseEnumConverter<AttemptState>), typeof(SnakeCaseEnumConverter<JobAction>), typeof(SnakeCaseEnumConverter<LogStream>),
        typeof(SnakeCaseEnumConverter<EventKind>)])]
[JsonSerializable(typeof(ErrorDocument))]
[JsonSerializable(typeof(JobDocument))]
[JsonSerializable(typeof(JobListDocument))]
[JsonSerializable(typeof(TaskListDocument))]
[JsonSerializable(typeof(SubmitRequest))]
[JsonSerializable(typeof(SubmitReply))]
[JsonSerializable(typeof(ActionRequest))]
[JsonSerializable(typeof(ActionReply))]
[JsonSerializable(typeof(ChangeRequest))]
[JsonSerializable(typeof(ExplainDocument))]
[JsonSerializable(typeof(PlanDocument))]
[JsonSerializable(typeof(MarketDocument))]
[JsonSerializable(typeof(LedgerDocument))]
[JsonSerializable(typeof(UsageDocument))]
[JsonSerializable(typeof(NodeDocument))]
[JsonSerializable(typeof(VersionDocument))]
[JsonSerializable(typeof(ResultsDocument))]
[JsonSerializable(typeof(BlobDocument))]
[JsonSerializable(typeof(BlobListDocument))]
[JsonSerializable(typeof(PinRequest))]
[JsonSerializable(typeof(CollectRequest))]
[JsonSerializable(typeof(CollectReply))]
[JsonSerializable(typeof(SwarmDocument))]
[JsonSerializable(typeof(UpDocument))]
[JsonSerializable(typeof(MembershipDocument))]
[JsonSerializable(typeof(InviteRequest))]
[JsonSerializable(typeof(TicketDocument))]
[JsonSerializable(typeof(RemovalRequest))]
[JsonSerializable(typeof(RemovalReply))]
[JsonSerializable(typeof(DrainRequest))]
[JsonSerializable(typeof(DrainedDocument))]
[JsonSerializable(typeof(PathRequest))]
[JsonSerializable(typeof(LogChunk))]
[JsonSerializable(typeof(JobEvent))]
public sealed partial class ApiJson : JsonSerializerContext
{
    private static readonly JavaScriptEncoder Readable = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>For people's eyes: indented, and letters beyond ASCII as they are.</summary>
    public static ApiJson Indented => field ??= new(new JsonSerializerOptions(Default.Options) { WriteIndented = true, Encoder = Readable });

    /// <summary>One value per line, for streams.</summary>
    public static ApiJson Line => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = Readable });
}

/// <summary>Enums as snake_case words; a number is refused.</summary>
internal sealed class SnakeCaseEnumConverter<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where T : struct, Enum;
