using System.IO.Pipelines;

namespace Drap.Node.Overlay;

/// <summary>Both ends of a stream within a process: two pipes of bounded length.</summary>
internal sealed class MemoryStreams
{
    // As much as a first window of yamux, so that both kinds hold back about alike.
    private const int PipeBytes = 256 << 10;

    private static readonly PipeOptions Options = new(
        pauseWriterThreshold: PipeBytes, resumeWriterThreshold: PipeBytes / 2, useSynchronizationContext: false);

    private readonly Pipe there = new(Options);
    private readonly Pipe back = new(Options);
    private int isReset;

    public MemoryStreams(PeerId opener, PeerId server)
    {
        Opened = new End(this, server, back.Reader, there.Writer);
        Served = new End(this, opener, there.Reader, back.Writer);
    }

    /// <summary>The end of who opened it.</summary>
    public OverlayStream Opened { get; }

    /// <summary>The end of who serves it.</summary>
    public OverlayStream Served { get; }

    private bool IsReset => Volatile.Read(ref isReset) != 0;

    private static OverlayException ResetFailure(Exception? inner = null) => new(OverlayFailure.Reset, "the stream was reset", inner);

    /// <summary>Nobody will read what the opener still writes: it is dropped.</summary>
    public void Abandon() => there.Reader.Complete();

    private void Reset()
    {
        if (Interlocked.Exchange(ref isReset, 1) != 0)
            return;
        // Writers are woken by their readers' end, readers by a cancellation: a pipe's own ends belong to one side each.
        there.Reader.CancelPendingRead();
        back.Reader.CancelPendingRead();
        there.Writer.CancelPendingFlush();
        back.Writer.CancelPendingFlush();
    }

    private sealed class End(MemoryStreams pair, PeerId peer, PipeReader reader, PipeWriter writer) : OverlayStream
    {
        private bool hasRead, hasWritten;

        public override PeerId Peer => peer;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (true)
            {
                if (pair.IsReset)
                    throw ResetFailure();
                ReadResult read = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                int taken = (int)Math.Min(buffer.Length, read.Buffer.Length);
                if (taken > 0)
                    System.Buffers.BuffersExtensions.CopyTo(read.Buffer.Slice(0, taken), buffer.Span);
                reader.AdvanceTo(read.Buffer.GetPosition(taken));
                if (pair.IsReset)
                    throw ResetFailure();
                if (taken == 0 && read.IsCompleted && read.Buffer.IsEmpty)
                    hasRead = true;
                if (taken > 0 || hasRead || (buffer.IsEmpty && !read.Buffer.IsEmpty))
                    return taken;
            }
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (hasWritten)
                throw new InvalidOperationException("this side has closed the stream for writing");
            while (!buffer.IsEmpty)
            {
                if (pair.IsReset)
                    throw ResetFailure();
                int piece = Math.Min(buffer.Length, PipeBytes);
                await writer.WriteAsync(buffer[..piece], cancellationToken).ConfigureAwait(false);
                buffer = buffer[piece..];
            }
            if (pair.IsReset)
                throw ResetFailure();
        }

        public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
        {
            if (!hasWritten && !pair.IsReset)
                writer.Complete();
            hasWritten = true;
            return ValueTask.CompletedTask;
        }

        public override void Reset() => pair.Reset();

        protected override void Release()
        {
            if (!hasRead || !hasWritten)
                pair.Reset();
        }
    }
}
