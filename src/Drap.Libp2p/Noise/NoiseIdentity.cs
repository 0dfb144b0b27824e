using System.Text;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Noise;

/// <summary>
/// Who we are in every handshake: a Noise key, and the identity key's signature under it, made once (libp2p/specs noise, "Static Key
/// Authentication" lets a Noise key serve all sessions of a process). One serves any number of handshakes, on any threads.
/// </summary>
public sealed class NoiseIdentity : IDisposable
{
    /// <summary>Random bytes of a Noise key, static or ephemeral.</summary>
    public const int KeyBytes = X25519Key.Bytes;

    /// <summary>
    /// Takes the identity key, 32 random bytes for the static Noise key (do not store them), and the stream multiplexers that we speak, best
    /// first, for early negotiation; none leaves it to multistream-select.
    /// </summary>
    public NoiseIdentity(PrivateKey identity, ReadOnlySpan<byte> staticKey, IReadOnlyList<string> muxers)
    {
        Invariant.Check(staticKey.Length == KeyBytes && muxers.Count <= 16);
        Key = new X25519Key(staticKey);
        Muxers = [.. muxers.Select(m => (m, Encoding.UTF8.GetBytes(m)))];
        Payload = NoisePayload.Encode(identity, Key.PublicKey, muxers);
        Invariant.Check(Payload.Length + XxHandshake.OverheadBytesMax <= NoiseHandshake.MessageBytesMax);
    }

    internal X25519Key Key { get; }

    internal (string Name, byte[] Bytes)[] Muxers { get; }

    internal byte[] Payload { get; }

    /// <summary>Forgets the Noise key. No handshake may be under way.</summary>
    public void Dispose() => Key.Dispose();
}
