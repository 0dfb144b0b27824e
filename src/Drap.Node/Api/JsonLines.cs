using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Drap.Api;
using Drap.Api.Json;

namespace Drap.Node.Api;

/// <summary>
/// Sends a sequence as one JSON value per line, or as server-sent events, as fast as the reader takes it: nothing is read from the source while
/// what was sent has not gone. A fault in the middle is a last line with an <see cref="ErrorDocument"/>, the only kind of line with a
/// <c>version</c>; a connection that breaks without the end of the chunks is a fault too.
/// </summary>
internal static class JsonLines
{
    /// <summary>Bytes put together before they are sent, when the source has more at once: a pipe's worth.</summary>
    private const long batchBytes = 64 * 1024;

    public static async Task WriteAsync<T>(ApiCall call, IAsyncEnumerable<T> items, JsonTypeInfo<T> type)
    {
        bool events = call.Http.Request.Headers.Accept.ToString().Contains("text/event-stream", StringComparison.Ordinal);
        call.Http.Response.ContentType = events ? "text/event-stream" : "application/x-ndjson";
        PipeWriter output = call.Http.Response.BodyWriter;
        IAsyncEnumerator<T> source = items.GetAsyncEnumerator(call.Cancel);
        await using (source.ConfigureAwait(false))
        {
            // An error before the first item, such as a job that is not there, still gets its own status.
            bool any = await source.MoveNextAsync().ConfigureAwait(false);
            try
            {
                while (any)
                {
                    Write(output, source.Current, type, events);
                    ValueTask<bool> next = source.MoveNextAsync();
                    if (!next.IsCompleted || output.UnflushedBytes >= batchBytes)
                        await output.FlushAsync(call.Cancel).ConfigureAwait(false);
                    any = await next.ConfigureAwait(false);
                }
            }
            catch (ApiException e)
            {
                Write(output, new ErrorDocument { Error = e.Error }, ApiJson.Line.ErrorDocument, events);
            }
        }
        await output.FlushAsync(call.Cancel).ConfigureAwait(false);
    }

    private static void Write<T>(PipeWriter output, T item, JsonTypeInfo<T> type, bool events)
    {
        if (events)
            Put(output, "data: "u8);
        using (var json = new Utf8JsonWriter(output))
            JsonSerializer.Serialize(json, item, type);
        Put(output, events ? "\n\n"u8 : "\n"u8);
    }

    private static void Put(PipeWriter output, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(output.GetSpan(bytes.Length));
        output.Advance(bytes.Length);
    }
}
