using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using Drap.Core.Cbor;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>Results of the outbox as bytes, each in the form of messages with its length before it.</summary>
public static class StoredResults
{
    private const int BytesMax = MessageCodec.FrameBytesMax;

    /// <summary>The length: 32 bits, little-endian.</summary>
    private const int LengthBytes = sizeof(uint);

    /// <summary>Writes them.</summary>
    public static byte[] WriteAll(IEnumerable<StoredResult> results)
    {
        var all = new ArrayBufferWriter<byte>();
        foreach (StoredResult result in results)
        {
            using var writer = new FieldWriter(BytesMax);
            writer.WriteRecord<StoredResult, StoredResultShape>(result);
            if (!writer.TryFinish(out ReadOnlySpan<byte> bytes, out CodecError error))
                Invariant.Fail($"a result cannot be stored: {error}");
            BinaryPrimitives.WriteUInt32LittleEndian(all.GetSpan(LengthBytes), (uint)bytes.Length);
            all.Advance(LengthBytes);
            all.Write(bytes);
        }
        return all.WrittenSpan.ToArray();
    }

    /// <summary>Reads them; those after the first that is cut or is something else are left out.</summary>
    public static ImmutableArray<StoredResult> ReadAll(ReadOnlySpan<byte> bytes)
    {
        var results = ImmutableArray.CreateBuilder<StoredResult>();
        while (bytes.Length >= LengthBytes && BinaryPrimitives.ReadUInt32LittleEndian(bytes) is var length && length <= bytes.Length - LengthBytes)
        {
            var reader = new FieldReader(bytes.Slice(LengthBytes, (int)length));
            StoredResult read = reader.ReadRecord<StoredResult, StoredResultShape>("result");
            reader.ReadEnd();
            if (reader.Failed)
                break;
            results.Add(read);
            bytes = bytes[(LengthBytes + (int)length)..];
        }
        return results.ToImmutable();
    }
}

internal readonly struct StoredResultShape : IShape<StoredResult>
{
    public static StoredResult Blank { get; } = new(default, default, Price.Zero, default, AttemptResultShape.Blank);

    public static StoredResult Walk<TFields>(scoped ref TFields f, StoredResult m)
        where TFields : IFields, allows ref struct
    {
        PeerId scheduler = f.Peer(1, nameof(m.Scheduler), m.Scheduler);
        var principal = new Principal(f.Text(2, nameof(m.Principal), m.Principal.Name, CborLimits.NameBytes));
        Price price = f.Price(3, nameof(m.Price), m.Price);
        UtcTime ended = SchedulerRecords.Utc(4, ref f, m.Ended);
        AttemptResult result = f.Record<AttemptResult, AttemptResultShape>(5, nameof(m.Result), m.Result);
        return !f.Reads ? m : new StoredResult(scheduler, principal, price, ended, result);
    }
}
