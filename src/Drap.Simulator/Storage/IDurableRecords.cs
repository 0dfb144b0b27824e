namespace Drap.Simulator.Storage;

/// <summary>Is shown what a simulated journal has written and synced.</summary>
internal interface IDurableRecords
{
    /// <summary>These are safe now, in their order.</summary>
    /// <param name="records">As the journal's frames hold them; not to be kept.</param>
    void Written(ReadOnlyMemory<byte> records);
}
