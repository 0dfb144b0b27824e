using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Drap.Bench.Overlay;

/// <summary>All of it, ours and js-libp2p's in turn, so that both see the same machine.</summary>
internal static class Run
{
    private const int HeldConnections = 1000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static async Task<int> AllAsync(bool quick, bool js, int? rounds)
    {
        string[] more = quick ? ["--quick"] : [];
        var ours = new List<Dictionary<string, double>>();
        var theirs = new List<Dictionary<string, double>>();
        var floors = new List<Dictionary<string, double>>();
        int count = rounds ?? (quick ? 1 : 3);
        for (int round = 0; round < count; round++)
        {
            await Console.Error.WriteLineAsync($"round {round + 1} of {count}: drap");
            using (Child server = Child.Self("serve"))
            {
                JsonElement ready = await server.JsonAsync();
                floors.Add(await Floors.MeasureAsync(ready.GetProperty("bare").GetInt32(), quick));
                ours.Add(await MeasureAsync(Child.Self, ready, more));
            }
            if (!js)
                continue;
            await Console.Error.WriteLineAsync($"round {round + 1} of {count}: js");
            using Child jsServer = Js("serve");
            theirs.Add(await MeasureAsync(Js, await jsServer.JsonAsync(), more));
        }
        var result = new JsonObject
        {
            ["machine"] = Machine(),
            ["drap"] = Medians(ours),
            ["js"] = Medians(theirs),
            ["floors"] = Medians(floors),
            ["held"] = await HoldAsync(quick, gossips: false),
            ["heldGossiping"] = await HoldAsync(quick, gossips: true),
        };
        result["holds"] = await Table.PrintAsync(result, Console.Error);
        Console.WriteLine(result.ToJsonString(Indented));
        return 0;
    }

    public static async Task<int> FloorsAsync()
    {
        using Child server = Child.Self("serve");
        JsonElement ready = await server.JsonAsync();
        Console.WriteLine(JsonSerializer.Serialize(await Floors.MeasureAsync(ready.GetProperty("bare").GetInt32(), quick: false)));
        return 0;
    }

    private static async Task<Dictionary<string, double>> MeasureAsync(Func<string[], Child> start, JsonElement ready, string[] more)
    {
        using Child client = start(["measure", ready.GetProperty("peer").GetString()!, ready.GetProperty("address").GetString()!, .. more]);
        return (await client.JsonAsync()).Deserialize<Dictionary<string, double>>()!;
    }

    private static async Task<JsonObject> HoldAsync(bool quick, bool gossips)
    {
        await Console.Error.WriteLineAsync($"{HeldConnections} connections{(gossips ? " that gossip" : "")}");
        using Child server = Child.Self("serve");
        JsonElement ready = await server.JsonAsync();
        string[] more = [ready.GetProperty("peer").GetString()!, ready.GetProperty("address").GetString()!, .. gossips ? (string[])["--gossip"] : []];
        // The code that connects is compiled, and what it leaves is collected, before memory is counted.
        using (Child warm = Child.Self(["hold", "50", .. more]))
            await warm.LineAsync();
        await Task.Delay(TimeSpan.FromSeconds(2));
        JsonElement before = await server.AskAsync("stat");
        using Child holder = Child.Self(["hold", HeldConnections.ToString(CultureInfo.InvariantCulture), .. more]);
        await holder.LineAsync();
        await Task.Delay(TimeSpan.FromSeconds(3));
        JsonElement held = await server.AskAsync("stat");
        // Longer than a keep-alive takes, so that those are in it.
        TimeSpan idle = TimeSpan.FromSeconds(quick ? 10 : 60);
        await Task.Delay(idle);
        JsonElement after = await server.AskAsync("stat");
        int connections = held.GetProperty("connections").GetInt32() - before.GetProperty("connections").GetInt32();
        return new JsonObject
        {
            ["connections"] = (double)connections,
            ["residentKiBEach"] = Math.Round((held.GetProperty("residentKiB").GetDouble() - before.GetProperty("residentKiB").GetDouble()) / connections, 1),
            ["idleCpuPercent"] = Math.Round((after.GetProperty("cpuMs").GetDouble() - held.GetProperty("cpuMs").GetDouble()) / idle.TotalMilliseconds * 100, 2),
        };
    }

    private static JsonObject Medians(IEnumerable<Dictionary<string, double>> rounds)
    {
        var medians = new JsonObject();
        foreach (IGrouping<string, double> figure in rounds.SelectMany(r => r).GroupBy(p => p.Key, p => p.Value))
            medians[figure.Key] = figure.Order().ElementAt(figure.Count() / 2);
        return medians;
    }

    private static JsonObject Machine()
    {
        string? model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
        return new JsonObject
        {
            ["processor"] = model?[(model.IndexOf(':', StringComparison.Ordinal) + 2)..],
            ["cores"] = Environment.ProcessorCount,
            ["system"] = RuntimeInformation.OSDescription,
            ["runtime"] = RuntimeInformation.FrameworkDescription,
            ["libsodium"] = NativeLibrary.TryLoad("libsodium.so.23", out _),
        };
    }

    private static Child Js(params string[] args) => new("node", [JsProgram(), .. args]);

    private static string JsProgram([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "overlay", "js", "peer.js"));
}
