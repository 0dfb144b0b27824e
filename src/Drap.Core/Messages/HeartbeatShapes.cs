using System.Collections.Immutable;
using Drap.Core.Cbor;
using Drap.Core.Health;
using Drap.Core.Membership;

namespace Drap.Core.Messages;

internal readonly struct HeartbeatShape : IShape<Heartbeat>
{
    public static Heartbeat Blank { get; } = new(default, default, 0, TimeSpan.Zero, 0);

    public static Heartbeat Walk<TFields>(scoped ref TFields f, Heartbeat m)
        where TFields : IFields, allows ref struct
    {
        PeerId scheduler = f.Peer(1, nameof(m.Scheduler), m.Scheduler);
        var epoch = new Epoch(f.Long(2, nameof(m.Epoch), m.Epoch.Value, 0, CborLimits.EpochMax));
        long number = f.Long(3, nameof(m.Number), m.Number, 0, long.MaxValue);
        TimeSpan lease = f.Duration(4, nameof(m.Lease), m.Lease);
        ulong leaseSet = f.Word(5, nameof(m.LeaseSet), m.LeaseSet);
        long heard = f.LongOr(6, nameof(m.Heard), m.Heard, 0, 0, long.MaxValue);
        ImmutableArray<byte> seal = f.Bytes(7, nameof(m.Seal), m.Seal, Statement.SealBytesMax);
        return !f.Reads ? m : new Heartbeat(scheduler, epoch, number, lease, leaseSet, heard) { Seal = seal };
    }
}

internal readonly struct HeartbeatReplyShape : IShape<HeartbeatReply>
{
    public static HeartbeatReply Blank { get; } = new(0, 0, []);

    public static HeartbeatReply Walk<TFields>(scoped ref TFields f, HeartbeatReply m)
        where TFields : IFields, allows ref struct
    {
        long number = f.Long(1, nameof(m.Number), m.Number, 0, long.MaxValue);
        ulong leaseSet = f.Word(2, nameof(m.LeaseSet), m.LeaseSet);
        var started = f.Attempts(3, nameof(m.Started), m.Started, Confirm.TasksMax);
        return !f.Reads ? m : new HeartbeatReply(number, leaseSet, started);
    }
}

internal readonly struct ReconcileShape : IShape<Reconcile>
{
    public static Reconcile Blank { get; } = new(default, default, TimeSpan.Zero, [], false);

    public static Reconcile Walk<TFields>(scoped ref TFields f, Reconcile m)
        where TFields : IFields, allows ref struct
    {
        PeerId scheduler = f.Peer(1, nameof(m.Scheduler), m.Scheduler);
        var epoch = new Epoch(f.Long(2, nameof(m.Epoch), m.Epoch.Value, 0, CborLimits.EpochMax));
        TimeSpan lease = f.Duration(3, nameof(m.Lease), m.Lease);
        var attempts = f.Attempts(4, nameof(m.Attempts), m.Attempts, Reconcile.AttemptsMax);
        bool complete = f.Flag(5, nameof(m.Complete), m.Complete);
        long round = f.LongOr(6, nameof(m.Round), m.Round, 0, 0, ResourceRequest.AmountMax);
        return !f.Reads ? m : new Reconcile(scheduler, epoch, lease, attempts, complete, round);
    }
}

internal readonly struct ReconcileReplyShape : IShape<ReconcileReply>
{
    public static ReconcileReply Blank { get; } = new(default, [], [], false);

    public static ReconcileReply Walk<TFields>(scoped ref TFields f, ReconcileReply m)
        where TFields : IFields, allows ref struct
    {
        var epoch = new Epoch(f.Long(1, nameof(m.Epoch), m.Epoch.Value, 0, CborLimits.EpochMax));
        var held = f.Attempts(2, nameof(m.Held), m.Held, Reconcile.AttemptsMax);
        var finished = f.Attempts(3, nameof(m.Finished), m.Finished, Reconcile.AttemptsMax);
        bool complete = f.Flag(4, nameof(m.Complete), m.Complete);
        long round = f.LongOr(5, nameof(m.Round), m.Round, 0, 0, ResourceRequest.AmountMax);
        int total = f.IntOr(6, nameof(m.Total), m.Total, 0, 0, int.MaxValue);
        return !f.Reads ? m : new ReconcileReply(epoch, held, finished, complete, round, total);
    }
}

internal readonly struct ProbeShape : IShape<Probe>
{
    public static Probe Blank { get; } = new(0, false);

    public static Probe Walk<TFields>(scoped ref TFields f, Probe m)
        where TFields : IFields, allows ref struct
    {
        ulong nonce = f.Word(1, nameof(m.Nonce), m.Nonce);
        bool market = f.Flag(2, nameof(m.Market), m.Market);
        return !f.Reads ? m : new Probe(nonce, market);
    }
}

internal readonly struct ProbeReplyShape : IShape<ProbeReply>
{
    public static ProbeReply Blank { get; } = new(0, null);

    public static ProbeReply Walk<TFields>(scoped ref TFields f, ProbeReply m)
        where TFields : IFields, allows ref struct
    {
        ulong nonce = f.Word(1, nameof(m.Nonce), m.Nonce);
        NodeState? state = f.RecordOrNull<NodeState, NodeStateShape>(2, nameof(m.State), m.State);
        return !f.Reads ? m : new ProbeReply(nonce, state);
    }
}

internal readonly struct NodeStateShape : IShape<NodeState>
{
    private const int PricesMax = 32;
    private const int EnforcementMax = 32;

    public static NodeState Blank { get; } = new()
    {
        Name = "", Total = NodeResourcesShape.Blank, Free = NodeResourcesShape.Blank, Traits = NodeTraitsShape.Blank,
    };

    public static NodeState Walk<TFields>(scoped ref TFields f, NodeState m)
        where TFields : IFields, allows ref struct
    {
        string name = f.Text(1, nameof(m.Name), m.Name, CborLimits.NameBytes);
        NodeResources total = f.Record<NodeResources, NodeResourcesShape>(2, nameof(m.Total), m.Total);
        NodeResources free = f.Record<NodeResources, NodeResourcesShape>(3, nameof(m.Free), m.Free);
        NodeTraits traits = f.Record<NodeTraits, NodeTraitsShape>(4, nameof(m.Traits), m.Traits);
        int running = f.IntOr(5, nameof(m.Running), m.Running, 0, 0, int.MaxValue);
        int waiting = f.IntOr(6, nameof(m.Waiting), m.Waiting, 0, 0, int.MaxValue);
        int holds = f.IntOr(7, nameof(m.Holds), m.Holds, 0, 0, int.MaxValue);
        bool draining = f.Flag(8, nameof(m.Draining), m.Draining);
        var prices = f.List<PriceFactor, PriceFactorShape>(9, nameof(m.Prices), m.Prices, PricesMax);
        var enforcement = f.Texts(10, nameof(m.Enforcement), m.Enforcement, EnforcementMax, CborLimits.TextBytes);
        TimeSpan? endsIn = f.DurationOrNull(11, nameof(m.EndsIn), m.EndsIn);
        var complaints = f.List<Complaint, ComplaintShape>(12, nameof(m.Complaints), m.Complaints, ComplaintBook.ShownMax);
        return !f.Reads ? m : new NodeState
        {
            Name = name, Total = total, Free = free, Traits = traits, Running = running, Waiting = waiting, Holds = holds,
            Draining = draining, EndsIn = endsIn, Prices = prices, Enforcement = enforcement, Complaints = complaints,
        };
    }
}

internal readonly struct ComplaintShape : IShape<Complaint>
{
    public static Complaint Blank { get; } = new(default, 1, "");

    public static Complaint Walk<TFields>(scoped ref TFields f, Complaint m)
        where TFields : IFields, allows ref struct
    {
        PeerId peer = f.Peer(1, nameof(m.Peer), m.Peer);
        long count = f.Long(2, nameof(m.Count), m.Count, 1, ResourceRequest.AmountMax);
        string last = f.TextOrEmpty(3, nameof(m.Last), m.Last, CborLimits.TextBytes);
        return !f.Reads ? m : new Complaint(peer, count, last);
    }
}

internal readonly struct PriceFactorShape : IShape<PriceFactor>
{
    public static PriceFactor Blank { get; } = new("", 0, Price.Zero);

    public static PriceFactor Walk<TFields>(scoped ref TFields f, PriceFactor m)
        where TFields : IFields, allows ref struct
    {
        string name = f.Text(1, nameof(m.Name), m.Name, CborLimits.NameBytes);
        long permille = f.LongOr(2, nameof(m.Permille), m.Permille, 0, 0, ResourceRequest.AmountMax);
        Price amount = f.Price(3, nameof(m.Amount), m.Amount);
        return !f.Reads ? m : new PriceFactor(name, permille, amount);
    }
}

internal readonly struct NoticeShape : IShape<Notice>
{
    public static Notice Blank { get; } = new(NoticeKind.Started, [], TimeSpan.Zero);

    public static Notice Walk<TFields>(scoped ref TFields f, Notice m)
        where TFields : IFields, allows ref struct
    {
        // What a notice means is its kind: one that is not known says nothing, and what it is about shows by heartbeat and result.
        NoticeKind kind = f.Enum(1, nameof(m.Kind), m.Kind, NoticeKind.Leaving, default);
        ImmutableArray<AttemptId> attempts = f.Attempts(2, nameof(m.Attempts), m.Attempts, Confirm.TasksMax);
        TimeSpan within = f.Duration(3, nameof(m.Within), m.Within);
        return !f.Reads ? m : new Notice(kind, attempts, within);
    }
}
