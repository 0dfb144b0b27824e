using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>What a parameter may be.</summary>
public enum ParamType
{
    /// <summary>Any text.</summary>
    String,

    /// <summary>A whole number of 64 bits.</summary>
    Int,

    /// <summary>A decimal number; it is passed on as text, never computed with.</summary>
    Float,

    /// <summary>A number of bytes; in expressions an integer.</summary>
    Size,

    /// <summary>A duration; in expressions whole seconds.</summary>
    Duration,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Bool,

    /// <summary>One of <see cref="ParamSpec.Values"/>.</summary>
    Enum,

    /// <summary>A file or folder on the client's machine, relative to where the command is typed; a default is relative to the job file.</summary>
    Path,
}

/// <summary>A parameter of a job.</summary>
[ScalarForm("default")]
public sealed record ParamSpec
{
    /// <summary>Its type. Default: that of the default value (<c>5</c> is an int, <c>1GB</c> a size, <c>5m</c> a duration, else a string).</summary>
    public ParamType? Type { get; init; }

    /// <summary>The value when the command line gives none. Without a default it must be given.</summary>
    public string? Default { get; init; }

    /// <summary>The value in force; set by the client.</summary>
    public string? Value { get; init; }

    /// <summary>The allowed values of an <c>enum</c>.</summary>
    public ImmutableArray<string> Values { get; init; } = [];

    /// <summary>The least value of an int, size or duration.</summary>
    public string? Min { get; init; }

    /// <summary>The greatest value of an int, size or duration.</summary>
    public string? Max { get; init; }

    /// <summary>One line for people.</summary>
    public string Description { get; init; } = "";
}
