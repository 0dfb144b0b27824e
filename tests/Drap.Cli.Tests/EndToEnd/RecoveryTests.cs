using System.Text.Json;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>Deaths among real processes, by their counts: what they take in time is the benchmark's to say.</summary>
public sealed class RecoveryTests
{
    /// <summary>Takes half a minute.</summary>
    [Fact(Explicit = true)]
    public async Task No_death_loses_a_task_or_makes_a_finished_one_run_again()
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended ended = await drap.RunAsync("bench", "recovery", "-o", "json");
        Assert.True(ended.Code == 0, ended.Err);
        using JsonDocument figures = JsonDocument.Parse(ended.Out);
        JsonElement[] rows = [.. figures.RootElement.GetProperty("rows").EnumerateArray()];
        Assert.Equal(["closed", "silent", "restart", "restart_process"], rows.Select(r => r.GetProperty("mode").GetString()));
        Assert.All(rows, r => Assert.Equal((0, 0), (r.GetProperty("lost").GetInt32(), r.GetProperty("finished_rerun").GetInt32())));
        // Each task ran, and at most what was under way or stood in line at a death ran twice.
        Assert.All(rows, r => Assert.InRange(r.GetProperty("executions").GetInt32(), 200, 300));
        Assert.Empty(Directory.GetDirectories(drap.Folder, "drap-bench-*"));
    }
}
