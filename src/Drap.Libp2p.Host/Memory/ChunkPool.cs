namespace Drap.Libp2p.Host.Memory;

/// <summary>
/// The large buffers through which everything that is sent or received goes: one holds the longest frame of noise with its length. They are
/// held only while there are bytes in them, so a few serve thousands of connections.
/// </summary>
internal sealed class ChunkPool
{
    /// <summary>A noise frame of 65 535 bytes, two of length before it, and a little of the next: reads end on no frame's end.</summary>
    public const int ChunkBytes = 65_535 + 2 + 1024 - 1;

    // 4 MiB: what 64 connections that are busy at once need. More are made as needed and left to the collector afterwards.
    private const int KeptMax = 64;

    private readonly Lock gate = new();
    private readonly byte[][] kept = new byte[KeptMax][];
    private int count;

    public byte[] Rent()
    {
        lock (gate)
        {
            if (count > 0)
                return kept[--count];
        }
        // Pinned: sockets would pin them each time.
        return GC.AllocateUninitializedArray<byte>(ChunkBytes, pinned: true);
    }

    public void Return(byte[] chunk)
    {
        Invariant.Check(chunk.Length == ChunkBytes);
        lock (gate)
        {
            if (count < KeptMax)
                kept[count++] = chunk;
        }
    }
}
