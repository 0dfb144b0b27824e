using System.Collections.Immutable;
using System.Globalization;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Node.Config;

namespace Drap.Node.Hosting.Workers;

/// <summary>
/// Whether an owner claims more than was measured. Of cores, memory and devices a node's own settings may not: whoever were sent there would get less than was
/// sold. Disk comes and goes, so of that the owner is only told; and a workers' file may say what is not there, since it is for trying swarms, too.
/// </summary>
public static class MachineClaims
{
    /// <summary>Adds to the settings' problems and warnings what the machine says of them.</summary>
    public static void Check(NodeConfig config, MachineResources machine, ImmutableArray<WorkerSpec> fileWorkers)
    {
        NodeSpec spec = config.Spec;
        if (!spec.HasWorkers())
            return;
        if (spec.Cpu is { } cpu && (cpu.Milli == 0 || cpu.Milli > machine.MilliCpus))
            config.Refuse(new JobProblem("cpu", $"found {cpu}", $"more than 0 and at most {new Cores(machine.MilliCpus)}, which is what this machine gives (processors that it may use, and its control group's limit)"));
        if (spec.Memory is { } memory && (memory.Bytes == 0 || memory.Bytes > machine.MemoryBytes))
            config.Refuse(new JobProblem("memory", $"found {memory}", $"more than 0 and at most {Mebibytes(machine.MemoryBytes)}, which is what this machine gives"));
        if (spec.Disk is { } disk && disk.Bytes > machine.DiskBytes)
            config.Warn(new JobProblem("disk", $"{disk} claimed, {Mebibytes(machine.DiskBytes)} are free: so much is offered", ""));
        CheckDevices(config, spec.Gpus ?? [], machine.Gpus);
        if (fileWorkers.IsEmpty)
            return;
        if (fileWorkers.Sum(w => w.Options.Resources.MilliCpus) is var cores && cores > machine.MilliCpus)
            config.Warn(new JobProblem("workers", $"its workers claim {new Cores(cores)} cores together, this machine gives {new Cores(machine.MilliCpus)}: their tasks will be slower than is promised", ""));
        if (fileWorkers.Sum(w => w.Options.Resources.MemoryBytes) is var bytes && bytes > machine.MemoryBytes)
            config.Warn(new JobProblem("workers", $"its workers claim {Mebibytes(bytes)} of memory together, this machine gives {Mebibytes(machine.MemoryBytes)}: their tasks may be ended for want of it", ""));
        foreach (GpuDevice device in fileWorkers.SelectMany(w => w.Options.Resources.Gpus))
            if (!machine.Gpus.Any(g => g.Index == device.Index))
                config.Warn(new JobProblem("workers", $"it claims the GPU {device.Index}, which this machine does not have: tasks that need it will fail", ""));
    }

    /// <summary>The devices that are meant, of those that are there.</summary>
    internal static ImmutableArray<GpuDevice> Devices(ImmutableArray<DeviceSpec> claims, ImmutableArray<GpuDevice> measured)
    {
        var found = new List<GpuDevice>();
        foreach (DeviceSpec claim in claims)
            if (Find(claim, measured, found) is { } device)
                found.Add(device);
        return [.. found.OrderBy(d => d.Index)];
    }

    /// <summary>Bytes as a person may write them, never more than they are.</summary>
    internal static string Mebibytes(long bytes) => new ByteSize(bytes >> 20 << 20).ToString();

    private static void CheckDevices(NodeConfig config, ImmutableArray<DeviceSpec> claims, ImmutableArray<GpuDevice> measured)
    {
        string there = measured.IsEmpty
            ? "none: neither nvidia-smi nor the kernel shows a GPU here (drap doctor says more)"
            : string.Join(", ", measured.Select(d => string.Create(CultureInfo.InvariantCulture, $"{d.Index} ({d.Model}{(d.MemoryBytes > 0 ? ", " + Mebibytes(d.MemoryBytes) : "")})")));
        var found = new List<GpuDevice>();
        for (int i = 0; i < claims.Length; i++)
        {
            if (Find(claims[i], measured, found) is { } device)
                found.Add(device);
            else
                config.Refuse(new JobProblem($"gpus[{i}]", $"found {Words(claims[i])}, which is not there or stands there twice", there));
        }
    }

    private static GpuDevice? Find(DeviceSpec claim, ImmutableArray<GpuDevice> measured, List<GpuDevice> taken) => measured.FirstOrDefault(d =>
        !taken.Contains(d) && (claim.Index is null || claim.Index == d.Index) && d.Model.Contains(claim.Model, StringComparison.OrdinalIgnoreCase)
        && (claim.Memory is not { } memory || memory.Bytes <= d.MemoryBytes));

    private static string Words(DeviceSpec claim) => string.Join(' ',
        (string[])[claim.Index is { } index ? index.ToString(CultureInfo.InvariantCulture) : "", claim.Model, claim.Memory is { } memory ? $"with {memory}" : ""]).Trim();
}
