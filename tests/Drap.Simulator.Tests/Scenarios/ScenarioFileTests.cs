using System.Text.RegularExpressions;
using System.Xml.Linq;
using Drap.Simulator.Scenarios;
using Xunit;

namespace Drap.Simulator.Tests.Scenarios;

public sealed partial class ScenarioFileTests
{
    private const string schemaFile = "docs/protocol/schemas/scenario.schema.json";

    private const string lab = """
        workers:
          - {name: desk, count: 4, cpu: 8}
        work:
          - {name: sweep, load: 0.5}
        """;

    /// <summary>Set DRAP_RECORD=1 to write the file anew.</summary>
    [Fact]
    public void The_schema_is_that_of_the_types()
    {
        Dictionary<string, string> summaries = new[] { typeof(ScenarioSpec), typeof(Core.Jobs.JobSpec) }
            .SelectMany(t => XDocument.Load(Path.ChangeExtension(t.Assembly.Location, ".xml")).Root!.Element("members")!.Elements())
            .Where(m => m.Element("summary") is not null).DistinctBy(m => m.Attribute("name")!.Value)
            .ToDictionary(m => m.Attribute("name")!.Value, m => Words(m.Element("summary")!));
        string schema = ScenarioFile.Schema((type, member) =>
            summaries.GetValueOrDefault(member is null ? $"T:{type.FullName}" : $"P:{type.FullName}.{member}"));
        string path = Repository.Path(schemaFile);
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") == "1")
            File.WriteAllText(path, schema);
        Assert.Equal(schema, File.ReadAllText(path));
    }

    [Fact]
    public void Every_example_names_the_schema_and_is_a_scenario()
    {
        string[] files = Directory.GetFiles(Repository.Path("examples/sim"), "*.yaml");
        Assert.True(files.Length >= 2);
        foreach (string file in files)
        {
            string text = File.ReadAllText(file);
            Assert.StartsWith($"# yaml-language-server: $schema=../../{schemaFile}\n", text, StringComparison.Ordinal);
            Assert.Empty(ScenarioFile.Read(text, file).Errors);
            Assert.Equal(Path.GetFileNameWithoutExtension(file), ScenarioFile.Read(text, file).Scenario!.Name);
        }
    }

    [Theory]
    [InlineData("""
        workers:
          - {name: desk, cpus: 8}
        work:
          - {load: 0.5}
        """, "lab.yaml:2:18: workers[0].cpus: unknown field 'cpus'; did you mean 'cpu'?")]
    [InlineData("""
        workers:
          - {cpu: 8}
        work:
          - {load: many}
        """, "lab.yaml:4:12: work[0].load: found 'many'; allowed: a number such as 0.7 or 70%, not negative, with at most six decimals, at most a million")]
    [InlineData("""
        workers:
          - {cpu: 8}
        work:
          - {rate: 1, load: 0.5}
        """, "lab.yaml:4:5: work[0]: rate and load; allowed: one of the two")]
    [InlineData("""
        workers:
          - {cpu: 8}
        work:
          - {rate: 1, arrivals: burst}
        """, "lab.yaml:4:25: work[0].arrivals: found 'burst'; allowed: poisson, even, bursts, trace")]
    [InlineData("", "lab.yaml:1:1: an empty file; allowed: a scenario: workers and work")]
    public void What_is_wrong_has_its_place_and_what_is_allowed(string text, string error) =>
        Assert.Equal([error], ScenarioFile.Read(text, "lab.yaml").Errors.Select(e => e.ToString()));

    [Fact]
    public void A_field_may_be_set_from_outside()
    {
        ScenarioSpec scenario = ScenarioFile.Read(lab, "lab.yaml", "seed=7", "workers[0].count=2", "network.loss=1%", "work[0].tasks={kind: geometric, mean: 3}").Scenario!;
        Assert.Equal(7, scenario.Seed);
        Assert.Equal(2, scenario.Workers[0].Count);
        Assert.Equal(new Ratio(10_000), scenario.Network.Loss);
        Assert.Equal(new SizeSpec { Kind = SizeSpread.Geometric, Mean = 3 }, scenario.Work[0].Tasks);
    }

    [Theory]
    [InlineData("seed", "--set seed:1:1: found 'seed'; allowed: FIELD=VALUE, the field as workers[0].count or network.loss")]
    [InlineData("workers[3].count=2", "--set workers[3].count=2:1:1: workers[3].count: there is no [3]; allowed: [0] to [0]")]
    public void What_cannot_be_set_is_said(string set, string error) =>
        Assert.Equal([error], ScenarioFile.Read(lab, "lab.yaml", set).Errors.Select(e => e.ToString()));

    private static string Words(XElement summary) => Spaces().Replace(
        string.Concat(summary.Nodes().Select(n => n is XElement { Name.LocalName: "see" } see ? see.Attribute("cref")!.Value.Split('.')[^1]
            : n is XElement element ? element.Value : n.ToString())), " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
