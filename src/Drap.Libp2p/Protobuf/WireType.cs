namespace Drap.Libp2p.Protobuf;

/// <summary>How a field's value is laid out (protobuf encoding, "Message structure"). Groups are of the past and are refused.</summary>
public enum WireType
{
    /// <summary>A varint.</summary>
    Varint = 0,

    /// <summary>Eight bytes, little-endian.</summary>
    Fixed64 = 1,

    /// <summary>A length and as many bytes: bytes, strings, messages, packed numbers.</summary>
    Bytes = 2,

    /// <summary>Four bytes, little-endian.</summary>
    Fixed32 = 5,
}
