using System.Buffers;
using System.IO.Pipelines;

namespace Drap.Client;

/// <summary>Takes lines out of a stream.</summary>
internal sealed class LineReader(Stream stream) : IDisposable
{
    /// <summary>Longest line: a log chunk of 64 KiB takes 88 KiB in base64, a job's event with a thousand segments about 300 KiB.</summary>
    private const int lineBytesMax = 4 * 1024 * 1024;

    private readonly PipeReader pipe = PipeReader.Create(stream);

    /// <summary>The next line without its end; null when there are no more.</summary>
    /// <exception cref="IOException">A line longer than the limit, or one without an end.</exception>
    public async Task<byte[]?> NextAsync(CancellationToken cancel)
    {
        while (true)
        {
            ReadResult read = await pipe.ReadAsync(cancel).ConfigureAwait(false);
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                byte[] line = buffer.Slice(0, end).ToArray();
                pipe.AdvanceTo(buffer.GetPosition(1, end));
                return line;
            }
            if (buffer.Length > lineBytesMax)
                throw new IOException($"a line of more than {lineBytesMax} bytes");
            pipe.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
                return buffer.IsEmpty ? null : throw new IOException("the stream ends in the middle of a line");
        }
    }

    public void Dispose() => pipe.Complete();
}
