using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>The secrets of a submitted job, in the two forms that a scheduler needs.</summary>
/// <param name="Values">In clear, by source (<c>env:TOKEN</c>, <c>file:key.pem</c>): kept in memory only, and only while the job runs.</param>
/// <param name="Sealed">The same, sealed by the node with a key of its own: what the journal keeps.</param>
public sealed record JobSecrets(ImmutableSortedDictionary<string, string> Values, ImmutableArray<byte> Sealed)
{
    /// <summary>Bytes of a job's secrets, or of a segment's with their names: keys and tokens, not data; small beside a message's frame.</summary>
    public const int BytesMax = 64 * 1024;

    /// <summary>Bytes of the sealed form: what sealing adds, and JSON that escapes each byte of a value.</summary>
    public const int SealedBytesMax = 512 * 1024;

    /// <summary>A job without secrets.</summary>
    public static readonly JobSecrets None = new(JobJson.EmptyMap<string>(), []);

    /// <summary>Never the values: this is what ends up in logs.</summary>
    public override string ToString() => $"{Values.Count} secrets";
}
