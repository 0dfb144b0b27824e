namespace Drap.Libp2p.Multistream;

/// <summary>How far a negotiation is.</summary>
public enum MultistreamStatus
{
    /// <summary>Bytes of the other side are awaited. If they end here, it has failed.</summary>
    Negotiating,

    /// <summary>The protocol is chosen; what was not consumed is its first data.</summary>
    Done,

    /// <summary>There is no protocol: reset the stream, or close the connection.</summary>
    Failed,
}

/// <summary>Why a negotiation failed.</summary>
public enum MultistreamError
{
    /// <summary>It did not.</summary>
    None,

    /// <summary>The first message was not <c>/multistream/1.0.0</c>.</summary>
    OtherVersion,

    /// <summary>A message is longer than 1 KiB.</summary>
    TooLong,

    /// <summary>A length is not a minimal varint or zero, a message does not end with a newline or is not UTF-8.</summary>
    Malformed,

    /// <summary>The responder speaks none of the protocols that were proposed.</summary>
    NotAvailable,

    /// <summary>The responder answered with something else than the proposal or <c>na</c>.</summary>
    WrongAnswer,

    /// <summary>The initiator proposed too many protocols that we do not speak.</summary>
    TooManyProposals,
}
