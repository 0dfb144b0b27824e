using System.Collections.Immutable;
using System.Text;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Nodes;
using Drap.Node.Config;

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

    /// <summary>Problems that are said: a person mends the first ones first.</summary>
    private const int ProblemsMax = 20;

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
        var found = new List<(JobNode Node, JobProblem Problem)>();
        ImmutableArray<WorkerSpec> workers = [];
        try
        {
            JobNode root = YamlNodes.Read(text);
            WorkersSpec? spec = new SpecReader(found).Read<WorkersSpec>(root, "");
            if (found.Count == 0 && spec is not null)
            {
                found.AddRange(Check(spec).Select(p => (root.At(p.Path), p)));
                workers = Make(spec);
            }
        }
        catch (JobSyntaxException e)
        {
            found.Add((new JobNode(JobNodeKind.Null, e.Line, e.Column), new JobProblem("", e.Message, e.Allowed)));
        }
        return found.Count == 0 ? workers : throw new ApiException(
            ErrorCodes.BadRequest,
            string.Join('\n', found.Select(p => new JobFileError(path, p.Node.Line, p.Node.Column, p.Problem)).OrderBy(e => e.Line).ThenBy(e => e.Column).Take(ProblemsMax)), path);
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

    private static IEnumerable<JobProblem> Check(WorkersSpec spec)
    {
        if (spec.Workers.Length is 0 or > WorkersMax)
            yield return new JobProblem("workers", $"{spec.Workers.Length} workers", $"1 to {WorkersMax}");
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < spec.Workers.Length; i++)
        {
            string name = spec.Workers[i].Name;
            if (!NodeRules.IsName(name) || !names.Add(name))
                yield return new JobProblem($"workers[{i}].name", $"found '{name}'", nameForm);
            foreach (JobProblem problem in NodeRules.Check(spec.Workers[i], $"workers[{i}]."))
                yield return problem;
        }
    }

    private static ImmutableArray<WorkerSpec> Make(WorkersSpec spec)
    {
        var workers = ImmutableArray.CreateBuilder<WorkerSpec>(spec.Workers.Length);
        int next = 0;
        foreach (WorkerEntrySpec entry in spec.Workers)
        {
            // Devices count through the file, as they do on the machine: two workers do not share one unless the file says so.
            var devices = ImmutableArray.CreateBuilder<GpuDevice>();
            foreach (DeviceSpec device in entry.Gpus ?? [])
            {
                devices.Add(new GpuDevice(device.Index ?? next, device.Model, device.Memory?.Bytes ?? 0));
                next = devices[^1].Index + 1;
            }
            workers.Add(new WorkerSpec(entry.Name, new WorkerOptions
            {
                Name = entry.Name,
                Resources = new NodeResources
                {
                    MilliCpus = entry.Cpu?.Milli ?? 1000,
                    MemoryBytes = entry.Memory?.Bytes ?? 1L << 30,
                    DiskBytes = entry.Disk?.Bytes ?? 10L << 30,
                    NetworkMbps = entry.Network,
                    Gpus = devices.DrainToImmutable(),
                    Named = TermsReading.Named(entry),
                },
                Traits = new NodeTraits { Architecture = entry.Architecture ?? MachineResources.ArchitectureName, CpuModel = ProcFiles.CpuModel(), Drivers = ["dotnet", "process"] },
            }.With(entry)));
        }
        return workers.MoveToImmutable();
    }
}

/// <summary>A workers' file.</summary>
internal sealed record WorkersSpec
{
    public ImmutableArray<WorkerEntrySpec> Workers { get; init; } = [];
}

/// <summary>One worker of it.</summary>
internal sealed record WorkerEntrySpec : WorkerTerms
{
    public string Name { get; init; } = "";

    public string? Architecture { get; init; }
}
