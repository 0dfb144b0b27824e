using System.Collections.Immutable;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Drap.Core;

namespace Drap.Node.Hosting.Workers;

/// <summary>NVIDIA's devices, as its own tool lists them. Where the tool is not, there are none.</summary>
internal static class NvidiaSmi
{
    /// <summary>A driver that hangs must not keep a node from its start.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(5);

    public static ImmutableArray<GpuDevice> List()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("nvidia-smi", ["--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            });
            if (process is null)
                return [];
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            if (!output.Wait(patience) || !process.WaitForExit(patience))
            {
                process.Kill(entireProcessTree: true);
                return [];
            }
            return process.ExitCode == 0 ? Parse(output.Result) : [];
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or AggregateException)
        {
            return [];
        }
    }

    /// <summary>Lines as <c>0, NVIDIA A100-SXM4-40GB, 40960</c>, memory in MiB; a line that is none is left out.</summary>
    internal static ImmutableArray<GpuDevice> Parse(string output)
    {
        var devices = ImmutableArray.CreateBuilder<GpuDevice>();
        foreach (string line in output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            if (line.Split(',', StringSplitOptions.TrimEntries) is [string index, .., string memory] fields && fields.Length >= 3
                && int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out int at)
                && long.TryParse(memory, NumberStyles.None, CultureInfo.InvariantCulture, out long mib))
                devices.Add(new GpuDevice(at, string.Join(", ", fields[1..^1]), mib << 20));
        return devices.DrainToImmutable();
    }
}
