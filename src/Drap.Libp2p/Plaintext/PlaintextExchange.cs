using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Plaintext;

/// <summary>
/// The exchange of names of <c>/plaintext/2.0.0</c> (libp2p/specs plaintext), which proves nothing and hides nothing: for tests only. Both sides call
/// <see cref="Start"/> and send what it writes at once, and hand what comes to <see cref="Receive"/>.
/// </summary>
public sealed class PlaintextExchange(PrivateKey self, PeerId? expected)
{
    /// <summary>The longest message taken, in bytes: the largest key takes 1.1 KiB.</summary>
    public const int MessageBytesMax = 2048;

    private const int PeerField = 1, KeyField = 2;

    private readonly byte[] partial = new byte[MessageBytesMax + 2]; // a message and its length
    private int held;

    /// <summary>Why it failed; <see cref="PlaintextError.None"/> while it has not.</summary>
    public PlaintextError Error { get; private set; }

    /// <summary>The other side's key; set when the exchange is done.</summary>
    public PublicKey? RemoteKey { get; private set; }

    /// <summary>Whether it is done: what was not consumed is the first data.</summary>
    [MemberNotNullWhen(true, nameof(RemoteKey))]
    public bool IsDone => RemoteKey is not null;

    /// <summary>Writes our name and key.</summary>
    public void Start(IBufferWriter<byte> output)
    {
        var writer = new ProtoWriter();
        writer.Bytes(PeerField, self.PeerId.Bytes);
        writer.Bytes(KeyField, self.PublicKey.Encoded);
        output.Write(Delimited.Frame(writer.Written));
    }

    /// <summary>Takes bytes of the other side and returns how many it consumed: all of them while the exchange lasts, and none of what comes after.</summary>
    public int Receive(ReadOnlySpan<byte> input)
    {
        if (IsDone || Error != PlaintextError.None)
            return 0;
        int before = held, taken = Math.Min(input.Length, partial.Length - held);
        input[..taken].CopyTo(partial.AsSpan(held));
        held += taken;
        switch (Delimited.TryRead(partial.AsSpan(0, held), MessageBytesMax, out ReadOnlySpan<byte> message, out int consumed))
        {
            case Multiformats.VarintStatus.Incomplete:
                return input.Length;
            case Multiformats.VarintStatus.Malformed:
                Error = PlaintextError.Malformed;
                return 0;
        }
        Error = Read(message);
        return consumed - before;
    }

    private PlaintextError Read(ReadOnlySpan<byte> message)
    {
        ReadOnlySpan<byte> name = default, encoded = default;
        var reader = new ProtoReader(message);
        while (reader.Next())
        {
            if (reader.Field == PeerField)
                name = reader.Bytes();
            else if (reader.Field == KeyField)
                encoded = reader.Bytes();
        }
        if (reader.Malformed)
            return PlaintextError.Malformed;
        if (!PublicKey.TryDecode(encoded, out PublicKey? key))
            return PlaintextError.BadKey;
        if (!key.PeerId.Bytes.SequenceEqual(name))
            return PlaintextError.OtherName;
        if (expected is { } wanted && wanted != key.PeerId)
            return PlaintextError.WrongPeer;
        RemoteKey = key;
        return PlaintextError.None;
    }
}

/// <summary>Why an exchange failed.</summary>
public enum PlaintextError
{
    /// <summary>It did not.</summary>
    None,

    /// <summary>The message is no protobuf message, or longer than 2 KiB.</summary>
    Malformed,

    /// <summary>The key is missing, or of a kind that is not taken.</summary>
    BadKey,

    /// <summary>The name does not follow from the key.</summary>
    OtherName,

    /// <summary>It is somebody else than the peer that was dialled.</summary>
    WrongPeer,
}
