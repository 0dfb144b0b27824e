using Drap.Core.Market.Packing;
using Drap.Core.Market.Pricing;
using Xunit;

namespace Drap.Core.Tests.Market;

public class WorkerPackerTests
{
    private const long Gib = 1L << 30;

    private static readonly Reserve None = new() { MilliCpusPerGpu = 0, MemoryBytesPerGpu = 0 };

    private static readonly NodeResources Machine = new()
    {
        MilliCpus = 16_000,
        MemoryBytes = 64 * Gib,
        DiskBytes = 100 * Gib,
        NetworkMbps = 1000,
        Gpus = [new GpuDevice(0, "A100", 40 * Gib), new GpuDevice(1, "A100", 40 * Gib), new GpuDevice(2, "T4", 16 * Gib)],
        Named = [new NamedAmount("licence", 2)],
    };

    private readonly WorkerPacker packer = new();

    [Fact]
    public void Two_shares_of_six_tenths_need_two_devices_though_their_sum_fits_one_and_a_bit()
    {
        var pool = new ResourcePool(Machine);
        var request = new ResourceRequest { Gpu = new GpuRequest { Share = 6000 } };
        // As a vector five of them fit (3.0 of 3); as devices only three.
        int[] taken = packer.Pack(pool, None, [new PackingItem(request, 10, 5, 1, false)], PackingStrategy.Hybrid).ToArray();
        Assert.Equal([3], taken);
    }

    [Fact]
    public void What_a_device_could_not_hold_goes_to_others()
    {
        var pool = new ResourcePool(Machine);
        PackingItem[] items =
        [
            new(new ResourceRequest { MilliCpus = 4000, Gpu = new GpuRequest { Share = 6000 } }, 100, 4, 1, false),
            new(new ResourceRequest { MilliCpus = 4000 }, 10, 4, 2, false),
        ];
        Assert.Equal([3, 1], packer.Pack(pool, None, items, PackingStrategy.Hybrid).ToArray());
    }

    [Fact]
    public void A_request_for_a_model_uses_that_model_only()
    {
        var pool = new ResourcePool(Machine);
        PackingItem[] items =
        [
            new(new ResourceRequest { Gpu = new GpuRequest { Type = "a100" } }, 50, 3, 1, false),
            new(new ResourceRequest { Gpu = new GpuRequest { MemoryBytes = 30 * Gib } }, 60, 3, 2, false),
            new(new ResourceRequest { Gpu = new GpuRequest { Type = "H100" } }, 1000, 3, 3, false),
        ];
        Assert.Equal([0, 2, 0], packer.Pack(pool, None, items, PackingStrategy.Hybrid).ToArray());
    }

    [Fact]
    public void An_unknown_named_resource_is_never_taken_and_a_known_one_is_counted()
    {
        var pool = new ResourcePool(Machine);
        PackingItem[] items =
        [
            new(new ResourceRequest { Named = [new NamedAmount("licence", 1)] }, 50, 5, 1, false),
            new(new ResourceRequest { Named = [new NamedAmount("microscope", 1)] }, 50, 5, 2, false),
        ];
        Assert.Equal([2, 0], packer.Pack(pool, None, items, PackingStrategy.Hybrid).ToArray());
    }

    [Fact]
    public void Cores_and_memory_are_kept_for_devices_that_are_free()
    {
        var pool = new ResourcePool(Machine);
        var plain = new PackingItem(new ResourceRequest(), 10, 100, 1, true);
        Assert.Equal([13], packer.Pack(pool, new Reserve(), [plain], PackingStrategy.Hybrid).ToArray());
        pool.TryTake(new ResourceRequest { MilliCpus = 1000, Gpu = new GpuRequest { Count = 3 } });
        Assert.Equal([15], packer.Pack(pool, new Reserve(), [plain], PackingStrategy.Hybrid).ToArray());
    }

    [Fact]
    public void The_reserve_is_for_tasks_that_pay_well()
    {
        var pool = new ResourcePool(Machine);
        Reserve quarter = None with { SharePermille = 250 };
        PackingItem common = new(new ResourceRequest(), 10, 100, 1, false), high = new(new ResourceRequest(), 9, 100, 2, true);
        Assert.Equal([12], packer.Pack(pool, quarter, [common], PackingStrategy.Hybrid).ToArray());
        Assert.Equal([12, 4], packer.Pack(pool, quarter, [common, high], PackingStrategy.Hybrid).ToArray());
    }

    [Fact]
    public void Every_choice_can_be_taken_from_the_pool()
    {
        var random = new Prng(7);
        for (int k = 0; k < 300; k++)
        {
            var pool = new ResourcePool(Machine);
            PackingItem[] items = [.. Enumerable.Range(0, 1 + random.Below(30)).Select(_ => RandomItem(random))];
            foreach (PackingStrategy strategy in Enum.GetValues<PackingStrategy>())
            {
                int[] taken = packer.Pack(pool, new Reserve { SharePermille = 100 }, items, strategy).ToArray();
                ResourcePool copy = pool.Copy();
                foreach (int i in packer.Sequence)
                    Assert.True(copy.TryTake(items[i].Request) is not null, $"round {k}, {strategy}, item {i}");
                for (int i = 0; i < items.Length; i++)
                {
                    Assert.InRange(taken[i], 0, items[i].Count);
                    Assert.Equal(taken[i], packer.Sequence.Count(item => item == i));
                }
            }
            Assert.Equal(Machine.MilliCpus, pool.FreeMilliCpus);
        }
    }

    private static PackingItem RandomItem(Prng random) => new(
        new ResourceRequest
        {
            MilliCpus = random.Between(0, 4000),
            MemoryBytes = random.Between(0, 8) * Gib,
            DiskBytes = random.Between(0, 20) * Gib,
            Gpu = random.Below(4) switch
            {
                0 => new GpuRequest { Count = 1 + random.Below(3) },
                1 => new GpuRequest { Share = 1000 * (1 + random.Below(9)), Type = random.Chance(1, 2) ? "A100" : null },
                _ => null,
            },
            Named = random.Chance(1, 5) ? [new NamedAmount("licence", 1)] : [],
        },
        random.Between(0, 1000), 1 + random.Below(4), random.NextUInt64(), random.Chance(1, 3));
}
