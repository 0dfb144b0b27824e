using System.Buffers.Binary;
using System.Text;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// A message as it goes round: its fields and the frame that carries it, made once and shared by all to whom it is sent. It never changes.
/// The frame is one RPC with nothing but this message, its length before it, fields in ascending order and no others: who re-encodes
/// fields 1 to 4 before checking (js-libp2p) gets the bytes that were signed, and what a relay has added does not travel on.
/// </summary>
public sealed class SignedMessage
{
    /// <summary>What is signed begins with this (pubsub, "Message Signing").</summary>
    public static ReadOnlySpan<byte> SigningPrefix => "libp2p-pubsub:"u8;

    /// <summary>The longest signature taken: that of an RSA key of 8 192 bits.</summary>
    public const int SignatureBytesMax = PrivateKey.SignatureBytesMax;

    /// <summary>The longest public key taken.</summary>
    public const int KeyBytesMax = PublicKey.EncodedBytesMax;

    // What goes out lies at the end; before it there may be the rest of what a signature was made over.
    private readonly byte[] frame;
    private readonly int start;
    private readonly int body;
    private readonly int signedEnd;
    private readonly int dataAt, dataLength;
    private readonly int topicAt, topicLength;
    private readonly int signatureAt, signatureLength;
    private readonly int keyAt, keyLength;

    /// <summary>A message as it came. <paramref name="likely"/> is who may have written it: a name that is known need not be made again.</summary>
    internal SignedMessage(in MessageFields fields, PeerId likely = default)
    {
        From = Named(fields.From, likely);
        Sequence = fields.SequenceNumber;
        int length = SizeOf(fields.From) + (fields.HasData ? SizeOf(fields.Data) : 0) + SizeOf(fields.Sequence) + SizeOf(fields.Topic)
            + SizeOf(fields.Signature) + (fields.HasKey ? SizeOf(fields.Key) : 0);
        frame = new byte[HeadLength(length) + length];
        int at = WriteHead(frame, length);
        body = at;
        Write(frame, MessageField.From, fields.From, ref at);
        if (fields.HasData)
            dataAt = Write(frame, MessageField.Data, fields.Data, ref at);
        dataLength = fields.Data.Length;
        Write(frame, MessageField.Sequence, fields.Sequence, ref at);
        topicAt = Write(frame, MessageField.Topic, fields.Topic, ref at);
        topicLength = fields.Topic.Length;
        signedEnd = at;
        signatureAt = Write(frame, MessageField.Signature, fields.Signature, ref at);
        signatureLength = fields.Signature.Length;
        if (fields.HasKey)
            keyAt = Write(frame, MessageField.Key, fields.Key, ref at);
        keyLength = fields.Key.Length;
        Invariant.Check(at == frame.Length);
    }

    /// <summary>
    /// One of our own, made where its draft lies: the frame's head is written over the prefix, which is longer, and the signature behind the fields.
    /// </summary>
    internal SignedMessage(PeerId from, MessageDraft draft, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> key)
    {
        From = from;
        Sequence = draft.Sequence;
        body = SigningPrefix.Length;
        signedEnd = draft.SignedLength;
        int tail = SizeOf(signature) + (key.IsEmpty ? 0 : SizeOf(key));
        frame = draft.Bytes;
        if (frame.Length != signedEnd + tail)
            Array.Resize(ref frame, signedEnd + tail);
        int length = frame.Length - body;
        start = body - HeadLength(length);
        WriteHead(frame.AsSpan(start), length);
        (dataAt, dataLength, topicAt, topicLength) = (draft.DataAt, draft.DataLength, draft.TopicAt, draft.TopicLength);
        int at = signedEnd;
        signatureAt = Write(frame, MessageField.Signature, signature, ref at);
        signatureLength = signature.Length;
        if (!key.IsEmpty)
            keyAt = Write(frame, MessageField.Key, key, ref at);
        keyLength = key.Length;
        Invariant.Check(at == frame.Length);
    }

    /// <summary>Who wrote it; true only when the signature was checked.</summary>
    public PeerId From { get; }

    /// <summary>The writer's number for it.</summary>
    public ulong Sequence { get; }

    /// <summary>What it says; empty also if the field is absent.</summary>
    public ReadOnlyMemory<byte> Data => frame.AsMemory(dataAt, dataLength);

    /// <summary>The frame that carries it: the length of an RPC and the RPC.</summary>
    public ReadOnlyMemory<byte> Frame => frame.AsMemory(start);

    /// <summary>The signature.</summary>
    public ReadOnlySpan<byte> Signature => frame.AsSpan(signatureAt, signatureLength);

    /// <summary>The public key with which to check it, in its protobuf form: as sent, or out of <see cref="From"/>.</summary>
    public ReadOnlySpan<byte> Key => IsKeyInName ? From.Bytes[2..] : frame.AsSpan(keyAt, keyLength);

    /// <summary>Whether <see cref="From"/> holds the key itself; if not it is the key's hash, and who checks the signature must check that too.</summary>
    public bool IsKeyInName => From.Bytes[0] == 0x00;

    /// <summary>Length of what was signed.</summary>
    public int SignedLength => SigningPrefix.Length + signedEnd - body;

    internal ReadOnlySpan<byte> Topic => frame.AsSpan(topicAt, topicLength);

    /// <summary>Writes what was signed: the prefix and fields 1 to 4.</summary>
    public void CopySigned(Span<byte> destination)
    {
        SigningPrefix.CopyTo(destination);
        frame.AsSpan(body, signedEnd - body).CopyTo(destination[SigningPrefix.Length..]);
    }

    /// <summary>The topic, data, number, sender and signature, as a log shows them.</summary>
    public override string ToString() => $"{From.Short}/{Sequence} on {Encoding.UTF8.GetString(Topic)}";

    /// <summary>Whether these are the same bytes: then one check serves both.</summary>
    internal bool Is(in MessageFields other) =>
        other.Data.SequenceEqual(Data.Span) && other.HasData == dataAt > 0 && other.Topic.SequenceEqual(Topic) && other.Signature.SequenceEqual(Signature)
        && other.Key.SequenceEqual(frame.AsSpan(keyAt, keyLength)) && other.From.SequenceEqual(From.Bytes)
        && other.SequenceNumber == Sequence;

    internal MessageFields Fields()
    {
        // The number stands directly before the topic's tag.
        int topicHead = topicAt - 1 - UnsignedVarint.Length((ulong)topicLength);
        return new MessageFields
        {
            From = From.Bytes, Data = Data.Span, HasData = dataAt > 0, Sequence = frame.AsSpan(topicHead - 8, 8), Topic = Topic,
            Signature = Signature, Key = frame.AsSpan(keyAt, keyLength), HasKey = keyAt > 0,
        };
    }

    /// <summary>What is to be signed of a message, with room behind it for a signature and a key of those lengths; 0 is no key.</summary>
    internal static MessageDraft Draft(PeerId from, ReadOnlySpan<byte> data, ulong sequence, ReadOnlySpan<byte> topic, int signatureLength, int keyLength)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(number, sequence);
        int signed = SigningPrefix.Length + SizeOf(from.Bytes.Length) + SizeOf(data.Length) + SizeOf(number.Length) + SizeOf(topic.Length);
        byte[] bytes = new byte[signed + SizeOf(signatureLength) + (keyLength > 0 ? SizeOf(keyLength) : 0)];
        SigningPrefix.CopyTo(bytes);
        int at = SigningPrefix.Length;
        Write(bytes, MessageField.From, from.Bytes, ref at);
        int dataAt = Write(bytes, MessageField.Data, data, ref at);
        Write(bytes, MessageField.Sequence, number, ref at);
        int topicAt = Write(bytes, MessageField.Topic, topic, ref at);
        Invariant.Check(at == signed);
        return new MessageDraft(bytes, signed, sequence, dataAt, data.Length, topicAt, topic.Length);
    }

    // The length of the RPC, and the tag and length of the one message in it.
    private static int HeadLength(int message) =>
        UnsignedVarint.Length((ulong)RpcLength(message)) + RpcLength(message) - message;

    private static int RpcLength(int message) => 1 + UnsignedVarint.Length((ulong)message) + message;

    private static int WriteHead(Span<byte> into, int message)
    {
        int at = UnsignedVarint.Write(into, (ulong)RpcLength(message));
        into[at++] = (RpcField.Publish << 3) | 2;
        return at + UnsignedVarint.Write(into[at..], (ulong)message);
    }

    private static PeerId Named(ReadOnlySpan<byte> from, PeerId likely)
    {
        if (from.SequenceEqual(likely.Bytes))
            return likely;
        bool isName = PeerId.TryFromBytes(from, out PeerId name);
        Invariant.Check(isName);
        return name;
    }

    private static int Write(byte[] into, int field, ReadOnlySpan<byte> value, ref int at)
    {
        into[at++] = (byte)((field << 3) | 2);
        at += UnsignedVarint.Write(into.AsSpan(at), (ulong)value.Length);
        value.CopyTo(into.AsSpan(at));
        int start = at;
        at += value.Length;
        return start;
    }

    private static int SizeOf(ReadOnlySpan<byte> value) => SizeOf(value.Length);

    private static int SizeOf(int length) => 1 + UnsignedVarint.Length((ulong)length) + length;
}

/// <summary>A message of ours before it has its signature: the bytes to be signed, and where its parts lie in them.</summary>
internal readonly record struct MessageDraft(
    byte[] Bytes, int SignedLength, ulong Sequence, int DataAt, int DataLength, int TopicAt, int TopicLength);
