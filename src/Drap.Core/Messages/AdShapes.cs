using System.Collections.Immutable;
using Drap.Core.Cbor;
using Drap.Core.Membership;

namespace Drap.Core.Messages;

internal readonly struct AdShape : IShape<Ad>
{
    public static Ad Blank { get; } = new()
    {
        Id = default, Scheduler = default, Principal = default, Epoch = default, Sequence = 0, Groups = [],
    };

    public static Ad Walk<TFields>(scoped ref TFields f, Ad m)
        where TFields : IFields, allows ref struct
    {
        var id = new AdId(f.Uuid(1, nameof(m.Id), m.Id.Value));
        PeerId scheduler = f.Peer(2, nameof(m.Scheduler), m.Scheduler);
        var principal = new Principal(f.Text(3, nameof(m.Principal), m.Principal.Name, CborLimits.NameBytes));
        var epoch = new Epoch(f.Long(4, nameof(m.Epoch), m.Epoch.Value, 0, CborLimits.EpochMax));
        long sequence = f.Long(5, nameof(m.Sequence), m.Sequence, 0, long.MaxValue);
        int audience = f.IntOr(6, nameof(m.Audience), m.Audience, 0, 0, int.MaxValue);
        int answerPermille = f.IntOr(7, nameof(m.AnswerPermille), m.AnswerPermille, 1000, 0, 1000);
        TimeSpan stands = f.Duration(8, nameof(m.Stands), m.Stands);
        TimeSpan window = f.Duration(9, nameof(m.Window), m.Window);
        bool quoteOnly = f.Flag(10, nameof(m.QuoteOnly), m.QuoteOnly);
        var groups = f.List<TaskGroup, TaskGroupShape>(11, nameof(m.Groups), m.Groups, Ad.GroupsMax);
        f.Check(GroupsOnce.Holds(groups, static g => g.Id), nameof(m.Groups), GroupsOnce.Rule);
        ImmutableArray<byte> record = f.Bytes(12, nameof(m.Record), m.Record, Ad.RecordBytesMax);
        long undecided = f.LongOr(13, nameof(m.Undecided), m.Undecided, 0, 0, long.MaxValue);
        var chain = f.List<Wrapped, WrappedShape>(14, nameof(m.Chain), m.Chain, CertificateChain.LengthMax);
        return !f.Reads ? m : new Ad
        {
            Id = id, Scheduler = scheduler, Principal = principal, Epoch = epoch, Sequence = sequence, Audience = audience,
            AnswerPermille = answerPermille, Stands = stands, Window = window, QuoteOnly = quoteOnly, Groups = groups, Record = record,
            Undecided = undecided, Chain = chain,
        };
    }
}

internal readonly struct TaskGroupShape : IShape<TaskGroup>
{
    private const int PriorityMax = 1000;

    public static TaskGroup Blank { get; } = new()
    {
        Id = 0, Count = 1, Resources = ResourceRequestShape.Blank, Driver = "", Bid = Price.Zero,
    };

    public static TaskGroup Walk<TFields>(scoped ref TFields f, TaskGroup m)
        where TFields : IFields, allows ref struct
    {
        int id = f.Int(1, nameof(m.Id), m.Id, 0, int.MaxValue);
        int count = f.Int(2, nameof(m.Count), m.Count, 1, CborLimits.CountMax);
        ResourceRequest resources = f.Record<ResourceRequest, ResourceRequestShape>(3, nameof(m.Resources), m.Resources);
        Placement? placement = m.Placement == Placement.Anywhere ? null : m.Placement;
        placement = f.RecordOrNull<Placement, PlacementShape>(4, nameof(m.Placement), placement);
        string driver = f.Text(5, nameof(m.Driver), m.Driver, CborLimits.NameBytes);
        string handler = f.TextOrEmpty(6, nameof(m.Handler), m.Handler, CborLimits.NameBytes);
        TimeSpan estimate = f.Duration(7, nameof(m.Estimate), m.Estimate);
        Price bid = f.Price(8, nameof(m.Bid), m.Bid);
        TimeSpan? deadline = f.DurationOrNull(9, nameof(m.Deadline), m.Deadline);
        long inputBytes = f.LongOr(10, nameof(m.InputBytes), m.InputBytes, 0, 0, ResourceRequest.AmountMax);
        int priority = f.IntOr(11, nameof(m.Priority), m.Priority, 0, -PriorityMax, PriorityMax);
        bool firmOnly = f.Flag(12, nameof(m.FirmOnly), m.FirmOnly);
        bool patient = f.Flag(13, nameof(m.Patient), m.Patient);
        int gangSize = f.IntOr(14, nameof(m.GangSize), m.GangSize, 0, 0, CborLimits.CountMax);
        TimeSpan gangAge = f.Duration(15, nameof(m.GangAge), m.GangAge);
        int perWorkerMax = f.IntOr(16, nameof(m.PerWorkerMax), m.PerWorkerMax, 0, 0, CborLimits.CountMax);
        return !f.Reads ? m : new TaskGroup
        {
            Id = id, Count = count, Resources = resources, Placement = placement ?? Placement.Anywhere, Driver = driver,
            Handler = handler, Estimate = estimate, Bid = bid, Deadline = deadline, InputBytes = inputBytes, Priority = priority,
            FirmOnly = firmOnly, Patient = patient, GangSize = gangSize, GangAge = gangAge, PerWorkerMax = perWorkerMax,
        };
    }
}

internal readonly struct PlacementShape : IShape<Placement>
{
    public static Placement Blank => Placement.Anywhere;

    public static Placement Walk<TFields>(scoped ref TFields f, Placement m)
        where TFields : IFields, allows ref struct
    {
        ImmutableArray<string> labels = Words.Walk(ref f, 1, nameof(m.Labels), m.Labels, Placement.LabelsMax);
        ImmutableArray<string> notLabels = Words.Walk(ref f, 2, nameof(m.NotLabels), m.NotLabels, Placement.LabelsMax);
        string architecture = f.TextOrEmpty(3, nameof(m.Architecture), m.Architecture, CborLimits.NameBytes);
        string region = f.TextOrEmpty(4, nameof(m.Region), m.Region, CborLimits.NameBytes);
        string zone = f.TextOrEmpty(5, nameof(m.Zone), m.Zone, CborLimits.NameBytes);
        return !f.Reads ? m : new Placement
        {
            Labels = labels, NotLabels = notLabels, Architecture = architecture, Region = region, Zone = zone,
        };
    }
}

internal readonly struct ClosedShape : IShape<Closed>
{
    public static Closed Blank { get; } = new(default, []);

    public static Closed Walk<TFields>(scoped ref TFields f, Closed m)
        where TFields : IFields, allows ref struct
    {
        var ad = new AdId(f.Uuid(1, nameof(m.Ad), m.Ad.Value));
        ImmutableArray<int> groups = f.Ints(2, nameof(m.Groups), m.Groups, Ad.GroupsMax, 0, int.MaxValue);
        return !f.Reads ? m : new Closed(ad, groups);
    }
}
