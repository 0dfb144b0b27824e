using System.Collections.Immutable;

namespace Drap.Api;

/// <summary>
/// A job to run. The same <see cref="Id"/> again is the same job: the second submit changes nothing and answers what the first one did,
/// so a client that heard no answer just asks again.
/// </summary>
public sealed record SubmitRequest : Document
{
    /// <summary>
    /// Longest <see cref="Job"/>, in characters: 64 Mi, room for a segment with a million listed items of 64 characters.
    /// Longer ones are refused with <see cref="ErrorCodes.TooLarge"/>.
    /// </summary>
    public const int JobCharsMax = 64 * 1024 * 1024;

    /// <summary>The id, made by the client.</summary>
    public required JobId Id { get; init; }

    /// <summary>
    /// The job document: a job file as YAML or JSON whose local inputs are replaced by the CIDs of blobs that the node has, and whose
    /// globs are replaced by what they matched. What a person writes is turned into this by the client, in whose folder it is meant.
    /// </summary>
    public required string Job { get; init; }

    /// <summary>The name under which errors speak of the document; empty for one that no file holds.</summary>
    public string File { get; init; } = "";

    /// <summary>Values for the job's params, by name; those left out have their defaults.</summary>
    public ImmutableSortedDictionary<string, string> Params { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>
    /// Values for the job's secrets, by name. They are never written to the journal in clear, shown or logged.
    /// </summary>
    public ImmutableSortedDictionary<string, string> Secrets { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>
    /// The only task's standard input comes by <c>PUT /v1/jobs/{id}/stdin</c>; it is not started before that call, and never retried.
    /// Default false: standard input is empty.
    /// </summary>
    public bool Stdin { get; init; }
}

/// <summary>What a submit made.</summary>
public sealed record SubmitReply : Document
{
    /// <summary>The job's id.</summary>
    public required JobId Id { get; init; }

    /// <summary>Its number in this home.</summary>
    public int Number { get; init; }

    /// <summary>Tasks in all.</summary>
    public int Tasks { get; init; }

    /// <summary>False when the job was there already.</summary>
    public bool Created { get; init; } = true;
}
