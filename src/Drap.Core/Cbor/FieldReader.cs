using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Drap.Core.Cbor;

/// <summary>
/// Reads records from deterministic CBOR that anybody may have sent. It never throws: after the first fault it finds nothing any more
/// and <see cref="Error"/> says what was wrong. Fields that the walk does not ask for are skipped. Counts and lengths are held against
/// the bytes that remain before anything is allocated for them.
/// </summary>
public ref struct FieldReader : IFields
{
    private const int NoKey = int.MaxValue;

    private readonly ReadOnlySpan<byte> frame;
    private int at;
    private int pairs;
    private int next = NoKey;
    private AttemptId before;
    private CodecError error;

    /// <summary>A reader of <paramref name="frame"/>.</summary>
    public FieldReader(ReadOnlySpan<byte> frame) => this.frame = frame;

    /// <summary>Whether a fault was found.</summary>
    public readonly bool Failed => error.Fault != CodecFault.None;

    /// <summary>The first fault.</summary>
    public readonly CodecError Error => error;

    /// <inheritdoc/>
    public readonly bool Reads => true;

    /// <summary>Begins an array that must have <paramref name="count"/> items.</summary>
    public void ReadArray(int count)
    {
        int found = Count("", count);
        if (!Failed && found != count)
            Fail(new CodecError(CodecFault.OutOfRange, "", at, count, count));
    }

    /// <summary>Reads an integer.</summary>
    public long ReadInt(string name, long min, long max)
    {
        int start = at;
        if (!TryHead(name, out CborType type, out ulong argument))
            return 0;
        if (type is not (CborType.Unsigned or CborType.Negative))
            return Fail(new CodecError(CodecFault.WrongType, name, start));
        long value = type == CborType.Unsigned ? (long)argument : ~(long)argument;
        if (argument > long.MaxValue || value < min || value > max)
            return Fail(new CodecError(CodecFault.OutOfRange, name, start, min, max));
        return value;
    }

    /// <summary>Begins a map; give the result to <see cref="CloseMap"/>.</summary>
    public (int Pairs, int Next) OpenMap(string name)
    {
        (int, int) outer = (pairs, next);
        int start = at;
        if (!TryHead(name, out CborType type, out ulong argument))
            return outer;
        // Each pair takes two bytes at least.
        if (type != CborType.Map)
            Fail(new CodecError(CodecFault.WrongType, name, start));
        else if (argument > (ulong)(frame.Length - at) / 2)
            Fail(new CodecError(CodecFault.Truncated, name, start));
        else
            FirstKey(name, (int)argument);
        return outer;
    }

    /// <summary>Skips what nobody asked for and goes back to the map around.</summary>
    public void CloseMap((int Pairs, int Next) outer)
    {
        while (next != NoKey)
            SkipPair();
        if (!Failed)
            (pairs, next) = outer;
    }

    /// <summary>Reads a record from a map.</summary>
    public T ReadRecord<T, TShape>(string name)
        where TShape : struct, IShape<T>
    {
        (int, int) outer = OpenMap(name);
        if (Failed)
            return TShape.Blank;
        T value = TShape.Walk(ref this, TShape.Blank);
        CloseMap(outer);
        return value;
    }

    /// <summary>Says that everything must have been read.</summary>
    public void ReadEnd()
    {
        if (!Failed && at != frame.Length)
            Fail(new CodecError(CodecFault.TrailingBytes, "", at));
    }

    /// <inheritdoc/>
    public int Int(int key, string name, int value, int min, int max) => (int)Long(key, name, value, min, max);

    /// <inheritdoc/>
    public int IntOr(int key, string name, int value, int absent, int min, int max) => (int)LongOr(key, name, value, absent, min, max);

    /// <inheritdoc/>
    public long Long(int key, string name, long value, long min, long max)
    {
        if (!Has(key, name))
            return 0;
        long read = ReadInt(name, min, max);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public long LongOr(int key, string name, long value, long absent, long min, long max)
    {
        if (!Has(key))
            return absent;
        long read = ReadInt(name, min, max);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public ulong Word(int key, string name, ulong value)
    {
        if (!Has(key, name))
            return 0;
        ulong read = Argument(CborType.Unsigned, name);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public bool Flag(int key, string name, bool value)
    {
        if (!Has(key))
            return false;
        int start = at;
        ulong read = Argument(CborType.Simple, name);
        // False is what an absent flag says, but is no other message.
        if (!Failed && read is not (CborHead.True or CborHead.True - 1))
            Fail(new CodecError(CodecFault.WrongType, name, start));
        NextKey(name);
        return read == CborHead.True;
    }

    /// <inheritdoc/>
    public TEnum Enum<TEnum>(int key, string name, TEnum value, TEnum last, TEnum unknown)
        where TEnum : struct, Enum
    {
        if (!Has(key, name))
            return default;
        int start = at;
        int read = (int)ReadInt(name, 1, int.MaxValue);
        int known = Unsafe.BitCast<TEnum, int>(last);
        if (read > known)
        {
            read = Unsafe.BitCast<TEnum, int>(unknown);
            if (read == 0)
                Fail(new CodecError(CodecFault.UnknownValue, name, start, 1, known));
        }
        NextKey(name);
        return Unsafe.BitCast<int, TEnum>(read);
    }

    /// <inheritdoc/>
    public TimeSpan Duration(int key, string name, TimeSpan value) => DurationOrNull(key, name, value) ?? TimeSpan.Zero;

    /// <inheritdoc/>
    public TimeSpan? DurationOrNull(int key, string name, TimeSpan? value)
    {
        if (!Has(key))
            return null;
        long read = ReadInt(name, 0, CborLimits.DurationMax.Ticks / TimeSpan.TicksPerMicrosecond);
        NextKey(name);
        return new TimeSpan(read * TimeSpan.TicksPerMicrosecond);
    }

    /// <inheritdoc/>
    public Price Price(int key, string name, Price value) => new(LongOr(key, name, 0, 0, 0, Core.Price.LimitMax.MicroPerHour));

    /// <inheritdoc/>
    public Credits Credits(int key, string name, Credits value) => new(LongOr(key, name, 0, 0, 0, Core.Credits.LimitMax.Micro));

    /// <inheritdoc/>
    public Guid Uuid(int key, string name, Guid value)
    {
        if (!Has(key, name))
            return default;
        Guid read = ReadUuid(name);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public PeerId Peer(int key, string name, PeerId value)
    {
        if (!Has(key, name))
            return default;
        int start = at;
        if (!PeerId.TryFromBytes(ReadString(CborType.Bytes, name, PeerId.BytesMax), out PeerId read))
            Fail(new CodecError(CodecFault.Malformed, name, start));
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public Cid Cid(int key, string name, Cid value)
    {
        if (!Has(key, name))
            return default;
        int start = at;
        if (!Drap.Cid.TryFromBytes(ReadString(CborType.Bytes, name, Drap.Cid.BytesLength), out Cid read))
            Fail(new CodecError(CodecFault.Malformed, name, start));
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public string Text(int key, string name, string value, int bytesMax)
    {
        string read = TextOrEmpty(key, name, value, bytesMax);
        if (read.Length == 0)
            Fail(new CodecError(CodecFault.Missing, name, at));
        return read;
    }

    /// <inheritdoc/>
    public string TextOrEmpty(int key, string name, string value, int bytesMax) => TextOrNull(key, name, value, bytesMax) ?? "";

    /// <inheritdoc/>
    public string? TextOrNull(int key, string name, string? value, int bytesMax)
    {
        if (!Has(key))
            return null;
        string read = ReadText(name, bytesMax);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public ImmutableArray<byte> Bytes(int key, string name, ImmutableArray<byte> value, int bytesMax)
    {
        if (!Has(key))
            return [];
        ImmutableArray<byte> read = [.. ReadString(CborType.Bytes, name, bytesMax)];
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public ImmutableArray<int> Ints(int key, string name, ImmutableArray<int> value, int countMax, int min, int max)
    {
        if (!Has(key))
            return [];
        int[] items = Items<int>(name, countMax);
        for (int i = 0; i < items.Length && !Failed; i++)
            items[i] = (int)ReadInt(name, min, max);
        return Finish(name, items);
    }

    /// <inheritdoc/>
    public ImmutableArray<string> Texts(int key, string name, ImmutableArray<string> value, int countMax, int bytesMax)
    {
        if (!Has(key))
            return [];
        string[] items = Items<string>(name, countMax);
        for (int i = 0; i < items.Length && !Failed; i++)
            items[i] = ReadText(name, bytesMax);
        return Finish(name, items);
    }

    /// <inheritdoc/>
    public AttemptId Attempt(int key, string name, AttemptId value)
    {
        if (!Has(key, name))
            return default;
        ReadAttempt(name);
        NextKey(name);
        return before;
    }

    /// <inheritdoc/>
    public ImmutableArray<AttemptId> Attempts(int key, string name, ImmutableArray<AttemptId> value, int countMax)
    {
        if (!Has(key))
            return [];
        AttemptId[] items = Items<AttemptId>(name, countMax);
        AttemptId outer = before;
        before = default;
        for (int i = 0; i < items.Length && !Failed; i++)
        {
            ReadAttempt(name);
            items[i] = before;
        }
        before = outer;
        return Finish(name, items);
    }

    /// <inheritdoc/>
    public T Record<T, TShape>(int key, string name, T value)
        where TShape : struct, IShape<T>
    {
        if (!Has(key, name))
            return TShape.Blank;
        T read = ReadRecord<T, TShape>(name);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public T? RecordOrNull<T, TShape>(int key, string name, T? value)
        where T : class
        where TShape : struct, IShape<T>
        => Has(key) ? Record<T, TShape>(key, name, TShape.Blank) : null;

    /// <inheritdoc/>
    public ImmutableArray<T> List<T, TShape>(int key, string name, ImmutableArray<T> value, int countMax)
        where TShape : struct, IShape<T>
    {
        if (!Has(key))
            return [];
        T[] items = Items<T>(name, countMax);
        AttemptId outer = before;
        before = default;
        for (int i = 0; i < items.Length && !Failed; i++)
            items[i] = ReadRecord<T, TShape>(name);
        before = outer;
        return Finish(name, items);
    }

    /// <inheritdoc/>
    public void Check(bool ok, string name, string rule)
    {
        if (!ok)
            Fail(new CodecError(CodecFault.Rule, name, at, Rule: rule));
    }

    private void ReadAttempt(string name)
    {
        int start = at;
        if (at < frame.Length && (CborType)(frame[at] >> 5) != CborType.Array)
        {
            Step(name, ReadInt(name, int.MinValue, int.MaxValue), 0, start);
            return;
        }
        if (Count(name, 3) == 3)
        {
            JobId job = new(ReadUuid(name));
            if (!Failed && job == before.Task.Job)
                Fail(new CodecError(CodecFault.NotDeterministic, name, start));
            before = new AttemptId(new TaskId(job, 0), new Fence(0));
            Step(name, ReadInt(name, 1, int.MaxValue), ReadInt(name, 1, long.MaxValue), start);
            return;
        }
        long number = ReadInt(name, int.MinValue, int.MaxValue);
        long fence = ReadInt(name, long.MinValue, long.MaxValue);
        if (!Failed && fence == 0)
            Fail(new CodecError(CodecFault.NotDeterministic, name, start));
        Step(name, number, fence, start);
    }

    private void Step(string name, long number, long fence, int start)
    {
        number += before.Task.Number;
        // Wraps for a hostile step, and what it wraps to is judged like any other value.
        var token = new Fence(unchecked(before.Fence.Value + fence));
        if (Failed)
            return;
        if (number is < 1 or > int.MaxValue)
            Fail(new CodecError(CodecFault.OutOfRange, name, start, 1, int.MaxValue));
        else if (!AttemptForm.IsValid(token))
            Fail(new CodecError(CodecFault.Rule, name, start, Rule: AttemptForm.FenceRule));
        else
            before = new AttemptId(new TaskId(before.Task.Job, (int)number), token);
    }

    private Guid ReadUuid(string name)
    {
        int start = at;
        ReadOnlySpan<byte> bytes = ReadString(CborType.Bytes, name, 16);
        if (bytes.Length == 16)
            return new Guid(bytes, bigEndian: true);
        Fail(new CodecError(CodecFault.Malformed, name, start));
        return default;
    }

    private string ReadText(string name, int bytesMax)
    {
        int start = at;
        ReadOnlySpan<byte> utf8 = ReadString(CborType.Text, name, bytesMax);
        if (utf8.IsEmpty)
            return "";
        if (Utf8.IsValid(utf8))
            return Encoding.UTF8.GetString(utf8);
        Fail(new CodecError(CodecFault.Malformed, name, start));
        return "";
    }

    private ReadOnlySpan<byte> ReadString(CborType type, string name, int bytesMax)
    {
        int start = at;
        ulong length = Argument(type, name);
        if (Failed)
            return default;
        if (length > (ulong)bytesMax)
            Fail(new CodecError(CodecFault.TooLong, name, start, 0, bytesMax));
        else if (length > (ulong)(frame.Length - at))
            Fail(new CodecError(CodecFault.Truncated, name, start));
        if (Failed)
            return default;
        ReadOnlySpan<byte> bytes = frame.Slice(at, (int)length);
        at += (int)length;
        return bytes;
    }

    private T[] Items<T>(string name, int countMax)
    {
        int count = Count(name, countMax);
        return count == 0 ? [] : new T[count];
    }

    private ImmutableArray<T> Finish<T>(string name, T[] items)
    {
        NextKey(name);
        return Failed ? [] : ImmutableCollectionsMarshal.AsImmutableArray(items);
    }

    private int Count(string name, int countMax)
    {
        int start = at;
        ulong count = Argument(CborType.Array, name);
        if (count > (ulong)countMax)
            return Fail(new CodecError(CodecFault.TooMany, name, start, 0, countMax));
        // Each item takes a byte at least.
        if (count > (ulong)(frame.Length - at))
            return Fail(new CodecError(CodecFault.Truncated, name, start));
        return (int)count;
    }

    private bool Has(int key, string name)
    {
        if (Has(key))
            return true;
        Fail(new CodecError(CodecFault.Missing, name, at));
        return false;
    }

    private bool Has(int key)
    {
        while (next < key)
            SkipPair();
        return next == key;
    }

    private void SkipPair()
    {
        Skip(0);
        NextKey("");
    }

    private void FirstKey(string name, int count)
    {
        pairs = count;
        next = -1;
        TakeKey(name);
    }

    private void NextKey(string name)
    {
        pairs--;
        TakeKey(name);
    }

    private void TakeKey(string name)
    {
        if (Failed || pairs == 0)
        {
            next = NoKey;
            return;
        }
        int start = at;
        int key = (int)ReadInt(name, 0, NoKey - 1);
        if (!Failed && key <= next)
            Fail(new CodecError(CodecFault.NotDeterministic, name, start));
        next = Failed ? NoKey : key;
    }

    private void Skip(int depth)
    {
        int start = at;
        if (depth > CborLimits.DepthMax)
        {
            Fail(new CodecError(CodecFault.TooDeep, "", start));
            return;
        }
        if (!TryHead("", out CborType type, out ulong argument))
            return;
        if (type is CborType.Bytes or CborType.Text)
        {
            if (argument > (ulong)(frame.Length - at))
                Fail(new CodecError(CodecFault.Truncated, "", start));
            else
                at += (int)argument;
            return;
        }
        ulong items = type switch
        {
            CborType.Array => argument,
            CborType.Map when argument <= int.MaxValue => argument * 2,
            CborType.Map => argument,
            CborType.Tag => 1,
            _ => 0,
        };
        // A count that is too large runs into the end of the frame, which is bounded.
        for (ulong i = 0; i < items && !Failed; i++)
            Skip(depth + 1);
    }

    private ulong Argument(CborType expected, string name)
    {
        int start = at;
        if (!TryHead(name, out CborType type, out ulong argument))
            return 0;
        if (type == expected)
            return argument;
        Fail(new CodecError(CodecFault.WrongType, name, start));
        return 0;
    }

    private bool TryHead(string name, out CborType type, out ulong argument)
    {
        type = default;
        argument = 0;
        if (Failed)
            return false;
        if (at >= frame.Length)
            return Fail(new CodecError(CodecFault.Truncated, name, at)) != 0;
        int initial = frame[at];
        type = (CborType)(initial >> 5);
        int info = initial & 31;
        if (info < 24)
        {
            at++;
            argument = (ulong)info;
            return true;
        }
        return TryArgument(name, info, type, out argument);
    }

    private bool TryArgument(string name, int info, CborType type, out ulong argument)
    {
        argument = 0;
        if (info > 27)
            return Fail(new CodecError(CodecFault.NotDeterministic, name, at)) != 0;
        int bytes = 1 << (info - 24);
        if (frame.Length - at - 1 < bytes)
            return Fail(new CodecError(CodecFault.Truncated, name, at)) != 0;
        ReadOnlySpan<byte> rest = frame[(at + 1)..];
        (argument, ulong least) = bytes switch
        {
            1 => (rest[0], 24UL),
            2 => (BinaryPrimitives.ReadUInt16BigEndian(rest), 1UL << 8),
            4 => (BinaryPrimitives.ReadUInt32BigEndian(rest), 1UL << 16),
            _ => (BinaryPrimitives.ReadUInt64BigEndian(rest), 1UL << 32),
        };
        // The argument of a float is its bits, not a number that could be shorter.
        if (argument < least && type != CborType.Simple)
            return Fail(new CodecError(CodecFault.NotDeterministic, name, at)) != 0;
        at += 1 + bytes;
        return true;
    }

    private int Fail(CodecError what)
    {
        if (!Failed)
            error = what;
        at = frame.Length;
        pairs = 0;
        next = NoKey;
        return 0;
    }
}
