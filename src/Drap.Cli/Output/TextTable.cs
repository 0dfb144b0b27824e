using System.Text;

namespace Drap.Cli.Output;

/// <summary>Columns as wide as what they hold, two spaces apart; numbers to the right. What a pipe, a narrow window and a test all can read.</summary>
internal sealed class TextTable(params string[] headings)
{
    private readonly List<string[]> rows = [];

    /// <summary>A heading that starts with <c>&gt;</c> has its column to the right.</summary>
    public TextTable Row(params string?[] cells)
    {
        rows.Add([.. cells.Select(c => Clean(c ?? ""))]);
        return this;
    }

    public void Write(TextWriter output)
    {
        bool[] right = [.. headings.Select(h => h.StartsWith('>'))];
        string[] names = [.. headings.Select(h => h.TrimStart('>').ToUpperInvariant())];
        int[] widths = [.. names.Select((name, i) => rows.Select(r => Width(r[i])).Append(Width(name)).Max())];
        foreach (string[] row in rows.Prepend(names))
        {
            var line = new StringBuilder();
            for (int i = 0; i < row.Length; i++)
            {
                string gap = new(' ', widths[i] - Width(row[i]));
                line.Append(i == 0 ? "" : "  ").Append(right[i] ? gap + row[i] : row[i] + gap);
            }
            output.WriteLine(line.ToString().TrimEnd());
        }
    }

    private static int Width(string text) => text.EnumerateRunes().Count();

    // A job's name or a task's words must not draw on the terminal.
    private static string Clean(string text) => text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? '?' : c)) : text;
}
