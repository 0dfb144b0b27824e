using System.Globalization;
using Xunit;

namespace Drap.Libp2p.Tests.Fuzzing;

/// <summary>
/// Every parser of what peers and users write, fed with anything: it never throws, never takes more than it may, and what it accepts holds
/// together. <c>DRAP_TEST_ALL=1</c> takes a hundred times as many inputs, <c>DRAP_FUZZ_SEED</c> another beginning, <c>DRAP_FUZZ_TARGET</c> the parsers with that
/// in their names alone.
/// </summary>
public sealed class FuzzTests
{
    public static TheoryData<string> Names =>
        [.. FuzzTargets.All.Select(t => t.Name).Where(n => n.Contains(Environment.GetEnvironmentVariable("DRAP_FUZZ_TARGET") ?? "", StringComparison.Ordinal))];

    [Theory, MemberData(nameof(Names))]
    public void Anything(string name)
    {
        FuzzTarget target = FuzzTargets.All.Single(t => t.Name == name);
        bool all = Environment.GetEnvironmentVariable("DRAP_TEST_ALL") == "1";
        ulong seed = ulong.TryParse(Environment.GetEnvironmentVariable("DRAP_FUZZ_SEED"), CultureInfo.InvariantCulture, out ulong given) ? given : 1;
        var fuzzer = new Fuzzer(target, seed);
        fuzzer.Run(all ? target.Steps * 100 : target.Steps);
        fuzzer.Record();
        // It must have seen inputs go through and inputs be refused, or it tests nothing.
        Assert.True(fuzzer.Outcomes.Count >= 2, $"{name}, seed {seed}: only {string.Join(", ", fuzzer.Outcomes.Keys)}");
    }
}
