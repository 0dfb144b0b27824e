using System.Globalization;
using System.Text.Json;
using Drap.Core;

namespace Drap.Cli.Output;

/// <summary>Values as people read them.</summary>
internal static class Words
{
    public static string Of(TimeSpan time) => time switch
    {
        { Ticks: < 0 } => "-",
        { Ticks: 0 } => "0s",
        { TotalMilliseconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMicroseconds:0}µs"),
        { TotalSeconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0}ms"),
        { TotalSeconds: < 60 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0}s"),
        { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}m{time.Seconds:00}s"),
        { TotalDays: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}h{time.Minutes:00}m"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalDays}d{time.Hours:00}h"),
    };

    public static string Of(TimeSpan? time) => time is { } known ? Of(known) : "-";

    public static string Bytes(long bytes)
    {
        if (bytes < 1024)
            return bytes == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{bytes}B");
        double value = bytes;
        int unit = -1;
        while (value >= 1024 && unit < 4)
        {
            value /= 1024;
            unit++;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#}{"KMGTP"[unit]}iB");
    }

    /// <summary>That some of a stream is not there, before what follows it.</summary>
    public static string Gap(LogChunk chunk) => string.Create(
        CultureInfo.InvariantCulture, $"[{chunk.Dropped} bytes of {(chunk.Stream == LogStream.Stdout ? "stdout" : "stderr")} are missing here: of what a task writes the beginning and the end are kept, as much as its max_log says and the disk takes]");

    public static string Cores(long milli) => ((decimal)milli / 1000).ToString("0.##", CultureInfo.InvariantCulture);

    public static string Of(Credits? credits) => credits?.ToString() ?? "-";

    public static string Of(Price? price) => price?.ToString() ?? "-";

    public static string Of(int number) => number.ToString(CultureInfo.InvariantCulture);

    public static string Of<T>(T word) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(word.ToString());

    /// <summary>The id's first digits: enough to tell a person's jobs apart.</summary>
    public static string Short(JobId id) => id.ToString()[..8];

    /// <summary>What to type to mean the job.</summary>
    public static string Name(JobSummary job) => job.Number > 0 ? Of(job.Number) : Short(job.Id);

    public static string Count(int number, string one) => number == 1 ? $"1 {one}" : string.Create(CultureInfo.InvariantCulture, $"{number} {one}s");

    /// <summary>The states that have tasks, in the order of a task's life: <c>3 running, 17 finished</c>.</summary>
    public static string Of(TaskCounts counts)
    {
        (int Number, string Word)[] all =
        [
            (counts.Waiting, "waiting"), (counts.Placing, "placing"), (counts.Running, "running"), (counts.Held, "held"),
            (counts.Finished, "finished"), (counts.Failed, "failed"), (counts.Cancelled, "cancelled"), (counts.Expired, "expired"),
        ];
        return string.Join(", ", all.Where(c => c.Number > 0).Select(c => $"{Of(c.Number)} {c.Word}"));
    }
}
