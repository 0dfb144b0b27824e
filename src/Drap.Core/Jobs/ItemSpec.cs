using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>What one task of a segment is about: a text, or named texts.</summary>
/// <param name="Text">The text; null if it has fields.</param>
/// <param name="Fields">The named texts; empty if it is one text.</param>
public sealed record ItemSpec(string? Text, ImmutableSortedDictionary<string, string> Fields)
{
    /// <summary>An item that is one text.</summary>
    public static ItemSpec Of(string text) => new(text, JobJson.EmptyMap<string>());
}

/// <summary>Local files to spread over tasks. The client resolves the glob; the submitted job has <see cref="Sets"/>.</summary>
[ScalarForm("glob")]
public sealed record FilesSpec
{
    /// <summary>A path with <c>*</c>, <c>?</c>, <c>[…]</c> and <c>**</c> (any folders), relative to the job file; files only, in the order of their names' bytes.</summary>
    public string Glob { get; init; } = "";

    /// <summary>Files whose sizes add up to about this go to one task. Default: each file has its own.</summary>
    public ByteSize? Group { get; init; }

    /// <summary>Larger files are cut into parts of about this size. Default: none is cut.</summary>
    public ByteSize? Split { get; init; }

    /// <summary>Where files may be cut. Default <c>line</c>.</summary>
    public SplitAt At { get; init; } = SplitAt.Line;

    /// <summary>The folder in the work folder that gets the files, under their paths below the glob's fixed part; a part has its number added. Default <c>files</c>.</summary>
    public string To { get; init; } = "files";

    /// <summary>Whether it is no error when nothing matches. Default false.</summary>
    public bool AllowNone { get; init; }

    /// <summary>For each task, its files; made by the client.</summary>
    public ImmutableArray<FileSet> Sets { get; init; } = [];
}

/// <summary>Where files may be cut.</summary>
public enum SplitAt
{
    /// <summary>After a newline.</summary>
    Line,

    /// <summary>After ASCII white space.</summary>
    Word,

    /// <summary>Anywhere.</summary>
    Byte,
}

/// <summary>The files of one task.</summary>
public sealed record FileSet
{
    /// <summary>The files, in order.</summary>
    public ImmutableArray<FilePart> Files { get; init; } = [];
}

/// <summary>A file of the client's machine, or a range of it, that a task gets as a file.</summary>
public sealed record FilePart
{
    /// <summary>Where it goes, relative to <see cref="FilesSpec.To"/>.</summary>
    public string Name { get; init; } = "";

    /// <summary>The file on the client's machine; null once the CID is known.</summary>
    public string? Path { get; init; }

    /// <summary>The first byte of the range.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes of the range.</summary>
    public long Length { get; init; }

    /// <summary>The content; null until the client has added it to its store.</summary>
    public string? Cid { get; init; }
}
