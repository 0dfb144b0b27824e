using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>
/// Which jobs need which blobs, kept in an append-only log of fixed records that is written anew when most of it is stale.
/// Synced only on request: who must not lose a pin at a power cut says so, or pins again from its own journal at the start.
/// </summary>
internal sealed class PinTable : IDisposable
{
    /// <summary>Most pins: more than this many would take over 200 MB of memory.</summary>
    public const int PinsMax = 2_000_000;

    /// <summary>operation 1, zero 3, job 16, CID 36, CRC-32C 4.</summary>
    private const int RecordBytes = 60;
    private const byte OperationPin = 1, OperationUnpin = 2, OperationUnpinAll = 3;

    private readonly Lock gate = new();
    private readonly Dictionary<JobId, HashSet<Cid>> pins = [];
    private readonly string path;
    private SafeFileHandle log;
    private int live;
    private long records;

    public PinTable(string path)
    {
        this.path = path;
        log = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        Load();
        try
        {
            Rewrite();
        }
        catch (BlobStoreFullException)
        {
            // A full disk: what there is is written on, without a tail that a crash tore.
            RandomAccess.SetLength(log, records * RecordBytes);
        }
    }

    public void Pin(JobId owner, Cid cid, bool durable)
    {
        lock (gate)
        {
            if (!pins.TryGetValue(owner, out HashSet<Cid>? of))
                pins.Add(owner, of = []);
            if (of.Contains(cid))
            {
                if (durable)
                    FileCalls.Sync(log, path);
                return;
            }
            if (live == PinsMax)
                throw new BlobStoreFullException($"{PinsMax} pins are the most; unpin jobs that have ended");
            Append(OperationPin, owner, cid);
            of.Add(cid);
            live++;
            if (durable)
                FileCalls.Sync(log, path);
        }
    }

    public void Unpin(JobId owner, Cid cid)
    {
        lock (gate)
        {
            if (!pins.TryGetValue(owner, out HashSet<Cid>? of) || !of.Contains(cid))
                return;
            Append(OperationUnpin, owner, cid);
            of.Remove(cid);
            live--;
            if (of.Count == 0)
                pins.Remove(owner);
        }
    }

    public void UnpinAll(JobId owner)
    {
        lock (gate)
        {
            if (!pins.ContainsKey(owner))
                return;
            Append(OperationUnpinAll, owner, default);
            pins.Remove(owner, out HashSet<Cid>? of);
            live -= of!.Count;
        }
    }

    public HashSet<Cid> All()
    {
        lock (gate)
            return [.. pins.Values.SelectMany(of => of)];
    }

    public ImmutableArray<Cid> Of(JobId owner)
    {
        lock (gate)
            return pins.TryGetValue(owner, out HashSet<Cid>? of) ? [.. of] : [];
    }

    public ImmutableArray<JobId> OwnersOf(Cid cid)
    {
        lock (gate)
            return [.. pins.Where(p => p.Value.Contains(cid)).Select(p => p.Key)];
    }

    public bool IsPinned(JobId owner, Cid cid)
    {
        lock (gate)
            return pins.TryGetValue(owner, out HashSet<Cid>? of) && of.Contains(cid);
    }

    /// <summary>Writes the log anew when less than half of it still counts.</summary>
    public void Tidy()
    {
        lock (gate)
        {
            if (records > (2L * live) + 1024)
                Rewrite();
        }
    }

    public void Dispose() => log.Dispose();

    private void Append(byte operation, JobId owner, Cid cid)
    {
        Span<byte> record = stackalloc byte[RecordBytes];
        Encode(record, operation, owner, cid);
        FileCalls.Write(log, record, records * RecordBytes, path);
        records++;
    }

    /// <summary>Takes records up to the first that is not whole: the tail that a crash tore.</summary>
    private void Load()
    {
        byte[] block = new byte[RecordBytes * 1024];
        for (long offset = 0; ;)
        {
            int have = FileCalls.Read(log, block, offset);
            for (int at = 0; at + RecordBytes <= have; at += RecordBytes)
            {
                if (!TryApply(block.AsSpan(at, RecordBytes)))
                    return;
                records++;
            }
            if (have < block.Length)
                return;
            offset += have;
        }
    }

    private bool TryApply(ReadOnlySpan<byte> record)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(record[56..]) != Crc(record[..56]))
            return false;
        var owner = new JobId(new Guid(record.Slice(4, 16), bigEndian: true));
        _ = Cid.TryFromBytes(record.Slice(20, 36), out Cid cid);
        if (record[0] == OperationPin)
        {
            if (!pins.TryGetValue(owner, out HashSet<Cid>? of))
                pins.Add(owner, of = []);
            live += of.Add(cid) ? 1 : 0;
        }
        else if (record[0] == OperationUnpin && pins.TryGetValue(owner, out HashSet<Cid>? of))
        {
            live -= of.Remove(cid) ? 1 : 0;
            if (of.Count == 0)
                pins.Remove(owner);
        }
        else if (record[0] == OperationUnpinAll && pins.Remove(owner, out HashSet<Cid>? all))
        {
            live -= all.Count;
        }
        return true;
    }

    private void Rewrite()
    {
        string tmp = path + ".new";
        File.Delete(tmp);
        SafeFileHandle fresh = FileCalls.CreateNew(tmp, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        try
        {
            byte[] bytes = new byte[live * RecordBytes];
            int at = 0;
            foreach ((JobId owner, HashSet<Cid> of) in pins)
            {
                foreach (Cid cid in of)
                {
                    Encode(bytes.AsSpan(at, RecordBytes), OperationPin, owner, cid);
                    at += RecordBytes;
                }
            }
            FileCalls.Write(fresh, bytes, 0, tmp);
            FileCalls.Sync(fresh, tmp);
            FileCalls.TryRename(tmp, path);
            FileCalls.SyncFolder(Path.GetDirectoryName(path)!);
        }
        catch
        {
            fresh.Dispose();
            File.Delete(tmp);
            throw;
        }
        log.Dispose();
        log = fresh;
        records = live;
    }

    private static void Encode(Span<byte> record, byte operation, JobId owner, Cid cid)
    {
        record.Clear();
        record[0] = operation;
        owner.Value.TryWriteBytes(record[4..], bigEndian: true, out _);
        if (!cid.IsNone)
            cid.CopyTo(record[20..]);
        BinaryPrimitives.WriteUInt32LittleEndian(record[56..], Crc(record[..56]));
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = 0xffffffff;
        for (; bytes.Length >= 8; bytes = bytes[8..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
