using System.Collections.Immutable;

namespace Drap.Api;

/// <summary>What a finished job has to give.</summary>
public sealed record ResultsDocument : Document
{
    /// <summary>The job.</summary>
    public required JobId Job { get; set; }

    /// <summary>Its results, in the order of segments, tasks and names.</summary>
    public ImmutableArray<ResultItem> Items { get; set; } = [];

    /// <summary>The folder that they were written to; only the client knows one.</summary>
    public string? Folder { get; set; }
}

/// <summary>One file or folder that a job gives back.</summary>
public sealed record ResultItem
{
    /// <summary>Where it goes below the results folder, with <c>/</c>; relative, without <c>..</c>.</summary>
    public required string Path { get; set; }

    /// <summary>The task that made it.</summary>
    public required int Task { get; set; }

    /// <summary>What it holds.</summary>
    public required Cid Cid { get; set; }

    /// <summary>Bytes; of all files together for a folder.</summary>
    public long Bytes { get; set; }

    /// <summary>Whether it is a folder.</summary>
    public bool Folder { get; set; }

    /// <summary>Whether it is a file that may be executed.</summary>
    public bool Executable { get; set; }
}

/// <summary>A file or folder in the node's store.</summary>
public sealed record BlobDocument : Document
{
    /// <summary>Its name.</summary>
    public required Cid Cid { get; set; }

    /// <summary>Bytes; of all files together for a folder.</summary>
    public long Bytes { get; set; }

    /// <summary>Whether it is a folder.</summary>
    public bool Folder { get; set; }
}

/// <summary>
/// A path on the node's machine to take into the store, or to write a blob to. The socket belongs to one user, so the node sees what
/// that user sees; it spares both the bytes' way through the socket.
/// </summary>
public sealed record PathRequest : Document
{
    /// <summary>An absolute path.</summary>
    public required string Path { get; set; }

    /// <summary>For a folder to take in: leave out what its ignore file names. Default false: take all of it.</summary>
    public bool Ignore { get; set; }

    /// <summary>For a file to take in: the first byte. Default 0.</summary>
    public long Offset { get; set; }

    /// <summary>For a file to take in: how many bytes, which must be there. Default: all from <see cref="Offset"/> on.</summary>
    public long? Length { get; set; }

    /// <summary>For a file that is written: whether it may be executed. Default false.</summary>
    public bool Executable { get; set; }
}
