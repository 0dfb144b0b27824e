using System.Globalization;
using Drap.Cli.Output;
using Drap.Simulator.Worlds;

namespace Drap.Cli.Simulations;

/// <summary>What a simulation showed, for a person at a terminal.</summary>
internal static class SimTables
{
    /// <summary>Schedulers of which each has a row; of more only the best and the worst served.</summary>
    private const int PartiesMax = 12;

    public static void Write(TextWriter output, ScenarioResult r)
    {
        output.WriteLine($"{r.Name}: {r.Workers} workers, {r.Schedulers} schedulers, seed {r.Seed}, hash {r.Hash}");
        if (r.Description.Length > 0)
            output.WriteLine(r.Description);
        output.WriteLine();
        new TextTable("what", ">value", "")
            .Row("tasks", Whole(r.Tasks), $"in {Whole(r.Jobs)} jobs, {Words.Of(TimeSpan.FromSeconds(r.VirtualS))} of virtual time")
            .Row("succeeded", Whole(r.Succeeded), "")
            .Row("failed", Whole(r.Failed), "by themselves, or without a place by their deadline")
            .Row("lost", Whole(r.Lost), "no end was accepted")
            .Row("started again", Whole(r.Again), "attempts beyond the first")
            .Row("placement p50", Ms(r.PlacementMs.P50), $"submit to start, of {Whole(r.PlacementMs.Count)} tasks for which there was a place")
            .Row("placement p99", Ms(r.PlacementMs.P99), "")
            .Row("wait p50", Ms(r.WaitMs.P50), $"submit to start, of all {Whole(r.WaitMs.Count)} that were measured")
            .Row("wait p99", Ms(r.WaitMs.P99), "")
            .Row("cores busy", Percent(r.Utilisation.Cpu), "")
            .Row("devices busy", Percent(r.Utilisation.Gpu), "")
            .Row("price", Number(r.PricePerCoreHour), "credits for a core-hour")
            .Row("paid", Number(r.Paid), "credits")
            .Row("fairness", Number(r.Fairness), "Jain's index of the schedulers' slowdowns")
            .Row("messages", Number(r.MessagesPerWorker), "a second at a small worker")
            .Row("", Number(r.MessagesPerTask), "a task, of all nodes")
            .Row("audience", Number(r.Audience), "workers that an ad reached")
            .Row("events", Whole(r.Events), $"in {Words.Of(TimeSpan.FromSeconds(r.WallS))}, {r.MemoryMib} MiB")
            .Write(output);
        if (r.Parties.Length < 2)
            return;
        output.WriteLine();
        Party[] parties = r.Parties.Length <= PartiesMax ? [.. r.Parties] : [.. r.Parties.OrderBy(p => p.Slowdown).Take(PartiesMax / 2), .. r.Parties.OrderBy(p => p.Slowdown).TakeLast(PartiesMax / 2)];
        var table = new TextTable("scheduler", ">tasks", ">mean wait", ">slowdown", ">paid");
        foreach (Party party in parties)
            table.Row(party.Name, Whole(party.Tasks), Ms(party.WaitMs), Number(party.Slowdown), Number(party.Paid));
        table.Write(output);
    }

    private static string Whole(long value) => value.ToString("#,0", CultureInfo.InvariantCulture).Replace(',', ' ');

    private static string Number(double value) => value.ToString(Math.Abs(value) < 10 ? "0.###" : "0.#", CultureInfo.InvariantCulture);

    private static string Percent(double value) => (value * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static string Ms(double value) => Words.Of(TimeSpan.FromMilliseconds(value));
}
