using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Drap.Node.Sandbox;

/// <summary>
/// The sandbox of others' tasks: bubblewrap, with namespaces of its own for users, mounts, processes, IPC, host name, cgroups and (unless
/// it is given) the network, no capability, a read-only root with little in it, and <see cref="SeccompFilter"/>. Bubblewrap starts the task
/// under a small init of its own; so the process that we spawn is neither the task nor its parent.
/// </summary>
internal sealed unsafe class Bubblewrap : IDisposable
{
    /// <summary>Who a task is in its sandbox, by number; it has no right of any user on the machine that the node's own has not.</summary>
    public const int UserId = 1000;

    /// <summary>The name that goes with it.</summary>
    public const string UserName = "task";

    /// <summary>Descriptors that bubblewrap finds open: the filter, where it writes what it did, what it waits for.</summary>
    public const int FilterFd = 3, StatusFd = 4, GateFd = 5;

    private static readonly TimeSpan ProbeMax = TimeSpan.FromSeconds(10);

    private static readonly ImmutableArray<string> Fixed =
    [
        "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL", "--hostname", "task",
        "--uid", UserId.ToString(CultureInfo.InvariantCulture), "--gid", UserId.ToString(CultureInfo.InvariantCulture),
    ];

    /// <summary>The program, or why there is none that works: tried once for the whole process, since that takes as long as ten plain tasks.</summary>
    private static readonly Lazy<(string Program, string Why)> Tried = new(Try);

    private readonly Lock gate = new();
    private readonly string home;
    private readonly ImmutableArray<string> readOnly;
    private readonly int filter;
    private SandboxView? view;

    private Bubblewrap(string program, string home, ImmutableArray<string> readOnly, int filter)
    {
        Program = program;
        this.home = home;
        this.readOnly = readOnly;
        this.filter = filter;
        FilterPath = (byte*)Marshal.StringToCoTaskMemUTF8(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{filter}"));
    }

    /// <summary>The program.</summary>
    public string Program { get; }

    /// <summary>The filter's file as a child of ours opens it: each needs an own position in it.</summary>
    public byte* FilterPath { get; }

    /// <summary>Looks for the program, and tries it; null with the reason, and what would help, where there is no sandbox here.</summary>
    /// <param name="home">The DRAP_HOME; existing.</param>
    /// <param name="readOnly">Files and folders that the owner shows to tasks, besides the system's programs.</param>
    /// <param name="why">The reason; empty where there is one.</param>
    public static Bubblewrap? TryFind(string home, ImmutableArray<string> readOnly, out string why)
    {
        why = Tried.Value.Why;
        if (why.Length > 0)
            return null;
        int filter = Libc.memfd_create("drap-filter", Libc.MFD_CLOEXEC);
        if (filter >= 0 && TryWrite(filter, SeccompFilter.Program()))
            return new Bubblewrap(Tried.Value.Program, home, readOnly, filter);
        why = $"memfd_create: {Libc.ErrorText(Libc.LastError)}";
        if (filter >= 0)
            _ = Libc.close(filter);
        return null;
    }

    /// <summary>Made for the first task that needs it: most nodes run their owner's alone.</summary>
    private SandboxView View
    {
        get
        {
            lock (gate)
                return view ??= new SandboxView(home, readOnly);
        }
    }

    /// <summary>Whether a task with this folder sees the path.</summary>
    /// <exception cref="IOException">What tasks see cannot be made in the home.</exception>
    public bool Shows(string path, WorkFolder folder) => View.Shows(path) || path.StartsWith(folder.Path + "/", StringComparison.Ordinal);

    /// <summary>What stands before a command that is to run in the sandbox, the program's own name included.</summary>
    /// <exception cref="IOException">As <see cref="Shows"/>.</exception>
    public List<string> Prefix(SandboxPlan plan, WorkFolder folder) =>
        [.. Bare(plan, folder.Path, folder.Temporary), "--seccomp", Number(FilterFd), "--json-status-fd", Number(StatusFd), "--block-fd", Number(GateFd), "--"];

    /// <summary>The same without what we give and ask besides, and without the end of its options: for the floor of what a start costs.</summary>
    public List<string> Bare(SandboxPlan plan, string folder, string temporary)
    {
        SandboxView view = View;
        List<string> words = [Program, .. Fixed];
        if (!plan.Network)
            words.Add("--unshare-net");
        words.AddRange(view.Arguments);
        if (plan.Network)
            words.AddRange(view.Resolver);
        foreach (string device in GpuDevices(plan.Gpus))
            words.AddRange(["--dev-bind", device, device]);
        // /tmp is the folder's own: what is written there counts as the task's disk.
        words.AddRange(["--bind", temporary, "/tmp", .. view.Owners, "--bind", folder, folder, "--chdir", folder, "--remount-ro", "/"]);
        return words;
    }

    public void Dispose()
    {
        _ = Libc.close(filter);
        Marshal.FreeCoTaskMem((nint)FilterPath);
    }

    /// <summary>Those of the devices that were granted, and what all of them share; only what is there.</summary>
    internal static IEnumerable<string> GpuDevices(ImmutableArray<int> gpus) => gpus.IsDefaultOrEmpty ? [] :
        new[] { "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset" }
            .Concat(gpus.Select(gpu => string.Create(CultureInfo.InvariantCulture, $"/dev/nvidia{gpu}"))).Where(Path.Exists);

    private static (string Program, string Why) Try()
    {
        if (CommandPath.Find("bwrap", Environment.GetEnvironmentVariable("PATH"), "/", out _) is not { } program)
            return ("", "bubblewrap (bwrap) is not installed; 'apt install bubblewrap' or its like has it");
        if (SeccompFilter.Program() is null)
            return ("", $"there is no filter of system calls for {RuntimeInformation.ProcessArchitecture}");
        string? refused = Probe(program);
        return (program, refused is null ? ""
            : $"bubblewrap does not work here: {refused}; namespaces of users must be allowed (sysctl kernel.unprivileged_userns_clone, or AppArmor's profile for bwrap)");
    }

    /// <summary>
    /// Runs an empty command with all namespaces and kernel file systems that a task has; null, or bubblewrap's own words. Without an init of its
    /// own, which it would leave to us, and nobody would wait for.
    /// </summary>
    private static string? Probe(string program)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardError = true };
        foreach (string word in Fixed.AddRange(
            "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev", "--as-pid-1", "--", "/bin/sh", "-c", ":"))
            start.ArgumentList.Add(word);
        try
        {
            using Process? process = Process.Start(start);
            if (process is null)
                return "it could not be started";
            Task<string> errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(ProbeMax))
            {
                process.Kill();
                return "it did not end";
            }
            string said = errors.GetAwaiter().GetResult().Trim();
            return process.ExitCode == 0 ? null : said.Length > 0 ? said.ReplaceLineEndings("; ") : $"it ended with {process.ExitCode}";
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return e.Message;
        }
    }

    private static string Number(int fd) => fd.ToString(CultureInfo.InvariantCulture);

    private static bool TryWrite(int fd, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
            return Libc.write(fd, start, (nuint)bytes.Length) == bytes.Length;
    }
}
