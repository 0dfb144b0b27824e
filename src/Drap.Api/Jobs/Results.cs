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

    /// <summary>Whether its user wants it kept (<c>drap data pin</c>), whatever becomes of jobs.</summary>
    public bool Pinned { get; set; }

    /// <summary>Whether every member of the swarm may read it.</summary>
    public bool Public { get; set; }

    /// <summary>What its user calls it; null where nothing was said.</summary>
    public string? Name { get; set; }

    /// <summary>Jobs that keep it.</summary>
    public int Jobs { get; set; }
}

/// <summary>What lies in the node's store.</summary>
public sealed record BlobListDocument : Document
{
    /// <summary>What is kept, the name first that was kept first: by its user, or with <c>all</c> by jobs too.</summary>
    public ImmutableArray<BlobDocument> Blobs { get; set; } = [];

    /// <summary>Blobs in the store, each file and each node of a folder once; kept or not.</summary>
    public int StoreBlobs { get; set; }

    /// <summary>Their bytes.</summary>
    public long StoreBytes { get; set; }
}

/// <summary>Whether a blob is kept, and who may read it.</summary>
public sealed record PinRequest : Document
{
    /// <summary>The longest <see cref="Name"/>, in characters.</summary>
    public const int NameCharsMax = 200;

    /// <summary>Whether to keep it. Default true.</summary>
    public bool Pinned { get; set; } = true;

    /// <summary>Whether every member of the swarm may read it; null leaves that as it is.</summary>
    public bool? Public { get; set; }

    /// <summary>What to call it; null leaves that as it is.</summary>
    public string? Name { get; set; }
}

/// <summary>How much may stay of what nothing keeps.</summary>
public sealed record CollectRequest : Document
{
    /// <summary>Bytes that may stay as a cache, what was used last first. Default 0.</summary>
    public long KeepBytes { get; set; }
}

/// <summary>What a collection did.</summary>
public sealed record CollectReply : Document
{
    /// <summary>Blobs deleted.</summary>
    public int Deleted { get; set; }

    /// <summary>Bytes freed, those of unfinished transfers included.</summary>
    public long FreedBytes { get; set; }

    /// <summary>Blobs left.</summary>
    public int Kept { get; set; }

    /// <summary>Their bytes.</summary>
    public long KeptBytes { get; set; }
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

    /// <summary>
    /// For a folder to take in: under the name that <c>ipfs add -r --cid-version=1</c> gives it, if no file in it may be executed. Default false: together with a
    /// list of those that may.
    /// </summary>
    public bool Plain { get; set; }

    /// <summary>For a file to take in: the first byte. Default 0.</summary>
    public long Offset { get; set; }

    /// <summary>For a file to take in: how many bytes, which must be there. Default: all from <see cref="Offset"/> on.</summary>
    public long? Length { get; set; }

    /// <summary>For a file that is written: whether it may be executed. Default false.</summary>
    public bool Executable { get; set; }
}
