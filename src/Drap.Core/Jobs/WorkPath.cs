namespace Drap.Core.Jobs;

/// <summary>Paths inside a work, output or result folder.</summary>
public static class WorkPath
{
    /// <summary>What a message says that such a path looks like.</summary>
    public const string Form = "a relative path without '..', at most 4095 characters";

    /// <summary>Whether <paramref name="path"/> stays inside the folder: relative, no empty part, no <c>.</c> or <c>..</c>, no control characters.</summary>
    public static bool IsSafe(string path)
    {
        if (path.Length is 0 or > JobLimits.PathLengthMax || path.AsSpan().ContainsAnyInRange('\0', '\x1f'))
            return false;
        foreach (Range range in path.AsSpan().Split('/'))
            if (path.AsSpan(range) is "" or "." or "..")
                return false;
        return true;
    }

    /// <summary>Whether one is the other, or lies inside it.</summary>
    public static bool Overlap(string a, string b)
    {
        (string shorter, string longer) = a.Length <= b.Length ? (a, b) : (b, a);
        return longer.StartsWith(shorter, StringComparison.Ordinal) && (longer.Length == shorter.Length || longer[shorter.Length] == '/');
    }

    /// <summary>
    /// What lies at <paramref name="path"/>, relative to <paramref name="folder"/> unless it is absolute; <c>.</c> and <c>..</c> are
    /// followed as text.
    /// </summary>
    public static string Combine(string folder, string path)
    {
        string joined = path.StartsWith('/') || folder.Length == 0 ? path : $"{folder}/{path}";
        var parts = new List<string>();
        foreach (string part in joined.Split('/'))
        {
            if (part is ".." && parts.Count > 0 && parts[^1] != "..")
                parts.RemoveAt(parts.Count - 1);
            else if (part is not ("" or ".") && !(part is ".." && joined.StartsWith('/')))
                parts.Add(part);
        }
        string result = string.Join('/', parts);
        return joined.StartsWith('/') ? "/" + result : result.Length == 0 ? "." : result;
    }
}
