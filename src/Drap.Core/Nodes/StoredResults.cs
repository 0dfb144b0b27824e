using System.Diagnostics.CodeAnalysis;
using Drap.Core.Cbor;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>A result of the outbox as bytes, in the form of messages.</summary>
public static class StoredResults
{
    private const int BytesMax = MessageCodec.FrameBytesMax;

    /// <summary>Writes it.</summary>
    public static byte[] Write(StoredResult result)
    {
        using var writer = new FieldWriter(BytesMax);
        writer.WriteRecord<StoredResult, StoredResultShape>(result);
        if (!writer.TryFinish(out ReadOnlySpan<byte> bytes, out CodecError error))
            Invariant.Fail($"a result cannot be stored: {error}");
        return bytes.ToArray();
    }

    /// <summary>Reads it; false if it is cut or is something else.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out StoredResult? result)
    {
        var reader = new FieldReader(bytes);
        StoredResult read = reader.ReadRecord<StoredResult, StoredResultShape>("result");
        reader.ReadEnd();
        result = reader.Failed ? null : read;
        return !reader.Failed;
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
