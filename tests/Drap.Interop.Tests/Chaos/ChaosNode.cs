using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Drap.Client;
using Drap.Node.Home;
using Drap.Node.Sandbox;

namespace Drap.Tests.Interop.Chaos;

/// <summary>What a process is to a node.</summary>
internal enum ChaosRole
{
    /// <summary>What its user started: it schedules, and starts the worker.</summary>
    Main,
    Worker,
    Guard,
    Task,
}

/// <summary>
/// One machine with a node on it, in a home of its own that is a file system of its own. Its processes are found by what stands in their
/// environment, so that nothing that it started is overlooked, whatever became of whoever started it.
/// </summary>
internal sealed partial class ChaosNode : IDisposable
{
    private const string Variable = "DRAP_CHAOS";
    private const int SigKill = 9, SigContinue = 18, SigStop = 19;

    private readonly string folder, machine, tag;
    private readonly string[] first, again;
    private Process? started;
    private static readonly Lazy<bool> hasTimeNamespaces = new(() => TestNetwork.Try("unshare", "--time", "--fork", "--boottime", "1", "true") is null);

    private bool hasStarted, isMeantToRun;
    private int bootedAgo;

    /// <summary>One that does not run yet.</summary>
    /// <param name="folder">Where its home and its log go.</param>
    /// <param name="name">Its name.</param>
    /// <param name="machine">The network namespace.</param>
    /// <param name="has">What its worker has, as a workers' file says it; null for a node without one.</param>
    /// <param name="megabytes">The size of its disk.</param>
    /// <param name="first">The command that it is first started with, later <c>up</c>.</param>
    public ChaosNode(string folder, string name, string machine, string? has, int megabytes, params string[] first)
    {
        this.folder = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        (Name, this.machine) = (name, machine);
        tag = $"{Variable}={folder}/{name}";
        string workers = Path.Combine(this.folder, "workers.yaml");
        if (has is not null)
            File.WriteAllText(workers, $"workers:\n  - {{name: w, {has}}}\n");
        this.first = [.. first, "--name", name, .. has is null ? (string[])[] : ["--workers", workers]];
        Home = Directory.CreateDirectory(Path.Combine(this.folder, "home")).FullName;
        TestNetwork.Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m,mode=700", "drap-chaos", Home);
        again = ["up", "--no-ticket", .. has is null ? ["--role", "scheduler,gateway,inviter"] : (string[])["--workers", workers]];
    }

    public string Name { get; }

    public string Home { get; }

    /// <summary>What it said.</summary>
    public string Log => Path.Combine(folder, "log");

    /// <summary>A client of it; null while it has no socket.</summary>
    public DrapClient? TryClient() => HomeSocket.Find(HomeFolder.At(Home)) is { } socket ? new DrapClient(socket) : null;

    /// <summary>Starts it, as its owner would.</summary>
    public void Start()
    {
        string[] command = hasStarted ? again : first;
        hasStarted = true;
        started?.Dispose();
        // Each start is on a machine that has been up for another time: nothing that is said or kept may count by that.
        string[] uptime = hasTimeNamespaces.Value ? ["unshare", "--time", "--fork", "--kill-child", "--boottime", $"{bootedAgo += 100_003}"] : [];
        var start = new ProcessStartInfo("ip", ["netns", "exec", machine, .. uptime, "sh", "-c", "exec \"$0\" \"$@\" </dev/null >>\"$DRAP_LOG\" 2>&1",
            "dotnet", Path.Combine(AppContext.BaseDirectory, "drap.dll"), .. command, "--home", Home]);
        start.Environment[Variable] = tag[(Variable.Length + 1)..];
        start.Environment["DRAP_LOG"] = Log;
        start.Environment["NO_COLOR"] = "1";
        start.Environment["DOTNET_TieredPGO"] = "0";
        started = Process.Start(start)!;
        isMeantToRun = true;
    }

    /// <summary>Whether it has ended though nobody ended it; then it is started again, and its last word is returned.</summary>
    public string? Revive()
    {
        if (!isMeantToRun || !started!.HasExited)
            return null;
        string last = File.ReadLines(Log).LastOrDefault() ?? "";
        Start();
        return $"{Name} ended by itself: {last}";
    }

    /// <summary>All its processes of these roles that live.</summary>
    public List<int> Processes(params ChaosRole[] roles)
    {
        byte[] own = Encoding.UTF8.GetBytes(tag + "\0");
        byte[]? marks = roles.Contains(ChaosRole.Task) && Mark() is { } mark ? Encoding.UTF8.GetBytes($"{HomeMark.Variable}={mark}-") : null;
        var found = new List<int>();
        foreach (string at in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(at.AsSpan("/proc/".Length), CultureInfo.InvariantCulture, out int pid) || TryRead($"{at}/environ") is not { Length: > 0 } environment)
                continue;
            bool isMarked = marks is not null && environment.AsSpan().IndexOf(marks) >= 0;
            if (environment.AsSpan().IndexOf(own) < 0)
            {
                if (isMarked)
                    found.Add(pid);
                continue;
            }
            string command = Encoding.UTF8.GetString(TryRead($"{at}/cmdline") ?? []);
            ChaosRole role = command.Contains("\0guard\0", StringComparison.Ordinal) ? ChaosRole.Guard
                : command.Contains("\0serve\0", StringComparison.Ordinal) ? ChaosRole.Worker : ChaosRole.Main;
            if (roles.Contains(role))
                found.Add(pid);
        }
        return found;
    }

    /// <summary>Kills them from one moment to the next; how many there were.</summary>
    public int Kill(params ChaosRole[] roles)
    {
        isMeantToRun &= !roles.Contains(ChaosRole.Main);
        return Signal(SigKill, roles);
    }

    /// <summary>They stand still until <see cref="Thaw"/>.</summary>
    public int Freeze(params ChaosRole[] roles) => Signal(SigStop, roles);

    /// <summary>They go on.</summary>
    public int Thaw(params ChaosRole[] roles) => Signal(SigContinue, roles);

    /// <summary>Nothing more can be written to its disk, until <see cref="FreeDisk"/>.</summary>
    public void FillDisk()
    {
        try
        {
            using FileStream filler = File.Create(Filler);
            byte[] block = new byte[1 << 16];
            while (true)
                filler.Write(block);
        }
        catch (IOException)
        {
            // That is what it is for.
        }
    }

    public void FreeDisk() => File.Delete(Filler);

    /// <summary>What its worker has left that its end should have removed: folders for work, cgroups.</summary>
    public IEnumerable<string> Leftovers()
    {
        if (Mark() is not { } mark)
            yield break;
        string work = Path.Combine(WorkerHome, "work");
        if (Directory.Exists(work) && Directory.EnumerateFileSystemEntries(work).Any())
            yield return work;
        if (Directory.Exists($"/dev/shm/drap-{mark}"))
            yield return $"/dev/shm/drap-{mark}";
        string cgroups = Path.Combine(WorkerHome, "cgroups");
        foreach (string at in File.Exists(cgroups) ? File.ReadAllLines(cgroups) : [])
            if (Directory.Exists(at))
                yield return at;
    }

    public void Dispose()
    {
        for (int i = 0; i < 50 && Kill(ChaosRole.Main, ChaosRole.Worker, ChaosRole.Guard, ChaosRole.Task) > 0; i++)
            Thread.Sleep(20);
        started?.Dispose();
        // What is still in use, as by a process that hangs, goes with its last user.
        TestNetwork.Try("umount", "-l", Home);
    }

    private string WorkerHome => Path.Combine(Home, "workers", "w");

    private string Filler => Path.Combine(Home, "filler");

    private HomeMark? Mark() => Directory.Exists(WorkerHome) ? HomeMark.Of(WorkerHome) : null;

    private int Signal(int signal, ChaosRole[] roles)
    {
        List<int> found = Processes(roles);
        foreach (int pid in found)
            _ = kill(pid, signal);
        return found.Count;
    }

    private static byte[]? TryRead(string file)
    {
        try
        {
            return File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}
