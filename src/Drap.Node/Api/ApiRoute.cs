using System.Text.Json.Serialization.Metadata;

namespace Drap.Node.Api;

/// <summary>
/// One thing that the API can do. The table of these is the API: the server dispatches by it, and the OpenAPI document is made from it, so the
/// two cannot drift apart.
/// </summary>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">The path, with <c>{job}</c> or <c>{cid}</c> where a value stands.</param>
/// <param name="Summary">One line for people.</param>
/// <param name="Handle">Does it.</param>
internal sealed record ApiRoute(string Method, string Path, string Summary, Func<ApiCall, Task> Handle)
{
    /// <summary>The document that the request carries; null when none, or when it carries bytes.</summary>
    public JsonTypeInfo? Body { get; init; }

    /// <summary>The document that answers; null when it is bytes or nothing.</summary>
    public JsonTypeInfo? Reply { get; init; }

    /// <summary>The media type of a request or a reply that is no document.</summary>
    public string? BodyType { get; init; }

    /// <summary>The media type of a reply that is no single document; with <see cref="Reply"/>, that of each line.</summary>
    public string? ReplyType { get; init; }

    /// <summary>Query parameters.</summary>
    public IReadOnlyList<ApiQuery> Queries { get; init; } = [];

    /// <summary>The segments of <see cref="Path"/>.</summary>
    public string[] Segments { get; } = Path.Split('/', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>A query parameter.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type in OpenAPI's words.</param>
/// <param name="Summary">One line for people, with the default.</param>
internal sealed record ApiQuery(string Name, string Type, string Summary);
