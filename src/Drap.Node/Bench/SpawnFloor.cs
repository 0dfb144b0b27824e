using System.Globalization;
using System.Text;
using Drap.Node.Sandbox;

namespace Drap.Node.Bench;

/// <summary>
/// What this machine needs for a bare posix_spawn and wait, called as a C program would: the floor under every figure of placement and
/// throughput. Measured in the run whose figures it stands beside. All of it throws <see cref="IOException"/> when it cannot spawn.
/// </summary>
public static class SpawnFloor
{
    /// <summary>One spawn: from just before the call to the child's own time stamp (<c>date +%s%N</c>).</summary>
    public static TimeSpan MeasureStart() => new(MeasureStartNanoseconds() / 100);

    /// <summary>Spawns and waits of <c>true</c> in a second, by so many loops at once.</summary>
    public static double MeasureRate(int spawns, int loops = 2) => MeasureRate(["/bin/true"], spawns, loops);

    /// <summary>The same of <c>true</c> in bubblewrap, with the view and the namespaces that a task's sandbox has, and nothing else of ours.</summary>
    /// <param name="home">A folder in which it may make files; existing.</param>
    /// <param name="spawns">How many.</param>
    /// <param name="loops">By how many loops at once.</param>
    /// <exception cref="IOException">There is no sandbox on this machine; the message says why.</exception>
    public static double MeasureSandboxRate(string home, int spawns, int loops = 2)
    {
        using Bubblewrap bubblewrap = Bubblewrap.TryFind(home, [], out string why) ?? throw new IOException(why);
        string folder = Directory.CreateDirectory(Path.Combine(home, "floor")).FullName, temporary = Directory.CreateDirectory(Path.Combine(folder, "tmp")).FullName;
        double rate = MeasureRate([.. bubblewrap.Bare(new SandboxPlan(Network: false, []), folder, temporary), "--", "/bin/true"], spawns, loops);
        // Bubblewrap leaves its init to us.
        Orphans.Reap();
        return rate;
    }

    private static double MeasureRate(string[] command, int spawns, int loops)
    {
        var threads = new Thread[loops];
        Exception? failure = null;
        long before = NowUtcNanoseconds();
        for (int i = 0; i < loops; i++)
        {
            threads[i] = new Thread(() =>
            {
                try
                {
                    using var arena = new SpawnArena();
                    for (int n = 0; n < spawns / loops; n++)
                        SpawnAndWait(arena, command, -1);
                }
                catch (IOException e)
                {
                    failure = e;
                }
            });
            threads[i].Start();
        }
        foreach (Thread thread in threads)
            thread.Join();
        long after = NowUtcNanoseconds();
        if (failure is not null)
            throw failure;
        return spawns / loops * loops * 1e9 / (after - before);
    }

    private static unsafe long MeasureStartNanoseconds()
    {
        using var arena = new SpawnArena();
        int* pipe = stackalloc int[2];
        if (Libc.pipe2(pipe, Libc.O_CLOEXEC) != 0)
            throw new IOException($"pipe: {Libc.ErrorText(Libc.LastError)}");
        byte* text = stackalloc byte[64];
        long before = NowUtcNanoseconds();
        SpawnAndWait(arena, ["/bin/date", "+%s%N"], pipe[1]);
        _ = Libc.close(pipe[1]);
        nint length = Libc.read(pipe[0], text, 64);
        _ = Libc.close(pipe[0]);
        string stamp = Encoding.ASCII.GetString(text, (int)Math.Max(length, 0)).Trim();
        if (!long.TryParse(stamp, CultureInfo.InvariantCulture, out long started))
            throw new IOException($"date +%s%N: expected nanoseconds, found '{stamp}'");
        return started - before;
    }

    private static unsafe void SpawnAndWait(SpawnArena arena, ReadOnlySpan<string> arguments, int stdout)
    {
        long characters = 256;
        foreach (string argument in arguments)
            characters += argument.Length;
        arena.Reset(arguments.Length + 4, characters);
        SpawnRequest* request = arena.Request;
        byte** argv = arena.Vector(arguments.Length);
        byte** envp = arena.Vector(1);
        for (int i = 0; i < arguments.Length; i++)
            argv[i] = arena.Text(arguments[i]);
        envp[0] = arena.Text("PATH=/usr/bin:/bin");
        *request = new SpawnRequest { Path = argv[0], Arguments = argv, Environment = envp, Stdin = -1, Stdout = stdout, Stderr = -1 };
        Spawner.Perform(request);
        if (request->Error != 0)
            throw new IOException($"{arguments[0]}: {Libc.ErrorText(request->Error)}");
        int status;
        while (Libc.wait4(request->ProcessId, &status, 0, null) < 0 && Libc.LastError == Libc.EINTR)
        {
        }
    }

    private static unsafe long NowUtcNanoseconds()
    {
        Libc.TimeSpec now;
        _ = Libc.clock_gettime(Libc.CLOCK_REALTIME, &now);
        return now.Seconds * 1_000_000_000 + now.Nanoseconds;
    }
}
