namespace Drap.Libp2p.Keys;

/// <summary>An X25519 private key (RFC 7748), for Noise. May be used by several threads at once.</summary>
internal sealed class X25519Key : IDisposable
{
    public const int Bytes = 32;

    private readonly EvpKey key;
    private readonly byte[] publicKey = new byte[Bytes];

    /// <summary>The key whose scalar these 32 bytes are, any bytes from a good generator.</summary>
    public X25519Key(ReadOnlySpan<byte> scalar)
    {
        Invariant.Check(scalar.Length == Bytes);
        key = EvpKey.FromRawPrivate(EvpKey.X25519Type, scalar);
        key.CopyRawPublic(publicKey);
    }

    /// <summary>The public half.</summary>
    public ReadOnlySpan<byte> PublicKey => publicKey;

    /// <summary>
    /// Writes the 32 bytes that both sides share. False if the peer's key is a point of small order, which would make the secret one that
    /// everybody knows.
    /// </summary>
    public bool TryAgree(ReadOnlySpan<byte> peer, Span<byte> secret)
    {
        Invariant.Check(peer.Length == Bytes && secret.Length == Bytes);
        using var other = EvpKey.FromRawPublic(EvpKey.X25519Type, peer);
        return key.TryDerive(other, secret);
    }

    public void Dispose() => key.Dispose();
}
