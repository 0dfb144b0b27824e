using System.Globalization;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Node.Config;
using Drap.Node.Hosting.Workers;
using Drap.Node.Sandbox;

namespace Drap.Node.Doctor;

/// <summary>What tasks get on the machine, and what holds them.</summary>
internal static class TaskCheck
{
    public static IEnumerable<Finding> Examine(NodeSpec spec, MachineResources machine)
    {
        yield return Finding.Ok("machine", string.Create(CultureInfo.InvariantCulture,
            $"{new Cores(machine.MilliCpus)} cores on {machine.NumaNodes} NUMA node{(machine.NumaNodes == 1 ? "" : "s")}, {MachineClaims.Mebibytes(machine.MemoryBytes)} of memory, {machine.Architecture}"));
        yield return Gpus(machine, File.Exists("/proc/driver/nvidia/version"));
        if (!spec.HasWorkers())
            yield break;
        yield return Cgroups();
        yield return Sandbox(spec.Sandbox.Tasks);
    }

    internal static Finding Gpus(MachineResources machine, bool hasNvidiaDriver)
    {
        if (machine.Gpus.IsEmpty)
            return hasNvidiaDriver
                ? Finding.Warn("gpus", "NVIDIA's driver is loaded, and nvidia-smi lists no device", "see what nvidia-smi says; in a container, --gpus all or its like gives it the devices")
                : Finding.Ok("gpus", "none");
        string list = string.Join(", ", machine.Gpus.Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Index}: {g.Model}{(g.MemoryBytes > 0 ? ", " + MachineClaims.Mebibytes(g.MemoryBytes) : "")}")));
        return machine.Gpus.All(g => g.MemoryBytes > 0) ? Finding.Ok("gpus", list)
            : Finding.Warn("gpus", $"{list}; how much memory they have is not known: tasks that ask for some are not taken", "install nvidia-smi, which comes with the driver's utilities");
    }

    /// <summary>Makes and removes the cgroups of a home that is not there.</summary>
    private static Finding Cgroups()
    {
        const string remedy = "run drap where it may make cgroups: 'systemd-run --user --scope -p Delegate=yes drap up', a service with Delegate=yes, or as root";
        DirectoryInfo folder = Directory.CreateTempSubdirectory("drap-doctor-");
        try
        {
            CgroupTree? tree = CgroupTree.TryCreate(HomeMark.Of(folder.FullName), out string why);
            if (tree is null)
                return Finding.Warn("cgroups", $"none can be made ({why}): limits on cores and processes are only booked, and a task may leave processes behind", remedy);
            tree.Remove();
            return tree.Missing.Count == 0
                ? Finding.Ok("cgroups", string.Create(CultureInfo.InvariantCulture, $"version {tree.Version}: cores, memory and processes of tasks are held to their limits"))
                : Finding.Warn("cgroups", string.Create(CultureInfo.InvariantCulture, $"version {tree.Version}, without {string.Join(", ", tree.Missing.Select(m => $"{m.Key} ({m.Value})"))}"), remedy);
        }
        catch (IOException e)
        {
            return Finding.Warn("cgroups", $"they cannot be looked at: {e.Message}", remedy);
        }
        finally
        {
            folder.Delete();
        }
    }

    private static Finding Sandbox(SandboxUse use)
    {
        // Bubblewrap starts an empty command with all the namespaces that a task gets.
        using Bubblewrap? sandbox = Bubblewrap.TryFind("/", [], out string why);
        if (sandbox is not null)
            return Finding.Ok("sandbox", $"{sandbox.Program} starts with all namespaces{(use == SandboxUse.Never ? "; your settings want none (sandbox.tasks: never)" : "")}");
        if (use == SandboxUse.Never)
            return Finding.Warn("sandbox", $"{why}; your settings want none, so everybody's tasks run as you", "let others run here only if you trust them (allow), or have a sandbox");
        string whose = use == SandboxUse.Always ? "no task" : "no task of others";
        return Finding.Warn("sandbox", $"{whose} is taken here: {why}", Namespaces() is { } limit ? limit : "apt install bubblewrap, or sandbox.tasks: never where you trust all who may run here");
    }

    /// <summary>Which of the kernel's switches forbids namespaces of users; null if none does.</summary>
    private static string? Namespaces() =>
        Switch("/proc/sys/kernel/unprivileged_userns_clone") == "0" ? "sysctl -w kernel.unprivileged_userns_clone=1"
        : Switch("/proc/sys/user/max_user_namespaces") == "0" ? "sysctl -w user.max_user_namespaces=15000"
        : Switch("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" ? "an AppArmor profile that lets bwrap make namespaces, or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        : null;

    private static string? Switch(string file) => ProcFiles.Lines(file).FirstOrDefault()?.Trim();
}
