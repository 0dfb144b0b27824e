using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Drap.Node.Sandbox;

/// <summary>
/// The kernel's filter over what a task in a sandbox may call: a classic BPF program (seccomp(2), SECCOMP_MODE_FILTER). Refused is what
/// administers a machine, what makes new namespaces or enters others', what has been the way out of sandboxes most often (bpf, io_uring,
/// userfaultfd, perf, keyrings), and sockets beyond Unix, IP and route netlink. Everything else is allowed: a list of what is allowed
/// would break with each new C library.
/// </summary>
internal static class SeccompFilter
{
    private const int EPERM = 1, ENOSYS = 38, EAFNOSUPPORT = 97;

    // Of struct seccomp_data: the call's number, the architecture, six arguments of 8 bytes of which the low half is looked at.
    private const uint NumberAt = 0, ArchitectureAt = 4, ArgumentsAt = 16;

    private const ushort LoadWord = 0x20, JumpEqual = 0x15, JumpAtLeast = 0x35, JumpAnySet = 0x45, Return = 0x06;

    private const uint Allow = 0x7fff_0000, KillProcess = 0x8000_0000, RefuseWith = 0x0005_0000;

    private const uint X64 = 0xc000_003e, Arm64 = 0xc000_00b7;

    /// <summary>Calls of the 32-bit form of x64 have this in their number.</summary>
    private const uint X32Bit = 0x4000_0000;

    /// <summary>CLONE_NEW… of all kinds: time, mount, cgroup, uts, ipc, user, pid, network.</summary>
    private const uint NewNamespaces = 0x80 | 0x7e02_0000;

    /// <summary>TIOCSTI and TIOCLINUX put words into a terminal's mouth.</summary>
    private static readonly ImmutableArray<uint> TerminalRequests = [0x5412, 0x541c];

    /// <summary>Unix, IPv4, IPv6.</summary>
    private static readonly ImmutableArray<uint> SocketFamilies = [1, 2, 10];

    /// <summary>Of netlink the first protocol alone, by which the C library lists addresses.</summary>
    private const uint Netlink = 16, NetlinkRoute = 0;

    /// <summary>Answered as by a kernel that does not know them, so that programs take the older way (clone3's flags lie in memory, where no filter sees them).</summary>
    private static readonly ImmutableArray<uint> Unknown =
    [
        425, 426, 427, // io_uring_setup, _enter, _register
        428, 429, 430, 431, 432, 433, // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick
        435, // clone3
        442, 443, // mount_setattr, quotactl_fd
    ];

    private static readonly Calls CallsOfX64 = new(X64, Fork: 56, Ioctl: 16, Socket: 41,
    [
        103, // syslog
        134, // uselib
        153, // vhangup
        155, 161, 163, 165, 166, 167, 168, 169, 170, 171, // pivot_root, chroot, acct, mount, umount2, swapon, swapoff, reboot, sethostname, setdomainname
        159, 164, 227, 305, // adjtimex, settimeofday, clock_settime, clock_adjtime
        172, 173, // iopl, ioperm
        174, 175, 176, 313, // create_module, init_module, delete_module, finit_module
        179, 180, 212, // quotactl, nfsservctl, lookup_dcookie
        246, 320, // kexec_load, kexec_file_load
        248, 249, 250, // add_key, request_key, keyctl
        272, 308, // unshare, setns
        298, 300, 303, 304, 312, // perf_event_open, fanotify_init, name_to_handle_at, open_by_handle_at, kcmp
        321, 323, // bpf, userfaultfd
    ]);

    private static readonly Calls CallsOfArm64 = new(Arm64, Fork: 220, Ioctl: 29, Socket: 198,
    [
        116, // syslog
        58, // vhangup
        41, 51, 89, 40, 39, 224, 225, 142, 161, 162, // pivot_root, chroot, acct, mount, umount2, swapon, swapoff, reboot, sethostname, setdomainname
        171, 170, 112, 266, // adjtimex, settimeofday, clock_settime, clock_adjtime
        105, 106, 273, // init_module, delete_module, finit_module
        60, 42, 18, // quotactl, nfsservctl, lookup_dcookie
        104, 294, // kexec_load, kexec_file_load
        217, 218, 219, // add_key, request_key, keyctl
        97, 268, // unshare, setns
        241, 262, 264, 265, 272, // perf_event_open, fanotify_init, name_to_handle_at, open_by_handle_at, kcmp
        280, 282, // bpf, userfaultfd
    ]);

    /// <summary>The program for this machine's architecture, as the kernel takes it; null where it is neither x64 nor arm64.</summary>
    public static byte[]? Program() => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => Program(CallsOfX64),
        Architecture.Arm64 => Program(CallsOfArm64),
        _ => null,
    };

    private static byte[] Program(Calls calls)
    {
        var program = new List<(ushort Code, byte Yes, byte No, uint Value)>
        {
            (LoadWord, 0, 0, ArchitectureAt),
            (JumpEqual, 1, 0, calls.Architecture),
            (Return, 0, 0, KillProcess), // another architecture's calls have other numbers
            (LoadWord, 0, 0, NumberAt),
        };
        if (calls.Architecture == X64)
            RefuseIf(JumpAtLeast, X32Bit, ENOSYS);
        foreach (uint number in calls.Refused)
            RefuseIf(JumpEqual, number, EPERM);
        foreach (uint number in Unknown)
            RefuseIf(JumpEqual, number, ENOSYS);
        Look(calls.Fork, argument: 0, () => RefuseIf(JumpAnySet, NewNamespaces, EPERM));
        Look(calls.Ioctl, argument: 1, () =>
        {
            foreach (uint request in TerminalRequests)
                RefuseIf(JumpEqual, request, EPERM);
        });
        Look(calls.Socket, argument: 0, () =>
        {
            foreach (uint family in SocketFamilies)
            {
                program.Add((JumpEqual, 0, 1, family));
                program.Add((Return, 0, 0, Allow));
            }
            program.Add((JumpEqual, 0, 3, Netlink));
            program.Add((LoadWord, 0, 0, ArgumentsAt + 2 * 8));
            program.Add((JumpEqual, 0, 1, NetlinkRoute));
            program.Add((Return, 0, 0, Allow));
            program.Add((Return, 0, 0, RefuseWith | EAFNOSUPPORT));
        });
        program.Add((Return, 0, 0, Allow));

        byte[] bytes = new byte[program.Count * 8];
        for (int i = 0; i < program.Count; i++)
        {
            Span<byte> at = bytes.AsSpan(i * 8);
            // The machine's own byte order, which on both architectures is this one.
            BinaryPrimitives.WriteUInt16LittleEndian(at, program[i].Code);
            (at[2], at[3]) = (program[i].Yes, program[i].No);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], program[i].Value);
        }
        return bytes;

        void RefuseIf(ushort jump, uint value, uint error)
        {
            program.Add((jump, 0, 1, value));
            program.Add((Return, 0, 0, RefuseWith | error));
        }

        // Looks at an argument of one call, and allows it if nothing there refuses it.
        void Look(uint call, uint argument, Action look)
        {
            int at = program.Count;
            program.Add(default);
            program.Add((LoadWord, 0, 0, ArgumentsAt + argument * 8));
            look();
            program.Add((Return, 0, 0, Allow));
            program[at] = (JumpEqual, 0, checked((byte)(program.Count - at - 1)), call);
        }
    }

    /// <param name="Fork">The number of clone.</param>
    /// <param name="Refused">Numbers of calls that are refused whatever their arguments.</param>
    private sealed record Calls(uint Architecture, uint Fork, uint Ioctl, uint Socket, ImmutableArray<uint> Refused);
}
