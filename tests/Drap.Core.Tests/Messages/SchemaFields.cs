using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Drap.Core.Cbor;
using Drap.Core.Membership;
using Drap.Core.Messages;
using Xunit;

namespace Drap.Core.Tests.Messages;

/// <summary>Describes a message as a JSON Schema: the same walk that writes and reads it names its fields, keys and limits.</summary>
internal sealed class SchemaFields(Type owner, JsonObject definitions) : IFields
{
    private readonly JsonObject properties = [];
    private readonly JsonArray required = [];

    public bool Reads => false;

    public static JsonObject Describe(MessageKind kind)
    {
        Type owner = typeof(Message).Assembly.GetType($"{typeof(Message).Namespace}.{kind}", throwOnError: true)!;
        return Describe(owner, "x-cbor-kind", (int)kind, fields => MessageCodec.Walk(kind, ref fields, null));
    }

    public static JsonObject Describe(MembershipKind kind)
    {
        Type owner = typeof(MembershipRecord).Assembly.GetType($"{typeof(MembershipRecord).Namespace}.{kind}", throwOnError: true)!;
        return Describe(owner, "x-membership-kind", (int)kind, fields => MembershipCodec.Walk(kind, ref fields, null));
    }

    private static JsonObject Describe(Type owner, string word, int kind, Action<SchemaFields> walk)
    {
        JsonObject definitions = [];
        var fields = new SchemaFields(owner, definitions);
        walk(fields);
        JsonObject schema = new()
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = JsonFields.Snake(owner.Name),
            ["description"] = XmlDocs.Of(owner),
            [word] = kind,
        };
        fields.AddTo(schema);
        if (definitions.Count > 0)
            schema["$defs"] = new JsonObject(definitions.OrderBy(d => d.Key, StringComparer.Ordinal)
                .Select(d => KeyValuePair.Create(d.Key, d.Value?.DeepClone())));
        return schema;
    }

    public int Int(int key, string name, int value, int min, int max) => (int)Long(key, name, value, min, max);

    public int IntOr(int key, string name, int value, int absent, int min, int max) => (int)LongOr(key, name, value, absent, min, max);

    public long Long(int key, string name, long value, long min, long max)
    {
        Add(key, name, Integer(min, max), isRequired: true);
        return value;
    }

    public long LongOr(int key, string name, long value, long absent, long min, long max)
    {
        JsonObject field = Integer(min, max);
        field["default"] = absent;
        Add(key, name, field);
        return value;
    }

    public ulong Word(int key, string name, ulong value)
    {
        Add(key, name, new JsonObject { ["type"] = "integer", ["minimum"] = 0, ["maximum"] = ulong.MaxValue }, isRequired: true);
        return value;
    }

    public bool Flag(int key, string name, bool value)
    {
        Add(key, name, new JsonObject { ["type"] = "boolean", ["default"] = false });
        return value;
    }

    public TEnum Enum<TEnum>(int key, string name, TEnum value, TEnum last, TEnum unknown)
        where TEnum : struct, Enum
    {
        TEnum[] values = System.Enum.GetValues<TEnum>();
        // The codec takes 1 to last for known, so the numbers must have no gap and no end beyond.
        Assert.Equal(Enumerable.Range(1, values.Length), values.Select(v => Convert.ToInt32(v)));
        Assert.Equal(values[^1], last);
        JsonObject field = new()
        {
            ["enum"] = new JsonArray([.. values.Select(v => (JsonNode)JsonFields.Snake(v.ToString()))]),
            ["x-cbor-values"] = new JsonArray([.. values.Select(v => (JsonNode)Convert.ToInt32(v))]),
            ["x-unknown"] = Convert.ToInt32(unknown) == 0 ? "message refused" : "read as " + JsonFields.Snake(unknown.ToString()),
        };
        Add(key, name, field, isRequired: true);
        return value;
    }

    public TimeSpan Duration(int key, string name, TimeSpan value)
    {
        JsonObject field = Microseconds();
        field["default"] = 0;
        Add(key, name, field);
        return value;
    }

    public TimeSpan? DurationOrNull(int key, string name, TimeSpan? value)
    {
        Add(key, name, Microseconds());
        return value;
    }

    public Price Price(int key, string name, Price value)
    {
        JsonObject field = Integer(0, Core.Price.LimitMax.MicroPerHour);
        field["default"] = 0;
        field["x-unit"] = "micro-credits per hour";
        Add(key, name, field);
        return value;
    }

    public Credits Credits(int key, string name, Credits value)
    {
        JsonObject field = Integer(0, Core.Credits.LimitMax.Micro);
        field["default"] = 0;
        field["x-unit"] = "micro-credits";
        Add(key, name, field);
        return value;
    }

    public Guid Uuid(int key, string name, Guid value)
    {
        Add(key, name, new JsonObject { ["type"] = "string", ["format"] = "uuid", ["x-cbor-type"] = "16 bytes" }, isRequired: true);
        return value;
    }

    public PeerId Peer(int key, string name, PeerId value)
    {
        Add(key, name, new JsonObject { ["type"] = "string", ["x-cbor-type"] = "bytes of the multihash" }, isRequired: true);
        return value;
    }

    public Cid Cid(int key, string name, Cid value)
    {
        Add(key, name, new JsonObject { ["type"] = "string", ["x-cbor-type"] = "36 bytes of the CIDv1" }, isRequired: true);
        return value;
    }

    public string Text(int key, string name, string value, int bytesMax)
    {
        JsonObject field = String(bytesMax);
        field["minLength"] = 1;
        Add(key, name, field, isRequired: true);
        return value;
    }

    public string TextOrEmpty(int key, string name, string value, int bytesMax)
    {
        JsonObject field = String(bytesMax);
        field["default"] = "";
        Add(key, name, field);
        return value;
    }

    public string? TextOrNull(int key, string name, string? value, int bytesMax)
    {
        Add(key, name, String(bytesMax));
        return value;
    }

    public ImmutableArray<byte> Bytes(int key, string name, ImmutableArray<byte> value, int bytesMax)
    {
        Add(key, name, new JsonObject
        {
            ["type"] = "string", ["contentEncoding"] = "base64", ["x-max-bytes"] = bytesMax, ["x-cbor-type"] = "bytes",
        });
        return value;
    }

    public ImmutableArray<int> Ints(int key, string name, ImmutableArray<int> value, int countMax, int min, int max)
    {
        Add(key, name, ListOf(Integer(min, max), countMax));
        return value;
    }

    public ImmutableArray<string> Texts(int key, string name, ImmutableArray<string> value, int countMax, int bytesMax)
    {
        Add(key, name, ListOf(String(bytesMax), countMax));
        return value;
    }

    public AttemptId Attempt(int key, string name, AttemptId value)
    {
        Add(key, name, AttemptReference(), isRequired: true);
        return value;
    }

    public ImmutableArray<AttemptId> Attempts(int key, string name, ImmutableArray<AttemptId> value, int countMax)
    {
        Add(key, name, ListOf(AttemptReference(), countMax));
        return value;
    }

    public T Record<T, TShape>(int key, string name, T value)
        where TShape : struct, IShape<T>
    {
        Add(key, name, Reference<T, TShape>(), isRequired: true);
        return value;
    }

    public T? RecordOrNull<T, TShape>(int key, string name, T? value)
        where T : class
        where TShape : struct, IShape<T>
    {
        Add(key, name, Reference<T, TShape>());
        return value;
    }

    public ImmutableArray<T> List<T, TShape>(int key, string name, ImmutableArray<T> value, int countMax)
        where TShape : struct, IShape<T>
    {
        Add(key, name, ListOf(Reference<T, TShape>(), countMax));
        return value;
    }

    public void Check(bool ok, string name, string rule)
    {
        JsonNode field = properties[JsonFields.Snake(name)]!;
        field["description"] = $"{field["description"]} Must be {rule}.";
    }

    private static JsonObject Integer(long min, long max) => new() { ["type"] = "integer", ["minimum"] = min, ["maximum"] = max };

    private static JsonObject Microseconds()
    {
        JsonObject field = Integer(0, CborLimits.DurationMax.Ticks / TimeSpan.TicksPerMicrosecond);
        field["x-unit"] = "microseconds";
        return field;
    }

    private static JsonObject String(int bytesMax) => new() { ["type"] = "string", ["x-max-bytes"] = bytesMax };

    private static JsonObject ListOf(JsonObject items, int countMax) =>
        new() { ["type"] = "array", ["maxItems"] = countMax, ["default"] = new JsonArray(), ["items"] = items };

    private JsonObject AttemptReference()
    {
        definitions.TryAdd("attempt", new JsonObject
        {
            ["type"] = "object",
            ["description"] = "One placement of a task. In CBOR in one of three forms, MSG-7.",
            ["properties"] = new JsonObject
            {
                ["job"] = new JsonObject { ["type"] = "string", ["format"] = "uuid", ["x-cbor-type"] = "16 bytes" },
                ["number"] = Integer(1, int.MaxValue),
                ["fence"] = Integer(1, long.MaxValue),
            },
            ["required"] = new JsonArray("job", "number", "fence"),
        });
        return new JsonObject { ["$ref"] = "#/$defs/attempt" };
    }

    private JsonObject Reference<T, TShape>()
        where TShape : struct, IShape<T>
    {
        string name = JsonFields.Snake(typeof(T).Name);
        if (!definitions.ContainsKey(name))
        {
            var fields = new SchemaFields(typeof(T), definitions);
            TShape.Walk(ref fields, TShape.Blank);
            JsonObject definition = new() { ["description"] = XmlDocs.Of(typeof(T)) };
            fields.AddTo(definition);
            definitions[name] = definition;
        }
        return new JsonObject { ["$ref"] = "#/$defs/" + name };
    }

    private void Add(int key, string name, JsonObject field, bool isRequired = false)
    {
        string snake = JsonFields.Snake(name);
        Assert.InRange(key, 1, 23);
        Assert.True(properties.Count == 0 || (int)properties.Last().Value!["x-cbor-key"]! < key, $"{owner.Name}.{name}: keys ascend");
        JsonObject described = new() { ["description"] = XmlDocs.Of(owner, name), ["x-cbor-key"] = key };
        foreach ((string word, JsonNode? node) in field)
            described[word] = node?.DeepClone();
        properties.Add(snake, described);
        if (isRequired)
            required.Add(snake);
    }

    private void AddTo(JsonObject schema)
    {
        schema["type"] = "object";
        schema["properties"] = properties;
        if (required.Count > 0)
            schema["required"] = required;
    }
}
