using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Drap.Core.Cbor;
using Drap.Core.Messages;

namespace Drap.Core.Tests.Messages;

/// <summary>Writes a message in the form that its JSON Schema describes: defaults left out, as on the wire, and no white space.</summary>
internal sealed class JsonFields(Utf8JsonWriter json) : IFields
{
    public bool Reads => false;

    public static byte[] Write(Message message)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            var fields = new JsonFields(json);
            json.WriteStartObject();
            MessageCodec.Walk(MessageCodec.KindOf(message), ref fields, message);
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    public static string Snake(string name)
    {
        var snake = new StringBuilder();
        foreach (char c in name)
            snake.Append(char.IsUpper(c) && snake.Length > 0 ? "_" : "").Append(char.ToLowerInvariant(c));
        return snake.ToString();
    }

    public int Int(int key, string name, int value, int min, int max) => (int)Long(key, name, value, min, max);

    public int IntOr(int key, string name, int value, int absent, int min, int max) => (int)LongOr(key, name, value, absent, min, max);

    public long Long(int key, string name, long value, long min, long max)
    {
        json.WriteNumber(Snake(name), value);
        return value;
    }

    public long LongOr(int key, string name, long value, long absent, long min, long max) =>
        value == absent ? value : Long(key, name, value, min, max);

    public ulong Word(int key, string name, ulong value)
    {
        json.WriteNumber(Snake(name), value);
        return value;
    }

    public bool Flag(int key, string name, bool value)
    {
        if (value)
            json.WriteBoolean(Snake(name), true);
        return value;
    }

    public TEnum Enum<TEnum>(int key, string name, TEnum value, TEnum last, TEnum unknown)
        where TEnum : struct, Enum
    {
        json.WriteString(Snake(name), Snake(value.ToString()));
        return value;
    }

    public TimeSpan Duration(int key, string name, TimeSpan value)
    {
        LongOr(key, name, Microseconds(value), 0, 0, long.MaxValue);
        return value;
    }

    public TimeSpan? DurationOrNull(int key, string name, TimeSpan? value)
    {
        if (value is { } span)
            Long(key, name, Microseconds(span), 0, long.MaxValue);
        return value;
    }

    public Price Price(int key, string name, Price value)
    {
        LongOr(key, name, value.MicroPerHour, 0, 0, long.MaxValue);
        return value;
    }

    public Credits Credits(int key, string name, Credits value)
    {
        LongOr(key, name, value.Micro, 0, 0, long.MaxValue);
        return value;
    }

    public Guid Uuid(int key, string name, Guid value)
    {
        json.WriteString(Snake(name), value);
        return value;
    }

    public PeerId Peer(int key, string name, PeerId value)
    {
        json.WriteString(Snake(name), value.ToString());
        return value;
    }

    public Cid Cid(int key, string name, Cid value)
    {
        json.WriteString(Snake(name), value.ToString());
        return value;
    }

    public string Text(int key, string name, string value, int bytesMax)
    {
        json.WriteString(Snake(name), value);
        return value;
    }

    public string TextOrEmpty(int key, string name, string value, int bytesMax) =>
        value.Length == 0 ? value : Text(key, name, value, bytesMax);

    public string? TextOrNull(int key, string name, string? value, int bytesMax) =>
        value is null ? value : Text(key, name, value, bytesMax);

    public ImmutableArray<byte> Bytes(int key, string name, ImmutableArray<byte> value, int bytesMax)
    {
        if (value.Length > 0)
            json.WriteBase64String(Snake(name), value.AsSpan());
        return value;
    }

    public ImmutableArray<int> Ints(int key, string name, ImmutableArray<int> value, int countMax, int min, int max) =>
        Array(name, value, json.WriteNumberValue);

    public ImmutableArray<string> Texts(int key, string name, ImmutableArray<string> value, int countMax, int bytesMax) =>
        Array(name, value, json.WriteStringValue);

    public AttemptId Attempt(int key, string name, AttemptId value)
    {
        json.WritePropertyName(Snake(name));
        Put(value);
        return value;
    }

    public ImmutableArray<AttemptId> Attempts(int key, string name, ImmutableArray<AttemptId> value, int countMax) =>
        Array(name, value, Put);

    public T Record<T, TShape>(int key, string name, T value)
        where TShape : struct, IShape<T>
    {
        json.WritePropertyName(Snake(name));
        Put<T, TShape>(value);
        return value;
    }

    public T? RecordOrNull<T, TShape>(int key, string name, T? value)
        where T : class
        where TShape : struct, IShape<T>
        => value is null ? null : Record<T, TShape>(key, name, value);

    public ImmutableArray<T> List<T, TShape>(int key, string name, ImmutableArray<T> value, int countMax)
        where TShape : struct, IShape<T>
        => Array(name, value, Put<T, TShape>);

    public void Check(bool ok, string name, string rule)
    {
    }

    private static long Microseconds(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

    private ImmutableArray<T> Array<T>(string name, ImmutableArray<T> value, Action<T> put)
    {
        if (value.Length == 0)
            return value;
        json.WriteStartArray(Snake(name));
        foreach (T item in value)
            put(item);
        json.WriteEndArray();
        return value;
    }

    private void Put(AttemptId value)
    {
        json.WriteStartObject();
        json.WriteString("job", value.Task.Job.Value);
        json.WriteNumber("number", value.Task.Number);
        json.WriteNumber("fence", value.Fence.Value);
        json.WriteEndObject();
    }

    private void Put<T, TShape>(T value)
        where TShape : struct, IShape<T>
    {
        JsonFields self = this;
        json.WriteStartObject();
        TShape.Walk(ref self, value);
        json.WriteEndObject();
    }
}
