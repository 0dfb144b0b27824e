using System.Buffers.Binary;
using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Journal;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Node.Time;

namespace Drap.Node.Evidences;

/// <summary>Receipts of one name, added up over all times.</summary>
/// <param name="Name">Who owes, or who is owed.</param>
/// <param name="Attempts">Attempts that were billed.</param>
/// <param name="Amount">For how much together.</param>
public readonly record struct ReceiptTotal(string Name, long Attempts, Credits Amount);

/// <summary>
/// Signed messages on disk: each record a statement with the messages that it names. Bounded: of two files of 8 MiB the older goes, and what its receipts added up to is carried over. Records are written, not synced: a
/// dead machine loses the last ones, a dead process none; one that was cut is passed over, with what follows it. A file that cannot be written costs evidence and nothing else. Thread-safe.
/// </summary>
internal sealed class EvidenceLog : IDisposable
{
    /// <summary>Bytes of a file before another is begun.</summary>
    public const int FileBytesMax = 8 << 20;

    private const byte TotalsKind = 1, SignedKind = 2;

    private const int HeadBytes = 8;

    private readonly string file, older;
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, ReceiptTotal> totals = new(StringComparer.Ordinal);
    private FileStream? stream;

    /// <summary>Opens a folder's, and reads what is there.</summary>
    public EvidenceLog(string folder)
    {
        (file, older) = FilesOf(folder);
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            long end = Read(file, Take);
            stream = new FileStream(file, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.Read, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            stream.SetLength(end);
            stream.Position = end;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            stream = null;
        }
    }

    /// <summary>What receipts in a folder add up to; also while another process writes there.</summary>
    public static ImmutableArray<ReceiptTotal> Totals(string folder)
    {
        var sums = new SortedDictionary<string, ReceiptTotal>(StringComparer.Ordinal);
        Read(FilesOf(folder).File, record => Take(record, sums));
        return [.. sums.Values];
    }

    /// <summary>What the receipts that are kept have charged, oldest first.</summary>
    public ImmutableArray<PastCharge> Charges()
    {
        var charges = ImmutableArray.CreateBuilder<PastCharge>();
        lock (gate)
            foreach (string one in (string[])[older, file])
                Read(one, record =>
                {
                    if (record.Kind == SignedKind)
                        foreach (Receipt receipt in record.Receipts)
                            foreach (ReceiptEntry entry in receipt.Entries)
                                charges.Add(new PastCharge(receipt.Principal, entry.Attempt, entry.Amount, record.At));
                });
        return charges.ToImmutable();
    }

    /// <summary>Keeps signed messages.</summary>
    /// <param name="peer">Whose they are, or to whom they went.</param>
    /// <param name="name">By whom a receipt among them is counted.</param>
    /// <param name="envelope">The statement.</param>
    /// <param name="frames">What it names.</param>
    /// <param name="receipt">The receipt among them, if one is.</param>
    public void Add(PeerId peer, string name, ImmutableArray<byte> envelope, IReadOnlyList<byte[]> frames, Receipt? receipt)
    {
        using var body = new MemoryStream();
        using (var writer = new BinaryWriter(body, System.Text.Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(SignedKind);
            writer.Write(BootClock.UtcNow.Milliseconds);
            writer.Write(receipt is null ? "" : name);
            Put(writer, peer.Bytes);
            Put(writer, envelope.AsSpan());
            writer.Write(frames.Count);
            foreach (byte[] frame in frames)
                Put(writer, frame);
        }
        lock (gate)
        {
            Write(body.GetBuffer().AsSpan(0, (int)body.Length));
            if (receipt is not null)
                Count(totals, name, [receipt]);
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            stream?.Dispose();
            stream = null;
        }
    }

    private static (string File, string Older) FilesOf(string folder) => (Path.Combine(folder, "signed"), Path.Combine(folder, "signed.older"));

    private void Write(ReadOnlySpan<byte> body)
    {
        try
        {
            if (stream is { Position: > FileBytesMax })
                Rotate();
            Append(body);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The disk is full, or the folder gone: this record is lost, and a part of it is passed over by who reads.
        }
    }

    private void Rotate()
    {
        stream!.Dispose();
        File.Move(file, older, overwrite: true);
        stream = new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.Read, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        using var body = new MemoryStream();
        using (var writer = new BinaryWriter(body, System.Text.Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(TotalsKind);
            writer.Write(totals.Count);
            foreach (ReceiptTotal total in totals.Values)
            {
                writer.Write(total.Name);
                writer.Write(total.Attempts);
                writer.Write(total.Amount.Micro);
            }
        }
        Append(body.GetBuffer().AsSpan(0, (int)body.Length));
    }

    private void Append(ReadOnlySpan<byte> body)
    {
        if (stream is null)
            return;
        byte[] record = new byte[HeadBytes + body.Length];
        BinaryPrimitives.WriteInt32LittleEndian(record, body.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), Crc32C.Compute(body));
        body.CopyTo(record.AsSpan(HeadBytes));
        stream.Write(record);
    }

    private void Take(Record record) => Take(record, totals);

    private static void Take(Record record, SortedDictionary<string, ReceiptTotal> sums)
    {
        if (record.Kind == TotalsKind)
            foreach (ReceiptTotal total in record.Totals)
                sums[total.Name] = total;
        else if (record.Name.Length > 0)
            Count(sums, record.Name, record.Receipts);
    }

    private static void Count(SortedDictionary<string, ReceiptTotal> sums, string name, IEnumerable<Receipt> receipts)
    {
        ReceiptTotal total = sums.GetValueOrDefault(name, new ReceiptTotal(name, 0, Credits.Zero));
        foreach (Receipt receipt in receipts)
            foreach (ReceiptEntry entry in receipt.Entries)
                total = total with { Attempts = total.Attempts + 1, Amount = new Credits((long)Int128.Min((Int128)total.Amount.Micro + entry.Amount.Micro, long.MaxValue)) };
        sums[name] = total;
    }

    /// <summary>Reads a file's records up to the first that is not whole; where that is.</summary>
    private static long Read(string path, Action<Record> take)
    {
        if (!File.Exists(path))
            return 0;
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] head = new byte[HeadBytes];
        long end = 0;
        while (stream.ReadAtLeast(head, HeadBytes, throwOnEndOfStream: false) == HeadBytes && BinaryPrimitives.ReadInt32LittleEndian(head) is > 0 and <= FileBytesMax and var length)
        {
            byte[] body = new byte[length];
            if (stream.ReadAtLeast(body, length, throwOnEndOfStream: false) < length || Crc32C.Compute(body) != BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(4)))
                break;
            take(Record.Read(body));
            end = stream.Position;
        }
        return end;
    }

    private static void Put(BinaryWriter writer, ReadOnlySpan<byte> bytes)
    {
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }

    /// <summary>One record; its sum was right, so it is as it was written.</summary>
    private sealed record Record(byte Kind, UtcTime At, string Name, ImmutableArray<Receipt> Receipts, ImmutableArray<ReceiptTotal> Totals)
    {
        public static Record Read(byte[] body)
        {
            using var reader = new BinaryReader(new MemoryStream(body), System.Text.Encoding.UTF8);
            if (reader.ReadByte() == TotalsKind)
                return new Record(TotalsKind, default, "", [], [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => new ReceiptTotal(reader.ReadString(), reader.ReadInt64(), new Credits(reader.ReadInt64())))]);
            var at = new UtcTime(reader.ReadInt64());
            string name = reader.ReadString();
            _ = reader.ReadBytes(reader.ReadInt32());
            _ = reader.ReadBytes(reader.ReadInt32());
            var receipts = ImmutableArray.CreateBuilder<Receipt>();
            for (int left = reader.ReadInt32(); left > 0; left--)
                if (MessageCodec.TryDecode(reader.ReadBytes(reader.ReadInt32()), out Message? message, out _) && message is Receipt receipt)
                    receipts.Add(receipt);
            return new Record(SignedKind, at, name, receipts.ToImmutable(), []);
        }
    }
}
