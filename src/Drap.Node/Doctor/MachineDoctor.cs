using System.Collections.Immutable;
using Drap.Node.Config;
using Drap.Node.Home;
using Drap.Node.Hosting.Workers;
using Drap.Node.Membership;

namespace Drap.Node.Doctor;

/// <summary>Looks at what a node needs of its machine, by trying it wherever that can be tried. Leaves nothing behind.</summary>
public static class MachineDoctor
{
    /// <summary>Everything that was found, in an order in which a person would mend it.</summary>
    /// <param name="home">Where the node's state is or would be.</param>
    /// <param name="spec">What the node is to be.</param>
    /// <param name="machine">What was measured.</param>
    /// <param name="isServed">Whether a node serves the home now: then its ports are taken by itself.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<ImmutableArray<Finding>> ExamineAsync(HomeFolder home, NodeSpec spec, MachineResources machine, bool isServed, CancellationToken cancel)
    {
        var found = ImmutableArray.CreateBuilder<Finding>();
        found.AddRange(LibraryCheck.Examine());
        found.AddRange(HomeCheck.Examine(home));
        found.AddRange(TaskCheck.Examine(spec, machine));
        found.AddRange(ClockCheck.Examine());
        MembershipFolder swarm = MembershipFolder.Of(home);
        found.AddRange(await NetworkCheck.ExamineAsync(spec, swarm.ReadPort(), isServed, cancel).ConfigureAwait(false));
        if (swarm.Exists)
            found.Add(MembershipCheck.Examine(swarm));
        return found.ToImmutable();
    }
}
