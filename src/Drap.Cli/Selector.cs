using System.Collections.Immutable;

namespace Drap.Cli;

/// <summary>What a person types to mean a job, or some of its tasks: <c>last</c>, <c>3</c>, <c>0f3a</c>, <c>3.17</c>, <c>last.1-20,25</c>.</summary>
/// <param name="Job">The job, as the node resolves it: <c>last</c>, its number, its id or a unique prefix of that.</param>
/// <param name="Tasks">The tasks; empty means all.</param>
internal sealed record Selector(string Job, ImmutableArray<TaskRange> Tasks)
{
    public const string Form = "last, a job's number, or the first digits of its id; with tasks as 3.17 or last.1-20,25";

    private const int jobCharsMax = 36;

    public static bool TryParse(string text, out Selector selector)
    {
        int dot = text.IndexOf('.');
        string job = dot < 0 ? text : text[..dot];
        ImmutableArray<TaskRange> tasks = [];
        bool ok = IsJob(job) && (dot < 0 || TaskRanges.TryParse(text.AsSpan(dot + 1), out tasks));
        selector = new Selector(job, tasks);
        return ok;
    }

    /// <summary>The only task that is meant.</summary>
    public int? OnlyTask => Tasks is [var range] && range.First == range.Last ? range.First : null;

    public override string ToString() => Tasks.IsEmpty ? Job : $"{Job}.{TaskRanges.Format(Tasks)}";

    private static bool IsJob(string text) =>
        text == "last" || text.Length is > 0 and <= jobCharsMax && text.All(c => char.IsAsciiHexDigit(c) || c == '-') && text[0] != '-';
}
