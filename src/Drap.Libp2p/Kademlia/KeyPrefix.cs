using System.Text;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// The first bits of a key: a region of the DHT, of which the peers are the members. Written as its bits, the empty one as <c>all</c>.
/// </summary>
/// <param name="Bits">The bits, in the lowest places; those above are zero.</param>
/// <param name="Length">How many, 0 to <see cref="LengthMax"/>.</param>
public readonly record struct KeyPrefix(uint Bits, int Length)
{
    /// <summary>
    /// The longest. To find a key that hashes into a region costs 2^length hashes: at 18 bits about 0.1 s, and such regions are of
    /// networks of millions.
    /// </summary>
    public const int LengthMax = 18;

    /// <summary>The first <paramref name="length"/> bits of <paramref name="key"/>.</summary>
    public static KeyPrefix Of(KadKey key, int length)
    {
        Invariant.Check(length is >= 0 and <= LengthMax);
        return new KeyPrefix(length == 0 ? 0 : (uint)(key.High >> (64 - length)), length);
    }

    /// <summary>Whether <paramref name="key"/> begins so.</summary>
    public bool Covers(KadKey key) => Of(key, Length).Bits == Bits;

    /// <summary>The half of the region where the next bit is 0, or 1.</summary>
    public KeyPrefix Half(int bit) => new((Bits << 1) | (uint)bit, Length + 1);

    /// <summary>Bytes whose hash begins so: a message names what it is about by bytes, not by their hash.</summary>
    public byte[] FindPreimage(Prng random)
    {
        Invariant.Check(Length <= LengthMax);
        byte[] bytes = new byte[32];
        do
        {
            // The whole is drawn anew, so that the hash is a random place of the region.
            for (int i = 0; i < bytes.Length; i += 8)
                BitConverter.TryWriteBytes(bytes.AsSpan(i), random.NextUInt64());
        }
        while (!Covers(KadKey.Of(bytes)));
        return bytes;
    }

    /// <summary>
    /// The content that members of the region provide who are in nobody's routing table (behind NAT, clients): a multihash, so that
    /// every implementation keeps it. <paramref name="swarm"/> keeps the regions of different networks on one DHT apart.
    /// </summary>
    public byte[] MembersKey(string swarm)
    {
        byte[] name = Encoding.UTF8.GetBytes($"{swarm}/members/{this}");
        byte[] multihash = new byte[34];
        multihash[0] = 0x12;
        multihash[1] = 32;
        System.Security.Cryptography.SHA256.HashData(name, multihash.AsSpan(2));
        return multihash;
    }

    /// <inheritdoc/>
    public override string ToString() => Length == 0 ? "all" : Convert.ToString(Bits, 2).PadLeft(Length, '0');
}
