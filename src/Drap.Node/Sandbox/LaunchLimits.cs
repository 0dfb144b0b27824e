namespace Drap.Node.Sandbox;

/// <summary>What an attempt may use; 0 in a field sets no limit of its own.</summary>
/// <param name="MilliCpus">Processor time, in thousandths of a core.</param>
/// <param name="MemoryBytes">Memory of the whole family.</param>
/// <param name="Pids">Processes and threads of the whole family; 0 takes the driver's default, since a fork bomb asks for nothing.</param>
/// <param name="DiskBytes">Size of the work folder; 0 takes the driver's default.</param>
public readonly record struct LaunchLimits(long MilliCpus, long MemoryBytes, int Pids, long DiskBytes)
{
    public static readonly LaunchLimits None;
}
