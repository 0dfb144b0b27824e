using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Keys;

/// <summary>The one protobuf message of public and private keys: Type (1) and Data (2).</summary>
internal static class KeyMessage
{
    public static bool TryRead(ReadOnlySpan<byte> protobuf, out KeyType type, out ReadOnlySpan<byte> data)
    {
        type = KeyType.Rsa;
        data = default;
        var reader = new ProtoReader(protobuf);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = (KeyType)reader.Int32();
                    break;
                case 2:
                    data = reader.Bytes();
                    break;
            }
        }
        return !reader.Malformed && !data.IsEmpty;
    }
}
