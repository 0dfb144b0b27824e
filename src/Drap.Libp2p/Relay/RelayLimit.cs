namespace Drap.Libp2p.Relay;

/// <summary>What a relay allows one circuit (circuit-v2, <c>Limit</c>). A zero allows any.</summary>
/// <param name="Duration">How long it may stand. Whole seconds go over the wire.</param>
/// <param name="Bytes">How many bytes may go each way.</param>
public readonly record struct RelayLimit(TimeSpan Duration, long Bytes)
{
    /// <summary>Any duration and any number of bytes; on the wire this is said by saying nothing.</summary>
    public static readonly RelayLimit None;

    /// <summary>Whether there is a limit. js-libp2p runs few protocols over a circuit that has one.</summary>
    public bool IsSet => this != None;
}
