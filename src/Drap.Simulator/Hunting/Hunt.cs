using System.Diagnostics.CodeAnalysis;
using Drap.Simulator.Checks;
using Drap.Simulator.Scenarios;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Hunting;

/// <summary>A scenario in which something happened that must never happen.</summary>
/// <param name="Scenario">It, with its seed.</param>
/// <param name="Violation">What.</param>
public sealed record Find(ScenarioSpec Scenario, ViolationException Violation);

/// <summary>Looks for faults: draws scenarios, runs them under every check, and makes one that fails smaller. It reads no clock: who calls it says when it is enough.</summary>
public sealed class Hunt
{
    /// <summary>Events after which a scenario is given up as endless: those that it begins with, and for each task; many times what one takes.</summary>
    private const long EventsFirst = 300_000, EventsPerTask = 1_000;

    private readonly DrawSize size;
    private readonly Func<PlantedFault> planted;
    private readonly long eventsMax;

    /// <summary>A hunt in scenarios of a size.</summary>
    public Hunt(DrawSize size) : this(size, () => new PlantedFault())
    {
    }

    internal Hunt(DrawSize size, Func<PlantedFault> planted) => (this.size, this.planted, eventsMax) = (size, planted, EventsFirst + EventsPerTask * size.Tasks);

    /// <summary>Tasks that were run.</summary>
    public long Tasks { get; private set; }

    /// <summary>Events that happened.</summary>
    public long Events { get; private set; }

    /// <summary>Runs the scenario of a seed; null if all is well with it.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="goesOn">Asked now and then; false breaks off.</param>
    public Find? Try(ulong seed, Func<bool> goesOn) => Try(ScenarioDraw.Draw(seed, size), goesOn);

    /// <summary>Runs a scenario; null if all is well with it.</summary>
    public Find? Try(ScenarioSpec scenario, Func<bool> goesOn)
    {
        var world = new World(scenario, name => throw new InvalidOperationException($"{name} is not there"), planted());
        bool isOver = true;
        try
        {
            ScenarioResult result = world.Run(progress => isOver = progress.Events < eventsMax && goesOn());
            if (isOver && result.Lost > 0)
                return new Find(scenario, world.Seen(new ViolationException("finish", $"{result.Lost} of {result.Tasks} tasks have no accepted end: {world.Standing()}")));
            if (world.Simulation.Happened >= eventsMax)
                return new Find(scenario, world.Seen(new ViolationException("endless", $"{world.Simulation.Happened} events, and no end: {world.Standing()}")));
            Tasks += result.Tasks;
            Events += result.Events;
            return null;
        }
        catch (ViolationException violation)
        {
            return new Find(scenario, violation);
        }
    }

    /// <summary>Makes a scenario that fails smaller, as long as it breaks the same rule.</summary>
    /// <param name="find">What was found.</param>
    /// <param name="goesOn">Asked now and then; false is the end of it, and the smallest so far is returned.</param>
    public Find Shrink(Find find, Func<bool> goesOn)
    {
        while (goesOn() && TryShrink(find, goesOn, out Find? smaller))
            find = smaller;
        return find;
    }

    private bool TryShrink(Find find, Func<bool> goesOn, [NotNullWhen(true)] out Find? smaller)
    {
        smaller = null;
        foreach (ScenarioSpec candidate in Shrinker.Smaller(find.Scenario))
        {
            if (!goesOn())
                return false;
            if (Try(candidate, goesOn) is not { } found || found.Violation.Rule != find.Violation.Rule)
                continue;
            smaller = found;
            return true;
        }
        return false;
    }
}
