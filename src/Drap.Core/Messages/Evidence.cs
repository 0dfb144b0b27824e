using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Drap.Core.Messages;

/// <summary>
/// What of the market is evidence: offers and receipts of workers, confirmations of schedulers. Noise says to its receiver who sent one, and to nobody else; so each side signs, now and then, the
/// hashes of what it has sent, in a <see cref="Membership.Statement"/> that goes along with a message that goes anyway. [MEM-14]
/// </summary>
public static class Evidence
{
    /// <summary>Whether a message is such that its receiver wants it signed.</summary>
    public static bool IsOne(Message message) => message is Offer or Confirm or Receipt;

    /// <summary>The statement that came along; empty if none did.</summary>
    public static ImmutableArray<byte> SealOf(Message message) => message switch
    {
        Receipt receipt => receipt.Seal,
        Heartbeat heartbeat => heartbeat.Seal,
        ResultAck ack => ack.Seal,
        _ => [],
    };

    /// <summary>The same message with a statement along; only those that may carry one.</summary>
    public static Message With(Message message, ImmutableArray<byte> seal) => message switch
    {
        Receipt receipt => receipt with { Seal = seal },
        Heartbeat heartbeat => heartbeat with { Seal = seal },
        ResultAck ack => ack with { Seal = seal },
        _ => message,
    };

    /// <summary>
    /// The bytes that are signed, and kept: the message's frame without a statement of its own, and without what nobody may write down (the values of secrets).
    /// </summary>
    public static byte[] FrameOf(Message message) => MessageCodec.Encode(message switch
    {
        Receipt receipt => receipt with { Seal = [] },
        Confirm confirm => confirm with { Works = [.. confirm.Works.Select(work => work with { Secrets = [] })] },
        _ => message,
    });

    /// <summary>The hash by which a statement names it.</summary>
    public static byte[] HashOf(ReadOnlySpan<byte> frame) => SHA256.HashData(frame);
}
