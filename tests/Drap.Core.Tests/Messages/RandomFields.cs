using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Drap.Core.Cbor;
using Drap.Core.Messages;

namespace Drap.Core.Tests.Messages;

/// <summary>
/// Makes up a message: it "reads" values that are within the limits, often right at them. With <c>full</c> no value is its default and
/// no list empty, so that a property that a walk forgets shows.
/// </summary>
internal struct RandomFields(Prng prng, bool full) : IFields
{
    private readonly Prng prng = prng;

    /// <summary>Bytes that values at their limit may still take: a frame holds many such values, but not each of its values so.</summary>
    private readonly StrongBox<int> room = new(MessageCodec.FrameBytesMax / 2);
    private int depth;

    public readonly bool Reads => true;

    public static Message Make(MessageKind kind, Prng prng, bool full = false)
    {
        var fields = new RandomFields(prng, full);
        return MessageCodec.Walk(kind, ref fields, null);
    }

    public readonly int Int(int key, string name, int value, int min, int max) => (int)Long(key, name, value, min, max);

    public readonly int IntOr(int key, string name, int value, int absent, int min, int max) =>
        (int)LongOr(key, name, value, absent, min, max);

    public readonly long Long(int key, string name, long value, long min, long max) => LongOr(key, name, value, Math.Max(0, min), min, max);

    public readonly long LongOr(int key, string name, long value, long absent, long min, long max)
    {
        // References between values: a work that exists, a gang of whole devices.
        if (name == nameof(Assignment.Work))
            return full ? 1 : 0;
        long made = prng.Below(5) switch
        {
            0 => min,
            1 => max,
            2 => absent,
            3 => prng.Between(min, Math.Min(max, min + 300)),
            _ => min >= 0 ? prng.Between(min, min + (long)((ulong)(max - min) >> prng.Below(60))) : prng.Between(min, max),
        };
        if (name is nameof(GpuRequest.Count) && max == 1024)
            return 1;
        return full && (made == absent || made == 0) ? (max == absent ? max - 1 : absent + 1) : made;
    }

    public readonly ulong Word(int key, string name, ulong value) => prng.NextUInt64();

    public readonly bool Flag(int key, string name, bool value) => full || prng.Chance(1, 2);

    public readonly TEnum Enum<TEnum>(int key, string name, TEnum value, TEnum last, TEnum unknown)
        where TEnum : struct, Enum
        => Unsafe.BitCast<int, TEnum>(1 + prng.Below(Unsafe.BitCast<TEnum, int>(last)));

    public readonly TimeSpan Duration(int key, string name, TimeSpan value) =>
        !full && prng.Chance(1, 4) ? TimeSpan.Zero
        : prng.Chance(1, 8) ? CborLimits.DurationMax
        : TimeSpan.FromMicroseconds(prng.Between(1, 1L << prng.Below(50)));

    public readonly TimeSpan? DurationOrNull(int key, string name, TimeSpan? value) =>
        !full && prng.Chance(1, 2) ? null : Duration(key, name, TimeSpan.Zero);

    public readonly Price Price(int key, string name, Price value) => new(LongOr(key, name, 0, 0, 0, Core.Price.LimitMax.MicroPerHour));

    public readonly Credits Credits(int key, string name, Credits value) => new(LongOr(key, name, 0, 0, 0, Core.Credits.LimitMax.Micro));

    public readonly Guid Uuid(int key, string name, Guid value) => prng.NextUuid();

    public readonly PeerId Peer(int key, string name, PeerId value) => PeerId.FromEd25519(RandomBytes(32));

    public readonly Cid Cid(int key, string name, Cid value) =>
        Drap.Cid.FromDigest(prng.Chance(1, 2) ? CidCodec.Raw : CidCodec.DagPb, RandomBytes(32));

    public readonly string Text(int key, string name, string value, int bytesMax) => RandomText(1, bytesMax);

    public readonly string TextOrEmpty(int key, string name, string value, int bytesMax) => RandomText(full ? 1 : 0, bytesMax);

    public readonly string? TextOrNull(int key, string name, string? value, int bytesMax) =>
        !full && prng.Chance(1, 2) ? null : RandomText(0, bytesMax);

    public readonly ImmutableArray<byte> Bytes(int key, string name, ImmutableArray<byte> value, int bytesMax) =>
        [.. RandomBytes(prng.Chance(1, 16) && HasRoom(bytesMax) ? bytesMax : Math.Min(bytesMax, prng.Below(100) + (full ? 1 : 0)))];

    public ImmutableArray<int> Ints(int key, string name, ImmutableArray<int> value, int countMax, int min, int max)
    {
        var fields = this;
        return Many(countMax, i => fields.Int(key, name, 0, min, max));
    }

    public ImmutableArray<string> Texts(int key, string name, ImmutableArray<string> value, int countMax, int bytesMax)
    {
        var fields = this;
        ImmutableArray<string> texts = Many(countMax, i => fields.RandomText(0, Math.Min(bytesMax, 40)));
        return texts.Sort(string.CompareOrdinal);
    }

    public readonly AttemptId Attempt(int key, string name, AttemptId value) => RandomAttempt(prng.NextUuid());

    public ImmutableArray<AttemptId> Attempts(int key, string name, ImmutableArray<AttemptId> value, int countMax)
    {
        var fields = this;
        Guid job = prng.NextUuid();
        AttemptId before = RandomAttempt(job);
        return Many(countMax, i => before = fields.prng.Below(4) switch
        {
            0 => fields.RandomAttempt(fields.prng.NextUuid()),
            1 => fields.RandomAttempt(before.Task.Job.Value),
            _ => before with { Task = before.Task with { Number = before.Task.Number % int.MaxValue + 1 } },
        });
    }

    public T Record<T, TShape>(int key, string name, T value)
        where TShape : struct, IShape<T>
    {
        depth++;
        T made = TShape.Walk(ref this, TShape.Blank);
        depth--;
        return made;
    }

    public T? RecordOrNull<T, TShape>(int key, string name, T? value)
        where T : class
        where TShape : struct, IShape<T>
        => full || prng.Chance(1, 2) ? Record<T, TShape>(key, name, TShape.Blank) : null;

    public ImmutableArray<T> List<T, TShape>(int key, string name, ImmutableArray<T> value, int countMax)
        where TShape : struct, IShape<T>
    {
        if (name == nameof(Confirm.Works))
            countMax = 2;
        RandomFields fields = this;
        fields.depth++;
        ImmutableArray<T> made = Many(name == nameof(Confirm.Works) ? -2 : countMax, i => TShape.Walk(ref fields, TShape.Blank));
        // What the records say to be ordered, and to be named once.
        return made switch
        {
            ImmutableArray<NamedAmount> named => (ImmutableArray<T>)(object)named.DistinctBy(n => n.Name)
                .OrderBy(n => n.Name, StringComparer.Ordinal).ToImmutableArray(),
            ImmutableArray<GpuDevice> gpus => (ImmutableArray<T>)(object)gpus.DistinctBy(g => g.Index).OrderBy(g => g.Index).ToImmutableArray(),
            ImmutableArray<TaskGroup> groups => (ImmutableArray<T>)(object)groups.DistinctBy(g => g.Id).ToImmutableArray(),
            ImmutableArray<OfferEntry> entries => (ImmutableArray<T>)(object)entries.Where(e => e.Count + e.Backlog > 0)
                .DistinctBy(e => e.Group).ToImmutableArray(),
            ImmutableArray<RefusalEntry> entries => (ImmutableArray<T>)(object)entries.DistinctBy(e => e.Group).ToImmutableArray(),
            _ => made,
        };
    }

    public readonly void Check(bool ok, string name, string rule)
    {
    }

    private readonly ImmutableArray<T> Many<T>(int countMax, Func<int, T> make)
    {
        int count = countMax < 0 ? -countMax
            : Math.Min(countMax, (full ? 1 : 0) + prng.Below(depth == 0 && prng.Chance(1, 8) ? 40 : 4));
        return [.. Enumerable.Range(0, count).Select(make)];
    }

    private readonly AttemptId RandomAttempt(Guid job) => new(
        new TaskId(new JobId(job), (int)prng.Between(1, prng.Chance(1, 4) ? int.MaxValue : 1000)),
        new Fence(new Epoch(prng.Chance(1, 4) ? CborLimits.EpochMax : prng.Between(0, 2_000_000_000_000)),
            (int)prng.Between(1, prng.Chance(1, 4) ? CborLimits.AttemptMax : 3)));

    private readonly bool HasRoom(int bytes)
    {
        if (bytes > room.Value)
            return false;
        room.Value -= bytes;
        return true;
    }

    private readonly byte[] RandomBytes(int count)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
            bytes[i] = (byte)prng.NextUInt64();
        return bytes;
    }

    private readonly string RandomText(int min, int bytesMax)
    {
        if (prng.Chance(1, 10) && HasRoom(bytesMax))
            return new string('x', bytesMax);
        string[] letters = ["a", "Z", "0", " ", "/", "\"", "\n", "é", "λ", "中", "🙂"];
        string text = min > 0 ? "a" : "";
        for (int left = prng.Below(12); left > 0; left--)
            text += letters[prng.Below(letters.Length)];
        return text;
    }
}
