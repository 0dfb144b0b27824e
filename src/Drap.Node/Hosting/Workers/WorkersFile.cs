using System.Collections.Immutable;
using System.Text;
using Drap.Api;
using Drap.Core;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Market.Pricing;
using Drap.Core.Nodes;

namespace Drap.Node.Hosting.Workers;

/// <summary>
/// The file of <c>drap dev</c> that gives each worker its resources, place and prices, so that a swarm of many kinds of machines can be tried
/// on one. What it says need not be there: a worker of 64 cores takes what 64 cores would.
/// </summary>
public static class WorkersFile
{
    /// <summary>Largest file that is read.</summary>
    private const int BytesMax = 1 << 20;

    /// <summary>Workers in one file: each is two threads and a folder.</summary>
    private const int WorkersMax = 256;

    private const string nameForm = "a name of letters, digits, '.', '_' and '-', at most 64 characters, each once";

    /// <summary>Reads a file.</summary>
    /// <exception cref="ApiException">It cannot be read or breaks the form; the message has a line for each problem, with its place.</exception>
    public static ImmutableArray<WorkerSpec> Read(string path)
    {
        string text;
        try
        {
            if (new FileInfo(path).Length > BytesMax)
                throw new ApiException(ErrorCodes.TooLarge, $"{path} is too large for a workers' file", path, $"at most {BytesMax} bytes");
            text = File.ReadAllText(path, Encoding.UTF8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ApiException(ErrorCodes.NotFound, $"{path} cannot be read: {e.Message}", path, "a YAML file with workers");
        }
        return Parse(text, path);
    }

    /// <summary>Reads a file's text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="path">Its name, for messages.</param>
    /// <exception cref="ApiException">It breaks the form.</exception>
    public static ImmutableArray<WorkerSpec> Parse(string text, string path)
    {
        var fields = new FileFields(path);
        var workers = ImmutableArray.CreateBuilder<WorkerSpec>();
        try
        {
            JobNode root = YamlNodes.Read(text);
            if (fields.TryMapping(root, "", "workers"))
            {
                IReadOnlyList<JobNode> nodes = fields.List(root["workers"], "workers", "a list of workers");
                if (nodes.Count is 0 or > WorkersMax)
                    fields.Add(root, "workers", $"{nodes.Count} workers", $"1 to {WorkersMax}");
                var names = new HashSet<string>(StringComparer.Ordinal);
                int gpus = 0;
                for (int i = 0; i < Math.Min(nodes.Count, WorkersMax); i++)
                    if (Worker(nodes[i], $"workers[{i}]", fields, names, ref gpus) is { } worker)
                        workers.Add(worker);
            }
        }
        catch (JobSyntaxException e)
        {
            fields.Add(e.Line, e.Column, "", e.Message, e.Allowed);
        }
        return fields.Problems.Count == 0
            ? workers.DrainToImmutable()
            : throw new ApiException(ErrorCodes.BadRequest, string.Join('\n', fields.Problems), path);
    }

    /// <summary>
    /// Looks at a file whenever it changes, and calls <paramref name="changed"/> if it then says something else. A file that is not right changes
    /// nothing, and <paramref name="warn"/> says why. Both are called on a thread of the pool, one after the other.
    /// </summary>
    public static IDisposable Watch(string path, Action<ImmutableArray<WorkerSpec>> changed, Action<string> warn) => new WorkersFileWatch(path, changed, warn);

    /// <summary>What to say of a worker that a changed file names for the first time.</summary>
    internal static string IsNew(string name) => $"worker {name} is new in the file: it begins with the next start of drap dev";

    /// <summary>What to say of a worker that a changed file does not name any more.</summary>
    internal static string IsGone(string name) => $"worker {name} is not in the file any more: it takes no new work";

    private static WorkerSpec? Worker(JobNode node, string path, FileFields fields, HashSet<string> names, ref int gpus)
    {
        if (!fields.TryMapping(node, path, "name", "cpu", "memory", "disk", "network", "gpus", "named", "labels", "region", "zone", "architecture", "prices", "factor", "hourly", "sandbox"))
            return null;
        string name = fields.Text(node["name"], $"{path}.name", "");
        if (!IsName(name) || !names.Add(name))
            fields.Add(node["name"] ?? node, $"{path}.name", $"found '{name}'", nameForm);
        var options = new WorkerOptions
        {
            Name = name,
            Resources = new NodeResources
            {
                MilliCpus = fields.MilliCpus(node["cpu"], $"{path}.cpu", 1000),
                MemoryBytes = fields.Bytes(node["memory"], $"{path}.memory", 1L << 30),
                DiskBytes = fields.Bytes(node["disk"], $"{path}.disk", 10L << 30),
                NetworkMbps = fields.Number(node["network"], $"{path}.network", 0, 0, 1_000_000),
                Gpus = Gpus(node["gpus"], $"{path}.gpus", fields, ref gpus),
                Named = Named(node["named"], $"{path}.named", fields),
            },
            Traits = new NodeTraits
            {
                Labels = Labels(node["labels"], $"{path}.labels", fields),
                Region = fields.Text(node["region"], $"{path}.region", "local"),
                Zone = fields.Text(node["zone"], $"{path}.zone", ""),
                Architecture = fields.Text(node["architecture"], $"{path}.architecture", MachineResources.ArchitectureName),
                CpuModel = ProcFiles.CpuModel(),
                Drivers = ["dotnet", "process"],
            },
            Sandbox = Sandbox(node["sandbox"], $"{path}.sandbox", fields),
            Pricing = new PricingOptions
            {
                Table = Prices(node["prices"], $"{path}.prices", fields),
                OwnerPermille = fields.Permille(node["factor"], $"{path}.factor", 1000, PricingOptions.FactorMaxPermille),
                HourlyPermille = Hourly(node["hourly"], $"{path}.hourly", fields),
            },
        };
        return new WorkerSpec(name, options);
    }

    private static ImmutableArray<GpuDevice> Gpus(JobNode? node, string path, FileFields fields, ref int next)
    {
        var devices = ImmutableArray.CreateBuilder<GpuDevice>();
        foreach (JobNode item in fields.List(node, path, "a list of devices with model and memory"))
        {
            string at = $"{path}[{devices.Count}]";
            if (!fields.TryMapping(item, at, "index", "model", "memory"))
                continue;
            // Devices count through the file, as they do on the machine: two workers do not share one unless the file says so.
            int index = (int)fields.Number(item["index"], $"{at}.index", next, 0, 1023);
            next = index + 1;
            devices.Add(new GpuDevice(index, fields.Text(item["model"], $"{at}.model", ""), fields.Bytes(item["memory"], $"{at}.memory", 0)));
        }
        return devices.DrainToImmutable();
    }

    private static ImmutableArray<NamedAmount> Named(JobNode? node, string path, FileFields fields) =>
        [.. fields.Map(node, path, "named amounts").Take(ResourceRequest.NamedMax)
            .Select(f => new NamedAmount(f.Name, fields.Number(f.Value, $"{path}.{f.Name}", 0, 0, ResourceRequest.AmountMax)))
            .OrderBy(n => n.Name, StringComparer.Ordinal)];

    private static ImmutableArray<string> Labels(JobNode? node, string path, FileFields fields) =>
        [.. fields.List(node, path, "a list of words").Select(l => fields.Text(l, path, "")).Distinct().Order(StringComparer.Ordinal)];

    private static PriceTable Prices(JobNode? node, string path, FileFields fields)
    {
        PriceTable table = PriceTable.Default;
        if (!fields.TryMapping(node, path, "core", "memory", "disk", "network", "gpu", "gpus", "named"))
            return table;
        return table with
        {
            Core = fields.Price(node["core"], $"{path}.core", table.Core),
            MemoryGiB = fields.Price(node["memory"], $"{path}.memory", table.MemoryGiB),
            DiskGiB = fields.Price(node["disk"], $"{path}.disk", table.DiskGiB),
            NetworkMbps = fields.Price(node["network"], $"{path}.network", table.NetworkMbps),
            Gpu = fields.Price(node["gpu"], $"{path}.gpu", table.Gpu),
            Gpus = [.. fields.Map(node["gpus"], $"{path}.gpus", "prices by a word of the model's name")
                .Select(f => new GpuPrice(f.Name, fields.Price(f.Value, $"{path}.gpus.{f.Name}", table.Gpu)))],
            Named = [.. fields.Map(node["named"], $"{path}.named", "prices by the resource's name")
                .Select(f => new NamedPrice(f.Name, fields.Price(f.Value, $"{path}.named.{f.Name}", Price.Zero)))],
        };
    }

    private static ImmutableArray<int> Hourly(JobNode? node, string path, FileFields fields)
    {
        if (node is null)
            return new PricingOptions().HourlyPermille;
        IReadOnlyList<JobNode> hours = fields.List(node, path, "a list of 24 factors, one for each hour in UTC");
        if (hours.Count != 24)
            fields.Add(node, path, $"{hours.Count} factors", "24 of them, one for each hour in UTC");
        return [.. hours.Select((h, i) => fields.Permille(h, $"{path}[{i}]", 1000, PricingOptions.FactorMaxPermille))];
    }

    private static SandboxRules Sandbox(JobNode? node, string path, FileFields fields)
    {
        if (!fields.TryMapping(node, path, "tasks", "network", "shows"))
            return new SandboxRules();
        var shows = ImmutableArray.CreateBuilder<string>();
        foreach (JobNode item in fields.List(node["shows"], $"{path}.shows", "a list of absolute paths"))
        {
            string shown = fields.Text(item, $"{path}.shows", "");
            if (Path.IsPathFullyQualified(shown) && !shown.Contains("/..", StringComparison.Ordinal))
                shows.Add(shown);
            else
                fields.Add(item, $"{path}.shows", $"found '{shown}'", "an absolute path without '..'");
        }
        return new SandboxRules
        {
            Use = fields.Word(node["tasks"], $"{path}.tasks", SandboxUse.Others),
            Network = fields.Flag(node["network"], $"{path}.network", false),
            Shows = shows.ToImmutable(),
        };
    }

    private static bool IsName(string name) =>
        name.Length is > 0 and <= 64 && char.IsAsciiLetterOrDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}
