using System.Collections.Immutable;

namespace Drap.Simulator.Worlds;

/// <summary>How far a run is.</summary>
/// <param name="Virtual">Virtual time since its start.</param>
/// <param name="Submitted">Tasks submitted.</param>
/// <param name="Ended">Tasks that ended.</param>
/// <param name="Waiting">Tasks without a place.</param>
/// <param name="Running">Attempts that run.</param>
/// <param name="Events">Events that happened.</param>
public sealed record ScenarioProgress(TimeSpan Virtual, long Submitted, long Ended, long Waiting, long Running, long Events);

/// <summary>What was seen in a run. What is called measured leaves the warm-up out.</summary>
public sealed record ScenarioResult
{
    /// <summary>The scenario's name.</summary>
    public required string Name { get; init; }

    /// <summary>What it shows.</summary>
    public string Description { get; init; } = "";

    /// <summary>Its seed.</summary>
    public required long Seed { get; init; }

    /// <summary>A hash over every message and every event: the same scenario and seed give the same, in any process.</summary>
    public required string Hash { get; init; }

    /// <summary>Workers.</summary>
    public required int Workers { get; init; }

    /// <summary>Schedulers.</summary>
    public required int Schedulers { get; init; }

    /// <summary>Jobs submitted.</summary>
    public required long Jobs { get; init; }

    /// <summary>Tasks submitted.</summary>
    public required long Tasks { get; init; }

    /// <summary>Tasks that succeeded.</summary>
    public required long Succeeded { get; init; }

    /// <summary>Tasks that ended otherwise: they failed, or found no place by their deadline.</summary>
    public required long Failed { get; init; }

    /// <summary>Tasks of which no end was accepted. Of a scenario whose faults end, and which has time to settle, none may be.</summary>
    public required long Lost { get; init; }

    /// <summary>Attempts beyond the first of each task.</summary>
    public required long Again { get; init; }

    /// <summary>From submit to start of the first attempt, of measured tasks for which there was a place when they came.</summary>
    public required Spread PlacementMs { get; init; }

    /// <summary>The same of all measured tasks.</summary>
    public required Spread WaitMs { get; init; }

    /// <summary>The share of cores, and of devices, that tasks kept busy while jobs came, after the warm-up.</summary>
    public required Use Utilisation { get; init; }

    /// <summary>What a core-hour cost in the mean, in credits; by the asks that were confirmed.</summary>
    public required double PricePerCoreHour { get; init; }

    /// <summary>Credits that were paid.</summary>
    public required double Paid { get; init; }

    /// <summary>Jain's index over the schedulers' mean slowdowns: 1 is alike.</summary>
    public required double Fairness { get; init; }

    /// <summary>Messages that a small worker (of at most ten compute units) sends and gets in a second while jobs come, after the warm-up.</summary>
    public required double MessagesPerWorker { get; init; }

    /// <summary>Messages for each task, of all nodes.</summary>
    public required double MessagesPerTask { get; init; }

    /// <summary>Messages sent, by kind.</summary>
    public required ImmutableSortedDictionary<string, long> Messages { get; init; }

    /// <summary>Bytes of these.</summary>
    public required long Bytes { get; init; }

    /// <summary>Workers that an ad reached, in the mean.</summary>
    public required double Audience { get; init; }

    /// <summary>Events that happened.</summary>
    public required long Events { get; init; }

    /// <summary>Virtual seconds.</summary>
    public required double VirtualS { get; init; }

    /// <summary>Real seconds that it took; 0 until whoever ran it says.</summary>
    public double WallS { get; init; }

    /// <summary>The most memory that the process held, in MiB; 0 until whoever ran it says.</summary>
    public long MemoryMib { get; init; }

    /// <summary>What was seen over time.</summary>
    public required ImmutableArray<Moment> Course { get; init; }

    /// <summary>How many of the measured tasks started within a time.</summary>
    public required ImmutableArray<Share> Distribution { get; init; }

    /// <summary>What became of each scheduler's tasks.</summary>
    public required ImmutableArray<Party> Parties { get; init; }
}

/// <summary>A distribution, in milliseconds.</summary>
/// <param name="Count">Of how many.</param>
/// <param name="P50">Half are below.</param>
/// <param name="P90">Nine tenths are below.</param>
/// <param name="P99">All but a hundredth are below.</param>
/// <param name="Max">The largest.</param>
public sealed record Spread(long Count, double P50, double P90, double P99, double Max);

/// <summary>Shares of what there is.</summary>
/// <param name="Cpu">Of cores.</param>
/// <param name="Gpu">Of devices; 0 where there are none.</param>
public sealed record Use(double Cpu, double Gpu);

/// <summary>A share of tasks.</summary>
/// <param name="Ms">Started within so many milliseconds.</param>
/// <param name="Of">The share.</param>
public sealed record Share(double Ms, double Of);

/// <summary>One scheduler's tasks.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Tasks">Tasks submitted to it.</param>
/// <param name="WaitMs">From submit to start, in the mean.</param>
/// <param name="Slowdown">Waiting and running time over running time.</param>
/// <param name="Paid">Credits that it paid.</param>
public sealed record Party(string Name, long Tasks, double WaitMs, double Slowdown, double Paid);

/// <summary>What was seen in one stretch of time.</summary>
/// <param name="S">Virtual seconds since the start, at its end.</param>
/// <param name="Cpu">The share of cores that were busy.</param>
/// <param name="Gpu">The share of devices that were busy.</param>
/// <param name="Waiting">Tasks without a place at its end.</param>
/// <param name="Price">What a core-hour cost, by what was confirmed in it; 0 if nothing was.</param>
/// <param name="Messages">Messages that a node sent and got in a second, in the mean.</param>
/// <param name="Up">Workers that were up at its end.</param>
/// <param name="P50">Half of the tasks that started in it had waited less, in milliseconds; 0 if none started.</param>
/// <param name="P99">All but a hundredth of them had waited less.</param>
public sealed record Moment(double S, double Cpu, double Gpu, long Waiting, double Price, double Messages, int Up, double P50, double P99);
