using System.Text;

namespace Drap.Core.Jobs;

/// <summary>
/// A pattern for paths with <c>/</c> between parts: <c>*</c> and <c>?</c> within a part, <c>[a-z]</c> and <c>[!a-z]</c>, <c>**</c> as a
/// part of its own for any folders, none too. As in a shell, a name that starts with a dot is matched only by a pattern that does.
/// </summary>
public sealed class Glob
{
    private readonly string[] parts;

    /// <summary>A pattern; any text is one.</summary>
    public Glob(string pattern)
    {
        string[] all = pattern.Split('/');
        int magic = Array.FindIndex(all, HasMagic);
        IsLiteral = magic < 0;
        Folder = magic < 0 ? pattern : magic == 1 && all[0].Length == 0 ? "/" : string.Join('/', all[..magic]);
        parts = magic < 0 ? [] : all[magic..];
    }

    /// <summary>Whether it has no special characters.</summary>
    public bool IsLiteral { get; }

    /// <summary>The fixed part before the first special character, up to a <c>/</c>; empty for the current folder.</summary>
    public string Folder { get; }

    /// <summary>Whether <paramref name="path"/>, relative to <see cref="Folder"/>, matches.</summary>
    public bool Matches(string path) => Matches(parts, path.Split('/'));

    /// <summary>Whether a text has a special character.</summary>
    public static bool HasMagic(string text) => text.AsSpan().ContainsAny('*', '?', '[');

    private static bool Matches(ReadOnlySpan<string> pattern, ReadOnlySpan<string> path)
    {
        // The last '**' is the only one to come back to: what an earlier one could take, this one can take too.
        int p = 0, s = 0, starPattern = -1, starPath = 0;
        while (s < path.Length)
        {
            if (p < pattern.Length && pattern[p] == "**")
            {
                starPattern = p++;
                starPath = s;
            }
            else if (p < pattern.Length && MatchesPart(pattern[p], path[s]))
            {
                p++;
                s++;
            }
            else if (starPattern >= 0 && starPath < path.Length && !path[starPath].StartsWith('.'))
            {
                p = starPattern + 1;
                s = ++starPath;
            }
            else
            {
                return false;
            }
        }
        while (p < pattern.Length && pattern[p] == "**")
            p++;
        return p == pattern.Length;
    }

    private static bool MatchesPart(string pattern, string name)
    {
        if (name.StartsWith('.') && !pattern.StartsWith('.'))
            return false;
        int p = 0, s = 0, starPattern = -1, starName = 0;
        while (s < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                starPattern = p++;
                starName = s;
                continue;
            }
            int next = p;
            if (p < pattern.Length && MatchesOne(pattern, ref next, name, s, out int taken))
            {
                p = next;
                s += taken;
            }
            else if (starPattern >= 0)
            {
                p = starPattern + 1;
                s = ++starName;
            }
            else
            {
                return false;
            }
        }
        while (p < pattern.Length && pattern[p] == '*')
            p++;
        return p == pattern.Length;
    }

    private static bool MatchesOne(string pattern, ref int p, string name, int s, out int taken)
    {
        Rune.DecodeFromUtf16(name.AsSpan(s), out Rune rune, out taken);
        if (pattern[p] == '?')
        {
            p++;
            return true;
        }
        int close = pattern[p] == '[' ? pattern.IndexOf(']', Math.Min(p + 2, pattern.Length)) : -1;
        if (close < 0)
        {
            taken = 1;
            return pattern[p++] == name[s];
        }
        ReadOnlySpan<char> set = pattern.AsSpan(p + 1, close - p - 1);
        bool negated = set[0] is '!' or '^';
        p = close + 1;
        return Contains(negated ? set[1..] : set, rune) != negated;
    }

    private static bool Contains(ReadOnlySpan<char> set, Rune rune)
    {
        for (int i = 0; i < set.Length; i++)
        {
            if (i + 2 < set.Length && set[i + 1] == '-')
            {
                if (rune.Value >= set[i] && rune.Value <= set[i + 2])
                    return true;
                i += 2;
            }
            else if (rune.Value == set[i])
            {
                return true;
            }
        }
        return false;
    }
}
