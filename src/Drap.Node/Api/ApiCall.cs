using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Drap.Api;
using Drap.Core.Jobs;
using Microsoft.AspNetCore.Http;

namespace Drap.Node.Api;

/// <summary>One request on its way through: the service, what the path said, and how to read and answer.</summary>
internal sealed class ApiCall(INodeService service, HttpContext http, string? value)
{
    /// <summary>Room above the largest job for the rest of a submit: a thousand secrets of 32 KiB.</summary>
    private const long bodyBytesMax = JobLimits.DocumentBytesMax + 32L * 1024 * 1024;

    public INodeService Service => service;

    public HttpContext Http => http;

    /// <summary>Ends when the caller has gone.</summary>
    public CancellationToken Cancel => http.RequestAborted;

    /// <summary>The job that the path names, by any of the forms of <see cref="INodeService.ResolveAsync"/>.</summary>
    public Task<JobId> JobAsync() => ResolveAsync(value ?? "");

    /// <summary>The job that the query names; null when it names none.</summary>
    public async Task<JobId?> JobOfQueryAsync() => Query("job") is { } text ? await ResolveAsync(text).ConfigureAwait(false) : null;

    /// <summary>The CID that the path names.</summary>
    public Cid Cid => Cid.TryParse(value, out Cid cid)
        ? cid : throw new ApiException(ErrorCodes.BadRequest, $"'{value}' is no CID", "path", "a CIDv1 in base32, raw or dag-pb with sha2-256");

    public string? Query(string name) => http.Request.Query[name] is [{ Length: > 0 } text, ..] ? text : null;

    public bool Flag(string name) => Query(name) switch
    {
        null or "false" => false,
        "true" => true,
        string text => throw new ApiException(ErrorCodes.BadRequest, $"'{text}' is neither true nor false", name, "true or false"),
    };

    public int Number(string name, int usual, int min, int max) => (int)(NumberOrNull(name, min, max) ?? usual);

    public long? NumberOrNull(string name, long min, long max)
    {
        if (Query(name) is not { } text)
            return null;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= min && number <= max
            ? number
            : throw new ApiException(ErrorCodes.BadRequest, $"'{text}' is no number from {min} to {max}", name, $"{min} to {max}");
    }

    public async Task<T> ReadAsync<T>(JsonTypeInfo<T> type) where T : Document
    {
        if (http.Request.ContentLength > bodyBytesMax)
            throw new ApiException(ErrorCodes.TooLarge, $"the request has {http.Request.ContentLength} bytes", "body", $"at most {bodyBytesMax} bytes");
        try
        {
            T? document = await JsonSerializer.DeserializeAsync(http.Request.BodyReader, type, Cancel).ConfigureAwait(false);
            if (document is { Version: Document.CurrentVersion })
                return document;
            throw new ApiException(
                ErrorCodes.BadRequest, document is null ? "null stands where a document is due" : $"version {document.Version} is not known here",
                "version", $"{Document.CurrentVersion}");
        }
        catch (JsonException e)
        {
            bool inJob = e.Path?.StartsWith("$.job", StringComparison.Ordinal) ?? false;
            throw new ApiException(inJob ? ErrorCodes.BadJob : ErrorCodes.BadRequest, FirstSentence(e.Message), e.Path, "see /openapi.json");
        }
    }

    public Task WriteAsync<T>(T document, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(document, type);
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = json.Length;
        return http.Response.Body.WriteAsync(json, 0, json.Length, Cancel);
    }

    public void Done() => http.Response.StatusCode = StatusCodes.Status204NoContent;

    private async Task<JobId> ResolveAsync(string text) =>
        text.Length == 32 && JobId.TryParse(text, out JobId id) ? id : await service.ResolveAsync(text, Cancel).ConfigureAwait(false);

    // The framework adds path and line to its messages; both are said in their own fields.
    private static string FirstSentence(string message) => message.Split(" Path: ", 2)[0];
}
