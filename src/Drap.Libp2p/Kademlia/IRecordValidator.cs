using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// Says which values of a namespace may be kept and handed out, and which of two is the better. Both are pure, and total: they get
/// whatever a peer sent (libp2p/specs, kad-dht, "Entry validation").
/// </summary>
public interface IRecordValidator
{
    /// <summary>Whether <paramref name="value"/> may stand under <paramref name="key"/>, which is whole, with its namespace.</summary>
    bool IsValid(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

    /// <summary>Whether the <paramref name="newer"/> of two different valid values replaces the <paramref name="older"/>.</summary>
    bool IsBetter(ReadOnlySpan<byte> key, ReadOnlySpan<byte> newer, ReadOnlySpan<byte> older);
}

/// <summary>The namespace <c>pk</c>: under <c>/pk/</c> and the bytes of a peer id stands the public key that has this id.</summary>
public sealed class PublicKeyValidator : IRecordValidator
{
    /// <summary>The only one.</summary>
    public static readonly PublicKeyValidator Instance = new();

    private PublicKeyValidator()
    {
    }

    /// <inheritdoc/>
    public bool IsValid(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
        key.StartsWith("/pk/"u8) && PeerId.TryFromBytes(key[4..], out PeerId id)
        && PublicKey.TryDecode(value, out PublicKey? named) && named.PeerId == id;

    /// <inheritdoc/>
    public bool IsBetter(ReadOnlySpan<byte> key, ReadOnlySpan<byte> newer, ReadOnlySpan<byte> older) => false;
}

/// <summary>Values that anybody may put under any key: the last one stands.</summary>
internal sealed class AnythingGoes : IRecordValidator
{
    public bool IsValid(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => true;

    public bool IsBetter(ReadOnlySpan<byte> key, ReadOnlySpan<byte> newer, ReadOnlySpan<byte> older) => true;
}
