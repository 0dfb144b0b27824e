using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Drap.Core.Jobs;

/// <summary>What a text must look like.</summary>
internal interface ITextForm
{
    /// <summary>What a message says that the value looks like.</summary>
    string Form { get; }

    /// <summary>Whether it is so.</summary>
    bool Accepts(string text);
}

/// <summary>A value that has a text form; in JSON a number may stand for a text that is one.</summary>
internal abstract class TextConverter<T>(string form) : JsonConverter<T>, ITextForm
{
    public string Form { get; } = form;

    public bool Accepts(string text) => TryParse(text, out _);

    /// <summary>Reads the text form.</summary>
    public abstract bool TryParse(string text, out T value);

    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        string? text = reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
            _ => null,
        };
        return text is not null && TryParse(text, out T value) ? value : throw new JsonException($"Not {Form}: {text ?? reader.TokenType.ToString()}");
    }

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(Format(value));

    protected virtual string Format(T value) => value!.ToString()!;
}

internal sealed class DurationConverter() : TextConverter<TimeSpan>(Duration.Form)
{
    public override bool TryParse(string text, out TimeSpan value) => Duration.TryParse(text, out value);

    protected override string Format(TimeSpan value) => Duration.Format(value);
}

internal sealed class CreditsConverter() : TextConverter<Credits>("an amount of credits such as 12.5: not negative, at most six decimals, at most a million")
{
    public override bool TryParse(string text, out Credits value) => Credits.TryParse(text, out value);
}

internal sealed class PriceConverter() : TextConverter<Price>("a price in credits per hour such as 1.5: not negative, at most six decimals, at most a million")
{
    public override bool TryParse(string text, out Price value)
    {
        string perHour = text.EndsWith("/h", StringComparison.Ordinal) ? text[..^2] : text;
        bool ok = Credits.TryParse(perHour, out Credits credits);
        value = new Price(credits.Micro);
        return ok;
    }

    protected override string Format(Price value) => new Credits(value.MicroPerHour).ToString();
}

internal sealed class ByteSizeConverter() : TextConverter<ByteSize>(ByteSize.Form)
{
    public override bool TryParse(string text, out ByteSize value) => ByteSize.TryParse(text, out value);
}

internal sealed class CoresConverter() : TextConverter<Cores>(Cores.Form)
{
    public override bool TryParse(string text, out Cores value) => Cores.TryParse(text, out value);
}

internal sealed class AcceptRuleConverter() : TextConverter<AcceptRule>(AcceptRule.Form)
{
    public override bool TryParse(string text, out AcceptRule value) => AcceptRule.TryParse(text, out value);
}

internal sealed class ArrayRangeConverter() : TextConverter<ArrayRange?>(ArrayRange.Form)
{
    public override bool TryParse(string text, out ArrayRange? value) => ArrayRange.TryParse(text, out value);
}

/// <summary>An enum as its snake_case word; numbers are refused.</summary>
internal sealed class WordConverter<T>() : TextConverter<T>(string.Join(", ", Words)) where T : struct, Enum
{
    private static ImmutableArray<string> Words { get; } =
        [.. Enum.GetNames<T>().Select(JsonNamingPolicy.SnakeCaseLower.ConvertName)];

    public override bool TryParse(string text, out T value)
    {
        int index = Words.IndexOf(text);
        value = index < 0 ? default : Enum.GetValues<T>()[index];
        return index >= 0;
    }

    protected override string Format(T value) => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}

/// <summary>A map whose order never depends on the culture.</summary>
internal sealed class MapConverter<T> : JsonConverter<ImmutableSortedDictionary<string, T>>
{
    public override ImmutableSortedDictionary<string, T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("Not an object.");
        var map = JobJson.EmptyMap<T>().ToBuilder();
        var value = (JsonConverter<T>)options.GetConverter(typeof(T));
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType == JsonTokenType.Null || !map.TryAdd(key, value.Read(ref reader, typeof(T), options)!))
                throw new JsonException($"'{key}' stands twice, or is null.");
        }
        return map.Count == 0 ? JobJson.EmptyMap<T>() : map.ToImmutable();
    }

    public override void Write(Utf8JsonWriter writer, ImmutableSortedDictionary<string, T> map, JsonSerializerOptions options)
    {
        var converter = (JsonConverter<T>)options.GetConverter(typeof(T));
        writer.WriteStartObject();
        foreach ((string key, T value) in map)
        {
            writer.WritePropertyName(key);
            converter.Write(writer, value, options);
        }
        writer.WriteEndObject();
    }
}

/// <summary>A list without nulls.</summary>
internal sealed class ListConverter<T> : JsonConverter<ImmutableArray<T>>
{
    public override ImmutableArray<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("Not a list.");
        var list = ImmutableArray.CreateBuilder<T>();
        var item = (JsonConverter<T>)options.GetConverter(typeof(T));
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.Null)
                throw new JsonException("A null in a list.");
            list.Add(item.Read(ref reader, typeof(T), options)!);
        }
        return list.DrainToImmutable();
    }

    public override void Write(Utf8JsonWriter writer, ImmutableArray<T> list, JsonSerializerOptions options)
    {
        var converter = (JsonConverter<T>)options.GetConverter(typeof(T));
        writer.WriteStartArray();
        foreach (T item in list)
            converter.Write(writer, item, options);
        writer.WriteEndArray();
    }
}

/// <summary>A list is a program and its arguments, a text a script.</summary>
internal sealed class CommandConverter : JsonConverter<CommandSpec>
{
    public override CommandSpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return CommandSpec.Shell(reader.GetString()!);
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("Not a list of texts, nor a text.");
        var argv = ImmutableArray.CreateBuilder<string>();
        while (reader.Read() && reader.TokenType == JsonTokenType.String)
            argv.Add(reader.GetString()!);
        return reader.TokenType == JsonTokenType.EndArray
            ? new CommandSpec(argv.DrainToImmutable(), null)
            : throw new JsonException("Not a list of texts.");
    }

    public override void Write(Utf8JsonWriter writer, CommandSpec value, JsonSerializerOptions options)
    {
        if (value.Script is not null)
        {
            writer.WriteStringValue(value.Script);
            return;
        }
        writer.WriteStartArray();
        foreach (string argument in value.Argv)
            writer.WriteStringValue(argument);
        writer.WriteEndArray();
    }
}

/// <summary>A text, or an object of texts.</summary>
internal sealed class ItemConverter : JsonConverter<ItemSpec>
{
    private static readonly MapConverter<string> fields = new();

    public override ItemSpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? ItemSpec.Of(reader.GetString()!)
            : new ItemSpec(null, fields.Read(ref reader, typeToConvert, options));

    public override void Write(Utf8JsonWriter writer, ItemSpec value, JsonSerializerOptions options)
    {
        if (value.Text is not null)
            writer.WriteStringValue(value.Text);
        else
            fields.Write(writer, value.Fields, options);
    }
}
