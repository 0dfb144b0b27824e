using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Drap.Core.Cbor;

/// <summary>
/// Reads records from deterministic CBOR that anybody may have sent. It never throws: after the first fault it finds nothing any more
/// and <see cref="Error"/> says what was wrong. Fields that the walk does not ask for are skipped. Counts and lengths are held against
/// the bytes that remain before anything is allocated for them.
/// </summary>
public ref struct FieldReader : IFields
{
    private const int NoKey = int.MaxValue;

    private CborCursor cursor;
    private int pairs;
    private int next = NoKey;
    private AttemptId before;

    /// <summary>A reader of <paramref name="frame"/>.</summary>
    public FieldReader(ReadOnlySpan<byte> frame) => cursor = new CborCursor(frame);

    /// <summary>Whether a fault was found.</summary>
    public readonly bool Failed => cursor.Failed;

    /// <summary>The first fault.</summary>
    public readonly CodecError Error => cursor.Error;

    /// <inheritdoc/>
    public readonly bool Reads => true;

    /// <summary>Begins an array that must have <paramref name="count"/> items.</summary>
    public void ReadArray(int count)
    {
        int found = cursor.Count("", count);
        if (!Failed && found != count)
            Fail(new CodecError(CodecFault.OutOfRange, "", cursor.At, count, count));
    }

    /// <summary>Reads an integer.</summary>
    public long ReadInt(string name, long min, long max) => cursor.Int(name, min, max);

    /// <summary>Begins a map; give the result to <see cref="CloseMap"/>.</summary>
    public (int Pairs, int Next) OpenMap(string name)
    {
        (int, int) outer = (pairs, next);
        int start = cursor.At;
        if (!cursor.TryHead(name, out CborType type, out ulong argument))
            return outer;
        // Each pair takes two bytes at least.
        if (type != CborType.Map)
            Fail(new CodecError(CodecFault.WrongType, name, start));
        else if (argument > (ulong)cursor.Left / 2)
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
    public void ReadEnd() => cursor.End();

    /// <inheritdoc/>
    public int Int(int key, string name, int value, int min, int max) => (int)Long(key, name, value, min, max);

    /// <inheritdoc/>
    public int IntOr(int key, string name, int value, int absent, int min, int max) => (int)LongOr(key, name, value, absent, min, max);

    /// <inheritdoc/>
    public long Long(int key, string name, long value, long min, long max)
    {
        if (!Has(key, name))
            return 0;
        long read = cursor.Int(name, min, max);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public long LongOr(int key, string name, long value, long absent, long min, long max)
    {
        if (!Has(key))
            return absent;
        long read = cursor.Int(name, min, max);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public ulong Word(int key, string name, ulong value)
    {
        if (!Has(key, name))
            return 0;
        ulong read = cursor.Argument(CborType.Unsigned, name);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public bool Flag(int key, string name, bool value)
    {
        if (!Has(key))
            return false;
        int start = cursor.At;
        ulong read = cursor.Argument(CborType.Simple, name);
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
        int start = cursor.At;
        int read = (int)cursor.Int(name, 1, int.MaxValue);
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
        long read = cursor.Int(name, 0, CborLimits.DurationMax.Ticks / TimeSpan.TicksPerMicrosecond);
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
        Guid read = cursor.Uuid(name);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public PeerId Peer(int key, string name, PeerId value)
    {
        if (!Has(key, name))
            return default;
        int start = cursor.At;
        if (!PeerId.TryFromBytes(cursor.String(CborType.Bytes, name, PeerId.BytesMax), out PeerId read))
            Fail(new CodecError(CodecFault.Malformed, name, start));
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public Cid Cid(int key, string name, Cid value)
    {
        if (!Has(key, name))
            return default;
        int start = cursor.At;
        if (!Drap.Cid.TryFromBytes(cursor.String(CborType.Bytes, name, Drap.Cid.BytesLength), out Cid read))
            Fail(new CodecError(CodecFault.Malformed, name, start));
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public string Text(int key, string name, string value, int bytesMax)
    {
        string read = TextOrEmpty(key, name, value, bytesMax);
        if (read.Length == 0)
            Fail(new CodecError(CodecFault.Missing, name, cursor.At));
        return read;
    }

    /// <inheritdoc/>
    public string TextOrEmpty(int key, string name, string value, int bytesMax) => TextOrNull(key, name, value, bytesMax) ?? "";

    /// <inheritdoc/>
    public string? TextOrNull(int key, string name, string? value, int bytesMax)
    {
        if (!Has(key))
            return null;
        string read = cursor.Text(name, bytesMax);
        NextKey(name);
        return read;
    }

    /// <inheritdoc/>
    public ImmutableArray<byte> Bytes(int key, string name, ImmutableArray<byte> value, int bytesMax)
    {
        if (!Has(key))
            return [];
        ImmutableArray<byte> read = [.. cursor.String(CborType.Bytes, name, bytesMax)];
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
            items[i] = (int)cursor.Int(name, min, max);
        return Finish(name, items);
    }

    /// <inheritdoc/>
    public ImmutableArray<string> Texts(int key, string name, ImmutableArray<string> value, int countMax, int bytesMax)
    {
        if (!Has(key))
            return [];
        string[] items = Items<string>(name, countMax);
        for (int i = 0; i < items.Length && !Failed; i++)
            items[i] = cursor.Text(name, bytesMax);
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
            Fail(new CodecError(CodecFault.Rule, name, cursor.At, Rule: rule));
    }

    private void ReadAttempt(string name)
    {
        int start = cursor.At;
        if (!cursor.NextMayBe(CborType.Array))
        {
            Step(name, cursor.Int(name, int.MinValue, int.MaxValue), 0, start);
            return;
        }
        if (cursor.Count(name, 3) == 3)
        {
            JobId job = new(cursor.Uuid(name));
            if (!Failed && job == before.Task.Job)
                Fail(new CodecError(CodecFault.NotDeterministic, name, start));
            before = new AttemptId(new TaskId(job, 0), new Fence(0));
            Step(name, cursor.Int(name, 1, int.MaxValue), cursor.Int(name, 1, long.MaxValue), start);
            return;
        }
        long number = cursor.Int(name, int.MinValue, int.MaxValue);
        long fence = cursor.Int(name, long.MinValue, long.MaxValue);
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

    private T[] Items<T>(string name, int countMax)
    {
        int count = cursor.Count(name, countMax);
        return count == 0 ? [] : new T[count];
    }

    private ImmutableArray<T> Finish<T>(string name, T[] items)
    {
        NextKey(name);
        return Failed ? [] : ImmutableCollectionsMarshal.AsImmutableArray(items);
    }

    private bool Has(int key, string name)
    {
        if (Has(key))
            return true;
        Fail(new CodecError(CodecFault.Missing, name, cursor.At));
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
        cursor.Skip(0);
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
        int start = cursor.At;
        int key = (int)cursor.Int(name, 0, NoKey - 1);
        if (!Failed && key <= next)
            Fail(new CodecError(CodecFault.NotDeterministic, name, start));
        next = Failed ? NoKey : key;
    }

    private void Fail(CodecError what)
    {
        cursor.Fail(what);
        next = NoKey;
    }
}
