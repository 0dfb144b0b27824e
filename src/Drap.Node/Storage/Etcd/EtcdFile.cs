using System.Collections.Immutable;
using Drap.Core.Journal;

namespace Drap.Node.Storage.Etcd;

/// <summary>A file, as the pieces that are in etcd and those that wait for a sync.</summary>
internal sealed class EtcdFile(EtcdJournalStorage storage, string name, string id, ImmutableArray<EtcdPiece> found) : IJournalFile
{
    /// <summary>Pieces that are read at once: at most 8 MiB.</summary>
    private const int PiecesRead = 8;

    private readonly List<EtcdPiece> pieces = [.. found];
    private readonly List<(EtcdPiece Piece, byte[] Bytes)> pending = [];
    private readonly Dictionary<EtcdPiece, byte[]> read = [];

    public string Path => storage.PathOf(name);

    public long Length { get; private set; } = found.IsEmpty ? 0 : found.Max(p => p.End);

    public int Read(long offset, Span<byte> buffer)
    {
        int done = 0;
        while (done < buffer.Length && offset + done < Length)
        {
            long at = offset + done;
            int index = pieces.BinarySearch(new EtcdPiece(at, 0));
            EtcdPiece piece = pieces[Math.Max(0, index >= 0 ? index : ~index - 1)];
            if (at < piece.Offset || at >= piece.End)
                throw new JournalCorruptException(Path, at, "a piece of the file is missing");
            ReadOnlySpan<byte> rest = Bytes(piece).AsSpan((int)(at - piece.Offset));
            rest = rest[..Math.Min(rest.Length, buffer.Length - done)];
            rest.CopyTo(buffer[done..]);
            done += rest.Length;
        }
        return done;
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var piece = new EtcdPiece(offset, Math.Min(bytes.Length, EtcdJournalStorage.StepBytesMax));
            int index = ~pieces.BinarySearch(piece);
            Invariant.Check(index >= 0 && (index == 0 || pieces[index - 1].End <= piece.Offset) && (index == pieces.Count || piece.End <= pieces[index].Offset));
            pieces.Insert(index, piece);
            pending.Add((piece, bytes[..piece.Length].ToArray()));
            Length = Math.Max(Length, piece.End);
            offset = piece.End;
            bytes = bytes[piece.Length..];
        }
    }

    public void Sync()
    {
        for (int done = 0; done < pending.Count;)
        {
            var step = new List<EtcdWrite>();
            for (int bytes = 0; done < pending.Count && step.Count < EtcdJournalStorage.StepWritesMax && bytes + pending[done].Piece.Length <= EtcdJournalStorage.StepBytesMax; done++)
            {
                bytes += pending[done].Piece.Length;
                step.Add(new EtcdWrite.Put(storage.Prefix(id) + pending[done].Piece.Key, pending[done].Bytes));
            }
            storage.Step(step);
        }
        pending.Clear();
    }

    public void Dispose()
    {
    }

    private byte[] Bytes(EtcdPiece piece)
    {
        int waits = pending.FindIndex(p => p.Piece == piece);
        if (waits >= 0)
            return pending[waits].Bytes;
        if (!read.TryGetValue(piece, out byte[]? bytes))
        {
            // Read from end to end, each piece once: what was read before is not wanted again.
            read.Clear();
            string prefix = storage.Prefix(id);
            foreach (EtcdEntry entry in storage.Range(prefix + piece.Key, EtcdJournalStorage.After(prefix), PiecesRead))
                read[EtcdPiece.Parse(entry.Key[prefix.Length..])] = entry.Value;
            if (!read.TryGetValue(piece, out bytes) || bytes.Length != piece.Length)
                throw new JournalCorruptException(Path, piece.Offset, "a piece of the file is missing, or is not as long as it was written");
        }
        return bytes;
    }
}
