namespace Drap.Simulator.Checks;

/// <summary>Something happened in a world that must never happen.</summary>
/// <param name="rule">What was broken, in a word: of two runs of one scenario that break the same, one is the smaller.</param>
/// <param name="what">Who did what.</param>
/// <param name="cause">What a machine said about itself; null where the world saw it.</param>
public sealed class ViolationException(string rule, string what, Exception? cause = null) : Exception($"{rule}: {what}", cause)
{
    /// <summary>What was broken, in a word.</summary>
    public string Rule { get; } = rule;

    /// <summary>The event in which it was seen; 0 until the world says.</summary>
    public long Event { get; internal set; }

    /// <summary>Virtual time since the start, when it was seen.</summary>
    public TimeSpan At { get; internal set; }

    /// <summary>The hash of all that had happened.</summary>
    public string Hash { get; internal set; } = "";
}
