using System.Reflection;
using Xunit;

namespace Drap.Cli.Tests;

/// <summary>The house's directions, read off the assemblies (ARCHITECTURE.md): an arrow that is not listed here is a wall that moved.</summary>
public sealed class ArchitectureTests
{
    [Theory]
    [InlineData("Drap.Primitives", "")]
    [InlineData("Drap.Libp2p", "Drap.Primitives")]
    [InlineData("Drap.Core", "Drap.Primitives")]
    [InlineData("Drap.Api", "Drap.Core Drap.Primitives")]
    [InlineData("Drap.Client", "Drap.Api Drap.Core Drap.Primitives")]
    [InlineData("Drap.Node", "Drap.Api Drap.Core Drap.Libp2p Drap.Libp2p.Host Drap.Primitives")]
    [InlineData("drap", "Drap.Api Drap.Client Drap.Core Drap.Libp2p Drap.Libp2p.Host Drap.Node Drap.Primitives Drap.Simulator")]
    public void An_assembly_knows_only_the_rooms_below_it(string name, string allowed)
    {
        string[] known = [.. Assembly.Load(name).GetReferencedAssemblies().Select(a => a.Name!).Where(a => a.StartsWith("Drap", StringComparison.OrdinalIgnoreCase))];
        Assert.Empty(known.Except(allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Theory]
    [InlineData("Drap.Primitives")]
    [InlineData("Drap.Libp2p")]
    [InlineData("Drap.Core")]
    public void A_pure_assembly_knows_no_socket_file_system_or_process(string name)
    {
        string[] banned = ["System.Net.Sockets", "System.Net.Http", "System.Diagnostics.Process", "System.IO.FileSystem", "System.Threading.ThreadPool", "System.Threading.Tasks.Parallel"];
        Assert.Empty(Assembly.Load(name).GetReferencedAssemblies().Select(a => a.Name!).Intersect(banned));
    }
}
