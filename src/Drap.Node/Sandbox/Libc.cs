using System.Runtime.InteropServices;

namespace Drap.Node.Sandbox;

/// <summary>The system calls that the sandbox makes. Numbers and layouts are those shared by x64 and arm64 Linux.</summary>
internal static unsafe partial class Libc
{
    private const string Library = "libc";

    public const int ENOENT = 2, ESRCH = 3, EINTR = 4, ENOEXEC = 8, ECHILD = 10, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EBUSY = 16,
        EEXIST = 17, ENOTDIR = 20, ENFILE = 23, EMFILE = 24, EISDIR = 21, ENOSPC = 28, EPIPE = 32, ELOOP = 40, ENOTEMPTY = 39, ECANCELED = 125;

    public const int O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000;

    public const int AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, AT_EMPTY_PATH = 0x1000;

    public const int SIGKILL = 9, SIGPIPE = 13, SIGTERM = 15, SIGXFSZ = 25;

    public const int WNOHANG = 1;

    public const int F_SETFL = 4;

    public const int PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1;

    public const int PR_SET_CHILD_SUBREAPER = 36;

    public const uint MFD_CLOEXEC = 1;

    public const int F_DUPFD_CLOEXEC = 1030;

    /// <summary>The same number on all architectures, as all calls since 2019.</summary>
    public const int SYS_pidfd_send_signal = 424, SYS_pidfd_open = 434;

    public const short POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16;

    public const int RLIMIT_FSIZE = 1, RLIMIT_CORE = 4, RLIMIT_NOFILE = 7;

    public const int CLOCK_REALTIME = 0, CLOCK_BOOTTIME = 7;

    public const int TFD_TIMER_ABSTIME = 1, TFD_TIMER_CANCEL_ON_SET = 2;

    /// <summary>O_DIRECTORY and O_NOFOLLOW differ between the two architectures.</summary>
    public static readonly int O_DIRECTORY = IsArm ? 0x4000 : 0x10000, O_NOFOLLOW = IsArm ? 0x8000 : 0x20000;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    public struct PollFd
    {
        public int Fd;
        public short Events;
        public short Revents;
    }

    public struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    public struct TimerSpec
    {
        public TimeSpec Interval;
        public TimeSpec Value;
    }

    public record struct RLimit(ulong Current, ulong Max);

    [StructLayout(LayoutKind.Explicit, Size = 144)]
    public struct RUsage
    {
        [FieldOffset(0)] public long UserSeconds;
        [FieldOffset(8)] public long UserMicroseconds;
        [FieldOffset(16)] public long SystemSeconds;
        [FieldOffset(24)] public long SystemMicroseconds;
        [FieldOffset(32)] public long MaxRssKib;
    }

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct Statx
    {
        [FieldOffset(16)] public uint Links;
        [FieldOffset(20)] public uint Uid;
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(32)] public ulong Inode;
        [FieldOffset(40)] public ulong Size;
        [FieldOffset(48)] public ulong Blocks;
        [FieldOffset(136)] public uint DeviceMajor;
        [FieldOffset(140)] public uint DeviceMinor;
    }

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ftruncate(int fd, long length);

    [LibraryImport(Library, SetLastError = true)]
    public static partial void* mmap(void* address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport(Library)]
    public static partial int munmap(void* address, nuint length);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int pipe2(int* fds, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint read(int fd, void* buffer, nuint count);

    /// <summary>Without the error's number, so that the call is bare: for threads that must run no managed code besides.</summary>
    [LibraryImport(Library, EntryPoint = "read")]
    public static partial nint ReadBare(int fd, void* buffer, nuint count);

    /// <summary>Without the error's number, as <see cref="ReadBare"/>.</summary>
    [LibraryImport(Library, EntryPoint = "write")]
    public static partial nint WriteBare(int fd, void* buffer, nuint count);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint pread(int fd, void* buffer, nuint count, long offset);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint pwrite(int fd, void* buffer, nuint count, long offset);

    [LibraryImport(Library)]
    public static partial int close(int fd);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int poll(PollFd* fds, nuint count, int timeoutMs);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int eventfd(uint initial, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int wait4(int pid, int* status, int options, RUsage* usage);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int kill(int pid, int signal);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int getpgid(int pid);

    [LibraryImport(Library)]
    public static partial int getrusage(int who, RUsage* usage);

    [LibraryImport(Library)]
    public static partial int gettid();

    [LibraryImport(Library)]
    public static partial int getsid(int pid);

    [LibraryImport(Library)]
    public static partial uint geteuid();

    [LibraryImport(Library, SetLastError = true)]
    public static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int prlimit(int pid, int resource, RLimit* value, RLimit* old);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint syscall(nint number, nint a, nint b, nint c);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int openat(int directory, byte* path, int flags, int mode);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int openat(int directory, string path, int flags, int mode);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int mkdirat(int directory, string path, uint mode);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int unlinkat(int directory, byte* path, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchmodat(int directory, byte* path, uint mode, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchmod(int fd, uint mode);

    [LibraryImport(Library, SetLastError = true)]
    public static partial long lseek(int fd, long offset, int whence);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int statx(int directory, byte* path, int flags, uint mask, Statx* result);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int access(byte* path, int mode);

    [LibraryImport(Library), SuppressGCTransition]
    public static partial int clock_gettime(int clock, TimeSpec* value);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int timerfd_create(int clock, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int timerfd_settime(int fd, int flags, TimerSpec* value, TimerSpec* old);

    [LibraryImport(Library)]
    public static partial int posix_spawn(int* pid, byte* path, void* actions, void* attributes, byte** argv, byte** envp);

    [LibraryImport(Library)]
    public static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport(Library)]
    public static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport(Library)]
    public static partial int posix_spawn_file_actions_adddup2(void* actions, int fd, int newFd);

    [LibraryImport(Library)]
    public static partial int posix_spawn_file_actions_addopen(void* actions, int fd, byte* path, int flags, uint mode);

    [LibraryImport(Library)]
    public static partial int posix_spawn_file_actions_addchdir_np(void* actions, byte* path);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_setsigmask(void* attributes, void* mask);

    [LibraryImport(Library)]
    public static partial int posix_spawnattr_setsigdefault(void* attributes, void* mask);

    /// <summary>The last error in words: <c>No such file or directory (2)</c>.</summary>
    public static string ErrorText(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} ({errno})";

    public static int LastError => Marshal.GetLastPInvokeError();

    /// <summary>Writes all of a short text at offset 0, as control files want it; 0 or the error's number.</summary>
    public static int WriteControl(int fd, ReadOnlySpan<byte> text)
    {
        fixed (byte* bytes = text)
        {
            while (true)
            {
                if (pwrite(fd, bytes, (nuint)text.Length, 0) >= 0)
                    return 0;
                int errno = LastError;
                if (errno != EINTR)
                    return errno;
            }
        }
    }

    /// <summary>Wakes whoever reads or polls an eventfd.</summary>
    public static void Ring(int eventFd)
    {
        ulong one = 1;
        _ = write(eventFd, &one, 8);
    }
}
