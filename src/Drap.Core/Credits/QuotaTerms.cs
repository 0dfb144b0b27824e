namespace Drap.Core;

/// <summary>
/// What one principal may have of a worker at one time, all its schedulers together, however many peer ids they have. The owner's own principal has no quota.
/// </summary>
public sealed record QuotaTerms
{
    /// <summary>Tasks that run, stand in line or are offered. Default no limit but the worker's own.</summary>
    public int TasksMax { get; init; } = int.MaxValue;

    /// <summary>The part of each resource that its tasks may hold, in thousandths, 1 to 1000. Default all of it: what nobody else wants would stand idle.</summary>
    public int SharePermille { get; init; } = 1000;

    /// <summary>
    /// Bytes of its results that may wait here to be fetched, and of the inputs that one task may have fetched. Beyond it nothing is offered until some are gone. Default no limit but the
    /// worker's own.
    /// </summary>
    public long BytesMax { get; init; } = long.MaxValue;

    /// <summary>
    /// Offers out at once. Default 256, a quarter of what a worker has out: who asks much and confirms nothing leaves room for others.
    /// </summary>
    public int HoldsMax { get; init; } = 256;

    /// <summary>What is wrong, as "field: what it is, what is allowed"; null if nothing.</summary>
    public string? Validate()
    {
        if (TasksMax < 0)
            return $"tasks: {TasksMax} given, 0 or more allowed";
        if (SharePermille is < 1 or > 1000)
            return $"share: {SharePermille} thousandths given, 1 to 1000 allowed";
        if (BytesMax < 0)
            return $"bytes: {BytesMax} given, 0 or more allowed";
        return HoldsMax < 1 ? $"holds: {HoldsMax} given, 1 or more allowed" : null;
    }
}
