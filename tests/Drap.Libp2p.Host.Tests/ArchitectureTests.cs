using System.Reflection;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>The library stands on its own: it knows nothing of markets.</summary>
public sealed class ArchitectureTests
{
    [Fact]
    public void The_host_knows_the_protocols_and_nothing_of_drap_besides()
    {
        string[] known = [.. Assembly.Load("Drap.Libp2p.Host").GetReferencedAssemblies()
            .Select(a => a.Name!).Where(a => a.StartsWith("Drap", StringComparison.OrdinalIgnoreCase))];
        Assert.Empty(known.Except(["Drap.Libp2p", "Drap.Primitives"]));
    }
}
