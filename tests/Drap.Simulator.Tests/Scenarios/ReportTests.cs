using Drap.Simulator.Reports;
using Drap.Simulator.Worlds;
using Xunit;

namespace Drap.Simulator.Tests.Scenarios;

public sealed class ReportTests
{
    [Fact]
    public void A_report_is_one_page_that_needs_nothing_else_and_says_what_the_figures_say()
    {
        ScenarioResult result = Example.Run("small-lab", "duration=4m", "warm_up=0s", "checks=false", "name='<lab>'");
        string html = ScenarioReport.ToHtml(result);
        Assert.DoesNotContain("http", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<lab>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", html, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme: dark", html, StringComparison.Ordinal);
        Assert.Contains(result.Hash, html, StringComparison.Ordinal);
        Assert.Equal(7, html.Split("<svg ").Length - 1);
        Assert.Equal(2, html.Split("<polyline class=l0 ").Skip(1).Count(p => p.Contains("</svg><p class=legend>", StringComparison.Ordinal)));
        Assert.All(result.Parties, party => Assert.Contains($"<td>{party.Name}<", html, StringComparison.Ordinal));
    }
}
