using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Multiformats;

/// <summary>The parts of a <see cref="Multiaddr"/>, for a <c>foreach</c> that allocates nothing.</summary>
public struct MultiaddrComponents
{
    private readonly byte[] bytes;
    private int next;

    internal MultiaddrComponents(byte[] bytes) => this.bytes = bytes;

    /// <summary>The part that the walk is at.</summary>
    public MultiaddrComponent Current { get; private set; }

    /// <summary>This walk, from its start.</summary>
    public readonly MultiaddrComponents GetEnumerator() => new(bytes);

    /// <summary>Goes to the next part; false at the end.</summary>
    public bool MoveNext()
    {
        ReadOnlySpan<byte> rest = bytes.AsSpan(next);
        if (rest.IsEmpty)
            return false;
        Invariant.Check(TryTake(ref rest, out MultiaddrTable? row, out ReadOnlySpan<byte> value));
        int end = bytes.Length - rest.Length;
        Current = new MultiaddrComponent(row, bytes.AsMemory(end - value.Length, value.Length), next, end - next);
        next = end;
        return true;
    }

    internal static bool TryTake(ref ReadOnlySpan<byte> rest, [NotNullWhen(true)] out MultiaddrTable? row, out ReadOnlySpan<byte> value)
    {
        row = null;
        value = default;
        if (UnsignedVarint.TryRead(rest, out ulong code, out int read) != VarintStatus.Done || MultiaddrTable.Find(code) is not { } found)
            return false;
        rest = rest[read..];
        int size = found.Size;
        if (size == MultiaddrTable.Variable)
        {
            if (UnsignedVarint.TryRead(rest, out ulong length, out read) != VarintStatus.Done || length > Multiaddr.BytesMax)
                return false;
            rest = rest[read..];
            size = (int)length;
        }
        if (rest.Length < size)
            return false;
        value = rest[..size];
        rest = rest[size..];
        row = found;
        return true;
    }
}

/// <summary>One part of a <see cref="Multiaddr"/>.</summary>
public readonly struct MultiaddrComponent
{
    private readonly MultiaddrTable row;

    internal MultiaddrComponent(MultiaddrTable row, ReadOnlyMemory<byte> value, int start, int length)
    {
        this.row = row;
        Value = value;
        Start = start;
        Length = length;
    }

    /// <summary>The protocol.</summary>
    public MultiaddrProtocol Protocol => row.Protocol;

    /// <summary>The protocol's name in text.</summary>
    public string Name => row.Name;

    /// <summary>The value's bytes; empty for a protocol that has none.</summary>
    public ReadOnlyMemory<byte> Value { get; }

    /// <summary>The value as text: an address, a port, a name, a peer id, a path with its slash.</summary>
    public string ValueText => row.ToText(Value.Span);

    internal int Start { get; }

    internal int Length { get; }
}
