using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>
/// The keys of those who wrote lately: to decode one costs some microseconds, for RSA more than the check. Two generations of at most
/// <see cref="GenerationMax"/>: a full one becomes the old one, and what of it is still used moves over. Thread-safe.
/// </summary>
internal sealed class KeyCache
{
    private const int GenerationMax = 1024;

    private ConcurrentDictionary<PeerId, PublicKey> young = new();
    private ConcurrentDictionary<PeerId, PublicKey> old = new();

    public bool TryGet(SignedMessage message, [NotNullWhen(true)] out PublicKey? key)
    {
        if (young.TryGetValue(message.From, out key) && IsSaid(message, key))
            return true;
        if (!(old.TryGetValue(message.From, out key) && IsSaid(message, key)) && !MessageSignature.TryGetKey(message, out key))
            return false;
        if (young.Count >= GenerationMax)
        {
            old = young;
            young = new ConcurrentDictionary<PeerId, PublicKey>();
        }
        young[message.From] = key;
        return true;
    }

    // A message that carries another key goes on with it, and whoever gets it next would hold that against us.
    private static bool IsSaid(SignedMessage message, PublicKey key) => message.IsKeyInName || message.Key.SequenceEqual(key.Encoded);
}
