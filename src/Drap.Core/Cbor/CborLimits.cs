namespace Drap.Core.Cbor;

/// <summary>Limits that fields share; those of one field alone stand with its record or in its walk.</summary>
public static class CborLimits
{
    /// <summary>The longest duration: 2^53 microseconds, 285 years. What is longer never comes and is written as this.</summary>
    public static readonly TimeSpan DurationMax = TimeSpan.FromMicroseconds(1L << 53);

    /// <summary>Epochs have 43 bits, so that a <see cref="Fence"/> fits 63: UTC milliseconds until the year 2248.</summary>
    public const long EpochMax = (1L << 43) - 1;

    /// <summary>Attempts of one task: see <see cref="Fence.AttemptBits"/>.</summary>
    public const int AttemptMax = (1 << Fence.AttemptBits) - 1;

    /// <summary>Bytes of a text of which nothing else is said: a line for a person, a path.</summary>
    public const int TextBytes = 1024;

    /// <summary>Bytes of a name: a label, a region, a driver, a principal.</summary>
    public const int NameBytes = 256;

    /// <summary>Tasks that one number may count: as many as a node keeps in its history.</summary>
    public const int CountMax = 1_000_000;

    /// <summary>How deep a value that nobody here knows may nest before it is refused: a skip must not eat the stack.</summary>
    public const int DepthMax = 16;
}
