using System.Text.Json.Serialization;
using Drap.Core.Jobs;

namespace Drap.Simulator.Scenarios;

/// <summary>How jobs come.</summary>
[JsonConverter(typeof(WordConverter<Arrival>))]
public enum Arrival
{
    /// <summary>Independently of each other, at random.</summary>
    Poisson,

    /// <summary>Evenly, one after the other.</summary>
    Even,

    /// <summary>Many together, at regular times.</summary>
    Bursts,

    /// <summary>As a file says.</summary>
    Trace,
}

/// <summary>How many tasks jobs have.</summary>
[JsonConverter(typeof(WordConverter<SizeSpread>))]
public enum SizeSpread
{
    /// <summary>All the same.</summary>
    Fixed,

    /// <summary>Mostly few: the geometric distribution.</summary>
    Geometric,
}

/// <summary>How task times are spread.</summary>
[JsonConverter(typeof(WordConverter<DurationSpread>))]
public enum DurationSpread
{
    /// <summary>All the same.</summary>
    Fixed,

    /// <summary>Without memory.</summary>
    Exponential,

    /// <summary>Many short, some long.</summary>
    Lognormal,

    /// <summary>Many short, a few that take nearly all the time.</summary>
    Pareto,
}

/// <summary>What of a stage the next one needs.</summary>
[JsonConverter(typeof(WordConverter<StageEdge>))]
public enum StageEdge
{
    /// <summary>Each task needs all of it.</summary>
    All,

    /// <summary>Each task needs the one of its own number.</summary>
    Same,
}

/// <summary>What breaks.</summary>
[JsonConverter(typeof(WordConverter<Fault>))]
public enum Fault
{
    /// <summary>A region and the others do not reach each other.</summary>
    Partition,

    /// <summary>Workers drop dead, and come back with what their disks keep.</summary>
    WorkersDie,

    /// <summary>Schedulers drop dead, and come back from their journals.</summary>
    SchedulersDie,

    /// <summary>Workers stand still with their tasks, as in a suspend: boot time goes on, and all that came meanwhile waits for them.</summary>
    WorkersFreeze,

    /// <summary>Schedulers lose power within one of the next calls to their disks.</summary>
    SchedulersDieWriting,

    /// <summary>Messages between two nodes get lost for good, as with a connection that breaks.</summary>
    MessagesLost,

    /// <summary>Messages between two nodes come twice.</summary>
    MessagesDoubled,

    /// <summary>Messages between two nodes come late, and so out of order.</summary>
    MessagesLate,

    /// <summary>Wall clocks are set: forward, or back where <c>for</c> has passed.</summary>
    ClocksJump,
}
