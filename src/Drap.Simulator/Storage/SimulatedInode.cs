namespace Drap.Simulator.Storage;

/// <summary>
/// One file's content three times: as programs see it, as the disk holds it, and the changes between the two that no sync has covered.
/// </summary>
internal sealed class SimulatedInode
{
    private const int SectorBytes = 512;

    private readonly GrowingBytes visible = new();
    private readonly GrowingBytes durable = new();
    private readonly List<Change> pending = [];

    private readonly record struct Change(int Offset, byte[] Bytes);

    public int Length => visible.Length;

    public ReadOnlySpan<byte> Visible => visible.Span;

    public void Write(long offset, byte[] bytes)
    {
        var change = new Change((int)offset, bytes);
        pending.Add(change);
        Apply(visible, change);
    }

    public void Sync()
    {
        foreach (Change change in pending)
            Apply(durable, change);
        pending.Clear();
    }

    /// <summary>
    /// A sync that fails as Linux does it: some of the changes reach the disk, and the rest is held to be written and never will be, though
    /// programs still see it.
    /// </summary>
    public void FailSync(Prng prng) => Survive(prng);

    /// <summary>The power goes: of the changes that no sync covered any part may be on the disk, and programs see only what is there.</summary>
    public void LosePower(Prng prng)
    {
        Survive(prng);
        visible.Set(durable.Span);
    }

    /// <summary>Damages the disk behind everyone's back.</summary>
    public void Overwrite(ReadOnlySpan<byte> content)
    {
        pending.Clear();
        durable.Set(content);
        visible.Set(content);
    }

    /// <summary>
    /// Sector by sector, in any order, the unsynced writes reach the disk, do not, or are torn within their own range; the length is any
    /// that the file had since the last sync; what it grew by and nothing was written to is zeros or rubbish. Bytes of a sector which no
    /// write touched never change [JOURNAL-2].
    /// </summary>
    private void Survive(Prng prng)
    {
        if (pending.Count == 0)
            return;
        int oldLength = durable.Length;
        List<int> lengths = [oldLength];
        List<(int Offset, byte[] Bytes)> sectors = [];
        foreach (Change change in pending)
        {
            lengths.Add(Math.Max(lengths[^1], change.Offset + change.Bytes.Length));
            Split(change, sectors);
        }
        prng.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(sectors));
        // How much survives differs from crash to crash: all and nothing are as likely as each of three mixtures.
        int keptOf4 = prng.Below(5);
        int length = prng.Chance(1, 2) ? lengths[^1] : lengths[prng.Below(lengths.Count)];
        durable.Resize(length);
        if (length > oldLength && prng.Chance(1, 4))
            Fill(prng, durable.Span[oldLength..]);
        foreach ((int offset, byte[] bytes) in sectors)
        {
            if (offset + bytes.Length > durable.Length || !prng.Chance(keptOf4, 4))
                continue;
            int whole = prng.Chance(1, 8) ? prng.Below(bytes.Length + 1) : bytes.Length;
            Span<byte> target = durable.Span.Slice(offset, bytes.Length);
            bytes.AsSpan(0, whole).CopyTo(target);
            if (prng.Chance(1, 2))
                Fill(prng, target[whole..]);
        }
        pending.Clear();
    }

    private static void Split(Change change, List<(int, byte[])> sectors)
    {
        (int offset, byte[] bytes) = change;
        for (int at = 0; at < bytes.Length;)
        {
            int count = Math.Min(bytes.Length - at, SectorBytes - (offset + at) % SectorBytes);
            sectors.Add((offset + at, bytes[at..(at + count)]));
            at += count;
        }
    }

    private static void Fill(Prng prng, Span<byte> bytes)
    {
        foreach (ref byte b in bytes)
            b = (byte)prng.NextUInt64();
    }

    private static void Apply(GrowingBytes content, Change change)
    {
        int end = change.Offset + change.Bytes.Length;
        if (end > content.Length)
            content.Resize(end);
        change.Bytes.CopyTo(content.Span[change.Offset..]);
    }

    /// <summary>Bytes with a length; what it grows by is zero.</summary>
    private sealed class GrowingBytes
    {
        private byte[] bytes = [];

        public int Length { get; private set; }

        public Span<byte> Span => bytes.AsSpan(0, Length);

        public void Set(ReadOnlySpan<byte> content)
        {
            Resize(content.Length);
            content.CopyTo(Span);
        }

        public void Resize(int length)
        {
            if (length > bytes.Length)
                Array.Resize(ref bytes, Math.Max(length, 2 * bytes.Length));
            if (length < Length)
                bytes.AsSpan(length, Length - length).Clear();
            Length = length;
        }
    }
}
