using System.Runtime.CompilerServices;

namespace Drap.Node.Sandbox;

/// <summary>
/// A thread that does nothing but spawn, so that it can sit in a slot's v1 cgroups and its children are born there: no race, and no
/// move per task. It runs bare calls only, and is compiled once. While a task's processor
/// quota stands it sleeps in the kernel, so that a throttled cgroup never holds up a garbage collection.
/// </summary>
internal sealed unsafe class SpawnThread : IDisposable
{
    private readonly int request, done;
    private readonly Thread thread;
    private SpawnRequest* current;
    private volatile bool stopping;

    public SpawnThread(string name)
    {
        request = Libc.eventfd(0, Libc.O_CLOEXEC);
        done = Libc.eventfd(0, Libc.O_CLOEXEC);
        if (request < 0 || done < 0)
            throw new IOException($"eventfd: {Libc.ErrorText(Libc.LastError)}");
        thread = new Thread(Run, 256 * 1024) { IsBackground = true, Name = name };
        thread.Start();
        Await();
    }

    /// <summary>The kernel's number of the thread, for a cgroup's <c>tasks</c>.</summary>
    public int ThreadId { get; private set; }

    /// <summary>Performs a request on the thread; one at a time.</summary>
    public void Perform(SpawnRequest* spawn)
    {
        current = spawn;
        Libc.Ring(request);
        Await();
    }

    public void Dispose()
    {
        stopping = true;
        Libc.Ring(request);
        thread.Join();
        _ = Libc.close(request);
        _ = Libc.close(done);
    }

    private void Run()
    {
        ThreadId = Libc.gettid();
        Serve(Spawner.SharedAttributes, Spawner.SharedDevNull, Spawner.SharedCloseFrom);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Serve(void* attributes, byte* devNull, delegate* unmanaged<void*, int, int> closeFrom)
    {
        ulong count = 1;
        _ = Libc.WriteBare(done, &count, 8);
        while (true)
        {
            if (Libc.ReadBare(request, &count, 8) != 8)
                continue;
            if (stopping)
                return;
            Spawner.Perform(current, attributes, devNull, closeFrom);
            count = 1;
            _ = Libc.WriteBare(done, &count, 8);
        }
    }

    private void Await()
    {
        ulong count;
        while (Libc.ReadBare(done, &count, 8) != 8)
        {
        }
    }
}
