using System.Buffers;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Cbor;

namespace Drap.Core.Messages;

/// <summary>
/// Messages as bytes: a frame is the CBOR array [version, kind, body], the body a map with small integer keys, all in the deterministic
/// form (docs/protocol/messages.md). The fields of each message are written down once, in its shape, and both directions walk them.
/// </summary>
public static class MessageCodec
{
    /// <summary>The major version. A new field does not raise it: who does not know a field skips it.</summary>
    public const int Version = 1;

    /// <summary>The longest frame: four times the largest segment, and what a confirmation of <see cref="Confirm.TasksMax"/> plain tasks needs.</summary>
    public const int FrameBytesMax = 1 << 20;

    /// <summary>
    /// Appends the frame of <paramref name="message"/>; false, and nothing appended, if a value of it is outside its limits or the frame
    /// is longer than <see cref="FrameBytesMax"/>: then <paramref name="error"/> says which.
    /// </summary>
    public static bool TryEncode(Message message, IBufferWriter<byte> output, out CodecError error)
    {
        var writer = new FieldWriter(FrameBytesMax);
        try
        {
            MessageKind kind = KindOf(message);
            (int, int) body = RecordFrame.Open(ref writer, Version, (int)kind);
            Walk(kind, ref writer, message);
            writer.CloseMap(body);
            if (!writer.TryFinish(out ReadOnlySpan<byte> frame, out error))
                return false;
            output.Write(frame);
            return true;
        }
        finally
        {
            writer.Dispose();
        }
    }

    /// <summary>Appends the frame of a message whose values are known to be within their limits; if they are not, that is a bug of ours.</summary>
    public static void Encode(Message message, IBufferWriter<byte> output)
    {
        if (!TryEncode(message, output, out CodecError error))
            Invariant.Fail($"{KindOf(message)} cannot be sent: {error}");
    }

    /// <summary>The frame of a message whose values are known to be within their limits.</summary>
    public static byte[] Encode(Message message)
    {
        var output = new ArrayBufferWriter<byte>();
        Encode(message, output);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Reads a frame that anybody may have sent. Never throws; what it allocates is bounded by a small multiple of the frame's length.
    /// False if it is no message that this version understands: then <paramref name="error"/> says why, and whether the sender is to blame.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<byte> frame, [NotNullWhen(true)] out Message? message, out CodecError error)
    {
        message = null;
        var reader = new FieldReader(frame);
        if (!RecordFrame.TryOpen(ref reader, frame.Length, FrameBytesMax, Version, (int)MessageKind.StdinCredit, out int kind, out (int, int) body, out error))
            return false;
        Message read = Walk((MessageKind)kind, ref reader, null);
        message = RecordFrame.TryClose(ref reader, body, out error) ? read : null;
        return message is not null;
    }

    /// <summary>The number under which a message travels.</summary>
    public static MessageKind KindOf(Message message) => message switch
    {
        Ad => MessageKind.Ad,
        Offer => MessageKind.Offer,
        Refusal => MessageKind.Refusal,
        Extend => MessageKind.Extend,
        Confirm => MessageKind.Confirm,
        Ack => MessageKind.Ack,
        Nack => MessageKind.Nack,
        Go => MessageKind.Go,
        Release => MessageKind.Release,
        Heartbeat => MessageKind.Heartbeat,
        HeartbeatReply => MessageKind.HeartbeatReply,
        Reconcile => MessageKind.Reconcile,
        ReconcileReply => MessageKind.ReconcileReply,
        Probe => MessageKind.Probe,
        ProbeReply => MessageKind.ProbeReply,
        Notice => MessageKind.Notice,
        Cancel => MessageKind.Cancel,
        Result => MessageKind.Result,
        ResultAck => MessageKind.ResultAck,
        Receipt => MessageKind.Receipt,
        Quote => MessageKind.Quote,
        Closed => MessageKind.Closed,
        Steal => MessageKind.Steal,
        LogChunk => MessageKind.LogChunk,
        StdinChunk => MessageKind.StdinChunk,
        StdinCredit => MessageKind.StdinCredit,
        _ => throw new UnreachableException(),
    };

    /// <summary>
    /// Runs <paramref name="f"/> over the fields of one kind of message: to write, read, describe or make up. Returns a new message
    /// when they read, else <paramref name="message"/>, or a blank one where that is null.
    /// </summary>
    public static Message Walk<TFields>(MessageKind kind, scoped ref TFields f, Message? message)
        where TFields : IFields, allows ref struct => kind switch
    {
        MessageKind.Ad => AdShape.Walk(ref f, (Ad?)message ?? AdShape.Blank),
        MessageKind.Offer => OfferShape.Walk(ref f, (Offer?)message ?? OfferShape.Blank),
        MessageKind.Refusal => RefusalShape.Walk(ref f, (Refusal?)message ?? RefusalShape.Blank),
        MessageKind.Extend => ExtendShape.Walk(ref f, (Extend?)message ?? ExtendShape.Blank),
        MessageKind.Confirm => ConfirmShape.Walk(ref f, (Confirm?)message ?? ConfirmShape.Blank),
        MessageKind.Ack => AckShape.Walk(ref f, (Ack?)message ?? AckShape.Blank),
        MessageKind.Nack => NackShape.Walk(ref f, (Nack?)message ?? NackShape.Blank),
        MessageKind.Go => GoShape.Walk(ref f, (Go?)message ?? GoShape.Blank),
        MessageKind.Release => ReleaseShape.Walk(ref f, (Release?)message ?? ReleaseShape.Blank),
        MessageKind.Heartbeat => HeartbeatShape.Walk(ref f, (Heartbeat?)message ?? HeartbeatShape.Blank),
        MessageKind.HeartbeatReply => HeartbeatReplyShape.Walk(ref f, (HeartbeatReply?)message ?? HeartbeatReplyShape.Blank),
        MessageKind.Reconcile => ReconcileShape.Walk(ref f, (Reconcile?)message ?? ReconcileShape.Blank),
        MessageKind.ReconcileReply => ReconcileReplyShape.Walk(ref f, (ReconcileReply?)message ?? ReconcileReplyShape.Blank),
        MessageKind.Probe => ProbeShape.Walk(ref f, (Probe?)message ?? ProbeShape.Blank),
        MessageKind.ProbeReply => ProbeReplyShape.Walk(ref f, (ProbeReply?)message ?? ProbeReplyShape.Blank),
        MessageKind.Notice => NoticeShape.Walk(ref f, (Notice?)message ?? NoticeShape.Blank),
        MessageKind.Cancel => CancelShape.Walk(ref f, (Cancel?)message ?? CancelShape.Blank),
        MessageKind.Result => ResultShape.Walk(ref f, (Result?)message ?? ResultShape.Blank),
        MessageKind.ResultAck => ResultAckShape.Walk(ref f, (ResultAck?)message ?? ResultAckShape.Blank),
        MessageKind.Receipt => ReceiptShape.Walk(ref f, (Receipt?)message ?? ReceiptShape.Blank),
        MessageKind.Quote => QuoteShape.Walk(ref f, (Quote?)message ?? QuoteShape.Blank),
        MessageKind.Closed => ClosedShape.Walk(ref f, (Closed?)message ?? ClosedShape.Blank),
        MessageKind.Steal => StealShape.Walk(ref f, (Steal?)message ?? StealShape.Blank),
        MessageKind.LogChunk => LogChunkShape.Walk(ref f, (LogChunk?)message ?? LogChunkShape.Blank),
        MessageKind.StdinChunk => StdinChunkShape.Walk(ref f, (StdinChunk?)message ?? StdinChunkShape.Blank),
        MessageKind.StdinCredit => StdinCreditShape.Walk(ref f, (StdinCredit?)message ?? StdinCreditShape.Blank),
        _ => throw new UnreachableException(),
    };
}
