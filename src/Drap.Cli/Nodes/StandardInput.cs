using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Drap.Cli.Nodes;

/// <summary>
/// This process's standard input, as a stream whose reads can be given up. The framework's cannot: a command whose task has ended would wait for
/// the next line that somebody types.
/// </summary>
internal sealed partial class StandardInput : Stream
{
    private const uint statxType = 0x1;
    private const int emptyPath = 0x1000, kindMask = 0xF000, characterDevice = 0x2000, closeOnExec = 0x80000, interrupted = 4;
    private const short readable = 1;

    private readonly int bell = EventFd(0, closeOnExec);

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>
    /// Whether an ad-hoc task is to get it: a pipe, a file or a terminal is, a closed one or the null device is not. A task with an input is one
    /// task and is not tried again, so nobody should get that who has none.
    /// </summary>
    public static unsafe bool IsOpen()
    {
        if (!StandardFiles.IsGiven(0))
            return false;
        Span<byte> stat = stackalloc byte[256];
        fixed (byte* s = stat)
            if (StatX(0, "", emptyPath, statxType, s) != 0)
                return false;
        bool device = (BinaryPrimitives.ReadUInt16LittleEndian(stat[28..]) & kindMask) == characterDevice;
        // linux/major.h: memory devices are 1, and null is the third of them.
        bool isNull = device && BinaryPrimitives.ReadUInt32LittleEndian(stat[128..]) == 1 && BinaryPrimitives.ReadUInt32LittleEndian(stat[132..]) == 3;
        return !isNull;
    }

    /// <summary>Reads once; a read that is cancelled has taken nothing.</summary>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        using CancellationTokenRegistration _ = cancellationToken.Register(Ring);
        return await Task.Run(() => Read(buffer.Span, cancellationToken), cancellationToken);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count), default);

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _ = Close(bell);
        base.Dispose(disposing);
    }

    private unsafe int Read(Span<byte> buffer, CancellationToken cancel)
    {
        PollFd* files = stackalloc PollFd[2];
        files[0] = new PollFd(0, readable);
        files[1] = new PollFd(bell, readable);
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            // The end of a pipe is a state to poll, too, and not one of those asked for.
            if (Poll(files, 2, -1) <= 0 || files[0].Returned == 0)
                continue;
            nint got;
            fixed (byte* start = buffer)
                got = ReadFile(0, start, (nuint)buffer.Length);
            if (got >= 0)
                return (int)got;
            int error = Marshal.GetLastPInvokeError();
            if (error != interrupted)
                throw new IOException($"standard input cannot be read: {Marshal.GetPInvokeErrorMessage(error)}", error);
        }
    }

    private unsafe void Ring()
    {
        ulong one = 1;
        _ = WriteFile(bell, &one, sizeof(ulong));
    }

    /// <summary>struct pollfd.</summary>
    private struct PollFd(int descriptor, short events)
    {
        public int Descriptor = descriptor;
        public short Events = events;
        public short Returned = 0;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int folder, string path, int flags, uint mask, byte* result);

    [LibraryImport("libc", EntryPoint = "eventfd")]
    private static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "poll")]
    private static unsafe partial int Poll(PollFd* files, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static unsafe partial nint ReadFile(int descriptor, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write")]
    private static unsafe partial nint WriteFile(int descriptor, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
