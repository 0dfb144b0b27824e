using System.Globalization;
using System.Text;
using System.Text.Json;
using Drap.Api.Json;
using Drap.Cli.Commands;
using Drap.Cli.Output;

namespace Drap.Cli.Jobs;

/// <summary>
/// Prints tasks' logs: one task's as the bytes that it wrote, to the streams that it wrote them to; several tasks' with the task's number before
/// each line; as documents one chunk per line.
/// </summary>
internal sealed class LogPrinter(Invocation call)
{
    /// <summary>Longest line that is kept together when several tasks' are mixed: half of it is not lost, only cut.</summary>
    private const int lineBytesMax = 64 * 1024;

    private static readonly byte[] newline = [(byte)'\n'];

    private readonly Dictionary<(int Task, LogStream Stream), MemoryStream> begun = [];

    public async Task PrintAsync(INodeService node, JobId job, LogQuery query, bool single)
    {
        bool documents = call.Screen.Format is OutputFormat.Json or OutputFormat.Yaml;
        Stream stdout = call.Context.Stdout(), stderr = call.Context.Stderr();
        if (!documents && !single)
            single = (await node.JobAsync(job, call.Cancel)).Job.Tasks.Total == 1;
        await foreach (LogChunk chunk in node.LogsAsync(job, query, call.Cancel).WithCancellation(call.Cancel))
        {
            Stream target = chunk.Stream == LogStream.Stdout ? stdout : stderr;
            if (chunk.Dropped > 0 && !documents)
                call.Screen.Say(Words.Gap(chunk));
            if (documents)
                await stdout.WriteAsync((byte[])[.. JsonSerializer.SerializeToUtf8Bytes(chunk, ApiJson.Line.LogChunk), .. newline], call.Cancel);
            else if (single)
                await target.WriteAsync(chunk.Data, call.Cancel);
            else
                Split(chunk, target);
            await target.FlushAsync(call.Cancel);
        }
        foreach (((int task, LogStream stream), MemoryStream rest) in begun.OrderBy(b => b.Key))
            if (rest.Length > 0)
                Put(stream == LogStream.Stdout ? stdout : stderr, task, rest.ToArray());
        await stdout.FlushAsync(call.Cancel);
        await stderr.FlushAsync(call.Cancel);
    }

    private void Split(LogChunk chunk, Stream target)
    {
        if (!begun.TryGetValue((chunk.Task, chunk.Stream), out MemoryStream? line))
            begun.Add((chunk.Task, chunk.Stream), line = new MemoryStream());
        ReadOnlySpan<byte> rest = chunk.Data.Span;
        while (rest.IndexOf((byte)'\n') is >= 0 and int end)
        {
            line.Write(rest[..end]);
            Put(target, chunk.Task, line.ToArray());
            line.SetLength(0);
            rest = rest[(end + 1)..];
        }
        line.Write(rest);
        if (line.Length <= lineBytesMax)
            return;
        Put(target, chunk.Task, line.ToArray());
        line.SetLength(0);
    }

    private static void Put(Stream target, int task, byte[] line)
    {
        target.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{task}: ")));
        target.Write(line);
        target.Write(newline);
    }
}
