using System.Collections.Immutable;
using System.Text;

namespace Drap.Node.Blobs;

/// <summary>
/// What stays out when a folder is shipped: the patterns of <c>.drapignore</c>, or where the folder's root has none, of
/// <c>.gitignore</c>, in the root and in each folder below, with git's meaning: the last pattern that matches says, and nothing
/// below an ignored folder comes back. <c>.git</c> is always out. Immutable.
/// </summary>
public sealed class IgnoreRules
{
    /// <summary>Largest ignore file that is read, and most patterns that hold in one folder: each entry is tried against each.</summary>
    public const int FileBytesMax = 1 << 20, PatternsMax = 10_000;

    /// <summary>Nothing is ignored.</summary>
    public static readonly IgnoreRules None = new([], null, false);

    /// <summary>Only <c>.git</c> is ignored, until ignore files are read.</summary>
    public static readonly IgnoreRules Default = new([], null, true);

    private readonly ImmutableArray<IgnorePattern> patterns;
    private readonly string? fileName;
    private readonly bool isOn;

    private IgnoreRules(ImmutableArray<IgnorePattern> patterns, string? fileName, bool isOn) =>
        (this.patterns, this.fileName, this.isOn) = (patterns, fileName, isOn);

    /// <summary>
    /// These rules and those of the ignore file in <paramref name="folder"/>, which lies at <paramref name="relative"/> below the
    /// root (empty: is the root, whose file decides which name counts).
    /// </summary>
    public IgnoreRules WithFilesOf(string folder, string relative)
    {
        string name = fileName ?? (File.Exists(Path.Combine(folder, ".drapignore")) ? ".drapignore" : ".gitignore");
        string path = Path.Combine(folder, name);
        if (FileCalls.Stat(path) is not { IsRegular: true } stamp)
            return new IgnoreRules(patterns, name, isOn);
        if (stamp.Size > FileBytesMax)
            throw new BlobRefusedException($"{path} has {stamp.Size} bytes; at most {FileBytesMax} are read");
        return With(File.ReadAllText(path), relative, path).Named(name);
    }

    /// <summary>These rules and those of an ignore file's <paramref name="text"/>, which lies in the folder <paramref name="relative"/>.</summary>
    public IgnoreRules With(string text, string relative = "", string source = "the ignore file")
    {
        ImmutableArray<IgnorePattern>.Builder all = patterns.ToBuilder();
        int number = 0;
        foreach (string line in text.TrimStart('\uFEFF').Split('\n'))
        {
            number++;
            if (line.Length > IgnorePattern.LengthMax)
                throw new BlobRefusedException($"{source} line {number} has {line.Length} characters; a pattern has at most {IgnorePattern.LengthMax}");
            if (IgnorePattern.Parse(AsBytes(line), AsBytes(relative)) is { } pattern)
                all.Add(pattern);
            if (all.Count > PatternsMax)
                throw new BlobRefusedException($"{source} line {number}: more than {PatternsMax} patterns");
        }
        return new IgnoreRules(all.ToImmutable(), fileName, true);
    }

    /// <summary>
    /// Whether the entry at <paramref name="path"/> (from the root, with <c>/</c>) is ignored. It does not ask for the folders above
    /// it: who walks does not enter ignored ones.
    /// </summary>
    public bool Ignores(string path, bool isFolder)
    {
        if (!isOn)
            return false;
        if (path.AsSpan()[(path.LastIndexOf('/') + 1)..] is ".git")
            return true;
        string bytes = AsBytes(path);
        for (int i = patterns.Length - 1; i >= 0; i--)
        {
            if (patterns[i].Matches(bytes, isFolder))
                return !patterns[i].IsNegated;
        }
        return false;
    }

    /// <summary>The text with a character per UTF-8 byte: to git <c>?</c> is a byte, and half of an é.</summary>
    private static string AsBytes(string text) =>
        Ascii.IsValid(text) ? text : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    private IgnoreRules Named(string name) => new(patterns, name, isOn);
}
