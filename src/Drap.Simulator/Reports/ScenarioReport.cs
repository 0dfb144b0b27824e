using System.Globalization;
using System.Text;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Reports;

/// <summary>What a simulation showed, as one HTML file that needs nothing else: tables and plots, for light and dark screens.</summary>
public static class ScenarioReport
{
    /// <summary>Schedulers that have a row each.</summary>
    private const int PartiesMax = 40;

    private const string style = """
        :root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9dade; --page: #fcfcfd; --c0: #0b68cb; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce }
        @media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #b0b4ba; --line: #363a3f; --page: #111113; --c0: #70b8ff; --c1: #ffa057; --c2: #71d083; --c3: #d19dff } }
        body { margin: 2rem auto; max-width: 74rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page) }
        h1 { margin-bottom: .2rem } p.about, figcaption + p, td.note, p.legend { color: var(--soft) } code { font-size: .9em }
        .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.5rem } figure { margin: 0 } figcaption { font-weight: 600 }
        svg { width: 100%; height: auto } svg text { font-size: 12px; fill: var(--soft) } text.y { text-anchor: end } text.x { text-anchor: middle }
        .grid { stroke: var(--line) } polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round }
        polyline.l0 { stroke: var(--c0) } polyline.l1 { stroke: var(--c1) } polyline.l2 { stroke: var(--c2) } polyline.l3 { stroke: var(--c3) }
        span.l0 { color: var(--c0) } span.l1 { color: var(--c1) } span.l2 { color: var(--c2) } span.l3 { color: var(--c3) }
        .legend { margin: 0; font-size: .9em } .legend span { margin-right: 1rem } .legend span::before { content: "━ " }
        table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line) } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
        """;

    /// <summary>The page.</summary>
    public static string ToHtml(ScenarioResult r)
    {
        var html = new StringBuilder();
        html.Append("<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>")
            .Append("<title>").Append(SvgPlot.Escape(r.Name)).Append(" · drap sim</title><style>").Append(style).Append("</style>\n<h1>").Append(SvgPlot.Escape(r.Name)).Append("</h1>\n")
            .Append("<p class=about>").Append(SvgPlot.Escape(r.Description)).Append("</p>\n<p>A simulation: <b>").Append(Whole(r.Workers)).Append("</b> machines offer their cores on a market, ")
            .Append(Whole(r.Schedulers)).Append(" schedulers ask them to run <b>").Append(Whole(r.Tasks)).Append("</b> tasks. Nothing ran for real; the same seed (").Append(r.Seed)
            .Append(") shows the same again (<code>").Append(r.Hash).Append("</code>).</p>\n");
        Summary(html, r);
        html.Append("<div class=plots>\n");
        foreach (SvgPlot plot in Plots(r))
            html.Append(plot.ToHtml()).Append('\n');
        html.Append("</div>\n");
        Parties(html, r);
        Messages(html, r);
        return html.Append("</html>\n").ToString();
    }

    private static void Summary(StringBuilder html, ScenarioResult r)
    {
        html.Append("<table>");
        Row("tasks that ended well", $"{Whole(r.Succeeded)} of {Whole(r.Tasks)}", r.Lost == 0 ? "none was lost" : $"{Whole(r.Lost)} were lost");
        Row("from submit to start", $"{Ms(r.PlacementMs.P50)}, at most {Ms(r.PlacementMs.P99)} for 99 of 100", "where a place was free when the task came");
        Row("of all tasks", $"{Ms(r.WaitMs.P50)}, at most {Ms(r.WaitMs.P99)} for 99 of 100", "with those that had to wait for a place");
        Row("cores busy", Percent(r.Utilisation.Cpu), "while jobs came, after the warm-up");
        if (r.Utilisation.Gpu > 0)
            Row("devices busy", Percent(r.Utilisation.Gpu), "GPUs");
        Row("price", Number(r.PricePerCoreHour), "credits for a core-hour, in the mean");
        Row("fairness", Number(r.Fairness), "1: all schedulers are slowed down alike");
        Row("messages", Number(r.MessagesPerWorker), "a second at a small machine");
        Row("attempts beyond the first", Whole(r.Again), "after failures, and where machines were silent");
        html.Append("</table>\n");

        void Row(string what, string value, string note) => html.Append("<tr><td>").Append(SvgPlot.Escape(what)).Append("<td class=n>").Append(SvgPlot.Escape(value))
            .Append("<td class=note>").Append(SvgPlot.Escape(note));
    }

    private static IEnumerable<SvgPlot> Plots(ScenarioResult r)
    {
        PlotLine Line(string name, Func<Moment, double> of) => new(name, [.. r.Course.Select(m => (m.S / 60, of(m)))]);
        Moment[] started = [.. r.Course.Where(m => m.P99 > 0)];
        yield return new SvgPlot("How long tasks waited for their start", "minutes", "seconds")
        {
            Lines =
            [
                new PlotLine("99 of 100 waited less", [.. started.Select(m => (m.S / 60, m.P99 / 1000))]),
                new PlotLine("half waited less", [.. started.Select(m => (m.S / 60, m.P50 / 1000))]),
            ],
        };
        yield return new SvgPlot("Tasks that started within a time", "milliseconds", "%")
        {
            IsLogarithmic = true,
            LeastTop = 100,
            Lines = [new PlotLine("of all measured", [.. r.Distribution.Select(d => (d.Ms, d.Of * 100))])],
        };
        PlotLine cores = Line("cores", m => m.Cpu * 100);
        yield return new SvgPlot("Busy", "minutes", "%") { LeastTop = 100, Lines = r.Course.Any(m => m.Gpu > 0) ? [cores, Line("GPUs", m => m.Gpu * 100)] : [cores] };
        yield return new SvgPlot("Tasks without a place", "minutes", "tasks") { LeastTop = 4, Lines = [Line("waiting", m => m.Waiting)] };
        yield return new SvgPlot("Price of a core-hour", "minutes", "credits")
        {
            Lines = [new PlotLine("price", [.. r.Course.Where(m => m.Price > 0).Select(m => (m.S / 60, m.Price))])],
        };
        yield return new SvgPlot("Messages of a node", "minutes", "a second") { Lines = [Line("messages", m => m.Messages)] };
        yield return new SvgPlot("Machines that were up", "minutes", "machines") { Lines = [Line("up", m => m.Up)] };
    }

    private static void Parties(StringBuilder html, ScenarioResult r)
    {
        html.Append("<h2>Schedulers</h2><table><tr><th>name<th class=n>tasks<th class=n>mean wait<th class=n>slowdown<th class=n>paid");
        foreach (Party party in r.Parties.OrderByDescending(p => p.Slowdown).Take(PartiesMax))
            html.Append("<tr><td>").Append(SvgPlot.Escape(party.Name)).Append("<td class=n>").Append(Whole(party.Tasks)).Append("<td class=n>").Append(Ms(party.WaitMs))
                .Append("<td class=n>").Append(Number(party.Slowdown)).Append("<td class=n>").Append(Number(party.Paid));
        html.Append("</table>\n");
        if (r.Parties.Length > PartiesMax)
            html.Append(CultureInfo.InvariantCulture, $"<p>The {PartiesMax} that were slowed down most, of {r.Parties.Length}.</p>\n");
    }

    private static void Messages(StringBuilder html, ScenarioResult r)
    {
        html.Append("<h2>Messages</h2><table><tr><th>kind<th class=n>sent<th class=n>a task");
        foreach ((string kind, long count) in r.Messages.OrderByDescending(m => m.Value))
            html.Append("<tr><td>").Append(SvgPlot.Escape(kind)).Append("<td class=n>").Append(Whole(count)).Append("<td class=n>").Append(Number((double)count / Math.Max(r.Tasks, 1)));
        html.Append("</table>\n");
    }

    private static string Whole(long value) => value.ToString("#,0", CultureInfo.InvariantCulture).Replace(',', '\u202f');

    private static string Number(double value) => value.ToString(Math.Abs(value) < 10 ? "0.###" : "0.#", CultureInfo.InvariantCulture);

    private static string Percent(double value) => (value * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static string Ms(double value) => value < 1000 ? Number(Math.Round(value)) + " ms" : Number(Math.Round(value / 1000, 1)) + " s";
}
