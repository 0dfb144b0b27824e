using System.Collections.Immutable;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drap.Core.Cbor;
using Drap.Core.Messages;
using Xunit;

namespace Drap.Core.Tests.Messages;

public sealed class SchemaTests
{
    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static TheoryData<MessageKind> Kinds => RoundTripTests.Kinds;

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_committed_schema_is_what_the_codec_walks(MessageKind kind) =>
        Golden.AssertSame($"docs/protocol/schemas/{JsonFields.Snake(kind.ToString())}.schema.json",
            SchemaFields.Describe(kind).ToJsonString(Indented) + "\n");

    [Fact]
    public void Every_message_has_a_kind_and_no_schema_is_left_over()
    {
        IEnumerable<string> records = typeof(Message).Assembly.GetTypes().Where(t => t.BaseType == typeof(Message)).Select(t => t.Name);
        string[] kinds = [.. Enum.GetNames<MessageKind>().Where(k => k != nameof(MessageKind.None))];
        Assert.Equal(records.Order(), kinds.Order());
        Assert.Equal(
            kinds.Select(k => JsonFields.Snake(k) + ".schema.json").Order(StringComparer.Ordinal),
            Directory.GetFiles(Repository.Path("docs/protocol/schemas")).Select(f => Path.GetFileName(f)!)
                .Where(IsMessage).Order(StringComparer.Ordinal));

        bool IsMessage(string file) => File.ReadAllText(Repository.Path("docs/protocol/schemas", file)).Contains("x-cbor-kind");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_property_travels(MessageKind kind)
    {
        // A walk that forgets a property leaves its default in a message in which each made-up value is another.
        for (ulong seed = 0; seed < 20; seed++)
        {
            Message message = RandomFields.Make(kind, new Prng(seed), full: true);
            AssertNoDefault(message, kind.ToString());
            Assert.True(MessageCodec.TryDecode(MessageCodec.Encode(message), out Message? received, out CodecError error), error.ToString());
            SameValue.Assert(message, received, $"seed {seed}: {kind}");
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_property_stands_in_the_schema_and_nothing_else(MessageKind kind)
    {
        JsonObject schema = SchemaFields.Describe(kind);
        Dictionary<string, Type> records = [];
        Collect(typeof(Message).Assembly.GetType($"{typeof(Message).Namespace}.{kind}", throwOnError: true)!, records);
        foreach ((string name, Type record) in records)
        {
            JsonNode described = name == kind.ToString() ? schema : schema["$defs"]![JsonFields.Snake(name)]!;
            Assert.Equal(
                SameValue.Properties(record).Select(p => JsonFields.Snake(p.Name)).Order(StringComparer.Ordinal),
                described["properties"]!.AsObject().Select(p => p.Key).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void A_key_is_never_given_to_another_field()
    {
        // The committed schemas are the memory of past versions; a key that once had a name keeps it.
        foreach (MessageKind kind in Enum.GetValues<MessageKind>().Where(k => k != MessageKind.None))
        {
            string file = Repository.Path($"docs/protocol/schemas/{JsonFields.Snake(kind.ToString())}.schema.json");
            JsonNode committed = JsonNode.Parse(File.ReadAllText(file))!;
            Assert.Equal((int)kind, (int)committed["x-cbor-kind"]!);
            Dictionary<int, string> now = Keys(SchemaFields.Describe(kind));
            foreach ((int key, string name) in Keys(committed))
                Assert.Equal(name, now.GetValueOrDefault(key, name));
        }

        static Dictionary<int, string> Keys(JsonNode schema) =>
            schema["properties"]!.AsObject().ToDictionary(p => (int)p.Value!["x-cbor-key"]!, p => p.Key);
    }

    private static void AssertNoDefault(object value, string path)
    {
        foreach (PropertyInfo property in SameValue.Properties(value.GetType()))
        {
            object? found = property.GetValue(value);
            string where = $"{path}.{property.Name}";
            Assert.True(found is not null, where);
            if (found is System.Collections.IList list)
            {
                Assert.True(list.Count > 0, where);
                if (list[0]!.GetType().Namespace == typeof(Message).Namespace)
                    AssertNoDefault(list[0]!, where);
            }
            else
            {
                Assert.False(found.GetType().IsValueType && found.Equals(Activator.CreateInstance(found.GetType())) || found is "", where);
                if (found.GetType() is { IsClass: true, Namespace: "Drap.Core.Messages" or "Drap.Core" })
                    AssertNoDefault(found, where);
            }
        }
    }

    private static void Collect(Type record, Dictionary<string, Type> records)
    {
        if (!records.TryAdd(record.Name, record))
            return;
        foreach (PropertyInfo property in SameValue.Properties(record))
        {
            Type type = property.PropertyType.IsGenericType ? property.PropertyType.GetGenericArguments()[0] : property.PropertyType;
            bool isRecord = !type.IsEnum && (type.IsClass || type == typeof(NamedAmount) || type == typeof(Shortage));
            if (isRecord && type.Namespace is "Drap.Core.Messages" or "Drap.Core" && type != typeof(Price) && type != typeof(Credits))
                Collect(type, records);
        }
    }
}
