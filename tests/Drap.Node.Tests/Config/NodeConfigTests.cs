using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Execution;
using Drap.Node.Config;
using Drap.Node.Hosting.Workers;
using Drap.Node.Tests.Storage;
using Xunit;

namespace Drap.Node.Tests.Config;

public sealed class NodeConfigTests : IDisposable
{
    private static readonly UtcTime now = new(1_800_000_000_000);

    private static readonly MachineResources machine = new()
    {
        MilliCpus = 2000, MemoryBytes = 8L << 30, DiskBytes = 100L << 30, Gpus = [new GpuDevice(0, "NVIDIA A100", 40L << 30), new GpuDevice(1, "NVIDIA H200", 141L << 30)],
    };

    private readonly TempFolder folder = new();

    private string File => Path.Combine(folder.Path, "node.yaml");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_flag_goes_before_a_variable_that_before_the_file_and_that_before_the_default()
    {
        NodeConfig config = Read("region: file\nzone: file\nlabels: [file]\n", [("DRAP_REGION", "variable"), ("DRAP_ZONE", "variable")], ("region", ["flag"]));
        Assert.Equal(("flag", "variable"), (config.Spec.Region, config.Spec.Zone));
        Assert.Equal(["file"], config.Spec.Labels);
        Assert.Equal(["--region", "DRAP_ZONE", $"{File}:3:9", "default", "detected"], new[] { "region", "zone", "labels", "network", "cpu" }.Select(p => config.OriginOf(NodeSetting.Of(p)).Text));
    }

    [Fact]
    public void Sections_are_said_in_parts_by_different_layers()
    {
        NodeConfig config = Read("prices:\n  core: 0.1\n  memory: 0.2\n", [("DRAP_PRICES_GPUS", "A100=2.5,H200=4")], ("prices.memory", ["0.3"]));
        Assert.Equal((new Price(100_000), new Price(300_000), new Price(4_000_000)), (config.Spec.Prices.Core, config.Spec.Prices.Memory, config.Spec.Prices.Gpus["H200"]));
        Assert.Equal(new PricesSpec().Disk, config.Spec.Prices.Disk);
    }

    [Fact]
    public void A_list_comes_with_commas_or_repeated_and_none_is_the_empty_one()
    {
        NodeConfig config = Read("labels: [a]\ngpus: [0, 1]\n", [("DRAP_GPUS", "none")], ("labels", ["b,c", "d"]));
        Assert.Equal(["b", "c", "d"], config.Spec.Labels);
        Assert.Empty(config.Spec.Gpus!.Value);
        Assert.Null(Read("").Spec.Gpus);
    }

    [Fact]
    public void A_variable_that_is_empty_says_nothing() => Assert.Equal("local", Read("", [("DRAP_REGION", "")]).Spec.Region);

    [Theory]
    [InlineData("labls: [a]", "{0}:1:1: labls: unknown field 'labls'; did you mean 'labels'?")]
    [InlineData("region: eu\nprices:\n  core: cheap", "{0}:3:9: prices.core: found 'cheap'; allowed: a price in credits per hour such as 1.5: not negative, at most six decimals, at most a million")]
    [InlineData("sandbox: {tasks: everybody}", "{0}:1:18: sandbox.tasks: found 'everybody'; allowed: others, always, never")]
    [InlineData("roles: [worker, boss]", "{0}:1:17: roles[1]: found 'boss'; allowed: worker, scheduler, gateway, inviter")]
    [InlineData("listen: [/ip4/1.2.3.4/udp/5]", "{0}:1:10: listen[0]: found '/ip4/1.2.3.4/udp/5'; allowed: an IP address or a name with a TCP port, such as /ip4/192.0.2.1/tcp/4001")]
    [InlineData("listen: [/dnsaddr/a.example]", "{0}:1:10: listen[0]: found '/dnsaddr/a.example'; allowed: an IP address or a name with a TCP port, such as /ip4/192.0.2.1/tcp/4001")]
    [InlineData("announce: [/dnsaddr]", "{0}:1:12: announce[0]: found '/dnsaddr'; allowed: an IP address or a name with a TCP port, such as /ip4/192.0.2.1/tcp/4001, or a name that holds addresses, such as /dnsaddr/drap.example.org")]
    [InlineData("region: a/b", "{0}:1:9: region: found 'a/b'; allowed: letters, digits, '.', '_' and '-', at most 64 of them, a letter or digit first")]
    [InlineData("workers: 0", "{0}:1:10: workers: found '0'; allowed: a number from 1 to 256, or a file that is there")]
    [InlineData("gateway: true\nroles: [worker]", "{0}:2:8: roles: found worker beside gateway: true, which is a node without tasks; allowed: gateway, inviter, or no gateway: true")]
    [InlineData("gateway: true\nidle_timeout: 5m", "{0}:2:15: idle_timeout: a node without workers never has a task; allowed: none, or the role worker")]
    [InlineData("quota: {share: 0}", "{0}:1:16: quota.share: found 0; allowed: more than 0 and at most 1")]
    [InlineData("quota: {offers: 2000}", "{0}:1:17: quota.offers: found 2000; allowed: 1 to 1024")]
    [InlineData("credit: {daily: -1}", "{0}:1:17: credit.daily: found '-1'; allowed: an amount of credits such as 12.5: not negative, at most six decimals, at most a million")]
    [InlineData("time_limit: 0s", "{0}:1:13: time_limit: found 0s; allowed: at least 1s")]
    [InlineData("- a", "{0}:1:1: found a list; allowed: settings as NAME: VALUE, a line each")]
    [InlineData("region: eu\nregion: us", "{0}:2:1: 'region' a second time; allowed: each field once")]
    public void What_is_wrong_in_a_file_is_said_with_its_place_and_what_is_allowed(string text, string message) =>
        Assert.Equal(string.Format(System.Globalization.CultureInfo.InvariantCulture, message, File), Assert.Single(Read(text).Problems));

    [Fact]
    public void What_is_wrong_in_a_flag_or_a_variable_is_said_with_its_name()
    {
        NodeConfig config = Read("cpu: many", [("DRAP_MEMORY", "lots")], ("mdns", ["maybe"]), ("named", ["a"]));
        Assert.Equal(
            [
                $"{File}:1:6: cpu: found 'many'; allowed: a number of cores such as 2 or 0.5, with at most three decimals", "DRAP_MEMORY: found 'lots'; allowed: a size such as 512MiB, 1GB or 4096",
                "--mdns: found 'maybe'; allowed: true or false", "--named: found 'a'; allowed: names with their values",
            ], config.Problems);
        Assert.Throws<ApiException>(config.Checked);
    }

    [Fact]
    public void A_variable_that_is_nearly_ours_is_told_and_others_are_not() => Assert.Equal(
        ["DRAP_REGOIN: no setting is called so; did you mean 'DRAP_REGION'?"], Read("", [("DRAP_REGOIN", "eu"), ("DRAP_OUT", "/x"), ("DRAP_TEST_ALL", "1"), ("DRAP_HOME", "/h"), ("DRAP_WORK", "/w")]).Warnings);

    [Fact]
    public void A_file_that_is_named_must_be_there()
    {
        var sources = new ConfigSources { File = File, IsFileNamed = true, Now = now };
        Assert.Equal($"{File}: the file cannot be read: it is not there", Assert.Single(NodeConfig.Read(sources).Problems));
        Assert.Empty(NodeConfig.Read(sources with { IsFileNamed = false }).Problems);
    }

    [Theory]
    [InlineData("cpu: 3", "{0}:1:6: cpu: found 3; allowed: more than 0 and at most 2, which is what this machine gives (processors that it may use, and its control group's limit)")]
    [InlineData("memory: 9GiB", "{0}:1:9: memory: found 9GiB; allowed: more than 0 and at most 8GiB, which is what this machine gives")]
    [InlineData("gpus: [1, 2]", "{0}:1:11: gpus[1]: found 2, which is not there or stands there twice; allowed: 0 (NVIDIA A100, 40GiB), 1 (NVIDIA H200, 141GiB)")]
    [InlineData("gpus: [{model: a100, memory: 80GiB}]", "{0}:1:8: gpus[0]: found a100 with 80GiB, which is not there or stands there twice; allowed: 0 (NVIDIA A100, 40GiB), 1 (NVIDIA H200, 141GiB)")]
    public void A_claim_above_what_was_measured_is_refused(string text, string message)
    {
        NodeConfig config = Read(text);
        MachineClaims.Check(config, machine, []);
        Assert.Equal(string.Format(System.Globalization.CultureInfo.InvariantCulture, message, File), Assert.Single(config.Problems));
    }

    [Fact]
    public void Disk_that_is_not_free_now_and_a_workers_file_that_says_more_are_only_told()
    {
        string workers = Path.Combine(folder.Path, "w.yaml");
        System.IO.File.WriteAllText(workers, "workers: [{name: a, cpu: 2, memory: 4GiB}, {name: b, cpu: 1, memory: 6GiB, gpus: [{index: 1}, {index: 7}]}]");
        NodeConfig disk = Read("disk: 1TiB");
        MachineClaims.Check(disk, machine, []);
        Assert.Empty(disk.Problems);
        Assert.Equal($"{File}:1:7: disk: 1TiB claimed, 100GiB are free: so much is offered", Assert.Single(disk.Warnings));
        NodeConfig file = Read("workers: w.yaml");
        MachineClaims.Check(file, machine, WorkersFile.Read(file.Spec.Workers));
        Assert.Empty(file.Problems);
        Assert.Equal(3, file.Warnings.Count);
    }

    [Fact]
    public void A_workers_file_is_meant_beside_the_nodes_own_and_says_the_sizes_alone()
    {
        System.IO.File.WriteAllText(Path.Combine(folder.Path, "w.yaml"), "workers: [{name: a}]");
        Assert.Equal(Path.Combine(folder.Path, "w.yaml"), Read("workers: w.yaml").Spec.Workers);
        Assert.Equal($"{File}:2:6: cpu: said beside a workers' file, which says what each worker has; allowed: one of the two", Assert.Single(Read("workers: w.yaml\ncpu: 1").Problems));
    }

    [Fact]
    public void What_an_owner_caps_is_what_his_workers_have_together()
    {
        NodeSpec spec = Read("""
            cpu: 1.5
            memory: 2GiB
            disk: 1TiB
            gpus: [{model: h200}]
            network: 101
            named: {seat: 3}
            labels: [b, a]
            region: eu
            factor: 2
            allow: [lab]
            sandbox: {tasks: always}
            prices: {gpus: {A100: 1, A100-80GB: 2}}
            keep_results_for: 1h
            quota: {tasks: 7, share: 0.5, bytes: 9GiB}
            credit: {daily: 10, of: {physics: 500}}
            """).Spec;
        ImmutableArray<WorkerSpec> workers = [.. machine.Limit(spec).Split(2).Select((w, i) => w with { Options = w.Options.With(spec).Under(spec, i, 2) })];
        Assert.Equal([4, 3], workers.Select(w => w.Options.Quota.TasksMax));
        Assert.Equal((500, 9L << 29, 256), (workers[0].Options.Quota.SharePermille, workers[0].Options.Quota.BytesMax, workers[0].Options.Quota.HoldsMax));
        Assert.Equal((new Credits(5_000_000), new Credits(250_000_000)), (workers[1].Options.Credit!.DailyAllowance, workers[1].Options.CreditOf[new Principal("physics")].Cap));
        Assert.Equal((1500, 2L << 30, 100L << 30, 101, 3), (
            workers.Sum(w => w.Options.Resources.MilliCpus), workers.Sum(w => w.Options.Resources.MemoryBytes), workers.Sum(w => w.Options.Resources.DiskBytes),
            workers.Sum(w => w.Options.Resources.NetworkMbps), workers.Sum(w => w.Options.Resources.Named.Single().Amount)));
        Assert.Equal(1, workers.SelectMany(w => w.Options.Resources.Gpus).Single().Index);
        Assert.All(workers, w => Assert.Equal(
            ("a,b", "eu", 2000, "lab", SandboxUse.Always, "A100-80GB", TimeSpan.FromHours(1)),
            (string.Join(',', w.Options.Traits.Labels), w.Options.Traits.Region, w.Options.Pricing.OwnerPermille, w.Options.Principals.Single().Name, w.Options.Sandbox.Use,
                w.Options.Pricing.Table.Gpus[0].Model, w.Options.OutboxAge)));
    }

    [Fact]
    public void Who_says_nothing_offers_what_is_there_less_a_tenth()
    {
        WorkerSpec all = machine.Limit(new NodeSpec()).Split(1).Single();
        Assert.Equal(machine.Split(1).Single().Options.Resources, all.Options.Resources);
        Assert.Equal(machine.UsualMemoryBytes, all.Options.Resources.MemoryBytes);
    }

    [Theory]
    [InlineData("", "1800000600", "10m", "SLURM_JOB_END_TIME")]
    [InlineData("time_limit: 5m", "1800000600", "5m", "{0}:1:13")]
    [InlineData("time_limit: 1h", "1800000600", "10m", "SLURM_JOB_END_TIME")]
    [InlineData("time_limit: 1h", "1799999999", "1h", "{0}:1:13")]
    [InlineData("time_limit: 1h", "tomorrow", "1h", "{0}:1:13")]
    public void In_a_Slurm_job_its_end_is_the_latest(string text, string end, string limit, string from)
    {
        NodeConfig config = Read(text, [("SLURM_JOB_END_TIME", end)]);
        Assert.Equal(limit, Core.Jobs.Duration.Format(config.Spec.TimeLimit!.Value));
        Assert.Equal(string.Format(System.Globalization.CultureInfo.InvariantCulture, from, File), config.OriginOf(NodeSetting.Of("time_limit")).Text);
        Assert.Equal(end is "1800000600" ? 0 : 1, config.Warnings.Count);
    }

    [Fact]
    public void What_is_handed_to_a_workers_process_says_the_same()
    {
        NodeSpec spec = Read("gpus: [0]\nprices: {core: 0.07, named: {x: 1}}\nhourly: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,0.5]\nidle_timeout: 10m\n"
            + "listen: [/ip4/127.0.0.1/tcp/4001]\nannounce: [/dnsaddr/drap.example.org]").Spec;
        NodeSpec again = NodeSpec.TryParse(spec.ToArgument())!;
        Assert.Equal(spec.ToArgument(), again.ToArgument());
        Assert.Equal((TimeSpan.FromMinutes(10), 500, 0, "/ip4/127.0.0.1/tcp/4001", "/dnsaddr/drap.example.org"),
            (again.IdleTimeout, again.Hourly[23].Value, again.Gpus!.Value[0].Index, again.Listen[0].ToString(), again.Announce[0].ToString()));
        Assert.Null(NodeSpec.TryParse("{"));
    }

    private NodeConfig Read(string text, (string Name, string Value)[]? variables = null, params (string, ImmutableArray<string>)[] flags)
    {
        System.IO.File.WriteAllText(File, text);
        return NodeConfig.Read(new ConfigSources
        {
            File = File, Variable = name => variables?.FirstOrDefault(v => v.Name == name).Value, VariableNames = [.. variables?.Select(v => v.Name) ?? []], Flags = [.. flags], Now = now,
        });
    }
}
