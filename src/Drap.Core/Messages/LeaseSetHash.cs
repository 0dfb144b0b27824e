using System.Runtime.InteropServices;

namespace Drap.Core.Messages;

/// <summary>
/// A hash of a set of leases that both sides keep up to date in constant time a change: the exclusive or of one 64-bit mix of each
/// attempt, so that order does not matter. It finds mistakes, not forgers.
/// </summary>
public static class LeaseSetHash
{
    /// <summary>The set without <paramref name="attempt"/> if it was in it, with it if not.</summary>
    public static ulong Toggle(ulong set, AttemptId attempt)
    {
        Span<byte> id = stackalloc byte[16];
        attempt.Task.Job.Value.TryWriteBytes(id, bigEndian: true, out _);
        ReadOnlySpan<ulong> halves = MemoryMarshal.Cast<byte, ulong>(id);
        ulong mixed = Mix(halves[0] ^ Mix(halves[1] ^ Mix((ulong)attempt.Task.Number ^ Mix((ulong)attempt.Fence.Value))));
        return set ^ mixed;
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return (z ^ (z >> 31)) + 0x9e3779b97f4a7c15;
    }
}
