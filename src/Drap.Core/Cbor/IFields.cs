using System.Collections.Immutable;

namespace Drap.Core.Cbor;

/// <summary>
/// A walk over the fields of a record, written once per record (<see cref="IShape{T}"/>) and run in every direction: a writer sends
/// the values that it is given, a reader gives back those that it finds, others describe the fields or make values up. Each method
/// takes the field's key, the property's name, the present value and what is allowed, and returns the value that holds after it.
/// Keys are 1 to 23, called in ascending order, and never reused. An optional field is left out at its default.
/// </summary>
public interface IFields
{
    /// <summary>Whether values come out of the walk, so that a record must be made of them.</summary>
    bool Reads { get; }

    /// <summary>An integer that is always there.</summary>
    int Int(int key, string name, int value, int min, int max);

    /// <summary>An integer that is left out when it is <paramref name="absent"/>.</summary>
    int IntOr(int key, string name, int value, int absent, int min, int max);

    /// <summary>An integer that is always there.</summary>
    long Long(int key, string name, long value, long min, long max);

    /// <summary>An integer that is left out when it is <paramref name="absent"/>.</summary>
    long LongOr(int key, string name, long value, long absent, long min, long max);

    /// <summary>Sixty-four bits that are no quantity: a nonce, a hash. Always there.</summary>
    ulong Word(int key, string name, ulong value);

    /// <summary>A yes, or nothing.</summary>
    bool Flag(int key, string name, bool value);

    /// <summary>
    /// One of a numbered list that begins at 1 and ends with <paramref name="last"/>. A higher number comes from a newer sender: it is
    /// read as <paramref name="unknown"/>, or, when that is 0, the message is refused as not understood.
    /// </summary>
    TEnum Enum<TEnum>(int key, string name, TEnum value, TEnum last, TEnum unknown)
        where TEnum : struct, Enum;

    /// <summary>A duration in whole microseconds, 0 (left out) to <see cref="CborLimits.DurationMax"/>; a longer one is written as that.</summary>
    TimeSpan Duration(int key, string name, TimeSpan value);

    /// <summary>A duration that may be left unsaid; zero is written.</summary>
    TimeSpan? DurationOrNull(int key, string name, TimeSpan? value);

    /// <summary>A price from 0 (left out) to <see cref="Core.Price.LimitMax"/>.</summary>
    Price Price(int key, string name, Price value);

    /// <summary>An amount of money from 0 (left out) to <see cref="Core.Credits.LimitMax"/>.</summary>
    Credits Credits(int key, string name, Credits value);

    /// <summary>A UUID, 16 bytes in network order. Always there.</summary>
    Guid Uuid(int key, string name, Guid value);

    /// <summary>A node or a scheduler as a role. Always there.</summary>
    PeerId Peer(int key, string name, PeerId value);

    /// <summary>The name of a blob. Always there.</summary>
    Cid Cid(int key, string name, Cid value);

    /// <summary>A text of 1 to <paramref name="bytesMax"/> bytes of UTF-8. Always there.</summary>
    string Text(int key, string name, string value, int bytesMax);

    /// <summary>A text of at most <paramref name="bytesMax"/> bytes of UTF-8; left out when empty.</summary>
    string TextOrEmpty(int key, string name, string value, int bytesMax);

    /// <summary>A text of at most <paramref name="bytesMax"/> bytes of UTF-8 that may be left unsaid.</summary>
    string? TextOrNull(int key, string name, string? value, int bytesMax);

    /// <summary>At most <paramref name="bytesMax"/> bytes; left out when there are none.</summary>
    ImmutableArray<byte> Bytes(int key, string name, ImmutableArray<byte> value, int bytesMax);

    /// <summary>At most <paramref name="countMax"/> integers; left out when there are none.</summary>
    ImmutableArray<int> Ints(int key, string name, ImmutableArray<int> value, int countMax, int min, int max);

    /// <summary>At most <paramref name="countMax"/> texts; left out when there are none.</summary>
    ImmutableArray<string> Texts(int key, string name, ImmutableArray<string> value, int countMax, int bytesMax);

    /// <summary>
    /// One attempt. Within a list of records it is written against the attempt of the record before; so a record holds at most one
    /// field of this kind, and no newer version adds a second.
    /// </summary>
    AttemptId Attempt(int key, string name, AttemptId value);

    /// <summary>At most <paramref name="countMax"/> attempts, each written against the one before; left out when there are none.</summary>
    ImmutableArray<AttemptId> Attempts(int key, string name, ImmutableArray<AttemptId> value, int countMax);

    /// <summary>A record within the record. Always there.</summary>
    T Record<T, TShape>(int key, string name, T value)
        where TShape : struct, IShape<T>;

    /// <summary>A record within the record that may be left out.</summary>
    T? RecordOrNull<T, TShape>(int key, string name, T? value)
        where T : class
        where TShape : struct, IShape<T>;

    /// <summary>At most <paramref name="countMax"/> records; left out when there are none.</summary>
    ImmutableArray<T> List<T, TShape>(int key, string name, ImmutableArray<T> value, int countMax)
        where TShape : struct, IShape<T>;

    /// <summary>Refuses the record unless <paramref name="ok"/>; <paramref name="rule"/> says what is allowed, as the end of a sentence.</summary>
    void Check(bool ok, string name, string rule);
}

/// <summary>How a record travels: its fields, their keys and their limits, in one walk.</summary>
public interface IShape<T>
{
    /// <summary>A value to begin reading with; its members are never used, but a record must exist.</summary>
    static abstract T Blank { get; }

    /// <summary>Walks the fields of <paramref name="value"/>; returns a new record of what was read when <see cref="IFields.Reads"/>, else the same.</summary>
    static abstract T Walk<TFields>(scoped ref TFields f, T value)
        where TFields : IFields, allows ref struct;
}
