using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Drap.Node.Sandbox;

/// <summary>
/// posix_spawn as every task gets it: a session of its own (so no terminal, and a process group that is the task's), no signal blocked
/// or ignored (.NET ignores SIGPIPE, and children would inherit that), a current directory, and nothing open but 0, 1 and 2.
/// </summary>
internal static unsafe class Spawner
{
    /// <summary>glibc's largest (attributes) is 336 bytes; other libraries stay below 512 too.</summary>
    private const int StructBytes = 512;

    private const short SetSignalDefault = 0x04, SetSignalMask = 0x08, SetSession = 0x80;

    private static readonly void* Attributes = CreateAttributes();

    /// <summary>posix_spawn_file_actions_addclosefrom_np, of glibc since 2.34; null elsewhere, where what we inherited without its close-on-exec flag stays open in tasks.</summary>
    private static readonly delegate* unmanaged<void*, int, int> CloseFrom = FindCloseFrom();

    private static readonly byte* DevNull = (byte*)Marshal.StringToCoTaskMemUTF8("/dev/null");

    /// <summary>
    /// Performs the request. Compiled once, with bare calls only: a thread that sits in a task's cgroup runs this, and must not give
    /// the runtime an occasion to start a thread, which would be born there.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Perform(SpawnRequest* request, void* attributes, byte* devNull, delegate* unmanaged<void*, int, int> closeFrom)
    {
        byte* actions = stackalloc byte[StructBytes];
        int error = Libc.posix_spawn_file_actions_init(actions);
        error |= request->Stdin < 0
            ? Libc.posix_spawn_file_actions_addopen(actions, 0, devNull, Libc.O_RDONLY, 0)
            : Libc.posix_spawn_file_actions_adddup2(actions, request->Stdin, 0);
        if (request->Stdout >= 0)
            error |= Libc.posix_spawn_file_actions_adddup2(actions, request->Stdout, 1);
        if (request->Stderr >= 0)
            error |= Libc.posix_spawn_file_actions_adddup2(actions, request->Stderr, 2);
        int first = 3;
        if (request->Filter != null)
        {
            error |= Libc.posix_spawn_file_actions_addopen(actions, Bubblewrap.FilterFd, request->Filter, Libc.O_RDONLY, 0);
            error |= Libc.posix_spawn_file_actions_adddup2(actions, request->Status, Bubblewrap.StatusFd);
            error |= Libc.posix_spawn_file_actions_adddup2(actions, request->Gate, Bubblewrap.GateFd);
            first = Bubblewrap.GateFd + 1;
        }
        if (closeFrom != null)
            error |= closeFrom(actions, first);
        if (request->Directory != null)
            error |= Libc.posix_spawn_file_actions_addchdir_np(actions, request->Directory);
        int pid = 0;
        if (error == 0)
            error = Libc.posix_spawn(&pid, request->Path, actions, attributes, request->Arguments, request->Environment);
        else
            error = Libc.ENOMEM;
        _ = Libc.posix_spawn_file_actions_destroy(actions);
        request->ProcessId = error == 0 ? pid : 0;
        request->Error = error;
    }

    /// <summary>As above, from any thread.</summary>
    public static void Perform(SpawnRequest* request) => Perform(request, Attributes, DevNull, CloseFrom);

    public static void* SharedAttributes => Attributes;

    public static byte* SharedDevNull => DevNull;

    public static delegate* unmanaged<void*, int, int> SharedCloseFrom => CloseFrom;

    private static delegate* unmanaged<void*, int, int> FindCloseFrom() =>
        NativeLibrary.TryLoad("libc.so.6", out nint library)
        && NativeLibrary.TryGetExport(library, "posix_spawn_file_actions_addclosefrom_np", out nint address)
            ? (delegate* unmanaged<void*, int, int>)address
            : null;

    private static void* CreateAttributes()
    {
        void* attributes = NativeMemory.AllocZeroed(StructBytes);
        byte* signals = stackalloc byte[128];
        new Span<byte>(signals, 128).Clear();
        int error = Libc.posix_spawnattr_init(attributes);
        error |= Libc.posix_spawnattr_setsigmask(attributes, signals);
        new Span<byte>(signals, 128).Fill(0xff);
        error |= Libc.posix_spawnattr_setsigdefault(attributes, signals);
        error |= Libc.posix_spawnattr_setflags(attributes, SetSignalDefault | SetSignalMask | SetSession);
        Invariant.Check(error == 0);
        return attributes;
    }
}
