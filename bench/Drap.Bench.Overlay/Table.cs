using System.Globalization;
using System.Text.Json.Nodes;

namespace Drap.Bench.Overlay;

/// <summary>The figures beside each other, with what is wanted of them and whether it is so.</summary>
internal static class Table
{
    /// <summary>A line: what drap and js did, the floor beside it, what is wanted, and whether it holds (null: js was not measured).</summary>
    private sealed record Row(string Name, string Drap, string Js, string Floor, string Wanted, bool? Holds);

    /// <summary>Prints the lines, and returns what is wanted and whether it holds.</summary>
    public static async Task<JsonObject> PrintAsync(JsonObject result, TextWriter to)
    {
        Row[] rows = [.. Rows(result)];
        string[] head = ["", "drap", "js", "floor", "wanted", ""];
        string[][] lines = [head, .. rows.Select(r => new[] { r.Name, r.Drap, r.Js, r.Floor, r.Wanted, r.Holds switch { true => "holds", false => "FAILS", null => "" } })];
        int[] widths = [.. head.Select((_, column) => lines.Max(l => l[column].Length))];
        foreach (string[] line in lines)
            await to.WriteLineAsync(string.Join("  ", line.Select((cell, column) => column == 0 || column > 3 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]))).TrimEnd());
        var holds = new JsonObject();
        foreach (Row row in rows)
            if (row.Holds is { } yes)
                holds[row.Name] = yes;
        return holds;
    }

    private static IEnumerable<Row> Rows(JsonObject result)
    {
        double? Of(string group, string name) => result[group]?[name]?.GetValue<double>();
        Row Faster(string title, string name, string unit, double times, string floor = "")
        {
            double drap = Of("drap", name) ?? 0;
            double? js = Of("js", name);
            return new Row(title, Figure(drap, unit), js is null ? "" : Figure(js.Value, unit), floor, $"at most 1/{times} of js", js is null ? null : drap * times <= js);
        }
        Row More(string title, string name, string unit, double times, string floor = "")
        {
            double drap = Of("drap", name) ?? 0;
            double? js = Of("js", name);
            return new Row(title, Figure(drap, unit), js is null ? "" : Figure(js.Value, unit), floor, $"at least {times} times js", js is null ? null : drap >= times * js);
        }

        double Floor(string name) => Of("floors", name) ?? 0;
        yield return Faster("connect with noise, p50", "connectMsP50", "ms", 5);
        yield return Faster("ping on a stream, p50", "pingMsP50", "ms", 3, $"{Figure(Floor("barePingMsP50"), "ms")} bare socket");
        yield return More("200 bytes and back on a new stream, one at a time", "requestsPerSecond1", "/s", 10);
        yield return More("the same, 32 at once", "requestsPerSecond32", "/s", 10);
        yield return new Row("the same, safe to repeat, one at a time", Figure(Of("drap", "repeatableRequestsPerSecond1") ?? 0, "/s"), "", "", "", null);
        yield return new Row("the same, safe to repeat, 32 at once", Figure(Of("drap", "repeatableRequestsPerSecond32") ?? 0, "/s"), "", "", "", null);
        yield return More("one-way stream", "streamMiBPerSecond", "MiB/s", 3,
            $"{Figure(Floor("chaChaMiBPerSecond"), "MiB/s")} one core encrypts, {Figure(Floor("bareStreamMiBPerSecond"), "MiB/s")} bare socket");
        double paced = Floor("barePacedPingMsP50") / 2 + (Floor("signPacedMicroseconds") + Floor("verifyPacedMicroseconds")) / 1000;
        yield return Faster("gossip 1:1, p50", "gossipMsP50", "ms", 5, $"{Figure(paced, "ms")} bare socket one way, signing and verifying, as far apart");
        double sign = Floor("signMicroseconds"), verify = Floor("verifyMicroseconds"), most = Environment.ProcessorCount / (sign + verify) * 1e6;
        double gossip = Of("drap", "gossipPerSecond") ?? 0;
        yield return new Row("signed 512-byte messages", Figure(gossip, "/s"), Of("js", "gossipPerSecond") is { } js ? Figure(js, "/s") : "",
            $"{Figure(Floor("signAndVerifyPerSecondAllCores"), "/s")} all cores at once sign and verify",
            $"at least {Figure(0.8 * most, "/s")}: 0.8 cores / ({sign} + {verify} us)", gossip >= 0.8 * most);
        double lost = Of("drap", "gossipLost") ?? 0;
        yield return new Row("of these lost", Figure(lost, ""), Of("js", "gossipLost") is { } jsLost ? Figure(jsLost, "") : "", "", "0", lost == 0);
        foreach ((string name, string title) in new[] { ("held", "connections"), ("heldGossiping", "connections that gossip") })
        {
            if (result[name] is not JsonObject)
                continue;
            double memory = Of(name, "residentKiBEach") ?? 0, idle = Of(name, "idleCpuPercent") ?? 0;
            yield return new Row($"{Of(name, "connections")} {title}, resident each", Figure(memory, "KiB"), "", "", "at most 60 KiB", memory <= 60);
            yield return new Row($"{Of(name, "connections")} {title}, idle", Figure(idle, "%"), "", "", "under 2 % of a core", idle < 2);
        }
    }

    private static string Figure(double value, string unit) =>
        (value.ToString(value switch { 0 => "0", < 10 => "0.###", < 1000 => "0.#", _ => "#,##0" }, CultureInfo.InvariantCulture) + " " + unit).TrimEnd();
}
