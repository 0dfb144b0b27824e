using System.Globalization;
using System.Text;

namespace Drap.Cli.Output;

/// <summary>
/// Shows a job while it runs: on a terminal a block that is drawn anew (a bar, counts, spend and time left per segment), else a line whenever
/// something was done, at most one in five seconds.
/// </summary>
internal sealed class JobProgress(Screen screen, TimeProvider time) : IDisposable
{
    private const int barWidth = 24;

    private static readonly TimeSpan lineEvery = TimeSpan.FromSeconds(5);

    private int drawn;
    private long lastLine;
    private string last = "";

    public void Show(JobSummary job, IReadOnlyList<SegmentSummary> segments)
    {
        if (screen.Live)
            Draw(job, segments);
        else
            Line(job);
    }

    /// <summary>Says something between two pictures.</summary>
    public void Note(string text)
    {
        bool wasDrawn = drawn > 0;
        Erase();
        screen.Say(text);
        if (wasDrawn)
            Put(last);
    }

    /// <summary>Leaves the last picture on the screen.</summary>
    public void Dispose() => drawn = 0;

    private void Draw(JobSummary job, IReadOnlyList<SegmentSummary> segments)
    {
        var lines = new List<string>();
        int width = segments.Count == 0 ? 0 : Math.Min(20, segments.Max(s => s.Name.Length));
        foreach (SegmentSummary segment in segments)
            lines.Add($"  {segment.Name.PadRight(width)} {Bar(segment.Tasks)} {Words.Of(segment.Tasks.Finished),5}/{Words.Of(segment.Tasks.Total),-5} {Words.Of(segment.Tasks)}");
        string left = job.ExpectedAt is { } end && Now() is var now && end.Milliseconds > now ? ", about " + Words.Of(TimeSpan.FromMilliseconds(end.Milliseconds - now)) + " left" : "";
        string budget = job.Budget is { } most ? $" of {most}" : "";
        lines.Add($"  {Words.Of(job.State)}, {Words.Of(TimeSpan.FromMilliseconds(Math.Max(0, Now() - job.SubmittedAt.Milliseconds)))}, spent {job.Cost}{budget} credits{left}");
        string text = string.Join('\n', lines);
        if (text == last && drawn > 0)
            return;
        Erase();
        Put(text);
        last = text;
    }

    // Without wrapping a long line is cut at the edge, and the block stays as high as it has lines.
    private void Put(string text)
    {
        screen.Talk.Write($"\u001b[?7l{text}\u001b[?7h\n");
        screen.Talk.Flush();
        drawn = text.Count(c => c == '\n') + 1;
    }

    private void Line(JobSummary job)
    {
        string text = $"{Words.Of(job.State)}: {Words.Of(job.Tasks)} of {Words.Of(job.Tasks.Total)}, spent {job.Cost} credits";
        bool due = lastLine == 0 || time.GetElapsedTime(lastLine) >= lineEvery;
        if (text == last || !due)
            return;
        screen.Say(text);
        last = text;
        lastLine = time.GetTimestamp();
    }

    private string Bar(TaskCounts counts)
    {
        int total = Math.Max(1, counts.Total);
        int done = (int)((long)barWidth * counts.Finished / total);
        int bad = (int)((long)barWidth * (counts.Failed + counts.Cancelled + counts.Expired) / total);
        int running = Math.Min(barWidth - done - bad, (int)(((long)barWidth * counts.Running + total - 1) / total));
        return "[" + screen.Green(new string('#', done)) + screen.Red(new string('x', bad)) + screen.Yellow(new string('>', running))
            + new string('.', barWidth - done - bad - running) + "]";
    }

    private void Erase()
    {
        if (drawn == 0)
            return;
        var codes = new StringBuilder();
        codes.Append(CultureInfo.InvariantCulture, $"\u001b[{drawn}A\u001b[J");
        screen.Talk.Write(codes.ToString());
        drawn = 0;
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}
