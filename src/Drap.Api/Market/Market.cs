using System.Collections.Immutable;
using Drap.Core;

namespace Drap.Api;

/// <summary>The machines that this node knows of, what they have free and what they ask.</summary>
public sealed record MarketDocument : Document
{
    /// <summary>The nodes, ordered by name.</summary>
    public ImmutableArray<MarketNode> Nodes { get; set; } = [];

    /// <summary>Tasks that are advertised and wait.</summary>
    public int Waiting { get; set; }

    /// <summary>Tasks that run.</summary>
    public int Running { get; set; }
}

/// <summary>One machine on the market.</summary>
public sealed record MarketNode
{
    /// <summary>Its name.</summary>
    public required string Name { get; set; }

    /// <summary>Its peer id.</summary>
    public PeerId Peer { get; set; }

    /// <summary>Whose it is.</summary>
    public string Principal { get; set; } = "";

    /// <summary>How long it has not been heard of, in seconds; null while it answers.</summary>
    public TimeSpan? SilentSeconds { get; set; }

    /// <summary>Where it is and what it is.</summary>
    public NodeTraits Traits { get; set; } = new();

    /// <summary>What it lets be used.</summary>
    public NodeResources Total { get; set; } = new();

    /// <summary>What of it is free.</summary>
    public NodeResources Free { get; set; } = new();

    /// <summary>Attempts that run there.</summary>
    public int Running { get; set; }

    /// <summary>What one core for one hour costs there now.</summary>
    public Price CorePrice { get; set; }

    /// <summary>How that price came about, factor by factor; where it was asked for.</summary>
    public ImmutableArray<PriceFactor> Factors { get; set; } = [];

    /// <summary>In how many seconds it ends, as a batch system's job does; null if it is to stay.</summary>
    public TimeSpan? EndsInSeconds { get; set; }

    /// <summary>Why it is avoided for now; null when it is not.</summary>
    public Reason? Avoided { get; set; }

    /// <summary>What it said to this node that was refused; null if nothing.</summary>
    public Complaint? Refused { get; set; }

    /// <summary>Peers of which it refused something itself, those with most first.</summary>
    public ImmutableArray<Complaint> Complaints { get; set; } = [];
}

/// <summary>What a peer said that was refused.</summary>
/// <param name="Node">Its name, as far as it is known; else the end of its peer id.</param>
/// <param name="Peer">Its peer id.</param>
/// <param name="Count">How often.</param>
/// <param name="Last">The last of it, in words.</param>
public sealed record Complaint(string Node, PeerId Peer, long Count, string Last);

/// <summary>One step of a price.</summary>
/// <param name="Name">What it is: <c>base cpu</c>, <c>utilisation</c>, <c>time of day</c>, <c>market</c>, <c>reserve</c>.</param>
/// <param name="Value">Its size in words: <c>0.04/h</c> or <c>×1.25</c>.</param>
/// <param name="Because">What it follows from: <c>3.2 of 4 cores in use</c>.</param>
/// <param name="Price">The price after this step, for one core and one hour.</param>
public sealed record PriceFactor(string Name, string Value, string Because, Price Price);

/// <summary>Who owes whom, and for what.</summary>
public sealed record LedgerDocument : Document
{
    /// <summary>One account per pair of principals, ordered.</summary>
    public ImmutableArray<LedgerAccount> Accounts { get; set; } = [];

    /// <summary>What this home's workers billed, by payer: their signed receipts, added up over all times.</summary>
    public ImmutableArray<LedgerTotal> Earned { get; set; } = [];

    /// <summary>What signed receipts bill this home's jobs, by owner, over all times; drap's own account, which holds, is the entries'.</summary>
    public ImmutableArray<LedgerTotal> Billed { get; set; } = [];

    /// <summary>Receipts, the youngest first; as many as were asked for.</summary>
    public ImmutableArray<LedgerEntry> Entries { get; set; } = [];

    /// <summary>Whether older ones were left off.</summary>
    public bool More { get; set; }
}

/// <summary>What one principal owes an owner.</summary>
/// <param name="Owner">The owner of the workers.</param>
/// <param name="Payer">Who had the work done.</param>
/// <param name="Line">The credit line; null where there is no end to it.</param>
/// <param name="Spent">Spent of it.</param>
/// <param name="Held">Reserved for what runs.</param>
public sealed record LedgerAccount(string Owner, string Payer, Credits? Line, Credits Spent, Credits Held);

/// <summary>Receipts of one principal, added up.</summary>
/// <param name="Principal">Who pays, or is paid.</param>
/// <param name="Attempts">Attempts that were billed.</param>
/// <param name="Amount">For how much together.</param>
public sealed record LedgerTotal(string Principal, long Attempts, Credits Amount);

/// <summary>One receipt.</summary>
public sealed record LedgerEntry
{
    /// <summary>When it was signed.</summary>
    public UtcTime At { get; set; }

    /// <summary>The job.</summary>
    public JobId Job { get; set; }

    /// <summary>The task's number.</summary>
    public int Task { get; set; }

    /// <summary>The attempt's number; 0 for all together that are too old to be kept one by one.</summary>
    public int Attempt { get; set; }

    /// <summary>The node's name; empty for those.</summary>
    public string Node { get; set; } = "";

    /// <summary>The price agreed.</summary>
    public Price Price { get; set; }

    /// <summary>The time billed, in seconds.</summary>
    public TimeSpan BilledSeconds { get; set; }

    /// <summary>The amount.</summary>
    public Credits Amount { get; set; }
}

/// <summary>What was asked for against what was used, per segment, so that the next job asks for less.</summary>
public sealed record UsageDocument : Document
{
    /// <summary>The rows, by job and segment.</summary>
    public ImmutableArray<UsageRow> Rows { get; set; } = [];
}

/// <summary>One segment's use.</summary>
public sealed record UsageRow
{
    /// <summary>The job.</summary>
    public JobId Job { get; set; }

    /// <summary>The job's name.</summary>
    public string Name { get; set; } = "";

    /// <summary>The segment's name.</summary>
    public string Segment { get; set; } = "";

    /// <summary>Attempts that were measured.</summary>
    public int Attempts { get; set; }

    /// <summary>Cores asked for, in thousandths.</summary>
    public long AskedMilliCpus { get; set; }

    /// <summary>Cores used on average over the attempts' run time, in thousandths.</summary>
    public long UsedMilliCpus { get; set; }

    /// <summary>Memory asked for, in bytes; 0 where none was.</summary>
    public long AskedMemoryBytes { get; set; }

    /// <summary>The largest resident memory of any attempt, in bytes.</summary>
    public long PeakMemoryBytes { get; set; }

    /// <summary>Run time guessed at, in seconds; null where the job gave none.</summary>
    public TimeSpan? EstimateSeconds { get; set; }

    /// <summary>Run time on average, in seconds.</summary>
    public TimeSpan RunSeconds { get; set; }

    /// <summary>The cost.</summary>
    public Credits Cost { get; set; }
}

/// <summary>The node that answers.</summary>
public sealed record NodeDocument : Document
{
    /// <summary>drap's own version.</summary>
    public string Drap { get; set; } = "";

    /// <summary>Its process id.</summary>
    public int Pid { get; set; }

    /// <summary>Its state folder.</summary>
    public string Home { get; set; } = "";

    /// <summary>Its peer id.</summary>
    public PeerId Peer { get; set; }

    /// <summary>What it is for: <c>run</c> ends with its last job, <c>dev</c> stays.</summary>
    public string Mode { get; set; } = "run";

    /// <summary>Jobs that have not ended.</summary>
    public int OpenJobs { get; set; }

    /// <summary>Whether it waits to take a scheduler's place, and has no jobs until then.</summary>
    public bool StandsBy { get; set; }

    /// <summary>That scheduler; null while it could not take its place yet.</summary>
    public PeerId? StandsByFor { get; set; }

    /// <summary>When it started.</summary>
    public UtcTime StartedAt { get; set; }
}

/// <summary>What a program is: <c>drap version -o json</c>.</summary>
public sealed record VersionDocument : Document
{
    /// <summary>drap's version.</summary>
    public required string Drap { get; set; }

    /// <summary>The .NET runtime's name and version.</summary>
    public string Runtime { get; set; } = "";

    /// <summary>The platform, as <c>linux-x64</c>.</summary>
    public string Platform { get; set; } = "";
}
