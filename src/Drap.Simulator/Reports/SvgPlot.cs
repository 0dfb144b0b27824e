using System.Globalization;
using System.Net;
using System.Text;

namespace Drap.Simulator.Reports;

/// <summary>One line of a plot.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Points">Its points, from left to right.</param>
internal sealed record PlotLine(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Lines over an axis, as an SVG that takes its colours from the page around it.</summary>
/// <param name="Title">What is shown.</param>
/// <param name="XUnit">What is counted from left to right.</param>
/// <param name="YUnit">What is counted upwards.</param>
internal sealed record SvgPlot(string Title, string XUnit, string YUnit)
{
    private const int Width = 560, Height = 240, Left = 56, Right = 12, Top = 26, Bottom = 36;

    /// <summary>Whether steps to the right are factors.</summary>
    public bool IsLogarithmic { get; init; }

    /// <summary>What the axis reaches at least.</summary>
    public double LeastTop { get; init; }

    /// <summary>The lines, at most four: each has its own colour.</summary>
    public required IReadOnlyList<PlotLine> Lines { get; init; }

    /// <summary>The figure with its title and what its lines are.</summary>
    public string ToHtml()
    {
        var html = new StringBuilder();
        html.Append("<figure><figcaption>").Append(Escape(Title)).Append("</figcaption>");
        (double X, double Y)[] all = [.. Lines.SelectMany(l => l.Points)];
        if (all.Length == 0)
            return html.Append("<p class=none>nothing was seen</p></figure>").ToString();
        double left = Scale(all.Min(p => p.X)), right = Math.Max(Scale(all.Max(p => p.X)), left + 1e-9);
        double step = Step(Math.Max(Math.Max(all.Max(p => p.Y), LeastTop), 1e-6) / 4), top = step * Math.Ceiling(Math.Max(all.Max(p => p.Y), LeastTop) / step);
        html.Append(CultureInfo.InvariantCulture, $"<svg viewBox='0 0 {Width} {Height}' role=img aria-label='{Escape(Title)}'>");
        for (double y = 0; y <= top * 1.0001; y += step)
            html.Append(CultureInfo.InvariantCulture, $"<line class=grid x1={Left} x2={Width - Right} y1={Y(y):0.#} y2={Y(y):0.#} /><text class=y x={Left - 6} y={Y(y) + 4:0.#}>{Number(y)}</text>");
        foreach (double x in Ticks(left, right))
            html.Append(CultureInfo.InvariantCulture, $"<text class=x x={X(x):0.#} y={Height - Bottom + 16}>{Number(IsLogarithmic ? Math.Pow(10, x) : x)}</text>");
        html.Append(CultureInfo.InvariantCulture, $"<text class=unit x={Width - Right} y={Height - 4} text-anchor=end>{Escape(XUnit)}</text><text class=unit x=4 y=10>{Escape(YUnit)}</text>");
        for (int i = 0; i < Lines.Count; i++)
            html.Append(CultureInfo.InvariantCulture, $"<polyline class=l{i} points='{string.Join(' ', Lines[i].Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(Scale(p.X)):0.#},{Y(p.Y):0.#}")))}' />");
        html.Append("</svg>");
        if (Lines.Count > 1)
            html.Append("<p class=legend>").AppendJoin(' ', Lines.Select((l, i) => $"<span class=l{i}>{Escape(l.Name)}</span>")).Append("</p>");
        return html.Append("</figure>").ToString();

        double X(double x) => Left + (x - left) / (right - left) * (Width - Left - Right);
        double Y(double y) => Height - Bottom - y / top * (Height - Top - Bottom);
    }

    internal static string Escape(string text) => WebUtility.HtmlEncode(text);

    private double Scale(double x) => IsLogarithmic ? Math.Log10(Math.Max(x, 1e-3)) : x;

    private IEnumerable<double> Ticks(double left, double right)
    {
        double step = IsLogarithmic ? 1 : Step((right - left) / 5);
        for (double x = Math.Ceiling(left / step - 1e-9) * step; x <= right + 1e-9; x += step)
            yield return x;
    }

    /// <summary>The next of 1, 2 and 5 times a power of ten.</summary>
    private static double Step(double least)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(least)));
        return least <= power ? power : least <= 2 * power ? 2 * power : least <= 5 * power ? 5 * power : 10 * power;
    }

    private static string Number(double value) =>
        value >= 1_000_000 ? (value / 1_000_000).ToString("0.#", CultureInfo.InvariantCulture) + "M"
        : value >= 10_000 ? (value / 1_000).ToString("0.#", CultureInfo.InvariantCulture) + "k"
        : value.ToString(value < 1 ? "0.###" : "0.#", CultureInfo.InvariantCulture);
}
