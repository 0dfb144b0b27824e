using System.Runtime.InteropServices;

namespace Drap.Node.Blobs;

/// <summary>
/// One line of an ignore file, with gitignore's meaning. Matching walks a set of states over the path, so no pattern, however many
/// stars it has, takes longer than its length times the path's.
/// </summary>
internal sealed class IgnorePattern
{
    /// <summary>Longest line: longer ones are no patterns but a file of something else.</summary>
    public const int LengthMax = 1024;

    private readonly List<Step> steps = [];
    private readonly string basePath;
    private readonly bool isAnchored, foldersOnly;

    private IgnorePattern(string basePath, string text, bool isAnchored, bool foldersOnly, bool isNegated)
    {
        (this.basePath, this.isAnchored, this.foldersOnly, IsNegated) = (basePath, isAnchored, foldersOnly, isNegated);
        Compile(text);
    }

    private enum Kind : byte
    {
        /// <summary>This character.</summary>
        Literal,

        /// <summary><c>?</c>: any but a slash.</summary>
        Any,

        /// <summary><c>[…]</c>: one of some, never a slash.</summary>
        Class,

        /// <summary><c>*</c>: any number of characters but slashes.</summary>
        Star,

        /// <summary><c>**/</c>: any number of folders, none too; here at the start of a name.</summary>
        Folders,

        /// <summary>The state inside a name that <see cref="Folders"/> skips; always follows it.</summary>
        InFolder,

        /// <summary><c>**</c> at the end: all that is left.</summary>
        Rest,

        /// <summary>An unended class or escape: matches nothing, as in git.</summary>
        Never,
    }

    /// <summary>Whether what matches is taken in again.</summary>
    public bool IsNegated { get; }

    /// <summary>Reads one line, a character per byte, of the ignore file in the folder <paramref name="basePath"/> (empty: the root); null for blank lines and comments.</summary>
    public static IgnorePattern? Parse(string line, string basePath)
    {
        string text = TrimEnd(line);
        if (text.Length == 0 || text[0] == '#')
            return null;
        bool isNegated = text[0] == '!';
        if (isNegated)
            text = text[1..];
        bool foldersOnly = text.EndsWith('/');
        if (foldersOnly)
            text = text[..^1];
        bool isAnchored = text.Contains('/');
        if (text.StartsWith('/'))
            text = text[1..];
        return text.Length == 0 ? null : new IgnorePattern(basePath, text, isAnchored, foldersOnly, isNegated);
    }

    /// <summary>Whether the entry at <paramref name="path"/>, relative to the root, matches.</summary>
    public bool Matches(string path, bool isFolder)
    {
        if (foldersOnly && !isFolder)
            return false;
        if (!isAnchored)
            return (basePath.Length == 0 || IsBelow(path)) && Run(path.AsSpan(path.LastIndexOf('/') + 1));
        return basePath.Length == 0 ? Run(path) : IsBelow(path) && Run(path.AsSpan(basePath.Length + 1));
    }

    private bool IsBelow(string path) =>
        path.Length > basePath.Length && path[basePath.Length] == '/' && path.StartsWith(basePath, StringComparison.Ordinal);

    /// <summary>Without a line end and trailing spaces, but with one that a backslash keeps.</summary>
    private static string TrimEnd(string line)
    {
        string text = line.TrimEnd('\r');
        int end = text.Length;
        while (end > 0 && text[end - 1] == ' ')
            end--;
        int slashes = 0;
        while (slashes < end && text[end - 1 - slashes] == '\\')
            slashes++;
        return end < text.Length && slashes % 2 == 1 ? text[..(end + 1)] : text[..end];
    }

    private void Compile(string text)
    {
        for (int i = 0; i < text.Length;)
        {
            char c = text[i];
            if (c == '*')
            {
                int after = i;
                while (after < text.Length && text[after] == '*')
                    after++;
                bool isWhole = after - i == 2 && (i == 0 || text[i - 1] == '/');
                if (isWhole && isAnchored && after < text.Length && text[after] == '/')
                {
                    steps.Add(new Step(Kind.Folders));
                    steps.Add(new Step(Kind.InFolder));
                    after++;
                }
                else
                {
                    steps.Add(new Step(isWhole && isAnchored && after == text.Length ? Kind.Rest : Kind.Star));
                }
                i = after;
            }
            else if (c == '[')
            {
                steps.Add(ReadClass(text, ref i));
            }
            else if (c == '\\')
            {
                steps.Add(i + 1 < text.Length ? new Step(Kind.Literal, text[i + 1]) : new Step(Kind.Never));
                i += 2;
            }
            else
            {
                steps.Add(c == '?' ? new Step(Kind.Any) : new Step(Kind.Literal, c));
                i++;
            }
        }
    }

    private static Step ReadClass(string text, ref int i)
    {
        int at = i + 1;
        bool isInverse = at < text.Length && text[at] is '!' or '^';
        if (isInverse)
            at++;
        var ranges = new List<(char From, char To)>();
        for (bool isFirst = true; at < text.Length && (isFirst || text[at] != ']'); isFirst = false)
        {
            if (text[at] == '[' && at + 1 < text.Length && text[at + 1] == ':' && text.IndexOf(":]", at + 2, StringComparison.Ordinal) is >= 0 and int end)
            {
                if (!Named.TryGetValue(text[(at + 2)..end], out (char, char)[]? named))
                {
                    i = text.Length;
                    return new Step(Kind.Never);
                }
                ranges.AddRange(named);
                at = end + 2;
                continue;
            }
            char from = ReadOne(text, ref at), to = from;
            if (at + 1 < text.Length && text[at] == '-' && text[at + 1] != ']')
            {
                at++;
                to = ReadOne(text, ref at);
            }
            ranges.Add((from, to));
        }
        i = at + 1;
        return at < text.Length ? new Step(Kind.Class, Ranges: [.. ranges], IsInverse: isInverse) : new Step(Kind.Never);
    }

    private static char ReadOne(string text, ref int at)
    {
        if (text[at] == '\\' && at + 1 < text.Length)
            at++;
        return text[at++];
    }

    private static readonly Dictionary<string, (char, char)[]> Named = new()
    {
        ["alnum"] = [('0', '9'), ('A', 'Z'), ('a', 'z')],
        ["alpha"] = [('A', 'Z'), ('a', 'z')],
        ["blank"] = [(' ', ' '), ('\t', '\t')],
        ["cntrl"] = [('\0', '\x1f'), ('\x7f', '\x7f')],
        ["digit"] = [('0', '9')],
        ["graph"] = [('!', '~')],
        ["lower"] = [('a', 'z')],
        ["print"] = [(' ', '~')],
        ["punct"] = [('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        ["space"] = [('\t', '\r'), (' ', ' ')],
        ["upper"] = [('A', 'Z')],
        ["xdigit"] = [('0', '9'), ('A', 'F'), ('a', 'f')],
    };

    private bool Run(ReadOnlySpan<char> path)
    {
        int count = steps.Count;
        Span<bool> now = stackalloc bool[count + 1], next = stackalloc bool[count + 1];
        now.Clear();
        now[0] = true;
        foreach (char c in path)
        {
            next.Clear();
            bool isAlive = false;
            for (int s = 0; s < count; s++)
            {
                if (!now[s])
                    continue;
                Step step = steps[s];
                // What may match nothing lets the next step have a try as well.
                if (step.Kind is Kind.Star or Kind.Rest)
                    now[s + 1] = true;
                else if (step.Kind == Kind.Folders)
                    now[s + 2] = true;
                int to = step.After(s, c);
                if (to >= 0)
                    next[to] = isAlive = true;
            }
            if (!isAlive)
                return false;
            Span<bool> swap = now;
            now = next;
            next = swap;
        }
        for (int s = 0; s < count; s++)
            now[s + 1] |= now[s] && steps[s].Kind is Kind.Star or Kind.Rest;
        return now[count];
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Step(Kind Kind, char Char = '\0', (char From, char To)[]? Ranges = null, bool IsInverse = false)
    {
        /// <summary>The state after taking <paramref name="c"/> in state <paramref name="s"/>, which is this step; -1 for none.</summary>
        public int After(int s, char c) => Kind switch
        {
            Kind.Literal => c == Char ? s + 1 : -1,
            Kind.Any => c != '/' ? s + 1 : -1,
            Kind.Class => c != '/' && IsInRanges(c) != IsInverse ? s + 1 : -1,
            Kind.Star => c != '/' ? s : -1,
            Kind.Folders => c != '/' ? s + 1 : -1,
            Kind.InFolder => c != '/' ? s : s - 1,
            Kind.Rest => s,
            _ => -1,
        };

        private bool IsInRanges(char c)
        {
            foreach ((char from, char to) in Ranges!)
            {
                if (c >= from && c <= to)
                    return true;
            }
            return false;
        }
    }
}
