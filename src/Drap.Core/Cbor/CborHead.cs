namespace Drap.Core.Cbor;

/// <summary>The major types of CBOR (RFC 8949 §3.1).</summary>
internal enum CborType
{
    Unsigned = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Tag = 6,
    Simple = 7,
}

/// <summary>What is fixed about the head of an item.</summary>
internal static class CborHead
{
    /// <summary>One byte and a 64-bit argument.</summary>
    public const int BytesMax = 9;

    /// <summary>The simple value <c>true</c>.</summary>
    public const int True = 21;
}

/// <summary>
/// The three forms of an attempt: <c>step</c> (same job and token as the attempt before it, its number so much higher),
/// <c>[step, token step]</c> (same job) or <c>[job, number, token]</c>. The shortest that fits is the only one allowed.
/// </summary>
internal static class AttemptForm
{
    public const string FenceRule = "a token of an attempt number from 1 to 1048575 in an epoch";

    public static bool IsValid(Fence fence) => fence.Value > 0 && fence.Attempt > 0;
}
