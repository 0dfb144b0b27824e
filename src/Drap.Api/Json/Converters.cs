using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Drap.Core;
using Drap.Core.Jobs;

namespace Drap.Api.Json;

/// <summary>A value that is one string in JSON.</summary>
internal abstract class TextConverter<T> : JsonConverter<T>
{
    /// <summary>Ids, times and peer ids are all shorter than this.</summary>
    private const int CharsMax = 128;

    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String)
            throw new JsonException($"expected {Allowed}");
        string text = reader.GetString()!;
        return text.Length <= CharsMax && TryParse(text, out T value) ? value : throw new JsonException($"expected {Allowed}");
    }

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value!.ToString());

    protected abstract string Allowed { get; }

    protected abstract bool TryParse(string text, out T value);
}

internal sealed class JobIdConverter : TextConverter<JobId>
{
    protected override string Allowed => "a job id of 32 hex digits";

    protected override bool TryParse(string text, out JobId value) => JobId.TryParse(text, out value);
}

internal sealed class CidConverter : TextConverter<Cid>
{
    protected override string Allowed => "a CIDv1 in base32 (raw or dag-pb, sha2-256)";

    protected override bool TryParse(string text, out Cid value) => Cid.TryParse(text, out value);
}

internal sealed class PeerIdConverter : TextConverter<PeerId>
{
    protected override string Allowed => "a peer id in base58";

    // A node that has no name yet is written as the empty string.
    protected override bool TryParse(string text, out PeerId value)
    {
        value = default;
        return text.Length == 0 || PeerId.TryParse(text, out value);
    }
}

internal sealed class UtcTimeConverter : TextConverter<UtcTime>
{
    protected override string Allowed => "a time as 2026-01-31T12:00:00.000Z";

    protected override bool TryParse(string text, out UtcTime value)
    {
        bool ok = DateTimeOffset.TryParseExact(
            text, ["yyyy-MM-dd'T'HH:mm:ss.fff'Z'", "yyyy-MM-dd'T'HH:mm:ss'Z'"], System.Globalization.CultureInfo.InvariantCulture,
            System.Globalization.DateTimeStyles.AssumeUniversal, out DateTimeOffset at);
        value = new UtcTime(ok ? at.ToUnixTimeMilliseconds() : 0);
        return ok;
    }
}

/// <summary>Money: a decimal number with at most six places, or the same as a string; written as a number.</summary>
internal sealed class CreditsConverter : JsonConverter<Credits>
{
    public override Credits Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Decimals.TryRead(ref reader, out decimal value) ? new Credits((long)value) : throw new JsonException(
            $"expected credits: a number with at most six decimals, at most {Credits.LimitMax}");

    public override void Write(Utf8JsonWriter writer, Credits value, JsonSerializerOptions options) => Decimals.Write(writer, value.Micro);
}

/// <summary>A price in credits per hour, written as <see cref="CreditsConverter"/> writes money.</summary>
internal sealed class PriceConverter : JsonConverter<Price>
{
    public override Price Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Decimals.TryRead(ref reader, out decimal value) && value >= 0 ? new Price((long)value) : throw new JsonException(
            $"expected credits per hour: a number from 0 to {Credits.LimitMax} with at most six decimals");

    public override void Write(Utf8JsonWriter writer, Price value, JsonSerializerOptions options) => Decimals.Write(writer, value.MicroPerHour);
}

internal static class Decimals
{
    public static bool TryRead(ref Utf8JsonReader reader, out decimal micro)
    {
        micro = 0;
        decimal value;
        if (reader.TokenType == JsonTokenType.Number)
        {
            if (!reader.TryGetDecimal(out value))
                return false;
        }
        else if (reader.TokenType != JsonTokenType.String || !decimal.TryParse(
            reader.GetString(), System.Globalization.NumberStyles.AllowDecimalPoint | System.Globalization.NumberStyles.AllowLeadingSign,
            System.Globalization.CultureInfo.InvariantCulture, out value))
        {
            return false;
        }
        if (Math.Abs(value) > Credits.LimitMax.Micro / Credits.MicroPerCredit)
            return false;
        micro = value * Credits.MicroPerCredit;
        return micro == decimal.Truncate(micro);
    }

    public static void Write(Utf8JsonWriter writer, long micro)
    {
        decimal value = (decimal)micro / Credits.MicroPerCredit;
        writer.WriteNumberValue(value);
    }
}

/// <summary>A duration: decimal seconds, to the microsecond.</summary>
internal sealed class SecondsConverter : JsonConverter<TimeSpan>
{
    /// <summary>A century; longer ones are a slip of the pen.</summary>
    private const decimal SecondsMax = 100m * 366 * 86_400;

    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetDecimal(out decimal seconds) && Math.Abs(seconds) <= SecondsMax
            ? new TimeSpan((long)(seconds * TimeSpan.TicksPerSecond))
            : throw new JsonException("expected seconds: a number of at most a century");

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
        writer.WriteNumberValue((decimal)(value.Ticks / 10) / 1_000_000);
}

/// <summary>A job in the JSON of its own room.</summary>
internal sealed class JobSpecConverter : JsonConverter<JobSpec>
{
    private static readonly JsonTypeInfo<JobSpec> info = (JsonTypeInfo<JobSpec>)JobJson.Options.GetTypeInfo(typeof(JobSpec));

    public override JobSpec? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Read(ref reader);

    public override void Write(Utf8JsonWriter writer, JobSpec value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value, info);

    // The inner path is told from the whole document's.
    private static JobSpec? Read(ref Utf8JsonReader reader)
    {
        try
        {
            return JsonSerializer.Deserialize(ref reader, info);
        }
        catch (JsonException e)
        {
            throw new JsonException(e.Message, "$.job" + e.Path?[1..], e.LineNumber, e.BytePositionInLine, e);
        }
    }
}
