using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;

namespace Drap.Core.Cbor;

/// <summary>
/// Writes records as deterministic CBOR (RFC 8949 §4.2) into a pooled buffer. It checks what a reader checks; after the first value
/// that is not allowed it goes on without effect and <see cref="TryFinish"/> says which. Dispose gives the buffer back.
/// </summary>
public ref struct FieldWriter : IFields
{
    private const int SizeAtStart = 1024;

    private readonly int bytesMax;
    private byte[] buffer;
    private int length;
    private int pairs;
    private AttemptId before;
    private CodecError error;

    /// <summary>A writer of at most <paramref name="bytesMax"/> bytes; more are <see cref="CodecFault.TooLong"/>.</summary>
    public FieldWriter(int bytesMax)
    {
        this.bytesMax = bytesMax;
        buffer = ArrayPool<byte>.Shared.Rent(Math.Min(SizeAtStart, bytesMax));
    }

    /// <summary>Whether a value was not allowed.</summary>
    public readonly bool Failed => error.Fault != CodecFault.None;

    /// <inheritdoc/>
    public readonly bool Reads => false;

    /// <summary>What was written, until the writer is disposed of or written to; or the first value that was not allowed.</summary>
    public bool TryFinish(out ReadOnlySpan<byte> written, out CodecError fault)
    {
        if (length > bytesMax)
            Fail(new CodecError(CodecFault.TooLong, "", length, 0, bytesMax));
        written = Failed ? default : buffer.AsSpan(0, length);
        fault = error;
        return !Failed;
    }

    /// <summary>Gives the buffer back.</summary>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
        length = 0;
    }

    /// <summary>Begins an array of <paramref name="count"/> items, which follow.</summary>
    public void WriteArray(int count) => Head(CborType.Array, (ulong)count);

    /// <summary>Writes an integer.</summary>
    public void WriteInt(long value)
    {
        if (value >= 0)
            Head(CborType.Unsigned, (ulong)value);
        else
            Head(CborType.Negative, (ulong)~value);
    }

    /// <summary>Begins a map whose fields a walk writes; give the result to <see cref="CloseMap"/>.</summary>
    public (int At, int Pairs) OpenMap()
    {
        Room(1);
        (int, int) outer = (length++, pairs);
        pairs = 0;
        return outer;
    }

    /// <summary>Ends the map that <paramref name="map"/> began.</summary>
    public void CloseMap((int At, int Pairs) map)
    {
        // Keys are 1 to 23, so the count of pairs always fits the one byte that was kept for it.
        if (!Failed)
            buffer[map.At] = (byte)((int)CborType.Map << 5 | pairs);
        pairs = map.Pairs;
    }

    /// <summary>Writes a record as a map.</summary>
    public void WriteRecord<T, TShape>(T value)
        where TShape : struct, IShape<T>
    {
        (int, int) map = OpenMap();
        TShape.Walk(ref this, value);
        CloseMap(map);
    }

    /// <inheritdoc/>
    public int Int(int key, string name, int value, int min, int max) => (int)Long(key, name, value, min, max);

    /// <inheritdoc/>
    public int IntOr(int key, string name, int value, int absent, int min, int max) =>
        value == absent ? value : (int)Long(key, name, value, min, max);

    /// <inheritdoc/>
    public long Long(int key, string name, long value, long min, long max)
    {
        if (value < min || value > max)
            Fail(new CodecError(CodecFault.OutOfRange, name, length, min, max));
        Key(key);
        WriteInt(value);
        return value;
    }

    /// <inheritdoc/>
    public long LongOr(int key, string name, long value, long absent, long min, long max) =>
        value == absent ? value : Long(key, name, value, min, max);

    /// <inheritdoc/>
    public ulong Word(int key, string name, ulong value)
    {
        Key(key);
        Head(CborType.Unsigned, value);
        return value;
    }

    /// <inheritdoc/>
    public bool Flag(int key, string name, bool value)
    {
        if (value)
        {
            Key(key);
            Head(CborType.Simple, CborHead.True);
        }
        return value;
    }

    /// <inheritdoc/>
    public TEnum Enum<TEnum>(int key, string name, TEnum value, TEnum last, TEnum unknown)
        where TEnum : struct, Enum
    {
        Long(key, name, Unsafe.BitCast<TEnum, int>(value), 1, Unsafe.BitCast<TEnum, int>(last));
        return value;
    }

    /// <inheritdoc/>
    public TimeSpan Duration(int key, string name, TimeSpan value)
    {
        if (value != TimeSpan.Zero)
            DurationOrNull(key, name, value);
        return value;
    }

    /// <inheritdoc/>
    public TimeSpan? DurationOrNull(int key, string name, TimeSpan? value)
    {
        if (value is not { } span)
            return null;
        long max = CborLimits.DurationMax.Ticks / TimeSpan.TicksPerMicrosecond;
        // A negative tick must not round to an allowed zero.
        long microseconds = span < TimeSpan.Zero ? -1 : span.Ticks / TimeSpan.TicksPerMicrosecond;
        Long(key, name, Math.Min(microseconds, max), 0, max);
        return value;
    }

    /// <inheritdoc/>
    public Price Price(int key, string name, Price value)
    {
        LongOr(key, name, value.MicroPerHour, 0, 0, Core.Price.LimitMax.MicroPerHour);
        return value;
    }

    /// <inheritdoc/>
    public Credits Credits(int key, string name, Credits value)
    {
        LongOr(key, name, value.Micro, 0, 0, Core.Credits.LimitMax.Micro);
        return value;
    }

    /// <inheritdoc/>
    public Guid Uuid(int key, string name, Guid value)
    {
        Key(key);
        PutUuid(value);
        return value;
    }

    /// <inheritdoc/>
    public PeerId Peer(int key, string name, PeerId value)
    {
        if (value.Bytes.IsEmpty)
            Fail(new CodecError(CodecFault.Missing, name, length));
        Key(key);
        PutString(CborType.Bytes, value.Bytes);
        return value;
    }

    /// <inheritdoc/>
    public Cid Cid(int key, string name, Cid value)
    {
        if (value.IsNone)
            Fail(new CodecError(CodecFault.Missing, name, length));
        Key(key);
        Head(CborType.Bytes, Drap.Cid.BytesLength);
        Room(Drap.Cid.BytesLength);
        value.CopyTo(buffer.AsSpan(length));
        length += Drap.Cid.BytesLength;
        return value;
    }

    /// <inheritdoc/>
    public string Text(int key, string name, string value, int bytesMax)
    {
        if (string.IsNullOrEmpty(value))
            Fail(new CodecError(CodecFault.Missing, name, length));
        Key(key);
        PutText(name, value, bytesMax);
        return value;
    }

    /// <inheritdoc/>
    public string TextOrEmpty(int key, string name, string value, int bytesMax) =>
        string.IsNullOrEmpty(value) ? value : Text(key, name, value, bytesMax);

    /// <inheritdoc/>
    public string? TextOrNull(int key, string name, string? value, int bytesMax)
    {
        if (value is null)
            return value;
        Key(key);
        PutText(name, value, bytesMax);
        return value;
    }

    /// <inheritdoc/>
    public ImmutableArray<byte> Bytes(int key, string name, ImmutableArray<byte> value, int bytesMax)
    {
        if (value.IsDefaultOrEmpty)
            return value;
        if (value.Length > bytesMax)
            Fail(new CodecError(CodecFault.TooLong, name, length, 0, bytesMax));
        Key(key);
        PutString(CborType.Bytes, value.AsSpan());
        return value;
    }

    /// <inheritdoc/>
    public ImmutableArray<int> Ints(int key, string name, ImmutableArray<int> value, int countMax, int min, int max)
    {
        if (!List(key, name, value.IsDefault ? 0 : value.Length, countMax))
            return value;
        foreach (int item in value)
        {
            if (item < min || item > max)
                Fail(new CodecError(CodecFault.OutOfRange, name, length, min, max));
            WriteInt(item);
        }
        return value;
    }

    /// <inheritdoc/>
    public ImmutableArray<string> Texts(int key, string name, ImmutableArray<string> value, int countMax, int bytesMax)
    {
        if (!List(key, name, value.IsDefault ? 0 : value.Length, countMax))
            return value;
        foreach (string item in value)
            PutText(name, item, bytesMax);
        return value;
    }

    /// <inheritdoc/>
    public AttemptId Attempt(int key, string name, AttemptId value)
    {
        Key(key);
        PutAttempt(name, value);
        return value;
    }

    /// <inheritdoc/>
    public ImmutableArray<AttemptId> Attempts(int key, string name, ImmutableArray<AttemptId> value, int countMax)
    {
        if (!List(key, name, value.IsDefault ? 0 : value.Length, countMax))
            return value;
        AttemptId outer = before;
        before = default;
        foreach (ref readonly AttemptId attempt in value.AsSpan())
            PutAttempt(name, attempt);
        before = outer;
        return value;
    }

    /// <inheritdoc/>
    public T Record<T, TShape>(int key, string name, T value)
        where TShape : struct, IShape<T>
    {
        Key(key);
        WriteRecord<T, TShape>(value);
        return value;
    }

    /// <inheritdoc/>
    public T? RecordOrNull<T, TShape>(int key, string name, T? value)
        where T : class
        where TShape : struct, IShape<T>
        => value is null ? null : Record<T, TShape>(key, name, value);

    /// <inheritdoc/>
    public ImmutableArray<T> List<T, TShape>(int key, string name, ImmutableArray<T> value, int countMax)
        where TShape : struct, IShape<T>
    {
        if (!List(key, name, value.IsDefault ? 0 : value.Length, countMax))
            return value;
        AttemptId outer = before;
        before = default;
        for (int i = 0; i < value.Length && !Failed; i++)
            WriteRecord<T, TShape>(value[i]);
        before = outer;
        return value;
    }

    /// <inheritdoc/>
    public void Check(bool ok, string name, string rule)
    {
        if (!ok)
            Fail(new CodecError(CodecFault.Rule, name, length, Rule: rule));
    }

    private void PutAttempt(string name, in AttemptId attempt)
    {
        if (attempt.Task.Number < 1)
            Fail(new CodecError(CodecFault.OutOfRange, name, length, 1, int.MaxValue));
        if (!AttemptForm.IsValid(attempt.Fence))
            Fail(new CodecError(CodecFault.Rule, name, length, Rule: AttemptForm.FenceRule));
        int step = attempt.Task.Number - before.Task.Number;
        if (attempt.Task.Job != before.Task.Job)
        {
            WriteArray(3);
            PutUuid(attempt.Task.Job.Value);
            WriteInt(attempt.Task.Number);
            WriteInt(attempt.Fence.Value);
        }
        else if (attempt.Fence != before.Fence)
        {
            WriteArray(2);
            WriteInt(step);
            WriteInt(attempt.Fence.Value - before.Fence.Value);
        }
        else
        {
            WriteInt(step);
        }
        before = attempt;
    }

    private void PutUuid(Guid value)
    {
        Head(CborType.Bytes, 16);
        Room(16);
        value.TryWriteBytes(buffer.AsSpan(length), bigEndian: true, out _);
        length += 16;
    }

    private void PutText(string name, string? value, int bytesMax)
    {
        value ??= "";
        int bytes = Encoding.UTF8.GetByteCount(value);
        if (bytes > bytesMax)
        {
            Fail(new CodecError(CodecFault.TooLong, name, length, 0, bytesMax));
            return;
        }
        Head(CborType.Text, (ulong)bytes);
        Room(bytes);
        length += Encoding.UTF8.GetBytes(value, buffer.AsSpan(length));
    }

    private void PutString(CborType type, ReadOnlySpan<byte> bytes)
    {
        if (Failed)
            return;
        Head(type, (ulong)bytes.Length);
        Room(bytes.Length);
        if (Failed)
            return;
        bytes.CopyTo(buffer.AsSpan(length));
        length += bytes.Length;
    }

    private bool List(int key, string name, int count, int countMax)
    {
        if (count == 0)
            return false;
        if (count > countMax)
            Fail(new CodecError(CodecFault.TooMany, name, length, 0, countMax));
        Key(key);
        WriteArray(count);
        return !Failed;
    }

    private void Key(int key)
    {
        Room(1);
        buffer[length++] = (byte)key;
        pairs++;
    }

    private void Head(CborType type, ulong value)
    {
        Room(CborHead.BytesMax);
        int major = (int)type << 5;
        if (value < 24)
        {
            buffer[length++] = (byte)(major | (int)value);
        }
        else if (value <= byte.MaxValue)
        {
            buffer[length] = (byte)(major | 24);
            buffer[length + 1] = (byte)value;
            length += 2;
        }
        else if (value <= ushort.MaxValue)
        {
            buffer[length] = (byte)(major | 25);
            BinaryPrimitives.WriteUInt16BigEndian(buffer.AsSpan(length + 1), (ushort)value);
            length += 3;
        }
        else if (value <= uint.MaxValue)
        {
            buffer[length] = (byte)(major | 26);
            BinaryPrimitives.WriteUInt32BigEndian(buffer.AsSpan(length + 1), (uint)value);
            length += 5;
        }
        else
        {
            buffer[length] = (byte)(major | 27);
            BinaryPrimitives.WriteUInt64BigEndian(buffer.AsSpan(length + 1), value);
            length += 9;
        }
    }

    private void Room(int bytes)
    {
        if (buffer.Length - length < bytes)
            Grow(bytes);
    }

    private void Grow(int bytes)
    {
        int needed = length + bytes;
        // A head asks for more room than it may use: the last few bytes before the limit are judged when all is written.
        if (needed > bytesMax + CborHead.BytesMax)
            Fail(new CodecError(CodecFault.TooLong, "", length, 0, bytesMax));
        if (Failed)
            length = 0;
        if (buffer.Length - length >= bytes)
            return;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, buffer.Length * 2));
        buffer.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }

    private void Fail(CodecError what)
    {
        if (!Failed)
            error = what;
    }
}
