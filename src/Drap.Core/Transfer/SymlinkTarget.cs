namespace Drap.Core.Transfer;

/// <summary>Which targets a symbolic link inside a folder may have: those that cannot leave the folder.</summary>
public static class SymlinkTarget
{
    /// <summary>Longest target in bytes (PATH_MAX less its NUL).</summary>
    public const int BytesMax = 4095;

    /// <summary>
    /// Whether a link in a directory <paramref name="depth"/> steps below the folder's root (0: in the root) stays inside: relative,
    /// <c>..</c> only at its start and at most <paramref name="depth"/> times. A <c>..</c> after a name is refused even where it reads
    /// as harmless: if that name is itself a link, the kernel goes up from where the link leads, not from where it stands.
    /// </summary>
    public static bool StaysInside(string target, int depth)
    {
        if (target.Length == 0 || target[0] == '/' || target.Contains('\0')
            || System.Text.Encoding.UTF8.GetByteCount(target) > BytesMax)
            return false;
        int ups = 0;
        bool sawName = false;
        foreach (Range range in target.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> step = target.AsSpan()[range];
            if (step is "" or ".")
                continue;
            if (step is not "..")
                sawName = true;
            else if (sawName || ++ups > depth)
                return false;
        }
        return true;
    }
}
