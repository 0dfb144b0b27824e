using System.Buffers;

namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// How a message's id is made of it (pubsub, "Message Identification"). IHAVE, IWANT and IDONTWANT work only between peers that make it the same way;
/// messages themselves go through either way.
/// </summary>
public enum MessageIdForm
{
    /// <summary>The sender's name, then the number: the specification's and go-libp2p's.</summary>
    SourceAndSequence,

    /// <summary>The sender's public key in its protobuf form, then the number: js-libp2p's under StrictSign.</summary>
    KeyAndSequence,
}

/// <summary>Makes message ids.</summary>
internal static class MessageIds
{
    /// <summary>The longest that either form makes.</summary>
    public const int BytesMax = SignedMessage.KeyBytesMax + 8;

    public static int Write(MessageIdForm form, in MessageFields fields, Span<byte> destination)
    {
        ReadOnlySpan<byte> head = form == MessageIdForm.SourceAndSequence ? fields.From : fields.PublicKey;
        head.CopyTo(destination);
        fields.Sequence.CopyTo(destination[head.Length..]);
        return head.Length + fields.Sequence.Length;
    }

    /// <summary>The key of a message's id.</summary>
    public static MessageKey KeyOf(MessageIdForm form, in MessageFields fields, SipHash hash)
    {
        // Keys that names hold, which are nearly all, need no more room than this.
        if (fields.From.Length + fields.Key.Length <= 120)
        {
            Span<byte> small = stackalloc byte[128];
            return hash.Of(small[..Write(form, fields, small)]);
        }
        byte[] rented = ArrayPool<byte>.Shared.Rent(BytesMax);
        MessageKey key = hash.Of(rented.AsSpan(0, Write(form, fields, rented)));
        ArrayPool<byte>.Shared.Return(rented);
        return key;
    }
}
