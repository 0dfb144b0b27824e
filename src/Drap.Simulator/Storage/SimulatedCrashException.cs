namespace Drap.Simulator.Storage;

/// <summary>The machine lost its power in the middle of a storage call. Only the scenario catches it; nothing of the machine runs on.</summary>
public sealed class SimulatedCrashException(long call) : Exception($"the simulated machine crashed at its storage call {call}")
{
    /// <summary>Which call it was, from 1.</summary>
    public long Call { get; } = call;
}
