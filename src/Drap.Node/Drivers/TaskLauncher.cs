using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using Drap.Core.Jobs;
using Drap.Node.Sandbox;
using Drap.Node.Time;

namespace Drap.Node.Drivers;

/// <summary>A process that has just been started, with our ends of its pipes.</summary>
/// <param name="Stdin">-1 when the task has none.</param>
/// <param name="Sandbox">The sandbox that the process set up, and the task runs in; null for a plain process.</param>
internal readonly record struct LaunchedTask(int ProcessId, long Serial, Instant At, int Stdin, int Stdout, int Stderr, SandboxInit? Sandbox);

/// <summary>Turns a plan into a running process: looks the command up, lays out its arguments and environment, makes its pipes, spawns it.</summary>
internal sealed unsafe class TaskLauncher(ProcessDriver driver) : IDisposable
{
    /// <summary>What programs expect: those that want more raise it; .NET has raised our own, and a task would inherit that.</summary>
    private const ulong OpenFilesSoft = 1_024;

    private static readonly ulong OpenFilesHard = ReadOpenFilesHard();

    private readonly SpawnArena arena = new();

    /// <summary>Starts the task, marked with its serial number; or says how that failed.</summary>
    public AttemptExit? Launch(LaunchPlan plan, WorkFolder folder, SlotCgroup? cgroup, SpawnThread? thread, long serial, out LaunchedTask task)
    {
        task = default;
        string command = plan.Arguments[0];
        if (CommandPath.Find(command, Variable(plan.Environment, "PATH"), folder.Path, out int exitCode) is not { } file)
            return exitCode == 127
                ? Failed(plan, ExitReason.NotFound, $"{command}: command not found", 127)
                : Failed(plan, ExitReason.NotExecutable, $"{command}: permission denied, or not a file", 126);
        if (HasNul(plan))
            return Failed(plan, ExitReason.NotExecutable, $"{command}: an argument or variable holds a NUL character, which no program can be given", 126);
        SandboxInit? sandbox = null;
        List<string> prefix = [];
        if (plan.Sandbox is not null)
        {
            if (driver.Sandbox is not { } bubblewrap)
                return Failed(plan, ExitReason.Machine, $"no sandbox: {driver.SandboxMissing}");
            try
            {
                if (file.StartsWith('/') && !bubblewrap.Shows(file, folder))
                    return Failed(plan, ExitReason.NotFound, $"{command}: is not seen in the sandbox, to which the owner has not shown its folder", 127);
                prefix = bubblewrap.Prefix(plan.Sandbox, folder);
            }
            catch (IOException e)
            {
                return Failed(plan, ExitReason.Machine, $"no sandbox: {e.Message}");
            }
            if ((sandbox = SandboxInit.TryCreate()) is null)
                return Failed(plan, ExitReason.Machine, $"pipe: {Libc.ErrorText(Libc.LastError)}");
        }
        int* pipes = stackalloc int[6];
        if (!OpenPipes(pipes, plan.Stdin == StdinMode.Fed))
        {
            string error = Libc.ErrorText(Libc.LastError);
            sandbox?.Close();
            return Failed(plan, ExitReason.Machine, $"pipe: {error}");
        }
        if (Gate(plan.Limits, cgroup) is { } gate)
            prefix.InsertRange(0, ["sh", "-c", gate, cgroup?.JoinFile ?? "sh"]);
        // Without a prefix the command keeps the name that the job gave it.
        string program = prefix.Count == 0 ? file : prefix[0] == "sh" ? "/bin/sh" : prefix[0];
        if (prefix.Count > 0)
            prefix.Add(file);
        SpawnRequest* request = Spawn(CollectionsMarshal.AsSpan(prefix), program);
        if (request->Error == Libc.ENOEXEC)
            // No #! line: shells, and the C library's own search, take it for a shell's script.
            request = Spawn(["/bin/sh", file], "/bin/sh");
        Instant at = BootClock.Now;
        Close(pipes[1]);
        Close(pipes[3]);
        Close(pipes[4]);
        if (request->Error != 0)
        {
            Close(pipes[0]);
            Close(pipes[2]);
            Close(pipes[5]);
            sandbox?.Close();
            return Refused(plan, command, request->Error);
        }
        Limit(request->ProcessId, plan.Limits);
        if (sandbox is not null && sandbox.TryMeet())
        {
            Limit(sandbox.ProcessId, plan.Limits);
            sandbox.OpenGate();
            at = BootClock.Now;
        }
        task = new LaunchedTask(request->ProcessId, serial, at, pipes[5], pipes[0], pipes[2], sandbox);
        return null;

        SpawnRequest* Spawn(ReadOnlySpan<string> before, string path)
        {
            SpawnRequest* spawn = LayOut(plan, folder, serial, before, path);
            (spawn->Stdin, spawn->Stdout, spawn->Stderr) = (pipes[4], pipes[1], pipes[3]);
            spawn->Filter = null;
            sandbox?.Prepare(spawn, driver.Sandbox!);
            Perform(spawn, thread);
            return spawn;
        }
    }

    public void Dispose() => arena.Dispose();

    public static AttemptExit Failed(LaunchPlan plan, ExitReason reason, string message, int exitCode = 125) =>
        new() { Attempt = plan.Attempt, Reason = reason, ExitCode = exitCode, Message = message };

    private static AttemptExit Refused(LaunchPlan plan, string command, int errno) => errno switch
    {
        // The file was found, so what is missing is what its first line names.
        Libc.ENOENT => Failed(plan, ExitReason.NotExecutable, $"{command}: its interpreter is missing", 126),
        Libc.ENOMEM when plan.Limits.MemoryBytes > 0 =>
            Failed(plan, ExitReason.OutOfMemory, $"the {new ByteSize(plan.Limits.MemoryBytes).ToWords()} of memory that it had asked for are too few to start {command}", 137),
        Libc.EAGAIN or Libc.ENOMEM or Libc.EMFILE or Libc.ENFILE =>
            Failed(plan, ExitReason.Machine, $"{command}: cannot be started: {Libc.ErrorText(errno)}"),
        _ => Failed(plan, ExitReason.NotExecutable, $"{command}: cannot be executed: {Libc.ErrorText(errno)}", 126),
    };

    /// <summary>
    /// What the task must do itself before it becomes its command, as a shell's script; null for nothing, which is the fast way. It
    /// joins a version 2 cgroup, and takes a limit on its data where no cgroup limits its memory: set from outside after the start,
    /// that comes too late for what a quick task has forked. 125 is what env and docker say for "not even tried".
    /// </summary>
    private string? Gate(in LaunchLimits limits, SlotCgroup? cgroup)
    {
        bool limitsData = limits.MemoryBytes > 0 && !driver.LimitsMemoryByCgroup;
        if (!limitsData && cgroup?.JoinFile is null)
            return null;
        string limit = limitsData ? string.Create(CultureInfo.InvariantCulture, $"ulimit -d {Math.Max(limits.MemoryBytes / 1024, 1)} || exit 125; ") : "";
        string join = cgroup?.JoinFile is null ? "" : "echo 0 > \"$0\" || exit 125; ";
        return $"{limit}{join}exec \"$@\"";
    }

    private static void Perform(SpawnRequest* request, SpawnThread? thread)
    {
        if (thread is not null)
            thread.Perform(request);
        else
            Spawner.Perform(request);
    }

    /// <summary>Writes the request; with a <paramref name="prefix"/>, that stands in the place of the command's name.</summary>
    private SpawnRequest* LayOut(LaunchPlan plan, WorkFolder folder, long serial, ReadOnlySpan<string> prefix, string file)
    {
        ImmutableArray<string> arguments = plan.Arguments;
        ImmutableArray<KeyValuePair<string, string>> environment = plan.Environment;
        int argumentCount = prefix.IsEmpty ? arguments.Length : prefix.Length + arguments.Length - 1;
        long characters = file.Length + folder.Path.Length * 5L + 256;
        foreach (string text in prefix)
            characters += text.Length;
        foreach (string text in arguments)
            characters += text.Length;
        foreach ((string name, string value) in environment)
            characters += name.Length + value.Length + 1;
        arena.Reset(argumentCount + environment.Length + 16, characters);

        SpawnRequest* request = arena.Request;
        byte** argv = arena.Vector(argumentCount);
        byte** envp = arena.Vector(environment.Length + OwnVariables);
        int at = 0;
        foreach (string text in prefix)
            argv[at++] = arena.Text(text);
        for (int i = prefix.IsEmpty ? 0 : 1; i < arguments.Length; i++)
            argv[at++] = arena.Text(arguments[i]);

        // The mark comes first, where whoever looks for it looks first.
        Span<char> mark = stackalloc char[48];
        mark.TryWrite(CultureInfo.InvariantCulture, $"{driver.Mark.Value}-{serial}", out int length);
        envp[0] = arena.Pair(HomeMark.Variable, mark[..length]);
        envp[1] = arena.Pair("DRAP_WORK", folder.Path);
        envp[2] = arena.Pair("DRAP_IN", folder.In);
        envp[3] = arena.Pair("DRAP_OUT", folder.Out);
        envp[4] = arena.Pair("PWD", folder.Path);
        at = 5;
        bool hasTemporary = false;
        foreach ((string name, string value) in environment)
        {
            hasTemporary |= name == "TMPDIR";
            if (name is not (HomeMark.Variable or "DRAP_WORK" or "DRAP_IN" or "DRAP_OUT" or "PWD"))
                envp[at++] = arena.Pair(name, value);
        }
        if (!hasTemporary)
            envp[at++] = arena.Pair("TMPDIR", folder.Temporary);
        envp[at] = null;

        request->Path = arena.Text(file);
        request->Directory = arena.Text(folder.Path);
        request->Arguments = argv;
        request->Environment = envp;
        return request;
    }

    /// <summary>DRAP_MARK, DRAP_WORK, DRAP_IN, DRAP_OUT, PWD, TMPDIR.</summary>
    private const int OwnVariables = 6;

    /// <summary>
    /// Limits that a process carries, set a moment after the start, which is soon enough for what they are: no core files, the usual
    /// number of open files, and no single file above the folder's limit, so that this holds between two looks at the folder.
    /// </summary>
    private void Limit(int pid, in LaunchLimits limits)
    {
        ulong disk = (ulong)(limits.DiskBytes > 0 ? limits.DiskBytes : driver.Options.DiskDefault);
        Set(pid, Libc.RLIMIT_FSIZE, new Libc.RLimit(disk, disk));
        Set(pid, Libc.RLIMIT_CORE, new Libc.RLimit(0, 0));
        Set(pid, Libc.RLIMIT_NOFILE, new Libc.RLimit(Math.Min(OpenFilesSoft, OpenFilesHard), OpenFilesHard));
    }

    private static void Set(int pid, int resource, Libc.RLimit limit) => _ = Libc.prlimit(pid, resource, &limit, null);

    private static ulong ReadOpenFilesHard()
    {
        Libc.RLimit limit;
        return Libc.prlimit(0, Libc.RLIMIT_NOFILE, null, &limit) == 0 ? limit.Max : OpenFilesSoft;
    }

    /// <summary>stdout's two ends, stderr's two, and stdin's, or -1; all or none.</summary>
    private static bool OpenPipes(int* pipes, bool withStdin)
    {
        new Span<int>(pipes, 6).Fill(-1);
        if (Libc.pipe2(pipes, Libc.O_CLOEXEC) == 0 && Libc.pipe2(pipes + 2, Libc.O_CLOEXEC) == 0
            && (!withStdin || Libc.pipe2(pipes + 4, Libc.O_CLOEXEC) == 0))
            return true;
        int errno = Libc.LastError;
        for (int i = 0; i < 6; i++)
            Close(pipes[i]);
        Marshal.SetLastPInvokeError(errno);
        return false;
    }

    private static void Close(int fd)
    {
        if (fd >= 0)
            _ = Libc.close(fd);
    }

    private static bool HasNul(LaunchPlan plan)
    {
        foreach (string text in plan.Arguments)
            if (text.Contains('\0', StringComparison.Ordinal))
                return true;
        foreach ((string name, string value) in plan.Environment)
            if (name.Contains('\0', StringComparison.Ordinal) || value.Contains('\0', StringComparison.Ordinal))
                return true;
        return false;
    }

    private static string? Variable(ImmutableArray<KeyValuePair<string, string>> environment, string name)
    {
        foreach ((string key, string value) in environment)
            if (key == name)
                return value;
        return null;
    }
}
