using System.Globalization;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>
/// Whole swarms drawn from a seed: workers, jobs, faults and meddling people. While it lasts everything that must never happen is looked
/// for; when the faults have stopped everything must end. A failure names its seed: put it into <c>DRAP_FUZZ_SEED</c> to run it alone.
/// </summary>
public sealed class SwarmFuzzTests
{
    private static readonly bool All = Environment.GetEnvironmentVariable("DRAP_TEST_ALL") == "1";

    [Fact]
    public void Whatever_happens_every_job_ends_once_the_faults_have()
    {
        if (ulong.TryParse(Environment.GetEnvironmentVariable("DRAP_FUZZ_SEED"), CultureInfo.InvariantCulture, out ulong only))
        {
            new FuzzScenario(only).Run();
            return;
        }
        var failures = new List<string>();
        for (ulong seed = 1; seed <= (ulong.TryParse(Environment.GetEnvironmentVariable("DRAP_FUZZ_SEEDS"), out ulong most) ? most : All ? 600u : 20u); seed++)
        {
            try
            {
                new FuzzScenario(seed).Run();
            }
            catch (Exception e)
            {
                failures.Add($"seed {seed}: {e.Message}\n{e.StackTrace}");
            }
        }
        Assert.True(failures.Count == 0, $"{failures.Count} seeds failed\n{string.Join("\n\n", failures.Take(10))}");
    }

    [Fact]
    public void A_seed_is_a_run()
    {
        for (ulong seed = 1; seed <= 3; seed++)
            Assert.Equal(new FuzzScenario(seed).Run(), new FuzzScenario(seed).Run());
    }
}
