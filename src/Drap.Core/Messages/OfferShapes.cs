using System.Collections.Immutable;
using Drap.Core.Cbor;

namespace Drap.Core.Messages;

internal readonly struct OfferShape : IShape<Offer>
{
    public static Offer Blank { get; } = new() { Id = default, Ad = default, Entries = [], Valid = TimeSpan.Zero };

    public static Offer Walk<TFields>(scoped ref TFields f, Offer m)
        where TFields : IFields, allows ref struct
    {
        var id = new OfferId(f.Uuid(1, nameof(m.Id), m.Id.Value));
        var ad = new AdId(f.Uuid(2, nameof(m.Ad), m.Ad.Value));
        var entries = OfferEntryShape.WalkList(ref f, 3, nameof(m.Entries), m.Entries);
        TimeSpan valid = f.Duration(4, nameof(m.Valid), m.Valid);
        int discountFrom = f.IntOr(5, nameof(m.DiscountFrom), m.DiscountFrom, 0, 0, CborLimits.CountMax);
        int discountPermille = f.IntOr(6, nameof(m.DiscountPermille), m.DiscountPermille, 0, 0, 1000);
        return !f.Reads ? m : new Offer
        {
            Id = id, Ad = ad, Entries = entries, Valid = valid, DiscountFrom = discountFrom, DiscountPermille = discountPermille,
        };
    }
}

internal readonly struct OfferEntryShape : IShape<OfferEntry>
{
    public static OfferEntry Blank { get; } = new() { Group = 0, Count = 1, Ask = Price.Zero };

    public static OfferEntry Walk<TFields>(scoped ref TFields f, OfferEntry m)
        where TFields : IFields, allows ref struct
    {
        int group = f.Int(1, nameof(m.Group), m.Group, 0, int.MaxValue);
        int count = f.Int(2, nameof(m.Count), m.Count, 0, CborLimits.CountMax);
        int backlog = f.IntOr(3, nameof(m.Backlog), m.Backlog, 0, 0, CborLimits.CountMax);
        Price ask = f.Price(4, nameof(m.Ask), m.Ask);
        bool firm = f.Flag(5, nameof(m.Firm), m.Firm);
        TimeSpan start = f.Duration(6, nameof(m.Start), m.Start);
        TimeSpan guaranteed = f.Duration(7, nameof(m.Guaranteed), m.Guaranteed);
        TimeSpan measured = f.Duration(8, nameof(m.Measured), m.Measured);
        f.Check(count > 0 || backlog > 0, nameof(m.Count), "more than 0, or backlog is");
        return !f.Reads ? m : new OfferEntry
        {
            Group = group, Count = count, Backlog = backlog, Ask = ask, Firm = firm, Start = start, Guaranteed = guaranteed,
            Measured = measured,
        };
    }

    public static ImmutableArray<OfferEntry> WalkList<TFields>(scoped ref TFields f, int key, string name, ImmutableArray<OfferEntry> value)
        where TFields : IFields, allows ref struct
    {
        var entries = f.List<OfferEntry, OfferEntryShape>(key, name, value, Ad.GroupsMax);
        f.Check(GroupsOnce.Holds(entries, static e => e.Group), name, GroupsOnce.Rule);
        return entries;
    }
}

internal readonly struct RefusalShape : IShape<Refusal>
{
    public static Refusal Blank { get; } = new(default, []);

    public static Refusal Walk<TFields>(scoped ref TFields f, Refusal m)
        where TFields : IFields, allows ref struct
    {
        var ad = new AdId(f.Uuid(1, nameof(m.Ad), m.Ad.Value));
        var entries = RefusalEntryShape.WalkList(ref f, 2, nameof(m.Entries), m.Entries);
        return !f.Reads ? m : new Refusal(ad, entries);
    }
}

internal readonly struct RefusalEntryShape : IShape<RefusalEntry>
{
    public static RefusalEntry Blank { get; } = new(0, RefusalReason.Busy, [], Price.Zero, "");

    public static RefusalEntry Walk<TFields>(scoped ref TFields f, RefusalEntry m)
        where TFields : IFields, allows ref struct
    {
        int group = f.Int(1, nameof(m.Group), m.Group, 0, int.MaxValue);
        // Any reason that is not known here means "not now, and the detail says why" to who must plan without this worker.
        RefusalReason reason = f.Enum(2, nameof(m.Reason), m.Reason, RefusalReason.Quota, RefusalReason.Degraded);
        var shortages = f.List<Shortage, ShortageShape>(3, nameof(m.Shortages), m.Shortages, MessageLimits.Shortages);
        Price ask = f.Price(4, nameof(m.Ask), m.Ask);
        string detail = f.TextOrEmpty(5, nameof(m.Detail), m.Detail, CborLimits.TextBytes);
        return !f.Reads ? m : new RefusalEntry(group, reason, shortages, ask, detail);
    }

    public static ImmutableArray<RefusalEntry> WalkList<TFields>(scoped ref TFields f, int key, string name, ImmutableArray<RefusalEntry> value)
        where TFields : IFields, allows ref struct
    {
        var entries = f.List<RefusalEntry, RefusalEntryShape>(key, name, value, Ad.GroupsMax);
        f.Check(GroupsOnce.Holds(entries, static e => e.Group), name, GroupsOnce.Rule);
        return entries;
    }
}

internal readonly struct QuoteShape : IShape<Quote>
{
    public static Quote Blank { get; } = new(default, [], []);

    public static Quote Walk<TFields>(scoped ref TFields f, Quote m)
        where TFields : IFields, allows ref struct
    {
        var ad = new AdId(f.Uuid(1, nameof(m.Ad), m.Ad.Value));
        var entries = OfferEntryShape.WalkList(ref f, 2, nameof(m.Entries), m.Entries);
        var refusals = RefusalEntryShape.WalkList(ref f, 3, nameof(m.Refusals), m.Refusals);
        return !f.Reads ? m : new Quote(ad, entries, refusals);
    }
}

internal readonly struct ExtendShape : IShape<Extend>
{
    public static Extend Blank { get; } = new(default, TimeSpan.Zero);

    public static Extend Walk<TFields>(scoped ref TFields f, Extend m)
        where TFields : IFields, allows ref struct
    {
        var offer = new OfferId(f.Uuid(1, nameof(m.Offer), m.Offer.Value));
        TimeSpan span = f.Duration(2, nameof(m.For), m.For);
        return !f.Reads ? m : new Extend(offer, span);
    }
}
