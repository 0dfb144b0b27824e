using System.Collections.Immutable;
using System.Globalization;
using Drap.Core;

namespace Drap.Node.Hosting.Workers;

/// <summary>
/// GPUs as the kernel shows those that can compute, where the vendor's tool does not list any: AMD's of the driver amdkfd, with their memory, and NVIDIA's of its
/// own driver, whose memory it does not tell. A card that only draws is none.
/// </summary>
internal static class KernelGpus
{
    /// <summary>Lists them.</summary>
    /// <param name="root">Where the kernel's folders are, <c>/</c>.</param>
    public static ImmutableArray<GpuDevice> List(string root)
    {
        var devices = ImmutableArray.CreateBuilder<GpuDevice>();
        foreach (string folder in Folders(Path.Combine(root, "sys/class/kfd/kfd/topology/nodes")).OrderBy(f => Number(Path.GetFileName(f)) ?? long.MaxValue))
        {
            // The processor is a node of that topology, too; its id is 0.
            if (Number(Line(folder, "gpu_id")) is not > 0)
                continue;
            long memory = Folders(Path.Combine(folder, "mem_banks")).Sum(bank => Property(bank, "size_in_bytes"));
            devices.Add(new GpuDevice(devices.Count, Line(folder, "name") is { Length: > 0 } name ? "AMD " + name : "AMD", memory));
        }
        foreach (string folder in Folders(Path.Combine(root, "proc/driver/nvidia/gpus")).Order(StringComparer.Ordinal))
            devices.Add(new GpuDevice(devices.Count, Field(Path.Combine(folder, "information"), "Model") ?? "NVIDIA", 0));
        return devices.DrainToImmutable();
    }

    private static string[] Folders(string path)
    {
        try
        {
            return Directory.GetDirectories(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string Line(string folder, string file) => ProcFiles.Lines(Path.Combine(folder, file)).FirstOrDefault()?.Trim() ?? "";

    /// <summary>A line <c>size_in_bytes 17163091968</c>.</summary>
    private static long Property(string folder, string name) =>
        ProcFiles.Lines(Path.Combine(folder, "properties")).Select(l => l.Split(' ', 2)).Where(w => w.Length == 2 && w[0] == name).Select(w => Number(w[1].Trim()) ?? 0).FirstOrDefault();

    /// <summary>A line <c>Model: 		 NVIDIA A100</c>.</summary>
    private static string? Field(string file, string name) =>
        ProcFiles.Lines(file).Select(l => l.Split(':', 2)).Where(w => w.Length == 2 && w[0].Trim() == name).Select(w => w[1].Trim()).FirstOrDefault();

    private static long? Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;
}
