using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Drap.Core.Membership;

/// <summary>A revocation whose signature was checked.</summary>
/// <param name="Body">What it says.</param>
/// <param name="Signer">Who signed it.</param>
/// <param name="Envelope">Its own bytes, to be handed on as they came.</param>
public sealed record SignedRevocation(Revocation Body, PeerId Signer, Wrapped Envelope);

/// <summary>What came of a revocation that was taken in.</summary>
public enum RevocationNews
{
    /// <summary>It is new, and kept.</summary>
    Taken,

    /// <summary>The same signer had removed that node before.</summary>
    Known,

    /// <summary>It is of another swarm, or so old that what it revokes has expired.</summary>
    Void,

    /// <summary>There is no room: its signer has as many as one may have, or the list is full of the founder's.</summary>
    NoRoom,
}

/// <summary>
/// The removals that a node knows of. Anyone's may be kept; whether one counts shows when a chain is held against it: the founder removes anyone, an issuer
/// whom it let in and those below, a node itself. So nobody need know every certificate. Each is kept until nothing that it revokes can be valid any more. [MEM-6]
/// </summary>
/// <param name="swarm">The swarm: its founder's key.</param>
public sealed class RevocationList(PeerId swarm)
{
    /// <summary>
    /// Revocations in all: at most a kilobyte each, 4 MiB. A swarm that removes more than ten nodes a day, every day, is told so. When it is full, a new one of
    /// the founder's takes the place of another signer's.
    /// </summary>
    public const int CountMax = 4096;

    /// <summary>Those of one signer that is not the founder: more than it can have let in by hand. Further ones are not kept.</summary>
    public const int PerSignerMax = 128;

    private readonly SortedDictionary<(PeerId Subject, PeerId Signer), SignedRevocation> all = [];
    private readonly HashSet<Wrapped> envelopes = [];
    private readonly Dictionary<PeerId, int> bySigner = [];

    /// <summary>Those that are kept, in the order of their subjects.</summary>
    public ImmutableArray<SignedRevocation> All => [.. all.Values];

    /// <summary>Whether one with just these bytes is kept: then its signature need not be looked at again.</summary>
    public bool Contains(Wrapped envelope) => envelopes.Contains(envelope);

    /// <summary>A hash of the set, the same for the same set: finds out that two nodes know different ones.</summary>
    public ulong Digest { get; private set; }

    /// <summary>Takes one in.</summary>
    public RevocationNews Add(SignedRevocation revocation, UtcTime now)
    {
        if (revocation.Body.Swarm != swarm || IsOver(revocation, now))
            return RevocationNews.Void;
        (PeerId, PeerId) key = (revocation.Body.Subject, revocation.Signer);
        if (all.ContainsKey(key))
            return RevocationNews.Known;
        bool isFounders = revocation.Signer == swarm;
        if (!isFounders && bySigner.GetValueOrDefault(revocation.Signer) >= PerSignerMax)
            return RevocationNews.NoRoom;
        if (all.Count >= CountMax && !(isFounders && TryMakeRoom()))
            return RevocationNews.NoRoom;
        all.Add(key, revocation);
        envelopes.Add(revocation.Envelope);
        bySigner[revocation.Signer] = bySigner.GetValueOrDefault(revocation.Signer) + 1;
        Digest ^= Mix(key);
        return RevocationNews.Taken;
    }

    /// <summary>Forgets those by which nothing can be valid any more that would not be without them.</summary>
    public void Expire(UtcTime now)
    {
        foreach ((PeerId, PeerId) key in all.Where(r => IsOver(r.Value, now)).Select(r => r.Key).ToArray())
            Remove(key);
    }

    /// <summary>The revocation by which the member, or somebody through whom it was let in, was removed; null if there is none.</summary>
    public SignedRevocation? Against(Member member)
    {
        PeerId subject = member.Peer;
        for (int i = 0; i < member.Issuers.Length; i++)
        {
            if (all.TryGetValue((subject, subject), out SignedRevocation? found))
                return found;
            for (int above = i; above < member.Issuers.Length; above++)
                if (all.TryGetValue((subject, member.Issuers[above]), out found))
                    return found;
            subject = member.Issuers[i];
        }
        return null;
    }

    private static bool IsOver(SignedRevocation revocation, UtcTime now) => now - revocation.Body.At > Certificate.LifetimeMax;

    // The signer with the most loses one: who floods the list pays for it.
    private bool TryMakeRoom()
    {
        PeerId most = default;
        int count = 0;
        foreach ((PeerId signer, int has) in bySigner.OrderBy(s => s.Key))
            if (signer != swarm && has > count)
                (most, count) = (signer, has);
        if (count == 0)
            return false;
        Remove(all.Keys.First(k => k.Signer == most));
        return true;
    }

    private void Remove((PeerId Subject, PeerId Signer) key)
    {
        envelopes.Remove(all[key].Envelope);
        all.Remove(key);
        if (--bySigner[key.Signer] == 0)
            bySigner.Remove(key.Signer);
        Digest ^= Mix(key);
    }

    private static ulong Mix((PeerId Subject, PeerId Signer) key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData([(byte)key.Subject.Bytes.Length, .. key.Subject.Bytes, .. key.Signer.Bytes], hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }
}
