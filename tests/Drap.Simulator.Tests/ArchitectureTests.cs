using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests;

/// <summary>The simulator performs the machines' effects itself: it must never borrow the node's hands.</summary>
public sealed class ArchitectureTests
{
    [Fact]
    public void The_simulator_knows_the_machines_and_nothing_that_performs_them()
    {
        string[] known = [.. typeof(SimulatedSwarm).Assembly.GetReferencedAssemblies()
            .Select(a => a.Name!).Where(a => a.StartsWith("Drap", StringComparison.OrdinalIgnoreCase))];
        Assert.Empty(known.Except(["Drap.Core", "Drap.Primitives"]));
    }
}
