using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Market.Pricing;

namespace Drap.Node.Config;

/// <summary>What an owner says of a worker: the words that a node's file and a workers' file have in common.</summary>
public abstract record WorkerTerms
{
    [Setting("Cores that tasks may use", IsDetected = true, Usual = "all", Example = "1.5", Value = "CORES")]
    public Cores? Cpu { get; init; }

    [Setting("Memory that tasks may use", IsDetected = true, Usual = "nine tenths", Example = "2GiB", Value = "SIZE")]
    public ByteSize? Memory { get; init; }

    [Setting("Disk that tasks may use for their work", IsDetected = true, Usual = "nine tenths of what is free", Example = "20GiB", Value = "SIZE")]
    public ByteSize? Disk { get; init; }

    [Setting("Network that tasks may be promised, in Mbit/s; it is not measured", Usual = "0", Example = "1000", Value = "MBIT")]
    public long Network { get; init; }

    [Setting("GPUs that tasks may use, by their numbers", IsDetected = true, Usual = "all", Example = "[0, 1]", Value = "NUMBERS")]
    public ImmutableArray<DeviceSpec>? Gpus { get; init; }

    [Setting("Countable things of your own", Usual = "{}", Example = "{ license-x: 2 }", Value = "NAME=N")]
    public ImmutableSortedDictionary<string, long> Named { get; init; } = JobJson.EmptyMap<long>();

    [Setting("Words that jobs may ask for or avoid", Usual = "[]", Example = "[fast, lab-2]", Value = "WORDS", Alias = "--label")]
    public ImmutableArray<string> Labels { get; init; } = [];

    [Setting("Where it is: jobs are offered to their own region first", Usual = "local", Example = "eu", Value = "NAME")]
    public string Region { get; init; } = "local";

    [Setting("A place within the region", Usual = "\"\"", Example = "rack-1", Value = "NAME")]
    public string Zone { get; init; } = "";

    [Setting("Prices in credits per hour")]
    public PricesSpec Prices { get; init; } = new();

    [Setting("On all prices", Usual = "1", Example = "1.1", Value = "FACTOR")]
    public Permille? Factor { get; init; }

    [Setting("On top, one factor for each hour of the day in UTC", Usual = "[]",
        Example = "[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5]", Value = "24-FACTORS")]
    public ImmutableArray<Permille> Hourly { get; init; } = [];

    [Setting("Whose tasks run in a sandbox, and what they see there")]
    public SandboxSpec Sandbox { get; init; } = new();
}

/// <summary>Base prices per unit and hour.</summary>
public sealed record PricesSpec
{
    [Setting("One core", Usual = "0.04", Example = "0.05", Value = "PRICE")]
    public Price Core { get; init; } = PriceTable.Default.Core;

    [Setting("One GiB of memory", Usual = "0.005", Example = "0.006", Value = "PRICE")]
    public Price Memory { get; init; } = PriceTable.Default.MemoryGiB;

    [Setting("One GiB of disk", Usual = "0.0001", Example = "0.0002", Value = "PRICE")]
    public Price Disk { get; init; } = PriceTable.Default.DiskGiB;

    [Setting("One Mbit/s", Usual = "0.00001", Example = "0.00002", Value = "PRICE")]
    public Price Network { get; init; } = PriceTable.Default.NetworkMbps;

    [Setting("A GPU that the next line does not name", Usual = "1", Example = "1.2", Value = "PRICE")]
    public Price Gpu { get; init; } = PriceTable.Default.Gpu;

    [Setting("GPUs by a word of the model's name", Usual = "{}", Example = "{ A100: 2.5 }", Value = "WORD=PRICE")]
    public ImmutableSortedDictionary<string, Price> Gpus { get; init; } = JobJson.EmptyMap<Price>();

    [Setting("Things of your own; others cost nothing", Usual = "{}", Example = "{ license-x: 0.5 }", Value = "NAME=PRICE")]
    public ImmutableSortedDictionary<string, Price> Named { get; init; } = JobJson.EmptyMap<Price>();
}

/// <summary>The owner's rule for the sandbox.</summary>
public sealed record SandboxSpec
{
    [Setting("Whose tasks run in a sandbox: others (all but your own principal's), always, or never", Usual = "others", Example = "always", Value = "WHOSE")]
    public SandboxUse Tasks { get; init; }

    [Setting("Tasks that ask for network have the machine's", Usual = "false", Example = "true", Value = "true|false")]
    public bool Network { get; init; }

    [Setting("Files and folders that tasks see there read-only, besides the system's programs", Usual = "[]", Example = "[/data/models]", Value = "PATHS")]
    public ImmutableArray<AbsolutePath> Shows { get; init; } = [];
}

/// <summary>A GPU; a bare number is its index.</summary>
[ScalarForm("index")]
public sealed record DeviceSpec
{
    [Setting("Its number")]
    public int? Index { get; init; }

    [Setting("The vendor's name of it, or a word of that")]
    public string Model { get; init; } = "";

    [Setting("Its memory")]
    public ByteSize? Memory { get; init; }
}
