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

    private readonly byte[] frame;
    private readonly int body;
    private readonly int signedEnd;
    private readonly int dataAt, dataLength;
    private readonly int topicAt, topicLength;
    private readonly int signatureAt, signatureLength;
    private readonly int keyAt, keyLength;

    internal SignedMessage(in MessageFields fields)
    {
        bool named = PeerId.TryFromBytes(fields.From, out PeerId from);
        Invariant.Check(named);
        From = from;
        Sequence = fields.SequenceNumber;
        int length = SizeOf(fields.From) + (fields.HasData ? SizeOf(fields.Data) : 0) + SizeOf(fields.Sequence) + SizeOf(fields.Topic)
            + SizeOf(fields.Signature) + (fields.HasKey ? SizeOf(fields.Key) : 0);
        int rpc = 1 + UnsignedVarint.Length((ulong)length) + length;
        frame = new byte[UnsignedVarint.Length((ulong)rpc) + rpc];
        int at = UnsignedVarint.Write(frame, (ulong)rpc);
        frame[at++] = (RpcField.Publish << 3) | 2;
        at += UnsignedVarint.Write(frame.AsSpan(at), (ulong)length);
        body = at;
        Write(MessageField.From, fields.From, ref at);
        if (fields.HasData)
            dataAt = Write(MessageField.Data, fields.Data, ref at);
        dataLength = fields.Data.Length;
        Write(MessageField.Sequence, fields.Sequence, ref at);
        topicAt = Write(MessageField.Topic, fields.Topic, ref at);
        topicLength = fields.Topic.Length;
        signedEnd = at;
        signatureAt = Write(MessageField.Signature, fields.Signature, ref at);
        signatureLength = fields.Signature.Length;
        if (fields.HasKey)
            keyAt = Write(MessageField.Key, fields.Key, ref at);
        keyLength = fields.Key.Length;
        Invariant.Check(at == frame.Length);
    }

    /// <summary>Who wrote it; true only when the signature was checked.</summary>
    public PeerId From { get; }

    /// <summary>The writer's number for it.</summary>
    public ulong Sequence { get; }

    /// <summary>What it says; empty also if the field is absent.</summary>
    public ReadOnlyMemory<byte> Data => frame.AsMemory(dataAt, dataLength);

    /// <summary>The frame that carries it: the length of an RPC and the RPC.</summary>
    public ReadOnlyMemory<byte> Frame => frame;

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

    /// <summary>The signed bytes of a message that has no signature yet.</summary>
    internal static byte[] Unsigned(PeerId from, ReadOnlySpan<byte> data, ulong sequence, ReadOnlySpan<byte> topic)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(number, sequence);
        byte[] bytes = new byte[SigningPrefix.Length + SizeOf(from.Bytes) + SizeOf(data) + SizeOf(number) + SizeOf(topic)];
        SigningPrefix.CopyTo(bytes);
        int at = SigningPrefix.Length;
        Write(bytes, MessageField.From, from.Bytes, ref at);
        Write(bytes, MessageField.Data, data, ref at);
        Write(bytes, MessageField.Sequence, number, ref at);
        Write(bytes, MessageField.Topic, topic, ref at);
        return bytes;
    }

    private int Write(int field, ReadOnlySpan<byte> value, ref int at) => Write(frame, field, value, ref at);

    private static int Write(byte[] into, int field, ReadOnlySpan<byte> value, ref int at)
    {
        into[at++] = (byte)((field << 3) | 2);
        at += UnsignedVarint.Write(into.AsSpan(at), (ulong)value.Length);
        value.CopyTo(into.AsSpan(at));
        int start = at;
        at += value.Length;
        return start;
    }

    private static int SizeOf(ReadOnlySpan<byte> value) => 1 + UnsignedVarint.Length((ulong)value.Length) + value.Length;
}
