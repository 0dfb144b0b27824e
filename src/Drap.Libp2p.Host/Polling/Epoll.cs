using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Drap.Libp2p.Host.Polling;

/// <summary>The kernel's list of sockets that are waited for, epoll(7); Linux only.</summary>
internal sealed unsafe partial class Epoll : SafeHandleMinusOneIsInvalid
{
    private const int CloseOnExec = 0x80000, Add = 1, Interrupted = 4;
    private const uint In = 1, Out = 4, Error = 8, HangUp = 0x10, ReadHangUp = 0x2000, EdgeTriggered = 1u << 31;

    // struct epoll_event is packed on x64 alone.
    private static readonly int Bytes = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private Epoll(int descriptor)
        : base(ownsHandle: true) => SetHandle(descriptor);

    /// <summary>A new list; null where there is no such thing, or no descriptor left for it.</summary>
    public static Epoll? TryCreate()
    {
        if (!OperatingSystem.IsLinux())
            return null;
        int descriptor = epoll_create1(CloseOnExec);
        return descriptor < 0 ? null : new Epoll(descriptor);
    }

    /// <summary>
    /// Reports a socket each time that something new can be done with it, as <paramref name="id"/>, until it is closed. False if the kernel has no room for it.
    /// </summary>
    public bool TryAdd(SafeHandle socket, long id)
    {
        byte* happened = stackalloc byte[16];
        *(uint*)happened = In | Out | ReadHangUp | EdgeTriggered;
        *(long*)(happened + Bytes - sizeof(long)) = id;
        return epoll_ctl(this, Add, socket, happened) == 0;
    }

    /// <summary>Waits for one socket of which there is something new.</summary>
    public long Wait(out SocketNews news)
    {
        byte* happened = stackalloc byte[16];
        while (epoll_wait(this, happened, 1, -1) != 1)
            Invariant.Check(Marshal.GetLastPInvokeError() is Interrupted or 0);
        uint what = *(uint*)happened;
        news = new SocketNews((what & In) != 0, (what & Out) != 0, (what & (Error | HangUp | ReadHangUp)) != 0, (what & (Error | HangUp)) != 0);
        return *(long*)(happened + Bytes - sizeof(long));
    }

    protected override bool ReleaseHandle() => close(handle.ToInt32()) == 0;

    [LibraryImport("libc")]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc")]
    private static partial int epoll_ctl(Epoll list, int operation, SafeHandle socket, byte* happened);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(Epoll list, byte* happened, int eventsMax, int milliseconds);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}

/// <summary>What is new of a socket. What has ended stays so, and the kernel says it once.</summary>
internal readonly record struct SocketNews(bool IsReadable, bool IsWritable, bool ReadingEnds, bool WritingEnds);
