using System.Collections;
using System.Collections.Immutable;

namespace Drap.Node.Sandbox;

/// <summary>
/// A program that goes on without whoever started it: in a session of its own, so that no terminal's Ctrl+C or end reaches it, with nothing on
/// its standard input, a file as its output, and nothing else open. It must be born so: the runtime of .NET keeps copies of the output that it
/// finds at its start, and a shell that reads our output would wait for them.
/// </summary>
public sealed unsafe class DetachedProcess
{
    private const int create = 0x40, append = 0x400, ownerReadsAndWrites = 0x180;

    private int? exitCode;

    private DetachedProcess(int processId) => ProcessId = processId;

    /// <summary>Its number.</summary>
    public int ProcessId { get; }

    /// <summary>How it has ended: its exit code, or 128 and the signal's number; null while it runs.</summary>
    public int? ExitCode
    {
        get
        {
            int status;
            if (exitCode is null && Libc.wait4(ProcessId, &status, Libc.WNOHANG, null) == ProcessId)
                exitCode = (status & 0x7f) != 0 ? 128 + (status & 0x7f) : (status >> 8) & 0xff;
            return exitCode;
        }
    }

    /// <summary>Starts one in the root folder, with the environment of this process.</summary>
    /// <param name="arguments">The program's path, and its arguments.</param>
    /// <param name="log">The file that its output is added to; made, for its owner only, where it is not there.</param>
    /// <exception cref="IOException">The file cannot be written or the program not started.</exception>
    public static DetachedProcess Start(ImmutableArray<string> arguments, string log)
    {
        int file = Libc.openat(Libc.AT_FDCWD, log, Libc.O_WRONLY | create | append | Libc.O_CLOEXEC, ownerReadsAndWrites);
        if (file < 0)
            throw new IOException($"{log} cannot be written: {Libc.ErrorText(Libc.LastError)}");
        using var arena = new SpawnArena();
        DictionaryEntry[] environment = [.. Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()];
        arena.Reset(arguments.Length + environment.Length + 1, arguments.Sum(a => (long)a.Length) + environment.Sum(v => (long)((string)v.Key).Length + ((string)v.Value!).Length + 1) + 1);
        SpawnRequest* request = arena.Request;
        byte** argv = arena.Vector(arguments.Length);
        byte** envp = arena.Vector(environment.Length);
        for (int i = 0; i < arguments.Length; i++)
            argv[i] = arena.Text(arguments[i]);
        for (int i = 0; i < environment.Length; i++)
            envp[i] = arena.Pair((string)environment[i].Key, (string)environment[i].Value!);
        *request = new SpawnRequest { Path = argv[0], Arguments = argv, Environment = envp, Directory = arena.Text("/"), Stdin = -1, Stdout = file, Stderr = file };
        Spawner.Perform(request);
        _ = Libc.close(file);
        return request->Error == 0 ? new DetachedProcess(request->ProcessId)
            : throw new IOException($"{arguments[0]} cannot be started: {Libc.ErrorText(request->Error)}");
    }
}
