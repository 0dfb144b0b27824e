using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Identify;

/// <summary>
/// Puts an answer to identify, or a push, together from the bytes of its stream, which may hold several messages and come in any pieces.
/// Keeps at most one message that is not whole. Not thread-safe.
/// </summary>
public sealed class IdentifyReceiver
{
    // The longest message and its length before it.
    private readonly byte[] buffer = new byte[IdentifyMessage.MessageBytesMax + 2];
    private int filled;
    private int messages;

    /// <summary>
    /// What was said in whole messages so far; null if there was none. At the stream's end this is the answer: a peer that ends in the
    /// middle of a later message has still said what came before it.
    /// </summary>
    public IdentifyMessage? Message { get; private set; }

    /// <summary>
    /// Whether nothing more is to be read: all messages that are taken have come, or bytes that are none. The stream may be reset.
    /// </summary>
    public bool IsOver { get; private set; }

    /// <summary>Takes the next bytes of the stream.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && !IsOver)
        {
            int taken = Math.Min(bytes.Length, buffer.Length - filled);
            bytes[..taken].CopyTo(buffer.AsSpan(filled));
            filled += taken;
            bytes = bytes[taken..];
            TakeMessages();
        }
    }

    private void TakeMessages()
    {
        int start = 0;
        while (!IsOver)
        {
            VarintStatus status = Delimited.TryRead(
                buffer.AsSpan(start, filled - start), IdentifyMessage.MessageBytesMax, out ReadOnlySpan<byte> frame, out int consumed);
            if (status == VarintStatus.Incomplete)
                break;
            if (status == VarintStatus.Malformed || !IdentifyMessage.TryDecode(frame, out IdentifyMessage? message))
            {
                IsOver = true;
                return;
            }
            start += consumed;
            Message = Message is null ? message : Message.With(message);
            IsOver = ++messages == IdentifyMessage.MessagesMax;
        }
        buffer.AsSpan(start, filled - start).CopyTo(buffer);
        filled -= start;
    }
}
