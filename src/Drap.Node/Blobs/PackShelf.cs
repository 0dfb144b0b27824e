using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>
/// Small blobs in append-only pack files, so that a task's kilobyte costs one write and no file. A record is a header (magic,
/// state, codec, length, digest, CRC) and the bytes. A deleted record is marked in place; a pack of mostly dead records is copied
/// over and removed. The index is rebuilt from the headers at open. Thread-safe, except that <see cref="Compact"/> must run alone.
/// </summary>
internal sealed class PackShelf : IDisposable
{
    /// <summary>A pack that is this long is closed: copying one over stays cheap, and 64 MiB are checked in 40 ms after a crash.</summary>
    public const long PackBytesMax = 64L << 20;

    /// <summary>Longest record: a directory's node (below 1 MiB when kubo makes it), or a peer's block.</summary>
    public const int BlobBytesMax = Drap.Core.Transfer.UnixFs.BlockBytesMax;

    private const int HeaderBytes = 48, StateOffset = 4;
    private const uint Magic = 0x314b5044; // "DPK1"
    private const byte Live = 1, Dead = 0xdd;

    private readonly Lock gate = new();
    private readonly string folder;
    private readonly List<Pack> packs = [];
    private Pack active;

    /// <summary>Opens the packs in <paramref name="folder"/>; <paramref name="found"/> gets each live record and says whether it is new.</summary>
    public PackShelf(string folder, Func<PackedBlob, bool> found)
    {
        this.folder = folder;
        string clean = Path.Combine(folder, "clean");
        bool wasClosed = File.Exists(clean);
        File.Delete(clean);
        int[] numbers = [.. Directory.EnumerateFiles(folder, "*.pack")
            .Select(p => int.TryParse(Path.GetFileNameWithoutExtension(p), NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : -1)
            .Where(n => n >= 0).Order()];
        foreach (int number in numbers)
            packs.Add(new Pack(number, PathOf(number), File.OpenHandle(PathOf(number), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite)));
        for (int i = 0; i < packs.Count; i++)
            Scan(packs[i], isLast: i == packs.Count - 1, checkBytes: !wasClosed && i == packs.Count - 1, found);
        active = packs.Count > 0 && packs[^1].Length < PackBytesMax ? packs[^1] : AddPack();
    }

    /// <summary>Bytes of all packs, dead ones included.</summary>
    public long Bytes
    {
        get
        {
            lock (gate)
                return packs.Sum(p => p.Length);
        }
    }

    /// <summary>
    /// Appends a blob and hands the entry to <paramref name="publish"/> under the gate; where that says that the blob was there
    /// already, nothing is appended. Two callers with one blob are thus one after the other.
    /// </summary>
    public PackedBlob Append(Cid cid, ReadOnlySpan<byte> bytes, Func<Cid, PackedBlob?> existing, Action<PackedBlob> publish)
    {
        byte[] record = ArrayPool<byte>.Shared.Rent(HeaderBytes + bytes.Length);
        try
        {
            WriteHeader(record, cid, bytes.Length);
            bytes.CopyTo(record.AsSpan(HeaderBytes));
            lock (gate)
            {
                if (existing(cid) is { } there)
                    return there;
                if (active.Length >= PackBytesMax || active.IsBroken)
                    Seal();
                var blob = new PackedBlob(cid, bytes.Length, active, active.Length);
                WriteRecord(record.AsSpan(0, HeaderBytes + bytes.Length));
                active.Length += HeaderBytes + bytes.Length;
                publish(blob);
                return blob;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(record);
        }
    }

    /// <summary>Reads a blob; null where its bytes are not those of its name.</summary>
    public static byte[]? Read(PackedBlob blob)
    {
        var bytes = new byte[blob.Length];
        return FileCalls.Read(blob.Pack.Handle, bytes, blob.Offset + HeaderBytes) == bytes.Length
            && Cid.Of(blob.Cid.Codec, bytes) == blob.Cid ? bytes : null;
    }

    /// <summary>Returns when the blob is durable. Callers that come while one syncs share the next sync.</summary>
    public static void Sync(PackedBlob blob)
    {
        Pack pack = blob.Pack;
        lock (pack.SyncGate)
        {
            if (pack.IsBroken)
                throw new BlobStoreException($"{pack.Path} could not be synced earlier; blob {blob.Cid} cannot be promised to be durable");
            if (pack.Synced >= blob.Offset + HeaderBytes + blob.Length)
                return;
            SyncPack(pack);
        }
    }

    /// <summary>Marks a record as deleted.</summary>
    public void Delete(PackedBlob blob)
    {
        lock (gate)
        {
            FileCalls.Write(blob.Pack.Handle, [Dead], blob.Offset + StateOffset, blob.Pack.Path);
            blob.Pack.DeadBytes += HeaderBytes + blob.Length;
        }
    }

    /// <summary>
    /// Copies what lives out of packs that are at least half dead and removes them; <paramref name="moved"/> gets the new entries, <paramref name="lost"/> those whose bytes turn out to be bad.
    /// Nobody may read meanwhile.
    /// </summary>
    public void Compact(IEnumerable<PackedBlob> live, Action<PackedBlob> moved, Action<PackedBlob> lost)
    {
        lock (gate)
        {
            Pack[] wasteful = [.. packs.Where(p => p.Length > 0 && p.DeadBytes * 2 >= p.Length)];
            if (wasteful.Length == 0)
                return;
            if (wasteful.Contains(active))
                Seal();
            ILookup<Pack, PackedBlob> byPack = live.Where(b => wasteful.Contains(b.Pack)).ToLookup(b => b.Pack);
            foreach (Pack pack in wasteful)
            {
                foreach (PackedBlob blob in byPack[pack].OrderBy(b => b.Offset))
                {
                    if (Read(blob) is { } bytes)
                        moved(Append(blob.Cid, bytes, _ => null, _ => { }));
                    else
                        lost(blob);
                }
                // What was durable stays durable: the copy is on disk before the old pack goes.
                lock (active.SyncGate)
                    SyncPack(active);
                packs.Remove(pack);
                pack.Dispose();
                File.Delete(pack.Path);
            }
        }
    }

    /// <summary>Syncs, and leaves the mark that saves the next open its check.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            try
            {
                lock (active.SyncGate)
                    SyncPack(active);
                File.WriteAllBytes(Path.Combine(folder, "clean"), []);
            }
            catch (Exception e) when (e is BlobStoreException or IOException)
            {
                // Without the mark the next open checks what it finds.
            }
            foreach (Pack pack in packs)
                pack.Dispose();
        }
    }

    private void WriteRecord(ReadOnlySpan<byte> record)
    {
        try
        {
            FileCalls.Write(active.Handle, record, active.Length, active.Path);
        }
        catch
        {
            // Half a record must not stand behind the end, where a shorter one would leave its tail.
            RandomAccess.SetLength(active.Handle, active.Length);
            throw;
        }
    }

    private static void SyncPack(Pack pack)
    {
        long upTo = pack.Length;
        try
        {
            FileCalls.Sync(pack.Handle, pack.Path);
        }
        catch
        {
            pack.IsBroken = true;
            throw;
        }
        pack.Synced = upTo;
    }

    private void Seal()
    {
        lock (active.SyncGate)
        {
            if (!active.IsBroken)
                SyncPack(active);
        }
        active = AddPack();
    }

    private Pack AddPack()
    {
        int number = packs.Count == 0 ? 1 : packs[^1].Number + 1;
        string path = PathOf(number);
        SafeFileHandle handle = FileCalls.CreateNew(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        FileCalls.SyncFolder(folder);
        var pack = new Pack(number, path, handle);
        packs.Add(pack);
        return pack;
    }

    private string PathOf(int number) => Path.Combine(folder, number.ToString("D8", CultureInfo.InvariantCulture) + ".pack");

    /// <summary>Walks a pack's headers; cuts off what a crash tore in the last one, and there checks the bytes too.</summary>
    private void Scan(Pack pack, bool isLast, bool checkBytes, Func<PackedBlob, bool> found)
    {
        long end = RandomAccess.GetLength(pack.Handle), at = 0;
        byte[] window = new byte[1 << 20];
        long windowAt = 0;
        int windowLength = 0;
        var doomed = new List<PackedBlob>();
        while (at + HeaderBytes <= end)
        {
            if (at < windowAt || at + HeaderBytes > windowAt + windowLength)
            {
                windowAt = at;
                windowLength = FileCalls.Read(pack.Handle, window, at);
                if (windowLength < HeaderBytes)
                    break;
            }
            if (!TryReadHeader(window.AsSpan((int)(at - windowAt), HeaderBytes), out Cid cid, out int length, out bool isLive)
                || at + HeaderBytes + length > end)
                break;
            var blob = new PackedBlob(cid, length, pack, at);
            if (!isLive)
                pack.DeadBytes += HeaderBytes + length;
            else if (checkBytes && Read(blob) is null)
                doomed.Add(blob);
            else if (!found(blob))
                pack.DeadBytes += HeaderBytes + length; // a copy that a crash left during a compaction
            at += HeaderBytes + length;
        }
        // In a closed pack, whose tail was synced, a bad header is rot: what is behind it cannot be found and counts as dead.
        if (isLast)
            RandomAccess.SetLength(pack.Handle, at);
        else
            pack.DeadBytes += end - at;
        pack.Length = isLast ? at : end;
        foreach (PackedBlob blob in doomed)
            Delete(blob);
    }

    private static void WriteHeader(Span<byte> header, Cid cid, int length)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, Magic);
        header[StateOffset] = Live;
        header[5] = (byte)cid.Codec;
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], 0);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], length);
        cid.CopyDigest(header[12..]);
        BinaryPrimitives.WriteUInt32LittleEndian(header[44..], Crc(header));
    }

    private static bool TryReadHeader(ReadOnlySpan<byte> header, out Cid cid, out int length, out bool isLive)
    {
        cid = default;
        length = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        isLive = header[StateOffset] == Live;
        if (BinaryPrimitives.ReadUInt32LittleEndian(header) != Magic || length is < 0 or > BlobBytesMax
            || header[5] is not ((byte)CidCodec.Raw or (byte)CidCodec.DagPb)
            || BinaryPrimitives.ReadUInt32LittleEndian(header[44..]) != Crc(header))
            return false;
        cid = Cid.FromDigest((CidCodec)header[5], header.Slice(12, 32));
        return true;
    }

    /// <summary>CRC-32C over what never changes: codec, length and digest, not the state.</summary>
    private static uint Crc(ReadOnlySpan<byte> header)
    {
        uint crc = BitOperations.Crc32C(0xffffffff, header[5]);
        for (int i = 8; i < 44; i += 4)
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt32LittleEndian(header[i..]));
        return ~crc;
    }
}
