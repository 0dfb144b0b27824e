using System.Collections.Immutable;
using Drap.Core.Jobs;

namespace Drap.Api;

/// <summary>
/// A job to run. The same <see cref="Id"/> again is the same job: the second submit changes nothing and answers what the first one did,
/// so a client that heard no answer just asks again.
/// </summary>
public sealed record SubmitRequest : Document
{
    /// <summary>The id, made by the client.</summary>
    public required JobId Id { get; set; }

    /// <summary>
    /// The job, resolved by the client in whose folder it was meant: params have their values, globs are the files that they matched, local
    /// files are the CIDs of blobs that the node has. A segment with <see cref="SegmentSpec.Stdin"/> gets its input by
    /// <c>PUT /v1/jobs/{id}/stdin</c>; its task begins with that call at the earliest.
    /// </summary>
    public required JobSpec Job { get; set; }

    /// <summary>
    /// The values of the job's secrets, by their source as the job names it: <c>env:TOKEN</c>, <c>file:key.pem</c>. They are never written
    /// to the journal in clear, shown or logged.
    /// </summary>
    public ImmutableSortedDictionary<string, string> Secrets { get; set; } = JobJson.EmptyMap<string>();

    /// <summary>
    /// The folder of the client's machine in which its user wants the results: an absolute path of at most 4 096 bytes. The node keeps it with the
    /// job and writes nothing there by itself; who fetches the results and names no other folder puts them there. Null where the user did not say.
    /// </summary>
    public string? OutFolder { get; set; }
}

/// <summary>What a submit made.</summary>
public sealed record SubmitReply : Document
{
    /// <summary>The job's id.</summary>
    public required JobId Id { get; set; }

    /// <summary>Its number in this home.</summary>
    public int Number { get; set; }

    /// <summary>Tasks in all.</summary>
    public int Tasks { get; set; }

    /// <summary>False when the job was there already.</summary>
    public bool Created { get; set; } = true;
}
