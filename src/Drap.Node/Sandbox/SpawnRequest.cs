using System.Runtime.InteropServices;
using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>One call of posix_spawn, in native memory so that the thread that makes it touches no object.</summary>
internal unsafe struct SpawnRequest
{
    public byte* Path;
    public byte* Directory;
    public byte** Arguments;
    public byte** Environment;

    /// <summary>Each becomes 0, 1, 2 in the child; -1 means <c>/dev/null</c> for stdin, and our own for the others.</summary>
    public int Stdin, Stdout, Stderr;

    /// <summary>For a task in a sandbox: the filter's path, and what bubblewrap writes to and waits for; null and -1 for others.</summary>
    public byte* Filter;

    /// <inheritdoc cref="Filter"/>
    public int Status, Gate;

    /// <summary>The answer: the process, or 0 and the error's number.</summary>
    public int ProcessId, Error;
}

/// <summary>The texts of a request, as the kernel wants them, in one block of memory that grows once and is used again.</summary>
internal sealed unsafe class SpawnArena : IDisposable
{
    private byte* block;
    private nuint size, used;

    public SpawnRequest* Request { get; } = (SpawnRequest*)NativeMemory.AllocZeroed((nuint)sizeof(SpawnRequest));

    /// <summary>Starts anew, with room for so many texts and so many characters in them.</summary>
    public void Reset(int texts, long characters)
    {
        // UTF-8 takes at most 3 bytes a UTF-16 unit; a terminator each; a pointer each and two for the ends of the vectors.
        nuint need = (nuint)(characters * 3 + texts + (texts + 2) * sizeof(nint) + 64);
        used = 0;
        if (need <= size)
            return;
        NativeMemory.Free(block);
        size = 0;
        block = (byte*)NativeMemory.Alloc(need * 2);
        size = need * 2;
    }

    public byte** Vector(int count)
    {
        used = (used + 7) & ~(nuint)7;
        var vector = (byte**)(block + used);
        used += (nuint)(count + 1) * (nuint)sizeof(nint);
        vector[count] = null;
        return vector;
    }

    public byte* Text(ReadOnlySpan<char> text)
    {
        byte* start = Put(text);
        block[used++] = 0;
        return start;
    }

    public byte* Pair(ReadOnlySpan<char> name, ReadOnlySpan<char> value)
    {
        byte* start = Put(name);
        block[used++] = (byte)'=';
        Put(value);
        block[used++] = 0;
        return start;
    }

    public void Dispose()
    {
        NativeMemory.Free(block);
        NativeMemory.Free(Request);
        block = null;
        size = 0;
    }

    private byte* Put(ReadOnlySpan<char> text)
    {
        byte* start = block + used;
        used += (nuint)Encoding.UTF8.GetBytes(text, new Span<byte>(start, checked((int)(size - used))));
        return start;
    }
}
