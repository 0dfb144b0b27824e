using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Market.Pricing;
using Drap.Core.Nodes;
using Drap.Node.Hosting.Workers;
using Drap.Node.Tests.Storage;
using Xunit;

namespace Drap.Node.Tests.Service;

public sealed class WorkersTests
{
    [Fact]
    public void A_file_gives_workers_their_resources_place_and_prices()
    {
        ImmutableArray<WorkerSpec> workers = WorkersFile.Parse("""
            workers:
              - name: big
                cpu: 64
                memory: 256GiB
                gpus:
                  - {model: A100, memory: 40GiB}
                  - {model: A100, memory: 40GiB}
                named: {matlab: 2}
                labels: [ssd, rack=7]
                region: north
                prices:
                  core: 0.05
                  gpus: {A100: 2.5}
                factor: 1.25
              - name: small
                cpu: 0.5
            """, "workers.yaml");
        WorkerOptions big = workers[0].Options;
        Assert.Equal(("big", 64_000L, 256L << 30), (workers[0].Name, big.Resources.MilliCpus, big.Resources.MemoryBytes));
        Assert.Equal([0, 1], big.Resources.Gpus.Select(g => g.Index));
        Assert.Equal(new NamedAmount("matlab", 2), big.Resources.Named.Single());
        Assert.Equal(["rack=7", "ssd"], big.Traits.Labels);
        Assert.Equal("north", big.Traits.Region);
        Assert.Equal((new Price(50_000), 1250), (big.Pricing.Table.Core, big.Pricing.OwnerPermille));
        Assert.Equal(new GpuPrice("A100", new Price(2_500_000)), big.Pricing.Table.Gpus.Single());
        Assert.Equal(500, workers[1].Options.Resources.MilliCpus);
    }

    [Fact]
    public void The_guides_example_uses_every_field()
    {
        string guide = File.ReadAllText(Repository.Path("docs", "workers.md"));
        string example = guide.Split("```")[1]["yaml\n".Length..];
        WorkerSpec last = WorkersFile.Parse(example, "workers.md")[^1];
        Assert.Equal("gpu-box", last.Name);
        string refused = Assert.Throws<ApiException>(() => WorkersFile.Parse("workers: [{nonesuch: 1}]", "w.yaml")).Message;
        string[] fields = refused.Split("allowed: ")[1].Split('\n')[0].Split(", ");
        Assert.Equal(15, fields.Length);
        Assert.All(fields, field => Assert.Contains($" {field}: ", example, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("workers: [{name: a, cpu: lots}]", "w.yaml:1:26: workers[0].cpu: found 'lots'; allowed: a number of cores such as 2 or 0.5, with at most three decimals")]
    [InlineData("workers: [{name: a, ram: 1}]", "w.yaml:1:21: workers[0].ram: unknown field 'ram'; did you mean 'memory'?")]
    [InlineData("workers: [{name: a, hourly: [1]}]", "w.yaml:1:29: workers[0].hourly: 1 factors; allowed: 24 of them, one for each hour in UTC")]
    [InlineData("workers: [{name: a, sandbox: {shows: [data]}}]", "w.yaml:1:39: workers[0].sandbox.shows[0]: found 'data'; allowed: an absolute path without '..'")]
    [InlineData("workers: []", "w.yaml:1:10: workers: 0 workers; allowed: 1 to 256")]
    public void What_is_wrong_is_said_with_its_place_and_what_is_allowed(string text, string message) =>
        Assert.Equal(message, Assert.Throws<ApiException>(() => WorkersFile.Parse(text, "w.yaml")).Message);

    [Fact]
    public void A_name_stands_once_and_leads_nowhere() =>
        Assert.Equal(2, Assert.Throws<ApiException>(() => WorkersFile.Parse("workers: [{name: a}, {name: a}, {name: ../x}]", "w.yaml")).Message.Split('\n').Length);

    [Fact]
    public void A_file_that_is_not_right_changes_nothing()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "w.yaml");
        File.WriteAllText(path, "workers: [{name: a}]");
        var changes = new List<string>();
        using var watch = new WorkersFileWatch(path, w => changes.Add(string.Join(',', w.Select(s => s.Name))), changes.Add);
        watch.Look();
        Assert.Empty(changes);
        File.WriteAllText(path, "workers: [{name: a}, {name: b}]");
        watch.Look();
        File.WriteAllText(path, "workers: none");
        watch.Look();
        watch.Look();
        Assert.Equal("a,b", changes[0]);
        Assert.Contains("w.yaml:1:10", changes[1], StringComparison.Ordinal);
        Assert.Equal(2, changes.Count);
    }

    [Theory]
    [InlineData(1, null, "1000")]
    [InlineData(2, null, "1000 1000")]
    [InlineData(3, null, "2000 1000")]
    [InlineData(4, null, "2000 1000 1000")]
    [InlineData(64, null, "32000 16000 16000")]
    [InlineData(4, 4, "1000 1000 1000 1000")]
    [InlineData(2, 4, "1000 334 333 333")]
    public void A_machine_is_owned_once(int cores, int? workers, string shares)
    {
        var machine = new MachineResources { MilliCpus = cores * 1000, MemoryBytes = 10_000_001, DiskBytes = 77, Gpus = [new GpuDevice(0, "A", 1), new GpuDevice(1, "B", 1)] };
        ImmutableArray<WorkerSpec> specs = machine.Split(workers);
        Assert.Equal(shares, string.Join(' ', specs.Select(s => s.Options.Resources.MilliCpus)));
        Assert.Equal(9_000_000, specs.Sum(s => s.Options.Resources.MemoryBytes));
        Assert.Equal(69, specs.Sum(s => s.Options.Resources.DiskBytes));
        Assert.Equal([0, 1], specs.SelectMany(s => s.Options.Resources.Gpus).Select(g => g.Index).Order());
        Assert.All(specs, s => Assert.Empty(s.Options.Pricing.Validate()));
    }

    [Fact]
    public void Limits_of_control_groups_are_the_tightest_on_the_way_up()
    {
        using var root = new TempFolder();
        Directory.CreateDirectory(Path.Combine(root.Path, "a/b"));
        File.WriteAllText(Path.Combine(root.Path, "groups"), "0::/a/b\n");
        File.WriteAllText(Path.Combine(root.Path, "a/cpu.max"), "150000 100000\n");
        File.WriteAllText(Path.Combine(root.Path, "a/b/cpu.max"), "max 100000\n");
        File.WriteAllText(Path.Combine(root.Path, "a/b/memory.max"), "1073741824\n");
        Assert.Equal(new ControlGroup(1500, 1 << 30), ControlGroup.Of(Path.Combine(root.Path, "groups"), root.Path));
        Assert.Equal(default, ControlGroup.Of(Path.Combine(root.Path, "none"), root.Path));
    }

    [Fact]
    public void Devices_are_read_as_the_vendor_lists_them() => Assert.Equal(
        [new GpuDevice(0, "NVIDIA A100-SXM4-40GB", 40960L << 20), new GpuDevice(1, "Odd, Name", 1L << 20)],
        NvidiaSmi.Parse("0, NVIDIA A100-SXM4-40GB, 40960\n1, Odd, Name, 1\nNo devices were found\n"));

    [Fact]
    public void This_machine_has_something()
    {
        using var folder = new TempFolder();
        var machine = MachineResources.Detect(Path.Combine(folder.Path, "not", "there"));
        Assert.True(machine is { MilliCpus: > 0, MemoryBytes: > 1 << 20, DiskBytes: > 0, Architecture: "x86_64" or "aarch64" });
    }
}
