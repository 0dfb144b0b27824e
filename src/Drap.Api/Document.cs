using System.Text.Json.Serialization;

namespace Drap.Api;

/// <summary>
/// The root of every JSON document that the local API and <c>-o json</c> speak. Names are snake_case, amounts of money are decimal numbers
/// of credits, times are RFC 3339 in UTC, durations are decimal seconds and end in <c>_seconds</c>. Within one version fields are only ever
/// added; a reader skips what it does not know, and a field that is not there has the default that is said with it.
/// </summary>
/// <remarks>
/// Properties have setters for one reason: the serializer's source generator gives init properties that a text leaves out their type's default
/// instead of ours. Nobody changes a document that was handed on.
/// </remarks>
public abstract record Document
{
    /// <summary>The version that this build writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The document's version.</summary>
    [JsonPropertyOrder(-1)]
    public int Version { get; set; } = CurrentVersion;
}

/// <summary>What the API answers instead of a document when it could not do what was asked.</summary>
public sealed record ErrorDocument : Document
{
    /// <summary>What went wrong.</summary>
    public required ApiError Error { get; set; }
}

/// <summary>One error, said once and in full: what, where, and what would have been right.</summary>
/// <param name="Code">A stable word for programs; see <see cref="ErrorCodes"/>.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="Where">The place: a file and line, a field, a selector; null when there is none.</param>
/// <param name="Allowed">What is allowed there instead; null when that cannot be said.</param>
public sealed record ApiError(string Code, string Message, string? Where = null, string? Allowed = null);

/// <summary>The stable words of <see cref="ApiError.Code"/>.</summary>
public static class ErrorCodes
{
    /// <summary>The request cannot be understood: bad JSON, a missing field, a selector that is none.</summary>
    public const string BadRequest = "bad_request";

    /// <summary>The job document is wrong; <see cref="ApiError.Where"/> has file and line or the field.</summary>
    public const string BadJob = "bad_job";

    /// <summary>No job, task, blob or path has that name.</summary>
    public const string NotFound = "not_found";

    /// <summary>More than one job begins like that.</summary>
    public const string Ambiguous = "ambiguous";

    /// <summary>The thing is in a state in which that cannot be done, such as releasing a job that is not held.</summary>
    public const string Conflict = "conflict";

    /// <summary>A limit is reached; the message names it. Trying later may help.</summary>
    public const string Busy = "busy";

    /// <summary>The request is larger than its limit, which <see cref="ApiError.Allowed"/> says.</summary>
    public const string TooLarge = "too_large";

    /// <summary>The disk refused: full, read-only, not permitted.</summary>
    public const string Storage = "storage";

    /// <summary>The node is on its way down.</summary>
    public const string ShuttingDown = "shutting_down";

    /// <summary>A fault of drap's own; the node's log has more.</summary>
    public const string Internal = "internal";
}

/// <summary>An expected refusal by the node, the same whether it is called in the process or over the socket.</summary>
/// <param name="error">What to say to the caller.</param>
public sealed class ApiException(ApiError error) : Exception(error.Message)
{
    /// <summary>What to say to the caller.</summary>
    public ApiError Error { get; } = error;

    /// <summary>An error with a code and a sentence.</summary>
    public ApiException(string code, string message, string? where = null, string? allowed = null)
        : this(new ApiError(code, message, where, allowed))
    {
    }
}
