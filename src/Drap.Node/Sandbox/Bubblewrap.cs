using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Drap.Node.Drivers;

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

    private readonly SandboxView view;
    private readonly int filter;

    private Bubblewrap(string program, SandboxView view, int filter)
    {
        Program = program;
        this.view = view;
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
        why = "";
        if (CommandPath.Find("bwrap", Environment.GetEnvironmentVariable("PATH"), "/", out _) is not { } program)
            why = "bubblewrap (bwrap) is not installed; 'apt install bubblewrap' or its like has it";
        else if (SeccompFilter.Program() is not { } code)
            why = $"there is no filter of system calls for {RuntimeInformation.ProcessArchitecture}";
        else
        {
            int filter = Libc.memfd_create("drap-filter", Libc.MFD_CLOEXEC);
            if (filter < 0 || !TryWrite(filter, code))
            {
                why = $"memfd_create: {Libc.ErrorText(Libc.LastError)}";
                return null;
            }
            var found = new Bubblewrap(program, new SandboxView(home, readOnly), filter);
            if (found.Probe() is not { } refused)
                return found;
            why = $"bubblewrap does not work here: {refused}; namespaces of users must be allowed (sysctl kernel.unprivileged_userns_clone, or AppArmor's profile for bwrap)";
            found.Dispose();
        }
        return null;
    }

    /// <summary>Whether a task with this folder sees the path.</summary>
    public bool Shows(string path, WorkFolder folder) => view.Shows(path) || path.StartsWith(folder.Path + "/", StringComparison.Ordinal);

    /// <summary>What stands before a command that is to run in the sandbox, the program's own name included.</summary>
    public List<string> Prefix(SandboxPlan plan, WorkFolder folder) =>
        [.. Bare(plan, folder.Path, folder.Temporary), "--seccomp", Number(FilterFd), "--json-status-fd", Number(StatusFd), "--block-fd", Number(GateFd), "--"];

    /// <summary>The same without what we give and ask besides, and without the end of its options: for the floor of what a start costs.</summary>
    public List<string> Bare(SandboxPlan plan, string folder, string temporary)
    {
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

    /// <summary>
    /// Runs an empty command with everything but our descriptors; null, or bubblewrap's own words. Without an init of its own, which it would
    /// leave to us, and nobody would wait for.
    /// </summary>
    private string? Probe()
    {
        var start = new ProcessStartInfo(Program) { RedirectStandardError = true };
        foreach (string word in Fixed.Add("--unshare-net").AddRange(view.Arguments).AddRange(view.Owners).AddRange("--remount-ro", "/", "--as-pid-1", "--", "/bin/sh", "-c", ":"))
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
