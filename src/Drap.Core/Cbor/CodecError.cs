using System.Globalization;

namespace Drap.Core.Cbor;

/// <summary>Why bytes are no record, or a record cannot be bytes: what is wrong, where, and what is allowed instead.</summary>
/// <param name="Fault">What is wrong.</param>
/// <param name="Field">The name of the innermost field; empty for the frame itself.</param>
/// <param name="Offset">The byte of the frame at which it was seen.</param>
/// <param name="Min">For <see cref="CodecFault.OutOfRange"/> the least that is allowed.</param>
/// <param name="Max">For a range, a length or a count the most that is allowed.</param>
/// <param name="Rule">For <see cref="CodecFault.Rule"/> what is allowed, as the end of a sentence.</param>
public readonly record struct CodecError(CodecFault Fault, string Field, int Offset, long Min = 0, long Max = 0, string Rule = "")
{
    /// <summary>
    /// Whether the sender may be right and only newer than this program: the message is counted and dropped, and not held against the
    /// sender. Any other fault is the sender's.
    /// </summary>
    public bool IsNewer => Fault is CodecFault.UnknownVersion or CodecFault.UnknownKind or CodecFault.UnknownValue;

    /// <summary>One line for a log.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(Field is "" or null ? "frame" : Field)} at byte {Offset}: {What}");

    private string What => Fault switch
    {
        CodecFault.None => "nothing is wrong",
        CodecFault.Truncated => "the bytes end before the value does",
        CodecFault.TrailingBytes => "bytes follow after the end",
        CodecFault.NotDeterministic => "not in the deterministic form: definite lengths, shortest integers, ascending keys, each once",
        CodecFault.WrongType => "a value of another type stands here",
        CodecFault.OutOfRange => string.Create(CultureInfo.InvariantCulture, $"out of range: {Min} to {Max} is allowed"),
        CodecFault.TooLong => string.Create(CultureInfo.InvariantCulture, $"too long: at most {Max} bytes are allowed"),
        CodecFault.TooMany => string.Create(CultureInfo.InvariantCulture, $"too many: at most {Max} are allowed"),
        CodecFault.TooDeep => string.Create(CultureInfo.InvariantCulture, $"nested too deep: at most {CborLimits.DepthMax} levels are allowed"),
        CodecFault.Missing => "missing",
        CodecFault.Malformed => "not what its type allows: a multihash, a CIDv1 of sha2-256, valid UTF-8",
        CodecFault.Rule => "must be " + Rule,
        CodecFault.UnknownVersion => string.Create(CultureInfo.InvariantCulture, $"another major version: {Max} is spoken here"),
        CodecFault.UnknownKind => "a kind that is not known here",
        CodecFault.UnknownValue => string.Create(CultureInfo.InvariantCulture, $"a value that is not known here: 1 to {Max} are"),
        _ => Fault.ToString(),
    };
}

/// <summary>Kinds of <see cref="CodecError"/>.</summary>
public enum CodecFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The bytes end before the value does.</summary>
    Truncated,

    /// <summary>Bytes follow after the end.</summary>
    TrailingBytes,

    /// <summary>Indefinite length, a longer integer than needed, keys out of order or twice, an attempt in a longer form than needed.</summary>
    NotDeterministic,

    /// <summary>A value of another type stands here.</summary>
    WrongType,

    /// <summary>A number outside its range.</summary>
    OutOfRange,

    /// <summary>More bytes than allowed, in a field or in all.</summary>
    TooLong,

    /// <summary>More elements than allowed.</summary>
    TooMany,

    /// <summary>Nested deeper than <see cref="CborLimits.DepthMax"/>.</summary>
    TooDeep,

    /// <summary>A field that must be there is not.</summary>
    Missing,

    /// <summary>Bytes that are no multihash, no CID, no UTF-8.</summary>
    Malformed,

    /// <summary>A rule between values is broken.</summary>
    Rule,

    /// <summary>Another major version.</summary>
    UnknownVersion,

    /// <summary>A kind of message that is not known here.</summary>
    UnknownKind,

    /// <summary>An enumerated value that is not known here, in a field where a guess would do harm.</summary>
    UnknownValue,
}
