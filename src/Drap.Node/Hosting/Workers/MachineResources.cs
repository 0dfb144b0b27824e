using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Market.Pricing;
using Drap.Core.Nodes;
using Drap.Node.Config;

namespace Drap.Node.Hosting.Workers;

/// <summary>What this process may use of its machine: affinity and cgroup limits count, not what is built in.</summary>
public sealed record MachineResources
{
    /// <summary>Kept back for the node itself and for everything else on the machine, in permille of memory and disk.</summary>
    private const int KeptPermille = 100;

    /// <summary>Workers of one machine; more share what is never enough.</summary>
    private const int WorkersMax = 256;

    /// <summary>The owner's factors of the first workers, in permille: a market whose sellers all ask the same has no prices.</summary>
    private static readonly int[] factors = [1000, 1100, 1250];

    /// <summary>Processor time, in thousandths of a core.</summary>
    public long MilliCpus { get; init; }

    /// <summary>Memory, in bytes.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Free disk where the home lies, in bytes.</summary>
    public long DiskBytes { get; init; }

    /// <summary>As uname has it.</summary>
    public string Architecture { get; init; } = "";

    /// <summary>The processor's model name; empty if unknown.</summary>
    public string CpuModel { get; init; } = "";

    /// <summary>Its GPUs.</summary>
    public ImmutableArray<GpuDevice> Gpus { get; init; } = [];

    /// <summary>Its NUMA nodes; 1 where the kernel tells none.</summary>
    public int NumaNodes { get; init; } = 1;

    /// <summary>Network, in Mbit/s, as its owner says: it is not measured.</summary>
    public long NetworkMbps { get; init; }

    /// <summary>Countable things of its owner's, ordered by name.</summary>
    public ImmutableArray<NamedAmount> Named { get; init; } = [];

    /// <summary>What is kept back of memory and of disk, in permille; nothing where the owner said how much there is.</summary>
    private (int Memory, int Disk) Kept { get; init; } = (KeptPermille, KeptPermille);

    /// <summary>Looks at the machine. What cannot be found out is left out; nothing here fails.</summary>
    /// <param name="home">The state folder, whose disk counts; it need not be there yet.</param>
    public static MachineResources Detect(string home)
    {
        ControlGroup group = ControlGroup.OfThisProcess();
        // The runtime's count follows sched_getaffinity, and the quota rounded up; the quota itself is finer.
        long cpus = Math.Min(Environment.ProcessorCount * 1000L, group.MilliCpusMax ?? long.MaxValue);
        return new MachineResources
        {
            MilliCpus = Math.Max(cpus, 1),
            MemoryBytes = Math.Min(ProcFiles.MemoryTotal() ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, group.MemoryBytesMax ?? long.MaxValue),
            DiskBytes = FreeDisk(home),
            Architecture = ArchitectureName,
            CpuModel = ProcFiles.CpuModel(),
            Gpus = NvidiaSmi.List() is { IsEmpty: false } listed ? listed : KernelGpus.List("/"),
            NumaNodes = ProcFiles.NumaNodes(),
        };
    }

    /// <summary>Memory that its workers get where their owner says nothing, in bytes.</summary>
    public long UsualMemoryBytes => Left(MemoryBytes, KeptPermille);

    /// <summary>Disk likewise.</summary>
    public long UsualDiskBytes => Left(DiskBytes, KeptPermille);

    /// <summary>What was measured of a setting's kind and is used where nothing is said, as a file of settings would have it.</summary>
    /// <param name="setting"><c>cpu</c>, <c>memory</c>, <c>disk</c> or <c>gpus</c>.</param>
    public string WordsOf(string setting) => setting switch
    {
        "cpu" => new Cores(MilliCpus).ToString(),
        "memory" => MachineClaims.Mebibytes(UsualMemoryBytes),
        "disk" => MachineClaims.Mebibytes(UsualDiskBytes),
        _ => $"[{string.Join(", ", Gpus.Select(g => g.Index))}]",
    };

    /// <summary>
    /// What its owner lets be used. A claim above what was measured counts as that: <see cref="MachineClaims"/> has told him.
    /// </summary>
    public MachineResources Limit(WorkerTerms terms) => this with
    {
        MilliCpus = Math.Max(1, Math.Min(terms.Cpu?.Milli ?? long.MaxValue, MilliCpus)),
        MemoryBytes = Math.Min(terms.Memory?.Bytes ?? long.MaxValue, MemoryBytes),
        DiskBytes = Math.Min(terms.Disk?.Bytes ?? long.MaxValue, DiskBytes),
        Kept = (terms.Memory is null ? KeptPermille : 0, terms.Disk is null ? KeptPermille : 0),
        Gpus = terms.Gpus is { } claimed ? MachineClaims.Devices(claimed, Gpus) : Gpus,
        NetworkMbps = terms.Network,
        Named = TermsReading.Named(terms),
    };

    /// <summary>The machine's architecture as uname has it.</summary>
    public static string ArchitectureName => RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "x86_64",
        System.Runtime.InteropServices.Architecture.Arm64 => "aarch64",
        var other => other.ToString().ToLowerInvariant(),
    };

    /// <summary>
    /// Several workers that own the machine once together, of different sizes and prices: by default two of two cores, and a half and two
    /// quarters of four and more. Memory and disk follow the cores, less a tenth.
    /// </summary>
    /// <param name="workers">How many; null takes the default.</param>
    public ImmutableArray<WorkerSpec> Split(int? workers)
    {
        int count = Math.Clamp(workers ?? (MilliCpus >= 4000 ? 3 : MilliCpus >= 2000 ? 2 : 1), 1, WorkersMax);
        long[] cpus = Shares(count);
        var specs = ImmutableArray.CreateBuilder<WorkerSpec>(count);
        long given = 0, givenMemory = 0, givenDisk = 0, allMemory = Left(MemoryBytes, Kept.Memory), allDisk = Left(DiskBytes, Kept.Disk);
        for (int i = 0; i < count; i++)
        {
            given += cpus[i];
            long memory = Part(allMemory, given) - givenMemory, disk = Part(allDisk, given) - givenDisk;
            givenMemory += memory;
            givenDisk += disk;
            string name = $"w{i + 1}";
            specs.Add(new WorkerSpec(name, new WorkerOptions
            {
                Name = name,
                Resources = new NodeResources
                {
                    MilliCpus = cpus[i],
                    MemoryBytes = memory,
                    DiskBytes = disk,
                    NetworkMbps = Share(NetworkMbps, count, i),
                    Gpus = [.. Gpus.Where((_, index) => index % count == i)],
                    Named = [.. Named.Select(n => n with { Amount = Share(n.Amount, count, i) })],
                },
                Traits = new NodeTraits { Architecture = Architecture, CpuModel = CpuModel, Drivers = ["dotnet", "process"] },
                Pricing = new PricingOptions { OwnerPermille = factors[i % factors.Length] },
            }));
        }
        return specs.MoveToImmutable();
    }

    /// <summary>The first gets half of it when there are three or more; whole cores as long as there is one for each.</summary>
    private long[] Shares(int count)
    {
        long unit = MilliCpus >= 1000L * count ? 1000 : 1;
        long units = MilliCpus / unit;
        long first = count == 1 ? units : count == 2 ? (units + 1) / 2 : Math.Min((units + 1) / 2, units - (count - 1));
        first = Math.Max(first, (units + count - 1) / count);
        var shares = new long[count];
        shares[0] = first * unit;
        long left = units - first;
        for (int i = 1; i < count; i++)
            shares[i] = (left / (count - 1) + (i - 1 < left % (count - 1) ? 1 : 0)) * unit;
        return shares;
    }

    private static long Left(long total, int keptPermille) => (long)((Int128)total * (1000 - keptPermille) / 1000);

    private long Part(long total, long cpus) => (long)((Int128)total * cpus / MilliCpus);

    /// <summary>What cannot be halved goes to the first ones.</summary>
    private static long Share(long total, int count, int index) => total / count + (index < total % count ? 1 : 0);

    private static long FreeDisk(string home)
    {
        for (string? folder = Path.GetFullPath(home); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            try
            {
                if (Directory.Exists(folder))
                    return new DriveInfo(folder).AvailableFreeSpace;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                return 0;
            }
        }
        return 0;
    }
}
