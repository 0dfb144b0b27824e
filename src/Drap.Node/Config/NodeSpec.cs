using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drap.Core.Jobs;

namespace Drap.Node.Config;

/// <summary>
/// What an owner says of a node that <c>drap up</c> and <c>drap join</c> start. Every field with a <see cref="SettingAttribute"/> is a field of the file, a flag and
/// a variable; docs/config.md lists them.
/// </summary>
public sealed record NodeSpec : WorkerTerms
{
    [Setting("What people call this node; counts when it joins", Usual = "the machine's name", Example = "render-3", Value = "NAME")]
    public string? Name { get; init; }

    [Setting("What people call a swarm that begins here", Usual = "the node's name", Example = "lab", Value = "NAME")]
    public string? Swarm { get; init; }

    [Setting("Who is behind this node, where a swarm begins here; else its ticket says that", Usual = "your user name", Example = "physics", Value = "NAME")]
    public string? Principal { get; init; }

    [Setting("What it is to be of what its certificate allows: worker, scheduler, gateway, inviter", Usual = "all but gateway", Example = "[worker, scheduler]", Value = "ROLES", Alias = "--role")]
    public ImmutableArray<NodeRole> Roles { get; init; } = [];

    [Setting("Only be found first and pass others' bytes on: no tasks, no scheduler", Usual = "false", Example = "true", Value = "true|false")]
    public bool Gateway { get; init; }

    [Setting("How many workers share this machine, or a workers' file that says each", Usual = "1", Example = "2", Value = "N|FILE")]
    public string Workers { get; init; } = "1";

    [Setting("Principals whose tasks may run here besides your own; nobody named lets every member's", Usual = "[]", Example = "[render-lab, physics]", Value = "PRINCIPALS")]
    public ImmutableArray<string> Allow { get; init; } = [];

    [Setting("What each other principal may have here at one time, all its schedulers and peer ids together")]
    public QuotaSpec Quota { get; init; } = new();

    [Setting("What each other principal may use here; at the end of it only what nobody else wants")]
    public CreditSpec Credit { get; init; } = new();

    [Setting("Where it listens", Usual = "[/ip4/0.0.0.0/tcp/PORT], the port of the last time or a free one", Example = "[/ip4/0.0.0.0/tcp/4001]", Value = "MULTIADDR")]
    public ImmutableArray<TcpAddress> Listen { get; init; } = [];

    [Setting("Addresses to tell others besides, such as a router's outside", Usual = "[]", Example = "[/dns4/drap.example.org/tcp/4001]", Value = "MULTIADDR")]
    public ImmutableArray<DialedAddress> Announce { get; init; } = [];

    [Setting("Find nodes on the LAN and be found there", Usual = "true", Example = "false", Value = "true|false")]
    public bool Mdns { get; init; } = true;

    [Setting("Nobody can dial this machine: reach it by gateways at once, without finding that out first", Usual = "false", Example = "true", Value = "true|false")]
    public bool Hidden { get; init; }

    [Setting("Leave after so long, as a batch system's job must: no task is taken that would not end before", Usual = "none; in a Slurm job its end", Example = "4h", Value = "TIME")]
    public TimeSpan? TimeLimit { get; init; }

    [Setting("Leave after so long without a task", Usual = "none", Example = "10m", Value = "TIME")]
    public TimeSpan? IdleTimeout { get; init; }

    [Setting("Where the scheduler keeps its journal: in etcd, so that it survives this machine", Usual = "none: in the home", Example = "etcd://10.0.0.1,10.0.0.2,10.0.0.3/lab", Value = "ETCD-URL")]
    public JournalPlace? Journal { get; init; }

    [Setting("Stand by for the scheduler whose journal that is: wait while it leads, and take its place when it is gone", Usual = "false", Example = "true", Value = "true|false")]
    public bool Standby { get; init; }

    [Setting("How long a result waits for its scheduler", Usual = "7d", Example = "2d", Value = "TIME")]
    public TimeSpan KeepResultsFor { get; init; } = TimeSpan.FromDays(7);

    [Setting("How much of waiting results is kept; beyond it the oldest goes", Usual = "10GiB", Example = "1GiB", Value = "SIZE")]
    public ByteSize KeepResultsUpTo { get; init; } = new(10L << 30);

    [Setting("Bytes a second that one peer gets of what this node has at most; 0 for no limit", Usual = "0", Example = "50MiB", Value = "SIZE")]
    public ByteSize BlobRate { get; init; }

    /// <summary>Whether it has workers, as far as its owner says.</summary>
    public bool HasWorkers() => !Gateway && (Roles.IsEmpty || Roles.Contains(NodeRole.Worker));

    /// <summary>How many workers it has; null where a file says.</summary>
    public int? WorkerCount() => CountOf(Workers);

    /// <summary>The workers' file; null for a number.</summary>
    public string? WorkersFile() => WorkerCount() is null ? Workers : null;

    /// <summary>The number that <c>workers</c> is, or the largest if it is beyond that; null where it names a file.</summary>
    public static int? CountOf(string workers) => workers.Length == 0 || !workers.All(char.IsAsciiDigit)
        ? null : int.TryParse(workers, NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : int.MaxValue;

    /// <summary>For the node's workers, which are processes of their own: one line of JSON that <see cref="TryParse"/> reads.</summary>
    public string ToArgument() => JsonSerializer.Serialize(this, JobJson.TypeInfo<NodeSpec>());

    /// <summary>Reads what <see cref="ToArgument"/> wrote.</summary>
    public static NodeSpec? TryParse(string text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, JobJson.TypeInfo<NodeSpec>());
        }
        catch (JsonException)
        {
            return null;
        }
    }

    internal JsonNode ToJson() => JsonSerializer.SerializeToNode(this, JobJson.TypeInfo<NodeSpec>())!;
}
