using System.Buffers.Binary;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Gossipsub;

/// <summary>The fields of a message as they came; they lie in the frame. Of a field that is there twice the last one counts, as in any protobuf.</summary>
internal ref struct MessageFields
{
    public ReadOnlySpan<byte> From;
    public ReadOnlySpan<byte> Data;
    public ReadOnlySpan<byte> Sequence;
    public ReadOnlySpan<byte> Topic;
    public ReadOnlySpan<byte> Signature;
    public ReadOnlySpan<byte> Key;
    // Absent and empty are written differently, and so are signed differently.
    public bool HasData;
    public bool HasKey;

    public static bool TryRead(ReadOnlySpan<byte> message, out MessageFields fields)
    {
        fields = default;
        var reader = new ProtoReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case MessageField.From:
                    fields.From = reader.Bytes();
                    break;
                case MessageField.Data:
                    fields.Data = reader.Bytes();
                    fields.HasData = true;
                    break;
                case MessageField.Sequence:
                    fields.Sequence = reader.Bytes();
                    break;
                case MessageField.Topic:
                    fields.Topic = reader.Bytes();
                    break;
                case MessageField.Signature:
                    fields.Signature = reader.Bytes();
                    break;
                case MessageField.Key:
                    fields.Key = reader.Bytes();
                    fields.HasKey = true;
                    break;
            }
        }
        return !reader.Malformed;
    }

    /// <summary>
    /// What can be said against a message without its signature's check (pubsub, "StrictSign option"): the fields must be there, and a key
    /// that the sender's name holds must be that one. Whether a hashed name fits its key is found out with the signature.
    /// </summary>
    public readonly RejectReason? Fault()
    {
        if (Sequence.Length != 8)
            return RejectReason.BadSequence;
        if (From.Length is < 3 or > PeerId.BytesMax || From[0] is not (0x00 or 0x12) || From[1] != From.Length - 2)
            return RejectReason.BadSender;
        if (Signature.IsEmpty || Signature.Length > SignedMessage.SignatureBytesMax)
            return RejectReason.NoSignature;
        if (HasKey ? Key.IsEmpty || Key.Length > SignedMessage.KeyBytesMax || (IsKeyInName && !Key.SequenceEqual(From[2..])) : !IsKeyInName)
            return RejectReason.BadKey;
        return null;
    }

    /// <summary>The sender's public key in its protobuf form: said, or held by the name itself.</summary>
    public readonly ReadOnlySpan<byte> PublicKey => IsKeyInName ? From[2..] : Key;

    public readonly ulong SequenceNumber => BinaryPrimitives.ReadUInt64BigEndian(Sequence);

    // An identity multihash: the name is the key.
    private readonly bool IsKeyInName => From[0] == 0x00;
}

/// <summary>The numbers of a message's fields (pubsub, "The Message").</summary>
internal static class MessageField
{
    public const int From = 1;
    public const int Data = 2;
    public const int Sequence = 3;
    public const int Topic = 4;
    public const int Signature = 5;
    public const int Key = 6;
}
