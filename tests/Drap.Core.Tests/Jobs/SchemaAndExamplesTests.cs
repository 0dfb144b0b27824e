using System.Text.RegularExpressions;
using System.Xml.Linq;
using Drap.Core.Jobs;
using Xunit;

namespace Drap.Core.Tests.Jobs;

public sealed partial class SchemaAndExamplesTests
{
    private const string schemaFile = "docs/protocol/schemas/job.schema.json";

    /// <summary>Set DRAP_RECORD=1 to write the file anew.</summary>
    [Fact]
    public void The_schema_is_that_of_the_types()
    {
        XElement members = XDocument.Load(Path.ChangeExtension(typeof(JobSpec).Assembly.Location, ".xml")).Root!.Element("members")!;
        Dictionary<string, string> summaries = members.Elements().Where(m => m.Element("summary") is not null)
            .ToDictionary(m => m.Attribute("name")!.Value, m => Words(m.Element("summary")!));
        string schema = JobSchema.Write((type, member) =>
            summaries.GetValueOrDefault(member is null ? $"T:{type.FullName}" : $"P:{type.FullName}.{member}"));
        string path = Repository.Path(schemaFile);
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, schema);
        }
        Assert.Equal(schema, File.ReadAllText(path));
    }

    [Fact]
    public void Every_example_names_the_schema_and_is_a_job()
    {
        string[] jobs = Directory.GetFiles(Repository.Path("examples"), "job.yaml", SearchOption.AllDirectories);
        Assert.True(jobs.Length >= 2);
        foreach (string job in jobs)
        {
            string text = File.ReadAllText(job);
            Assert.StartsWith($"# yaml-language-server: $schema=../../{schemaFile}\n", text, StringComparison.Ordinal);
            Assert.Empty(Read(text).Errors);
        }
    }

    [Fact]
    public void Every_example_in_the_guide_is_a_job()
    {
        string[] examples = [.. Fences().Matches(File.ReadAllText(Repository.Path("docs/jobs.md"))).Select(m => m.Groups[1].Value)];
        Assert.True(examples.Length >= 5);
        foreach (string example in examples)
        {
            string text = example.Contains("segments:", StringComparison.Ordinal) ? example : "segments:\n" + example;
            Assert.True(Read(text).Errors.IsEmpty, $"{example}\n{string.Join('\n', Read(text).Errors)}");
        }
    }

    [Fact]
    public void Every_field_stands_in_the_guide()
    {
        string guide = File.ReadAllText(Repository.Path("docs/jobs.md"));
        string schema = File.ReadAllText(Repository.Path(schemaFile));
        string[] missing = [.. PropertyNames().Matches(schema).Select(m => m.Groups[1].Value).Distinct()
            .Where(name => !guide.Contains($"`{name}`", StringComparison.Ordinal)).Order()];
        // What only the client writes, and only programs read.
        Assert.Empty(missing.Except(["sets", "offset", "length", "value", "version"]));
    }

    [Fact]
    public void Merge_sort_passes_every_chunk_through_once()
    {
        JobSpec job = Read(File.ReadAllText(Repository.Path("examples/mergesort/job.yaml")), ("size", "1GB")).Job!;
        Assert.True(JobGraph.TryBuild(job, out JobGraph? graph));
        Assert.Equal([1, 8, 8, 32, 8, 1, 1], Enumerable.Range(0, graph.SegmentCount).Select(graph.CountOf));
        Assert.True(JobTasks.TryMake(graph, 3, 6, 0, Named, out TaskSpec? sort, out string? error), error);
        Assert.Equal(["split.1.chunk2", "build.0.program"], sort.Inputs.Select(i => i.Parts[0].Cid));
        Assert.True(JobTasks.TryMake(graph, 4, 7, 0, Named, out TaskSpec? merge, out error), error);
        Assert.Equal(["sort.28.run", "sort.29.run", "sort.30.run", "sort.31.run"], merge.Inputs.Single(i => i.Name == "runs").Parts.Select(p => p.Cid));
        Assert.True(JobTasks.TryMake(graph, 1, 7, 0, Named, out TaskSpec? last, out error), error);
        Assert.Equal(["42", "9395232", "604768"], last.Command!.Argv.AsSpan(3, 3).ToArray());
        Assert.Equal(["sorted"], job.Segments.SelectMany(s => s.Outputs.Where(o => o.Value.Result == true).Select(o => o.Key)));
        Assert.Equal("sorted.dat", job.Segments[5].Outputs["sorted"].To);

        bool Named(int segment, int index, string output, out string cid, out bool executable)
        {
            cid = $"{job.Segments[segment].Name}.{index}.{output}";
            executable = false;
            return true;
        }
    }

    [Theory]
    [InlineData("100B", 1)]
    [InlineData("300GB", 2236)]
    public void Merge_sort_takes_any_size(string size, int parts)
    {
        JobFileResult result = Read(File.ReadAllText(Repository.Path("examples/mergesort/job.yaml")), ("size", size));
        Assert.Empty(result.Errors);
        Assert.Equal(parts, JobForm.TaskCount(result.Job!.Segments[1]));
    }

    private static JobFileResult Read(string text, params (string, string)[] given) => JobFile.Read(text, new JobFileOptions
    {
        Client = JobJson.EmptyMap<string>().Add("dotnet_root", "/usr/share/dotnet"),
        Params = JobJson.EmptyMap<string>().AddRange(given.Select(g => KeyValuePair.Create(g.Item1, g.Item2))),
        Files = new TestFiles(
            ("/usr/share/dotnet/packs/a/b.xml", "<doc/>"), ("data/a.txt", "a"), ("data/b.txt", "b"), ("images/x.png", "x"), ("images/sub/y.png", "y")),
    });

    private static string Words(XElement summary)
    {
        foreach (XElement see in summary.Descendants("see").ToArray())
            see.ReplaceWith(see.Attribute("cref")!.Value.Split('.')[^1]);
        return Spaces().Replace(summary.Value, " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"^```yaml\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fences();

    [GeneratedRegex("^        \"([a-z_]+)\": \\{", RegexOptions.Multiline)]
    private static partial Regex PropertyNames();
}
