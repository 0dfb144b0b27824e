using System.Collections.Immutable;
using Drap.Core.Cbor;
using Drap.Core.Jobs;

namespace Drap.Core.Messages;

internal readonly struct ConfirmShape : IShape<Confirm>
{
    private const int WorksMax = Ad.GroupsMax;

    public static Confirm Blank { get; } = new()
    {
        Offer = default, Scheduler = default, Principal = default, Epoch = default, Lease = TimeSpan.Zero, Works = [], Tasks = [],
    };

    public static Confirm Walk<TFields>(scoped ref TFields f, Confirm m)
        where TFields : IFields, allows ref struct
    {
        var offer = new OfferId(f.Uuid(1, nameof(m.Offer), m.Offer.Value));
        PeerId scheduler = f.Peer(2, nameof(m.Scheduler), m.Scheduler);
        var principal = new Principal(f.Text(3, nameof(m.Principal), m.Principal.Name, CborLimits.NameBytes));
        var epoch = new Epoch(f.Long(4, nameof(m.Epoch), m.Epoch.Value, 0, CborLimits.EpochMax));
        TimeSpan lease = f.Duration(5, nameof(m.Lease), m.Lease);
        bool awaitGo = f.Flag(6, nameof(m.AwaitGo), m.AwaitGo);
        var works = f.List<Work, WorkShape>(7, nameof(m.Works), m.Works, WorksMax);
        var tasks = f.List<Assignment, AssignmentShape>(8, nameof(m.Tasks), m.Tasks, Confirm.TasksMax);
        f.Check(WorksExist(works.Length, tasks), nameof(m.Tasks), "of works that the message holds");
        return !f.Reads ? m : new Confirm
        {
            Offer = offer, Scheduler = scheduler, Principal = principal, Epoch = epoch, Lease = lease, AwaitGo = awaitGo,
            Works = works, Tasks = tasks,
        };
    }

    private static bool WorksExist(int works, ImmutableArray<Assignment> tasks)
    {
        foreach (Assignment task in tasks.AsSpan())
            if (task.Work >= works)
                return false;
        return true;
    }
}

internal readonly struct WorkShape : IShape<Work>
{
    public static Work Blank { get; } = new(default, 0, Price.Zero, [], []);

    public static Work Walk<TFields>(scoped ref TFields f, Work m)
        where TFields : IFields, allows ref struct
    {
        var job = new JobId(f.Uuid(1, nameof(m.Job), m.Job.Value));
        int group = f.Int(2, nameof(m.Group), m.Group, 0, int.MaxValue);
        Price ask = f.Price(3, nameof(m.Ask), m.Ask);
        ImmutableArray<byte> template = f.Bytes(4, nameof(m.Template), m.Template, MessageLimits.TemplateBytes);
        var secrets = f.List<SecretVariable, SecretVariableShape>(5, nameof(m.Secrets), m.Secrets, JobLimits.EntriesMax);
        return !f.Reads ? m : new Work(job, group, ask, template, secrets);
    }
}

internal readonly struct SecretVariableShape : IShape<SecretVariable>
{
    public static SecretVariable Blank { get; } = new("", "");

    public static SecretVariable Walk<TFields>(scoped ref TFields f, SecretVariable m)
        where TFields : IFields, allows ref struct
    {
        string name = f.Text(1, nameof(m.Name), m.Name, CborLimits.NameBytes);
        string value = f.TextOrEmpty(2, nameof(m.Value), m.Value, MessageLimits.SecretsBytes);
        return !f.Reads ? m : new SecretVariable(name, value);
    }
}

internal readonly struct AssignmentShape : IShape<Assignment>
{
    public static Assignment Blank { get; } = new() { Work = 0, Number = 1, Attempt = 1, Index = 0 };

    public static Assignment Walk<TFields>(scoped ref TFields f, Assignment m)
        where TFields : IFields, allows ref struct
    {
        int work = f.IntOr(1, nameof(m.Work), m.Work, 0, 0, int.MaxValue);
        int number = f.Int(2, nameof(m.Number), m.Number, 1, int.MaxValue);
        int attempt = f.IntOr(3, nameof(m.Attempt), m.Attempt, 1, 1, CborLimits.AttemptMax);
        int index = f.Int(4, nameof(m.Index), m.Index, 0, int.MaxValue);
        string item = f.TextOrEmpty(5, nameof(m.Item), m.Item, MessageLimits.ItemBytes);
        long arrayNumber = f.LongOr(6, nameof(m.ArrayNumber), m.ArrayNumber, 0, 0, ResourceRequest.AmountMax);
        var inputs = f.List<AssignedInput, AssignedInputShape>(7, nameof(m.Inputs), m.Inputs, MessageLimits.Inputs);
        ImmutableArray<string> hosts = f.Texts(8, nameof(m.Hosts), m.Hosts, MessageLimits.Hosts, CborLimits.NameBytes);
        return !f.Reads ? m : new Assignment
        {
            Work = work, Number = number, Attempt = attempt, Index = index, ArrayNumber = arrayNumber,
            Item = item, Inputs = inputs, Hosts = hosts,
        };
    }
}

internal readonly struct AssignedInputShape : IShape<AssignedInput>
{
    public static AssignedInput Blank { get; } = new("", default, 0, false);

    public static AssignedInput Walk<TFields>(scoped ref TFields f, AssignedInput m)
        where TFields : IFields, allows ref struct
    {
        string path = f.Text(1, nameof(m.Path), m.Path, MessageLimits.PathBytes);
        Cid content = f.Cid(2, nameof(m.Content), m.Content);
        long bytes = f.LongOr(3, nameof(m.Bytes), m.Bytes, 0, 0, ResourceRequest.AmountMax);
        bool executable = f.Flag(4, nameof(m.Executable), m.Executable);
        return !f.Reads ? m : new AssignedInput(path, content, bytes, executable);
    }
}

internal readonly struct AckShape : IShape<Ack>
{
    public static Ack Blank { get; } = new(default(OfferId));

    public static Ack Walk<TFields>(scoped ref TFields f, Ack m)
        where TFields : IFields, allows ref struct
    {
        var offer = new OfferId(f.Uuid(1, nameof(m.Offer), m.Offer.Value));
        return !f.Reads ? m : new Ack(offer);
    }
}

internal readonly struct NackShape : IShape<Nack>
{
    public static Nack Blank { get; } = new(default, NackReason.Invalid, []);

    public static Nack Walk<TFields>(scoped ref TFields f, Nack m)
        where TFields : IFields, allows ref struct
    {
        var offer = new OfferId(f.Uuid(1, nameof(m.Offer), m.Offer.Value));
        // A no is a no: the reason is for people, and the tasks are free again.
        NackReason reason = f.Enum(2, nameof(m.Reason), m.Reason, NackReason.Degraded, NackReason.Invalid);
        var refused = f.Attempts(3, nameof(m.Refused), m.Refused, Confirm.TasksMax);
        return !f.Reads ? m : new Nack(offer, reason, refused);
    }
}

internal readonly struct GoShape : IShape<Go>
{
    public static Go Blank { get; } = new(ImmutableArray<AttemptId>.Empty);

    public static Go Walk<TFields>(scoped ref TFields f, Go m)
        where TFields : IFields, allows ref struct
    {
        var attempts = f.Attempts(1, nameof(m.Attempts), m.Attempts, Confirm.TasksMax);
        return !f.Reads ? m : new Go(attempts);
    }
}

internal readonly struct ReleaseShape : IShape<Release>
{
    public static Release Blank { get; } = new(ImmutableArray<AttemptId>.Empty);

    public static Release Walk<TFields>(scoped ref TFields f, Release m)
        where TFields : IFields, allows ref struct
    {
        var attempts = f.Attempts(1, nameof(m.Attempts), m.Attempts, Confirm.TasksMax);
        return !f.Reads ? m : new Release(attempts);
    }
}

internal readonly struct StealShape : IShape<Steal>
{
    public static Steal Blank { get; } = new(ImmutableArray<AttemptId>.Empty);

    public static Steal Walk<TFields>(scoped ref TFields f, Steal m)
        where TFields : IFields, allows ref struct
    {
        var attempts = f.Attempts(1, nameof(m.Attempts), m.Attempts, Confirm.TasksMax);
        return !f.Reads ? m : new Steal(attempts);
    }
}

internal readonly struct CancelShape : IShape<Cancel>
{
    public static Cancel Blank { get; } = new([], CancelReason.User, TimeSpan.Zero);

    public static Cancel Walk<TFields>(scoped ref TFields f, Cancel m)
        where TFields : IFields, allows ref struct
    {
        var attempts = f.Attempts(1, nameof(m.Attempts), m.Attempts, Confirm.TasksMax);
        // The attempt ends for whatever reason; only a log line says which.
        CancelReason reason = f.Enum(2, nameof(m.Reason), m.Reason, CancelReason.Budget, CancelReason.Superseded);
        TimeSpan grace = f.Duration(3, nameof(m.Grace), m.Grace);
        return !f.Reads ? m : new Cancel(attempts, reason, grace);
    }
}
