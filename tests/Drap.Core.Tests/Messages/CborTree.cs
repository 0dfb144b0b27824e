using System.Formats.Cbor;
using Xunit;

namespace Drap.Core.Tests.Messages;

/// <summary>
/// CBOR by the framework's own reader and writer, as lists, maps and values: an opinion about our bytes that is not ours, and a way to
/// change a frame where we please.
/// </summary>
internal static class CborTree
{
    public static object? Read(ReadOnlyMemory<byte> frame)
    {
        var reader = new CborReader(frame, CborConformanceMode.Ctap2Canonical);
        object? tree = Read(reader);
        Assert.Equal(0, reader.BytesRemaining);
        return tree;
    }

    public static byte[] Write(object? tree, CborConformanceMode mode = CborConformanceMode.Canonical)
    {
        var writer = new CborWriter(mode);
        Write(writer, tree);
        return writer.Encode();
    }

    /// <summary>Every map of a tree, with the path to it.</summary>
    public static IEnumerable<SortedDictionary<long, object?>> Maps(object? tree)
    {
        switch (tree)
        {
            case SortedDictionary<long, object?> map:
                yield return map;
                foreach (SortedDictionary<long, object?> inner in map.Values.SelectMany(Maps))
                    yield return inner;
                break;
            case List<object?> list:
                foreach (SortedDictionary<long, object?> inner in list.SelectMany(Maps))
                    yield return inner;
                break;
        }
    }

    private static object? Read(CborReader reader)
    {
        switch (reader.PeekState())
        {
            case CborReaderState.UnsignedInteger: return reader.ReadUInt64();
            case CborReaderState.NegativeInteger: return reader.ReadInt64();
            case CborReaderState.ByteString: return reader.ReadByteString();
            case CborReaderState.TextString: return reader.ReadTextString();
            case CborReaderState.Boolean: return reader.ReadBoolean();
            case CborReaderState.StartArray:
                var list = new List<object?>();
                for (int left = reader.ReadStartArray()!.Value; left > 0; left--)
                    list.Add(Read(reader));
                reader.ReadEndArray();
                return list;
            case CborReaderState.StartMap:
                var map = new SortedDictionary<long, object?>();
                for (int left = reader.ReadStartMap()!.Value; left > 0; left--)
                    map.Add(reader.ReadInt64(), Read(reader));
                reader.ReadEndMap();
                return map;
            case CborReaderState state:
                throw new InvalidOperationException(state.ToString());
        }
    }

    private static void Write(CborWriter writer, object? tree)
    {
        switch (tree)
        {
            case ulong value: writer.WriteUInt64(value); break;
            case long value: writer.WriteInt64(value); break;
            case int value: writer.WriteInt32(value); break;
            case double value: writer.WriteDouble(value); break;
            case byte[] value: writer.WriteByteString(value); break;
            case string value: writer.WriteTextString(value); break;
            case bool value: writer.WriteBoolean(value); break;
            case null: writer.WriteNull(); break;
            case DateTimeOffset value: writer.WriteDateTimeOffset(value); break;
            case List<object?> list:
                writer.WriteStartArray(list.Count);
                list.ForEach(item => Write(writer, item));
                writer.WriteEndArray();
                break;
            case SortedDictionary<long, object?> map:
                writer.WriteStartMap(map.Count);
                foreach ((long key, object? value) in map)
                {
                    writer.WriteInt64(key);
                    Write(writer, value);
                }
                writer.WriteEndMap();
                break;
            case Dictionary<string, object?> map:
                writer.WriteStartMap(map.Count);
                foreach ((string key, object? value) in map)
                {
                    writer.WriteTextString(key);
                    Write(writer, value);
                }
                writer.WriteEndMap();
                break;
            default: throw new InvalidOperationException(tree.GetType().Name);
        }
    }
}
