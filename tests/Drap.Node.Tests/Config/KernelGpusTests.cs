using Drap.Core;
using Drap.Node.Hosting.Workers;
using Drap.Node.Tests.Storage;
using Xunit;

namespace Drap.Node.Tests.Config;

public sealed class KernelGpusTests
{
    [Fact]
    public void What_the_kernels_drivers_for_computing_show_is_a_device_and_a_processor_is_none()
    {
        using var root = new TempFolder();
        Write("sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
        Write("sys/class/kfd/kfd/topology/nodes/10/gpu_id", "51123\n");
        Write("sys/class/kfd/kfd/topology/nodes/10/name", "gfx942\n");
        Write("sys/class/kfd/kfd/topology/nodes/10/mem_banks/0/properties", "heap_type 1\nsize_in_bytes 206141652992\nflags 0\n");
        Write("sys/class/kfd/kfd/topology/nodes/2/gpu_id", "26273\n");
        Write("sys/class/kfd/kfd/topology/nodes/2/name", "gfx90a\n");
        Write("sys/class/kfd/kfd/topology/nodes/2/mem_banks/0/properties", "size_in_bytes 1024\n");
        Write("sys/class/kfd/kfd/topology/nodes/2/mem_banks/1/properties", "size_in_bytes 1024\n");
        Write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 100\n");
        Assert.Equal([new GpuDevice(0, "AMD gfx90a", 2048), new GpuDevice(1, "AMD gfx942", 206141652992), new GpuDevice(2, "NVIDIA A100-SXM4-40GB", 0)], KernelGpus.List(root.Path));

        void Write(string path, string text)
        {
            path = Path.Combine(root.Path, path);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }
    }

    [Fact]
    public void Where_there_are_no_such_folders_there_is_no_device()
    {
        using var root = new TempFolder();
        Assert.Empty(KernelGpus.List(root.Path));
    }
}
