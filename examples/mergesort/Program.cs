// The tasks of the merge sort, on records of 100 bytes as gensort -a lays them out: a key of 10 printable bytes, two spaces, the record's
// number in 32 hex digits, two spaces, 52 bytes of filler, CR LF. The order is that of LC_ALL=C sort: all bytes, unsigned.
using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

try
{
    switch (args)
    {
        case ["generate", var seed, var first, var count, var data, var declared]:
            Generate(ulong.Parse(seed, CultureInfo.InvariantCulture), Number(first), Number(count), data, declared);
            return 0;
        case ["split", var source, var bytes, .. var targets]:
            Split(source, Number(bytes), targets);
            return 0;
        case ["sort", var source, var target]:
            Sort(source, target);
            return 0;
        case ["merge", var folder, var target]:
            Merge(Sources(folder), target);
            return 0;
        case ["check", var sorted, var declared]:
            return Check(sorted, Sources(declared));
        default:
            Console.Error.WriteLine(
                "usage: mergesort generate SEED FIRST COUNT DATA DECLARED | split SOURCE BYTES TARGET... | sort SOURCE TARGET"
                + " | merge FOLDER TARGET | check SORTED FOLDER");
            return 2;
    }
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or InvalidDataException)
{
    Console.Error.WriteLine($"mergesort: {e.Message}");
    return 1;
}

static long Number(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

// Producers' outputs lie in a folder under their indices.
static string[] Sources(string folder)
{
    string[] files = Directory.GetFiles(folder);
    Array.Sort(files, StringComparer.Ordinal);
    return files;
}

static void Generate(ulong seed, long first, long count, string data, string declared)
{
    using var output = new RecordWriter(data);
    var sum = new Checksum();
    Span<byte> record = stackalloc byte[Record.Length];
    for (long number = first; number < first + count; number++)
    {
        Record.Make(seed, number, record);
        sum.Add(record);
        record.CopyTo(output.Next());
    }
    File.WriteAllText(declared, sum + "\n");
}

static void Split(string source, long bytes, string[] targets)
{
    using SafeFileHandle input = File.OpenHandle(source, options: FileOptions.SequentialScan);
    long length = Record.CheckedLength(input, source);
    bytes -= bytes % Record.Length;
    if (bytes <= 0 || length > bytes * targets.Length)
        throw new InvalidDataException($"{source} has {length} bytes; {targets.Length} parts of {bytes} hold less");
    byte[] buffer = new byte[1 << 20];
    long at = 0;
    foreach (string target in targets)
    {
        using SafeFileHandle output = File.OpenHandle(target, FileMode.Create, FileAccess.Write);
        for (long start = at, end = Math.Min(length, at + bytes); at < end;)
        {
            int read = RandomAccess.Read(input, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - at)), at);
            if (read == 0)
                throw new EndOfStreamException(source);
            RandomAccess.Write(output, buffer.AsSpan(0, read), at - start);
            at += read;
        }
    }
}

static void Sort(string source, string target)
{
    using var records = new Records(source);
    var keys = new Key[records.Count];
    for (int i = 0; i < keys.Length; i++)
        keys[i] = new Key(records[i], i);
    Array.Sort(keys);
    // The key holds 10 bytes; records that share them, few if any, are put in order by all of theirs.
    for (int start = 0, end; start < keys.Length; start = end)
    {
        for (end = start + 1; end < keys.Length && keys[end].SameAs(keys[start]); end++)
        {
        }
        if (end - start > 1)
            keys.AsSpan(start, end - start).Sort((a, b) => records[a.Index].SequenceCompareTo(records[b.Index]));
    }
    using var output = new RecordWriter(target);
    foreach (Key key in keys)
        records[key.Index].CopyTo(output.Next());
}

static void Merge(string[] sources, string target)
{
    RecordReader[] runs = [.. sources.Select(s => new RecordReader(s))];
    try
    {
        using var output = new RecordWriter(target);
        var tree = new LoserTree(runs);
        while (tree.Winner is { } run)
        {
            run.Current.CopyTo(output.Next());
            run.MoveNext();
            tree.Replay();
        }
    }
    finally
    {
        foreach (RecordReader run in runs)
            run.Dispose();
    }
}

static int Check(string sorted, string[] declared)
{
    var expected = new Checksum();
    foreach (string file in declared)
        expected.Add(Checksum.Parse(File.ReadAllText(file)));
    var found = new Checksum();
    byte[] last = new byte[Record.Length];
    using var run = new RecordReader(sorted);
    for (; run.HasCurrent; run.MoveNext())
    {
        if (found.Count > 0 && run.Current.SequenceCompareTo(last) < 0)
        {
            Console.Error.WriteLine($"record {found.Count} is smaller than the one before it");
            return 1;
        }
        found.Add(run.Current);
        run.Current.CopyTo(last);
    }
    Console.WriteLine($"declared {expected}, found {found}, in order");
    if (found.Equals(expected))
        return 0;
    Console.Error.WriteLine($"the records are not those that were generated: declared {expected}, found {found}");
    return 1;
}

/// <summary>The layout of a record.</summary>
static class Record
{
    public const int Length = 100;
    private const string hex = "0123456789ABCDEF";

    /// <summary>The record of a number: the same for a seed, whichever task makes it.</summary>
    public static void Make(ulong seed, long number, Span<byte> record)
    {
        ulong state = Mix(seed + 0x9E3779B97F4A7C15UL * (ulong)(number + 1));
        for (int i = 0; i < 10; i++)
        {
            if (i == 5)
                state = Mix(state);
            // 12 bits choose one of the 95 printable characters.
            record[i] = (byte)(' ' + (int)(((state >> (12 * (i % 5))) & 0xFFF) * 95 >> 12));
        }
        record[10..12].Fill((byte)' ');
        record[12..28].Fill((byte)'0');
        for (int i = 0; i < 16; i++)
            record[28 + i] = (byte)hex[(int)(number >> (60 - 4 * i)) & 15];
        record[44..46].Fill((byte)' ');
        for (int i = 0; i < 13; i++)
            record.Slice(46 + 4 * i, 4).Fill((byte)hex[(int)(state >> (4 * i)) & 15]);
        record[98] = (byte)'\r';
        record[99] = (byte)'\n';
    }

    /// <summary>The length of a file of whole records.</summary>
    public static long CheckedLength(SafeFileHandle file, string path)
    {
        long length = RandomAccess.GetLength(file);
        return length % Length == 0 ? length : throw new InvalidDataException($"{path} has {length} bytes, which are no whole records of {Length}");
    }

    /// <summary>The finalizer of SplitMix64.</summary>
    public static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBUL;
        return x ^ (x >> 31);
    }
}

/// <summary>The first 10 bytes of a record as integers that compare as the bytes do, and where the record is.</summary>
readonly struct Key(ReadOnlySpan<byte> record, int index) : IComparable<Key>
{
    private readonly ulong head = BinaryPrimitives.ReadUInt64BigEndian(record);
    private readonly ushort tail = BinaryPrimitives.ReadUInt16BigEndian(record[8..]);

    public int Index { get; } = index;

    public bool SameAs(Key other) => head == other.head && tail == other.tail;

    public int CompareTo(Key other) => head != other.head ? (head < other.head ? -1 : 1) : tail - other.tail;
}

/// <summary>Number and order-independent checksum of records: the sum of their hashes.</summary>
struct Checksum : IEquatable<Checksum>
{
    private ulong sum;

    public long Count { get; private set; }

    public static Checksum Parse(string text)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return words is [var count, "records", var hash]
            ? new Checksum { Count = long.Parse(count, CultureInfo.InvariantCulture), sum = ulong.Parse(hash, NumberStyles.HexNumber, CultureInfo.InvariantCulture) }
            : throw new FormatException($"'{text}' is no checksum");
    }

    public void Add(ReadOnlySpan<byte> record)
    {
        ulong hash = 0;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(record[..96]))
            hash = (ulong.RotateLeft(hash, 23) ^ word) * 0x9E3779B97F4A7C15UL;
        hash ^= BinaryPrimitives.ReadUInt32LittleEndian(record[96..]);
        sum += Record.Mix(hash);
        Count++;
    }

    public void Add(Checksum other)
    {
        sum += other.sum;
        Count += other.Count;
    }

    public readonly bool Equals(Checksum other) => Count == other.Count && sum == other.sum;

    public override readonly bool Equals(object? other) => other is Checksum checksum && Equals(checksum);

    public override readonly int GetHashCode() => sum.GetHashCode();

    public override readonly string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Count} records {sum:x16}");
}

/// <summary>A file of records in memory, once.</summary>
sealed unsafe class Records : IDisposable
{
    private readonly byte* bytes;

    public Records(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        long length = Record.CheckedLength(file, path);
        Count = checked((int)(length / Record.Length));
        bytes = (byte*)NativeMemory.Alloc((nuint)Math.Max(length, 1));
        for (long at = 0; at < length;)
        {
            int read = RandomAccess.Read(file, new Span<byte>(bytes + at, (int)Math.Min(length - at, 1 << 20)), at);
            at += read > 0 ? read : throw new EndOfStreamException(path);
        }
    }

    public int Count { get; }

    public ReadOnlySpan<byte> this[int index] => new(bytes + (long)index * Record.Length, Record.Length);

    public void Dispose() => NativeMemory.Free(bytes);
}

/// <summary>Reads a sorted run, a buffer at a time.</summary>
sealed class RecordReader : IDisposable
{
    // Small enough that 800 runs of a 100 GB sort stay within 200 MB, large enough that a read costs little beside its data.
    private const int bufferRecords = 2_560;
    private readonly byte[] buffer = new byte[bufferRecords * Record.Length];
    private readonly SafeFileHandle file;
    private readonly long length;
    private long fileAt;
    private int at, filled;

    public RecordReader(string path)
    {
        file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        length = Record.CheckedLength(file, path);
        Fill();
    }

    public bool HasCurrent => at < filled;

    public ReadOnlySpan<byte> Current => buffer.AsSpan(at, Record.Length);

    public Key Key => new(Current, 0);

    public void MoveNext()
    {
        at += Record.Length;
        if (at == filled)
            Fill();
    }

    public void Dispose() => file.Dispose();

    private void Fill()
    {
        at = 0;
        filled = 0;
        int wanted = (int)Math.Min(buffer.Length, length - fileAt);
        while (filled < wanted)
        {
            int read = RandomAccess.Read(file, buffer.AsSpan(filled, wanted - filled), fileAt + filled);
            filled += read > 0 ? read : throw new EndOfStreamException();
        }
        fileAt += wanted;
    }
}

/// <summary>Writes records through a buffer.</summary>
sealed class RecordWriter(string path) : IDisposable
{
    private readonly byte[] buffer = new byte[10_240 * Record.Length];
    private readonly SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
    private long fileAt;
    private int at;

    /// <summary>The place for the next record.</summary>
    public Span<byte> Next()
    {
        if (at == buffer.Length)
            Flush();
        at += Record.Length;
        return buffer.AsSpan(at - Record.Length, Record.Length);
    }

    public void Dispose()
    {
        Flush();
        file.Dispose();
    }

    private void Flush()
    {
        RandomAccess.Write(file, buffer.AsSpan(0, at), fileAt);
        fileAt += at;
        at = 0;
    }
}

/// <summary>Finds the run with the smallest record: a tournament in which each inner node keeps its loser, so that one path is played again.</summary>
sealed class LoserTree
{
    private readonly RecordReader[] runs;
    private readonly Key[] keys;
    private readonly int[] losers;
    private int winner;

    public LoserTree(RecordReader[] runs)
    {
        this.runs = runs;
        keys = new Key[runs.Length];
        losers = new int[Math.Max(runs.Length, 1)];
        for (int i = 0; i < runs.Length; i++)
            if (runs[i].HasCurrent)
                keys[i] = runs[i].Key;
        winner = runs.Length == 0 ? -1 : runs.Length == 1 ? 0 : Play(1);
    }

    /// <summary>The run with the smallest record; null if all are at their ends.</summary>
    public RecordReader? Winner => winner >= 0 && runs[winner].HasCurrent ? runs[winner] : null;

    /// <summary>The winner has moved on: who is it now?</summary>
    public void Replay()
    {
        int candidate = winner;
        if (runs[candidate].HasCurrent)
            keys[candidate] = runs[candidate].Key;
        for (int node = (candidate + runs.Length) / 2; node >= 1; node /= 2)
            if (Beats(losers[node], candidate))
                (losers[node], candidate) = (candidate, losers[node]);
        winner = candidate;
    }

    private int Play(int node)
    {
        if (node >= runs.Length)
            return node - runs.Length;
        int left = Play(2 * node), right = Play(2 * node + 1);
        bool leftWins = Beats(left, right);
        losers[node] = leftWins ? right : left;
        return leftWins ? left : right;
    }

    private bool Beats(int a, int b)
    {
        if (!runs[a].HasCurrent || !runs[b].HasCurrent)
            return runs[a].HasCurrent;
        int byKey = keys[a].CompareTo(keys[b]);
        return byKey != 0 ? byKey < 0 : runs[a].Current.SequenceCompareTo(runs[b].Current) < 0;
    }
}
