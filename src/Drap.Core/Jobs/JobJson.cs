using System.Collections;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Drap.Core.Jobs;

/// <summary>Jobs and tasks as JSON: snake_case, values as people write them, fields at their defaults left out, maps in the order of their keys.</summary>
public static class JobJson
{
    /// <summary>The options with which a type of this room is written and read; for a document that contains one.</summary>
    public static JsonSerializerOptions Options { get; } = CreateOptions();

    /// <summary>An empty map whose order is that of its keys' UTF-16 code units.</summary>
    public static ImmutableSortedDictionary<string, T> EmptyMap<T>() => EmptyMaps<T>.Value;

    /// <summary>The job as UTF-8 JSON.</summary>
    public static byte[] Write(JobSpec job) => JsonSerializer.SerializeToUtf8Bytes(job, TypeInfo<JobSpec>());

    /// <summary>The task as UTF-8 JSON.</summary>
    public static byte[] Write(TaskSpec task) => JsonSerializer.SerializeToUtf8Bytes(task, TypeInfo<TaskSpec>());

    /// <summary>
    /// Reads a job from the wire or the journal. Fields that this version does not know are ignored. The result is well formed, not yet
    /// sensible: see <see cref="JobRules"/>.
    /// </summary>
    /// <returns>False with a message that names the path of what is wrong.</returns>
    public static bool TryRead(ReadOnlySpan<byte> json, [NotNullWhen(true)] out JobSpec? job, [NotNullWhen(false)] out string? error) =>
        TryReadAs(json, out job, out error);

    /// <summary>Reads a task from the wire.</summary>
    /// <returns>False with a message that names the path of what is wrong.</returns>
    public static bool TryRead(ReadOnlySpan<byte> json, [NotNullWhen(true)] out TaskSpec? task, [NotNullWhen(false)] out string? error) =>
        TryReadAs(json, out task, out error);

    internal static int BytesOf(SegmentSpec segment) => JsonSerializer.SerializeToUtf8Bytes(segment, TypeInfo<SegmentSpec>()).Length;

    internal static JsonTypeInfo<T> TypeInfo<T>() => (JsonTypeInfo<T>)Options.GetTypeInfo(typeof(T));

    private static bool TryReadAs<T>(
        ReadOnlySpan<byte> json, [NotNullWhen(true)] out T? value, [NotNullWhen(false)] out string? error) where T : class
    {
        value = null;
        error = null;
        if (json.Length > JobLimits.DocumentBytesMax)
        {
            error = $"{json.Length} bytes, of which at most {JobLimits.DocumentBytesMax} are allowed";
            return false;
        }
        try
        {
            value = JsonSerializer.Deserialize(json, TypeInfo<T>());
            error = value is null ? "null, where an object must stand" : null;
        }
        catch (JsonException e)
        {
            error = e.Message;
        }
        return value is not null;
    }

    private static JsonSerializerOptions CreateOptions()
    {
        var options = new JsonSerializerOptions
        {
            PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            RespectNullableAnnotations = true,
            AllowDuplicateProperties = false,
            // The text goes to files, journals and messages, never into HTML.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            MaxDepth = JobLimits.DepthMax,
            // Not the source generator: it gives init properties that the text leaves out their type's default instead of the record's.
            TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { LeaveOutDefaults } },
        };
        JsonConverter[] converters =
        [
            new DurationConverter(), new PriceConverter(), new CreditsConverter(), new ByteSizeConverter(), new CoresConverter(),
            new AcceptRuleConverter(), new ArrayRangeConverter(), new CommandConverter(), new ItemConverter(),
            new WordConverter<Driver>(), new WordConverter<Policy>(), new WordConverter<OnSchedulerLost>(), new WordConverter<ParamType>(),
            new WordConverter<SplitAt>(), new MapConverter<string>(), new MapConverter<long>(), new MapConverter<ParamSpec>(),
            new MapConverter<InputSpec>(), new MapConverter<OutputSpec>(), new ListConverter<string>(), new ListConverter<SegmentSpec>(),
            new ListConverter<AlternativeSpec>(), new ListConverter<NeedSpec>(), new ListConverter<ItemSpec>(), new ListConverter<FileSet>(),
            new ListConverter<FilePart>(), new ListConverter<TaskInput>(), new ListConverter<TaskInputPart>(),
        ];
        foreach (JsonConverter converter in converters)
            options.Converters.Add(converter);
        options.MakeReadOnly();
        return options;
    }

    /// <summary>A field that says what it would say anyway is left out: a task's JSON is a third as long, and a job's reads as it was written.</summary>
    private static void LeaveOutDefaults(JsonTypeInfo type)
    {
        object? defaults = type.Type.Name switch
        {
            nameof(JobSpec) => new JobSpec(),
            nameof(ParamSpec) => new ParamSpec(),
            nameof(SegmentSpec) => new SegmentSpec(),
            nameof(AlternativeSpec) => new AlternativeSpec(),
            nameof(ConstraintsSpec) => new ConstraintsSpec(),
            nameof(NeedSpec) => new NeedSpec(),
            nameof(InputSpec) => new InputSpec(),
            nameof(OutputSpec) => new OutputSpec(),
            nameof(ResourcesSpec) => new ResourcesSpec(),
            nameof(GpuSpec) => new GpuSpec(),
            nameof(FilesSpec) => new FilesSpec(),
            nameof(FileSet) => new FileSet(),
            nameof(FilePart) => new FilePart(),
            nameof(TaskSpec) => new TaskSpec(),
            nameof(TaskInput) => new TaskInput(),
            nameof(TaskInputPart) => new TaskInputPart(),
            _ => null,
        };
        if (defaults is null)
            return;
        foreach (JsonPropertyInfo property in type.Properties)
        {
            object? usual = property.Get!(defaults);
            property.ShouldSerialize = (_, value) => value is not null && !Equals(value, usual) && value is not ICollection { Count: 0 };
        }
    }

    private static class EmptyMaps<T>
    {
        public static readonly ImmutableSortedDictionary<string, T> Value = ImmutableSortedDictionary.Create<string, T>(StringComparer.Ordinal);
    }
}
